"""Reads one JSON argument as a message: any shape gets a message or a refusal, and no value of the sender is repeated."""

import hashlib
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from onboarding import limits
from onboarding.messages import (
    BY_NAME,
    GENERATED,
    UNVERIFIED,
    MessageFault,
    OutcomeWord,
    Received,
    Refusal,
    canonical_json,
)
from onboarding.nearest import nearest


def content_digest(name: str, content: Mapping[str, Any]) -> str:
    """The hash that tells a repeat from a reuse of an id: name and content, without the id itself."""
    body = {key: value for key, value in content.items() if key != "message_id"}
    return hashlib.sha256(f"{name}:{canonical_json(body)}".encode("utf-8", "surrogatepass")).hexdigest()[:32]


def parse(
    name: str, raw: Any, *, via: Literal["update", "signal"], fallback_id: str, kept: bool = False
) -> Received | Refusal:
    """Reads one decoded JSON argument as the message called `name`.

    `fallback_id` stands in for a missing `message_id` (the update's own id, or a generated one for a signal). `kept` is for
    what was read before and kept: its size was judged when it came, and with what we added it may be over the limit now.
    """

    def refusal(code: str, sentence: str, outcome: OutcomeWord = OutcomeWord.REJECTED, place: str = "") -> Refusal:
        fault = MessageFault(place=place, code=code, sentence=sentence)
        return Refusal(
            name=_shown(name),
            message_id=_id_of(raw, fallback_id, via),
            via=via,
            outcome=outcome,
            faults=(fault,),
        )

    if not isinstance(raw, dict):
        return refusal("not_an_object", "A message is one JSON object; docs/integrating.md lists its fields.")
    if not kept and _is_deep(raw):
        said = (
            f"The message has lists and objects nested more than {limits.MESSAGE_LEVELS} levels deep; make it flatter."
        )
        return refusal("nested_too_deep", said)
    try:
        text = canonical_json(raw)
        size = len(text.encode("utf-8"))
    except UnicodeEncodeError:
        return refusal("control_characters", "The message holds half a character (a lone surrogate); remove it.")
    except (TypeError, ValueError, RecursionError):
        return refusal("not_json", "The message is not plain JSON (a number without value, or nested too deep).")
    if size > limits.MESSAGE_BYTES and not kept:
        sentence = f"The message has {size} bytes, {limits.MESSAGE_BYTES} are allowed; give files by reference."
        return refusal("message_too_large", sentence, OutcomeWord.TOO_LARGE)
    kind = BY_NAME.get(name)
    if kind is None:
        hint = nearest(name, list(BY_NAME))
        return refusal("unknown_message", f"There is no message of this name{hint or '.'}", OutcomeWord.UNKNOWN)
    content = dict(raw)
    marked: tuple[str, ...] = ()
    if content.get("message_id") is None:
        content["message_id"] = _id_of(raw, fallback_id, via)
        if via == "signal":
            marked += ("generated_id",)
    if content.get("actor") is None:
        content.pop("actor", None)
        if via == "signal":
            content["actor"] = UNVERIFIED
            marked += (UNVERIFIED,)
    for key in [key for key in content if key not in kind.model_fields][limits.FAULTS_TOLD :]:
        del content[key]  # thousands of unknown fields would be refused like fifty, and take a thousand times as long
    try:
        message = kind.model_validate_json(canonical_json(content))
    except ValidationError as error:
        return Refusal(
            name=name, message_id=_id_of(raw, fallback_id, via), via=via, outcome=OutcomeWord.REJECTED, faults=_faults(error),
        )  # fmt: skip
    return Received(message=message, name=name, digest=content_digest(name, raw), via=via, marked=marked)


def _is_deep(value: Any) -> bool:
    """Whether lists and objects stand inside one another for too many levels; asked without recursion, which is the danger."""
    level = [value]
    for _ in range(limits.MESSAGE_LEVELS):
        inside = [
            one.values() if isinstance(one, dict) else one for one in level if isinstance(one, dict | list | tuple)
        ]
        level = [part for parts in inside for part in parts]
    return any(isinstance(one, dict | list | tuple) for one in level)


def _shown(text: str) -> str:
    """A name from outside as it may be repeated: short, and nothing in it that a screen would obey."""
    return "".join(char if char.isprintable() else "?" for char in text[: limits.NAME_LENGTH])


def _id_of(raw: Any, fallback: str, via: str) -> str:
    """The id as given, else the update's own, else a made-up one that shows that it was made up."""
    given = raw.get("message_id") if isinstance(raw, dict) else None
    if isinstance(given, str) and 0 < len(given) <= limits.MESSAGE_ID_LENGTH and given.isprintable():
        return given
    return fallback if via == "update" else f"{GENERATED}{fallback}"


_OURS = ("control_characters", "mail_address", "not_a_handle", "not_an_instant", "no_offset", "no_words")
_SENTENCES = {
    "missing": ("required", "This field is required."),
    "extra_forbidden": ("unknown_field", "This message has no such field."),
    "json_invalid": ("not_json", "The message is nested too deep."),
    "string_type": ("wrong_type", "Expected a text."),
    "int_type": ("wrong_type", "Expected a whole number."),
    "bool_type": ("wrong_type", "Expected true or false."),
    "dict_type": ("wrong_type", "Expected an object."),
    "model_type": ("wrong_type", "Expected an object."),
    "tuple_type": ("wrong_type", "Expected a list."),
    "string_pattern_mismatch": ("wrong_form", "Expected 64 hexadecimal digits in lower case."),
}


def _faults(error: ValidationError) -> tuple[MessageFault, ...]:
    """As many faults as are told, each once."""
    found: dict[MessageFault, None] = {}
    for detail in error.errors(include_url=False, include_input=False):
        found[_fault(detail)] = None
        if len(found) == limits.FAULTS_TOLD:
            break
    return tuple(found)


def _fault(detail: ErrorDetails) -> MessageFault:
    """One fault in our words; what pydantic says may quote what it found."""
    loc, kind, bounds = detail["loc"], detail["type"], detail.get("ctx", {})
    place = "".join("/" + _step(part) for part in loc if part != "[key]")[:200]
    if kind in _OURS:
        return MessageFault(place=place, code=kind, sentence=detail["msg"])
    if kind in _SENTENCES:
        code, sentence = _SENTENCES[kind]
        return MessageFault(place=place, code=code, sentence=sentence)
    match kind:
        case "string_too_long" | "too_long":
            unit = "characters" if kind.startswith("string") else "entries"
            return MessageFault(
                place=place, code="too_long", sentence=f"Expected at most {bounds['max_length']} {unit}."
            )
        case "string_too_short" | "too_short":
            return MessageFault(place=place, code="too_short", sentence="Expected something; this is empty.")
        case "greater_than_equal":
            return MessageFault(place=place, code="too_small", sentence=f"Expected at least {bounds['ge']}.")
        case "less_than_equal":
            return MessageFault(place=place, code="too_large", sentence=f"Expected at most {bounds['le']}.")
        case "literal_error":
            return MessageFault(place=place, code="not_a_choice", sentence=f"Expected {bounds['expected']}.")
        case _:
            return MessageFault(place=place, code="wrong_type", sentence="This field has another type.")


def _step(part: str | int) -> str:
    """One step of a JSON pointer; keys come from outside, too."""
    return _shown(str(part)).replace("~", "~0").replace("/", "~1")
