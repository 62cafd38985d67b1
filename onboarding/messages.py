"""What outsiders may say to a run, and what they hear back.

A message arrives as any bytes at all; `parsing.parse` turns it into one frozen value of this file or into a `Refusal` that
names every fault with its place. Names, codes and shapes are the public contract.
"""

import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    StrictBool,
)
from pydantic_core import PydanticCustomError

from onboarding import limits

GENERATED = "generated:"
"""How the id of a signal begins that came without one."""

UNVERIFIED = "unverified"
"""The actor of a signal that named none: nobody."""

_ACTOR = re.compile(r"(customer:|integration:)?[a-z0-9][a-z0-9._-]{0,62}")
_INSTANT = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt ]([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,9})?)?([Zz]|[+-]\d{2}:?\d{2})?", re.ASCII
)
_PRINTABLE_BREAKS = "\n\r\t"
_MOST_INTEGER = 2**53 - 1


class OutcomeWord(StrEnum):
    """The word a sender hears; the command line's exit codes follow from it."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    HELD = "held"
    REJECTED = "rejected"
    CONFLICT = "conflict"
    CLOSED = "closed"
    UNKNOWN = "unknown"
    TOO_LARGE = "too_large"
    FORBIDDEN = "forbidden"
    RETRY_LATER = "retry_later"


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageFault:
    """One thing that does not fit: a JSON pointer into the message, a stable code, a sentence without the value."""

    place: str
    code: str
    sentence: str


def spoken(faults: tuple[MessageFault, ...]) -> str:
    """One sentence for several faults: the first one with its place, and how many there are. Some clients show nothing else."""
    first = faults[0]
    place = f" (at {first.place})" if first.place else ""
    more = f" ({len(faults)} faults in all)" if len(faults) > 1 else ""
    return f"{first.sentence}{place}{more}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NextItem:
    """An item that is open now: what the sender may expect to happen next."""

    item: str
    title: str
    who: str
    due: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The answer to one message. It repeats no value, so it stays clear, and a sender without a key can read it."""

    stays_clear: ClassVar[bool] = True

    outcome: OutcomeWord
    code: str
    sentence: str
    message_id: str
    item: str | None = None
    status: str | None = None
    received_at: datetime | None = None
    next: tuple[NextItem, ...] = ()
    faults: tuple[MessageFault, ...] = ()
    answer: str | None = None
    """The digest of what a decision on the item would be about: to be named in `decide`."""

    @property
    def refused(self) -> bool:
        """True when the message changed nothing and never will under this verdict."""
        return self.outcome not in (OutcomeWord.ACCEPTED, OutcomeWord.HELD, OutcomeWord.DUPLICATE)


def _plain_text(value: str) -> str:
    if any(unicodedata.category(char) in ("Cc", "Cs") and char not in _PRINTABLE_BREAKS for char in value):
        raise PydanticCustomError(
            "control_characters", "Text holds a control character or half a character; remove it."
        )
    return value


def _some_words(value: str) -> str:
    if not value.strip():
        raise PydanticCustomError("no_words", "Expected some words; people read them later.")
    return _plain_text(value)


def canonical_actor(value: str) -> str:
    """One spelling for one person: Unicode NFKC, trimmed, lower case."""
    return unicodedata.normalize("NFKC", value).strip().lower()


def _actor(value: str) -> str:
    actor = canonical_actor(value)
    if "@" in actor:
        raise PydanticCustomError("mail_address", "An actor is a handle or a role, never a mail address.")
    if not _ACTOR.fullmatch(actor):
        raise PydanticCustomError(
            "not_a_handle", "An actor is a handle such as dana, customer:admin or integration:crm."
        )
    return actor


