"""Lines of a file that say something to runs: read one at a time, however long the file is, and told apart from what is none.

A line is ours, `{"name": …, "run": … or "match": {…}, "message": {…}}`, or an event as a webhook brings it (CloudEvents, structured
JSON). A broken one gets a verdict with line and column, and the next one is read.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from console import json_text
from console.finding import Wanted
from console.printing import shown
from onboarding import limits
from onboarding.messages import BY_NAME, Happen, MessageFault, canonical_json
from onboarding.nearest import nearest

MOST_BYTES = 8 * limits.MESSAGE_BYTES + 4_096
"""One line: escapes make a message longer than its canonical form, as for a run."""
_CHUNK = 65_536
_MARK = b"\xef\xbb\xbf"
_OURS = ("name", "run", "match", "message")
_EVENT = ("specversion", "type", "id", "source", "data")


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A line that says nothing to anybody, and why. `column` counts characters from 1."""

    line: int
    column: int
    outcome: str
    code: str
    sentence: str
    place: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A line that says `content` to a run by its name, or to the run that is `wanted`."""

    line: int
    name: str
    content: dict[str, Any]
    run: str | None = None
    wanted: Wanted | None = None
    numbered: bool = False
    """Whether its id was made here, of what it says and its number."""

    @property
    def message_id(self) -> str:
        """The key of deduplication."""
        return str(self.content["message_id"])


def read(stream: BinaryIO, actor: str | None = None) -> Iterator[Said | Broken]:
    """What each line says; blank ones are left out. `actor` speaks where a line names nobody."""
    number = 0
    while raw := stream.readline(MOST_BYTES + 1):
        number += 1
        if len(raw) > MOST_BYTES and not raw.endswith(b"\n"):
            while (rest := stream.readline(_CHUNK)) and not rest.endswith(b"\n"):
                pass
            sentence = f"The line is longer than {MOST_BYTES} bytes; give files by reference."
            yield Broken(
                line=number, column=MOST_BYTES + 1, outcome="too_large", code="message_too_large", sentence=sentence
            )
            continue
        if number == 1:
            raw = raw.removeprefix(_MARK)
        if raw.strip():
            yield understood(number, raw.rstrip(b"\r\n"), actor)


def understood(line: int, raw: bytes, actor: str | None) -> Said | Broken:
    """What one line says."""

    def broken(code: str, sentence: str, column: int = 1, place: str = "") -> Broken:
        return Broken(line=line, column=column, outcome="rejected", code=code, sentence=sentence, place=place)

    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        column = len(raw[: error.start].decode("utf-8")) + 1
        return broken("not_utf8", "The line is not UTF-8 text.", column)
    try:
        value = json_text.read(text)
    except json_text.KeyTwice as twice:
        return broken("key_twice", "A key stands twice in one object; say each thing once.", place=shown(twice.place))
    except RecursionError:
        return broken("nested_too_deep", "The line is nested too deep.")
    except json.JSONDecodeError as error:
        return broken("not_json", "The line is not one JSON value; each line is one message.", error.colno)
    except ValueError:
        return broken("not_json", "The line holds a number that is none in JSON, or one that is too large to be held.")
    if not isinstance(value, dict):
        return broken("not_an_object", "A line is one JSON object with name, run or match, and message.")
    fault = _fault_of_event(value) if "specversion" in value else _fault_of_ours(value)
    if fault is not None:
        return broken(fault.code, fault.sentence, place=fault.place)
    return _event(line, value, actor) if "specversion" in value else _ours(line, value, actor)


def _fault_of_ours(value: Mapping[str, Any]) -> MessageFault | None:
    for key in value:
        if key not in _OURS:
            sentence = f"A line has no such key{nearest(key[:60], _OURS) or '.'}"
            return MessageFault(place=f"/{shown(key)}", code="unknown_field", sentence=sentence)
    if not isinstance(value.get("name"), str):
        return MessageFault(place="/name", code="required", sentence="The name of a message, such as happen or submit.")
    if value["name"] not in BY_NAME:
        sentence = f"There is no message of this name{nearest(value['name'][:60], BY_NAME) or '.'}"
        return MessageFault(place="/name", code="unknown_message", sentence=sentence)
    if ("run" in value) == ("match" in value):
        sentence = "A line says run, the name of one, or match, what it is about: one of the two."
        return MessageFault(place="/run", code="one_of", sentence=sentence)
    if "run" in value and not isinstance(value["run"], str):
        return MessageFault(
            place="/run", code="wrong_type", sentence="Expected the name of a run, CUSTOMER/DEFINITION."
        )
    if "match" in value and not (isinstance(value["match"], dict) and value["match"]):
        sentence = 'Expected what the run is known by, such as {"customer_id": "c-1042"}.'
        return MessageFault(place="/match", code="wrong_type", sentence=sentence)
    if not isinstance(value.get("message", {}), dict):
        return MessageFault(place="/message", code="wrong_type", sentence="Expected an object with the message.")
    return None


def _fault_of_event(value: Mapping[str, Any]) -> MessageFault | None:
    if value["specversion"] != "1.0":
        return MessageFault(
            place="/specversion", code="not_a_choice", sentence="Expected the version 1.0 of CloudEvents."
        )
    for key in ("type", "id", "source"):
        if not isinstance(value.get(key), str) or not value[key]:
            return MessageFault(place=f"/{key}", code="required", sentence="Expected a text; CloudEvents require it.")
    if not isinstance(value.get("data", {}), dict):
        return MessageFault(place="/data", code="wrong_type", sentence="Expected an object: what the event carries.")
    if "data_base64" in value:
        return MessageFault(place="/data_base64", code="wrong_type", sentence="Expected data as JSON, not as bytes.")
    return None


def _ours(line: int, value: Mapping[str, Any], actor: str | None) -> Said:
    content = dict(value.get("message", {}))
    if content.get("actor") is None and actor is not None:
        content["actor"] = actor
    numbered = content.get("message_id") is None
    if numbered:
        # The same line of the same file is the same message, however often the file is sent.
        digest = hashlib.sha256(canonical_json(value).encode("utf-8", "surrogatepass")).hexdigest()
        content["message_id"] = f"line-{line}-{digest[:24]}"
    name = value["name"]
    if "run" in value:
        return Said(line=line, name=name, content=content, run=value["run"], numbered=numbered)
    event = content.get("event") if name == Happen.name else None
    data = content.get("data")
    wanted = Wanted(
        match=value["match"],
        event=event if isinstance(event, str) else None,
        data=data if isinstance(data, dict) else {},
    )
    return Said(line=line, name=name, content=content, wanted=wanted, numbered=numbered)


def _event(line: int, value: Mapping[str, Any], actor: str | None) -> Said:
    data = value.get("data", {})
    content = {
        "message_id": value["id"],
        "actor": actor or "integration:cloudevents",
        "event": value["type"],
        "data": data,
    }
    if value.get("time") is not None:
        content["sent_at"] = value["time"]
    wanted = Wanted(event=value["type"], data=data, by_payload=True)
    return Said(line=line, name=Happen.name, content=content, wanted=wanted)
