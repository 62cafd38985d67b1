"""What the shell makes of a raw argument. Total: whatever bytes arrive, the answer is a value or a reason, never an exception.

A typed argument that does not decode blocks the run or is dropped; that is why no handler of ours has one.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NoReturn

from temporalio.api.common.v1 import Payload
from temporalio.common import RawValue

from onboarding import limits
from onboarding.messages import MessageFault, OutcomeWord, Received, Refusal
from onboarding.parsing import parse

UNDECODABLE = "payload_undecodable"
"""The code of an argument that was encrypted and has no key here, now or ever."""

_MARKER = b"onboarding/undecodable"
"""The encoding that `runtime/codec.py` gives to such a payload."""
_OURS = "onboarding-ours"
"""What it adds where the payload was encrypted for this run."""

NOTHING = RawValue(Payload())
"""Stands for an argument that was not sent: the Temporal UI sends none when its field is left empty."""

TOO_MANY = ("too_many_arguments", "A message has one argument, a JSON object; more than one was sent.")
"""Code and sentence."""

_RAW_BYTES = 8 * limits.MESSAGE_BYTES
"""Escapes and white space make JSON longer than its canonical form; beyond this factor nobody is honest, and parsing is slow."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An argument that is no JSON value, and why; the sentence never repeats it."""

    code: str
    sentence: str
    ours: bool = False
    """Encrypted for this run, so that somebody with other keys may read it."""


def read_one(raw: Sequence[RawValue], most: int = _RAW_BYTES) -> Any:
    """The JSON value of a message's only argument, or `Unreadable`."""
    if len(raw) > 1:
        return Unreadable(*TOO_MANY)
    return read(raw[0] if raw else NOTHING, most)


def read(raw: RawValue, most: int = _RAW_BYTES) -> Any:
    """The JSON value of an argument (`None` if there is none), or `Unreadable`."""
    try:
        encoding = bytes(raw.payload.metadata.get("encoding", b""))
        content = bytes(raw.payload.data)
    except (AttributeError, TypeError, ValueError):
        return Unreadable("unreadable", "The argument is no Temporal payload.")
    if encoding == _MARKER:
        return Unreadable(
            UNDECODABLE,
            "The argument is encrypted, and there is no key for it: send it to its own run, as it is.",
            ours=_OURS in raw.payload.metadata,
        )
    if len(content) > most:
        return Unreadable("message_too_large", f"The argument has {len(content)} bytes, {most} can be read at all.")
    if encoding == b"binary/null" or (not encoding and not content):
        return None
    if encoding not in (b"json/plain", b"json/protobuf"):
        return Unreadable("not_json", "The argument is not JSON: its encoding must be json/plain.")
    try:
        return json.loads(content.decode("utf-8"), parse_constant=_no_constant)
    except UnicodeDecodeError:
        return Unreadable("not_json", "The argument is not UTF-8 text.")
    except ValueError:
        return Unreadable("not_json", "The argument is not JSON.")
    except RecursionError:
        return Unreadable("not_json", "The argument is nested too deep.")


def is_locked(value: Any) -> bool:
    """Whether an argument was encrypted for this run, and its key is not here. What nobody can ever open is none of these."""
    return isinstance(value, Unreadable) and value.ours


def _no_constant(word: str) -> NoReturn:
    raise ValueError(word)


def has_key_twice(raw: Sequence[RawValue]) -> bool:
    """Whether a key stands twice in one object of an argument that can be read: nobody knows then which one counts."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            raise _KeyTwice
        return found

    if not isinstance(read_one(raw), (dict, list)):
        return False  # bytes beside an encoding that says there is nothing are not looked at, either
    try:
        json.loads(bytes(raw[0].payload.data), object_pairs_hook=once)
    except _KeyTwice:
        return True
    return False


class _KeyTwice(Exception):
    """Never leaves this file."""


def as_message(
    name: str, raw: Sequence[RawValue], *, via: Literal["update", "signal"], fallback_id: str, once: bool = True
) -> Received | Refusal:
    """The message that these arguments are, or why they are none. `once`: a key that stands twice in them is refused."""
    value = read_one(raw)
    if once and has_key_twice(raw):
        value = Unreadable("key_twice", "A key stands twice in one object of the message; say each thing once.")
    if not isinstance(value, Unreadable):
        return parse(name, value, via=via, fallback_id=fallback_id)
    return Refusal(
        name=name[: limits.NAME_LENGTH],
        message_id=fallback_id[: limits.MESSAGE_ID_LENGTH],
        via=via,
        outcome=OutcomeWord.TOO_LARGE if value.code == "message_too_large" else OutcomeWord.REJECTED,
        faults=(MessageFault(place="", code=value.code, sentence=value.sentence),),
    )


def no_cancellation(message_id: str) -> Refusal:
    """Temporal's own cancellation, for the list of refused messages: it names nobody, and a run does not end by nobody."""
    sentence = (
        "Temporal's cancellation names nobody and ends no run; send the message `cancel`, or terminate it by force."
    )
    fault = MessageFault(place="", code="cancellation_ignored", sentence=sentence)
    return Refusal(name="cancel", message_id=message_id, via="signal", outcome=OutcomeWord.FORBIDDEN, faults=(fault,))