def _instant(value: Any) -> datetime:
    """Reads the form of RFC 3339 and no other: a bare number could be seconds or milliseconds, and of which day?"""
    form = PydanticCustomError("not_an_instant", "An instant is written like 2026-11-21T10:00:00Z.")
    found = _INSTANT.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise form
    if found.group(4) is None:
        raise PydanticCustomError("no_offset", "An instant carries an offset, such as 2026-11-21T10:00:00Z.")
    try:
        whole = re.sub(r"\.\d+", "", value.upper()).replace("Z", "+00:00")
        return datetime.fromisoformat(whole).astimezone(UTC)
    except (ValueError, OverflowError):  # a day that does not exist, or no instant of our calendar in UTC
        raise form from None


Text = Annotated[str, Field(strict=True, max_length=limits.TEXT_LENGTH), AfterValidator(_plain_text)]
Words = Annotated[str, Field(strict=True, max_length=limits.TEXT_LENGTH), AfterValidator(_some_words)]
Name = Annotated[str, Field(strict=True, min_length=1, max_length=500), AfterValidator(_plain_text)]
Actor = Annotated[str, Field(strict=True, max_length=200), AfterValidator(_actor)]
MessageId = Annotated[
    str, Field(strict=True, min_length=1, max_length=limits.MESSAGE_ID_LENGTH), AfterValidator(_plain_text)
]
Instant = Annotated[
    datetime,
    PlainValidator(_instant),
    # With a validator of ours pydantic writes an instant and then warns of the text that it has written.
    PlainSerializer(lambda at: at.isoformat().replace("+00:00", "Z"), return_type=str, when_used="json-unless-none"),
]


AnswerDigest = Annotated[str, Field(strict=True, pattern=r"^[0-9a-f]{8,64}$")]


class Message(BaseModel):
    """What every message carries; each kind adds its own fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: ClassVar[str] = ""

    message_id: MessageId
    actor: Actor
    on_behalf_of: Actor | None = None
    sent_at: Instant | None = None
    channel: Name | None = None


def _at_most(count: int) -> BeforeValidator:
    """A list is counted before anybody looks at what is in it: each entry could be told with several faults."""

    def counted(value: Any) -> Any:
        if isinstance(value, list | tuple) and len(value) > count:
            raise PydanticCustomError("too_long", "Too many entries.", {"max_length": count})
        return value

    return BeforeValidator(counted)


class FileReference(BaseModel):
    """A file that stays where it is; only its reference and hash travel."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    uri: Annotated[Name, Field(max_length=2_000)]
    sha256: Annotated[str, Field(strict=True, pattern=r"^[0-9a-f]{64}$")]
    type: Name
    bytes: Annotated[int, Field(strict=True, ge=1, le=_MOST_INTEGER)]
    name: Name


class Submit(Message):
    """A customer delivers; validated at once; a draft stores parts."""

    name: ClassVar[str] = "submit"
    item: Name
    fields: dict[Annotated[str, Field(max_length=200)], Any] = Field(default_factory=dict)
    files: Annotated[tuple[FileReference, ...], _at_most(limits.FILES)] = ()
    draft: StrictBool = False


class Decide(Message):
    """A decision of an approval, or of the review of an answer, by one of its named outcomes."""

    name: ClassVar[str] = "decide"
    item: Name
    outcome: Name
    comment: Text | None = None
    answer: AnswerDigest | None = None


class Complete(Message):
    """A person on our side finishes a task and gives the facts it must provide."""

    name: ClassVar[str] = "complete"
    item: Name
    provides: dict[Annotated[str, Field(max_length=200)], Any] = Field(default_factory=dict)
    comment: Text | None = None


class Happen(Message):
    """The outside world says so."""

    name: ClassVar[str] = "happen"
    event: Name
    data: dict[str, Any] = Field(default_factory=dict)


class Hold(Message):
    """Stops the clocks of the run, booked to a side, until resumed; only `review_at` and the absences of people go on."""

    name: ClassVar[str] = "hold"
    reason: Words
    side: Literal["customer", "provider", "third_party"] = "customer"
    review_at: Instant | None = None


class Resume(Message):
    """Starts the clocks again and moves every due date by the held business time."""

    name: ClassVar[str] = "resume"
    reason: Text | None = None


class Extend(Message):
    """A new due date for an item or a new target for a stage; the old one stays in the record."""

    name: ClassVar[str] = "extend"
    item: Name | None = None
    stage: Name | None = None
    due: Instant
    reason: Words


def _listed(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


OneOrMany = Annotated[tuple[Name, ...], _at_most(24), BeforeValidator(_listed)]
Epoch = Annotated[int, Field(strict=True, ge=-_MOST_INTEGER, le=_MOST_INTEGER)]


class ZoneData(BaseModel):
    """A time zone as data, because a run looks nothing up: from which second since 1970 on which offset in seconds holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[Name, Field(max_length=limits.NAME_LENGTH)]
    transitions: Annotated[tuple[tuple[Epoch, Epoch], ...], _at_most(limits.ZONE_CHANGES)]


class SetCalendar(Message):
    """Replaces a calendar, or gives somebody one of their own; dates still to come are counted anew, time that is over is not."""

    name: ClassVar[str] = "set_calendar"
    calendar: Name
    zone: ZoneData | None = None
    week: OneOrMany | None = None
    hours: OneOrMany | None = None
    holidays: Annotated[tuple[Name, ...], _at_most(limits.HOLIDAYS)] | None = None
    reason: Words


class Reassign(Message):
    """Changes the owner of an item or stage, or the holder of a role; exactly one owner stays."""

    name: ClassVar[str] = "reassign"
    item: Name | None = None
    stage: Name | None = None
    role: Name | None = None
    to: Actor
    until: Instant | None = None
    reason: Text | None = None


class Absence(Message):
    """Somebody is away for a while: whoever stands in has what is theirs until then. Said again, it replaces what was said before."""

    name: ClassVar[str] = "absence"
    person: Actor
    since: Instant
    until: Instant
    to: Actor | None = None
    reason: Text | None = None


class Waive(Message):
    """Passes a gate condition or an item, with a reason; it becomes debt."""

    name: ClassVar[str] = "waive"
    item: Name | None = None
    condition: Name | None = None
    reason: Text | None = None
    expires: Instant | None = None


class Reopen(Message):
    """A new round for items; exactly what depended on them is open again."""

    name: ClassVar[str] = "reopen"
    items: Annotated[tuple[Name, ...], Field(min_length=1), _at_most(200)]
    reason: Words


class Note(Message):
    """Recorded; does not count as progress."""

    name: ClassVar[str] = "note"
    text: Words


class Promise(Message):
    """Another date for going live; the customer is told, and the move is booked to the side that caused it."""

    name: ClassVar[str] = "promise"
    due: Instant
    reason: Words
    side: Literal["customer", "provider", "third_party"] = "provider"


class Cancel(Message):
    """Closes the run as lost or cancelled."""

    name: ClassVar[str] = "cancel"
    reason: Words
    outcome: Literal["lost", "cancelled"] = "cancelled"


KINDS: tuple[type[Message], ...] = (
    Submit, Decide, Complete, Happen, Hold, Resume, Extend, SetCalendar, Reassign, Absence, Waive, Reopen, Promise, Note, Cancel,
)  # fmt: skip
BY_NAME: Mapping[str, type[Message]] = MappingProxyType({kind.name: kind for kind in KINDS})


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A message that has a readable shape, and how it came."""

    message: Message
    name: str
    digest: str
    via: Literal["update", "signal"]
    marked: tuple[str, ...] = field(default=())
    """`generated_id`, `unverified`: what the sender left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A message that could not be read, with as much of its identity as could be saved."""

    name: str
    message_id: str
    via: Literal["update", "signal"]
    outcome: OutcomeWord
    faults: tuple[MessageFault, ...]


def canonical_json(value: Any) -> str:
    """Sorted keys, no white space: two contents are the same when these texts are."""
    return _CANONICAL.encode(value)


_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
