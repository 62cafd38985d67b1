"""What a template is given: every value of a letter, by name, as text in the reader's language. Nothing here can act."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from integrations.letters import Reader
from integrations.wording import Said, Voice, Wording, fill
from onboarding.engine.effects import Notice, NoticeKind
from onboarding.language.model import Side
from onboarding.matter import Matter, Point

MOST_LINES: Final = 40
"""Of what the core said, of open points, and of commands."""
MOST_IN_A_LINE: Final = 2_000
_COMMANDS: Final = 5
_AFTER_THE_END: Final = ("left", "undo")
_HAPPENED: Final = ("review", "undelivered", "alone", *_AFTER_THE_END)
"""How the keys of alarms begin that are about what has happened and not about what is late."""
_ASKING: Final = (NoticeKind.ASK, NoticeKind.REMINDER, NoticeKind.DIGEST, NoticeKind.HANDOFF)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Everything that a letter is made of."""

    notice: Notice
    reader: Reader
    matter: Matter
    at: datetime
    answers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """The reader, as a template may name them: never an address."""

    handle: str
    name: str
    side: str
    language: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """One open point, in words."""

    id: str
    title: str
    kind: str
    due: str
    """Until when, or empty."""
    late: bool
    who: str
    """Who has it, or empty where it is the reader."""
    yours: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """One line of how to answer; `code` is to be typed."""

    text: str
    code: bool = False


VARIABLES: Final = (
    "about", "answer", "answers", "body", "by", "customer", "definition", "greeting", "intro", "item", "kind", "language", "lines",
    "missing", "next", "points", "reader", "reference", "run", "said", "stage", "step", "subject", "words",
)  # fmt: skip
"""The names that a template may say."""


def one_line(text: str) -> str:
    """A text without line breaks and without what steers a screen or turns the direction of reading."""
    shown = "".join(char if char.isprintable() else " " for char in text[: 2 * MOST_IN_A_LINE])
    return " ".join(shown.split())[:MOST_IN_A_LINE]


def values(known: Known, wording: Wording) -> dict[str, Any]:
    """What every template is given, by the names of `VARIABLES`."""
    known = _to_the_point(known)
    notice, reader, matter = known.notice, known.reader, known.matter
    names = {handle: one_line(name) for handle, name in matter.names.items()}
    voice = wording.voice(reader.zone or matter.zone, names, reader.handle)
    # A place in an answer is a pointer for programs; people know the field by its name.
    lines = [voice.line(one_line(line).removeprefix("/fields/")) for line in notice.lines[:MOST_LINES]]
    points = matter.points[:MOST_LINES]
    name = one_line(reader.name)
    return {
        "greeting": voice.word("hello", name=name) if name else voice.word("hello_all"),
        "subject": _subject(known, voice),
        "intro": "",
        "body": (),
        "kind": str(notice.kind),
        "language": wording.language,
        "lines": tuple(line.text for line in lines if line.text),
        "said": tuple(_said(lines, points)),
        "about": _about(known, voice),
        "points": tuple(_open(voice, known, point) for point in _shown(known)),
        "missing": tuple(_missing(known, voice, lines)),
        "next": tuple(_next(known, voice, lines)),
        "by": " ".join(_by(known, voice, lines)),
        "answer": tuple(_answer(known, voice, lines)),
        "answers": dict(known.answers),
        "reader": Recipient(handle=reader.handle, name=name, side=_side(known), language=wording.language),
        "reference": one_line(" · ".join((_short(notice.run), *_ids(known)))),
        "run": _short(notice.run),
        "customer": one_line(notice.customer),
        "definition": one_line(matter.definition),
        "stage": one_line(matter.stage),
        "item": notice.item or "",
        "step": notice.step,
        "words": wording.words,
    }


def _to_the_point(known: Known) -> Known:
    """An alarm is about what it names; of what else waits for them its readers hear otherwise, with its own date and command."""
    notice, matter = known.notice, known.matter
    if notice.kind != NoticeKind.ESCALATION:
        return known
    points = tuple(point for point in matter.points if _concerns(notice, point))
    following = matter.following if matter.following is not None and _concerns(notice, matter.following) else None
    # What a hook has left behind is for a person to see to although the run has ended.
    closed_at = None if _part(notice).startswith(_AFTER_THE_END) else matter.closed_at
    return replace(known, matter=replace(matter, points=points, following=following, closed_at=closed_at))


def _concerns(notice: Notice, point: Point) -> bool:
    """Whether an alarm is about this. One of a stage or of the whole run names no items: what it is about, its key says."""
    if notice.items or notice.item:
        return point.id in (notice.items or (notice.item,))
    match _part(notice).partition(".")[0]:
        case "stall":
            return point.stage == notice.stage
        case "review":
            return point.kind == "hold"
        case "debt":
            return (point.kind, point.status, point.stage) == ("debt", "expired", notice.stage)
        case _:
            return False


def _part(notice: Notice) -> str:
    return notice.key.rsplit("/", 2)[-2] if notice.key.count("/") > 1 else ""


def _is_for_the_reader(known: Known) -> bool:
    """An alarm that names nobody else who has to act is told to whoever must."""
    if known.notice.kind != NoticeKind.ESCALATION or _is_over(known):
        return False
    points, following = known.matter.points, known.matter.following
    return all(point.yours for point in points or ((following,) if following else ()))


def _is_over(known: Known) -> bool:
    """Whether an alarm of what was late leaves when that rests or is done. What has happened, neither a hold nor the end of an item settles."""
    notice, matter = known.notice, known.matter
    if _part(notice).startswith(_HAPPENED) or _part(notice).endswith(".failed"):
        return False
    is_open = matter.following is not None or any(point.id == notice.item for point in matter.points)
    return matter.on_hold or (matter.known and notice.item is not None and not is_open)


def _side(known: Known) -> str:
    return known.notice.side or known.reader.side


def _subject(known: Known, voice: Voice) -> str:
    return one_line(voice.line(one_line(known.notice.subject)).text)


def _short(run: str) -> str:
    return run.removeprefix("onboarding/")


def _ids(known: Known) -> tuple[str, ...]:
    return known.notice.items or ((known.notice.item,) if known.notice.item else ())


def _said(lines: list[Said], points: tuple[Point, ...]) -> Iterator[str]:
    """What stands under no heading; that something is due is said by the points, where there are any."""
    for line in lines:
        if line.text and (line.role == "said" or (line.role == "points" and not points)):
            yield line.text


def _about(known: Known, voice: Voice) -> str:
    titles, stage = ", ".join(one_line(title) for title in known.matter.titles), one_line(known.matter.stage)
    if titles and stage:
        return voice.word("in_stage", titles=titles, stage=stage)
    return titles or stage or _short(known.notice.run)


def _shown(known: Known) -> tuple[Point, ...]:
    """The report against silence says in its own words what is missing: it speaks of all their people."""
    told = known.notice.kind == NoticeKind.SILENCE and known.notice.lines
    return () if told else known.matter.points[:MOST_LINES]


def _open(voice: Voice, known: Known, point: Point) -> Open:
    due = "" if point.due_at is None else voice.word("due", when=voice.when(point.due_at))
    who = "" if point.yours else voice.word("with", who=_who(voice, known, point))
    late = point.due_at is not None and point.due_at < known.at
    return Open(
        id=point.id, title=one_line(point.title), kind=point.kind, due=due, late=late, who=who, yours=point.yours
    )


def _who(voice: Voice, known: Known, point: Point) -> str:
    """Whoever has something, as this reader may hear it: to the customer our people are "we"."""
    if point.side == Side.THIRD_PARTY:
        return voice.word("third_party")
    if point.side != Side.CUSTOMER and _side(known) == Side.CUSTOMER:
        return voice.word("us")
    return voice.name(point.who) or voice.word("customer")


def _missing(known: Known, voice: Voice, lines: list[Said]) -> Iterator[str]:
    if _shown(known):
        return
    found = [part for line in lines if line.role == "missing" for part in line.text.split("; ")]
    of_another = any(line.role == "next" and line.text != voice.word("you") for line in lines)
    if not found and known.matter.closed_at is None and _is_for_the_reader(known) and not of_another:
        found = [text for text in (_subject(known, voice),) if text]
    yield from found or (voice.word("nothing"),)


def _next(known: Known, voice: Voice, lines: list[Said]) -> Iterator[str]:
    said = [line.text for line in lines if line.role == "next"]
    points, following = known.matter.points, known.matter.following
    if known.matter.closed_at is not None:
        yield voice.word("nobody")
    elif said:
        yield from said
    elif _is_for_the_reader(known):
        yield voice.word("you")
    elif known.matter.on_hold:
        yield voice.word("held")
    elif any(point.yours for point in points) or (not known.matter.known and known.notice.kind in _ASKING):
        yield voice.word("you")
    elif (one := points[0] if points else following) is not None:
        ours = one.side != Side.CUSTOMER and _side(known) == Side.CUSTOMER
        who = voice.word("we_name") if ours else _who(voice, known, one)
        title = known.matter.stage if ours and one is following else one.title
        yield voice.word("acts", who=who, title=one_line(title))
    else:
        yield voice.word("we")


def _by(known: Known, voice: Voice, lines: list[Said]) -> Iterator[str]:
    """The date of whatever is next, whoever has it."""
    said = [line.text for line in lines if line.role == "by"] or [
        line.when for line in lines if line.role == "next" and line.when
    ]
    points = known.matter.points or ((known.matter.following,) if known.matter.following else ())
    mine = [point for point in points if point.yours and not any(line.role == "next" for line in lines)]
    # Another one's date is not the date of what this is about.
    mine = [point for point in mine if point.id in _ids(known)] or mine
    dates = [point.due_at for point in mine or points[:1] if point.due_at is not None]
    if known.matter.closed_at is not None:
        yield voice.word("no_date_set")
    elif said:
        yield from said
    else:
        yield voice.when(min(dates)) if dates else voice.word("no_date_set")


def _answer(known: Known, voice: Voice, lines: list[Said]) -> Iterator[Answer]:
    mine, side = [point for point in known.matter.points if point.yours], _side(known) or str(Side.PROVIDER)
    if not _is_asked(known, voice, lines, mine):
        yield Answer(voice.word("nothing_to_answer"))
        return
    ids = [point.id for point in mine] or (list(_ids(known)) if not known.matter.known else [])
    values = {
        "run": _short(known.notice.run),
        "items": ", ".join(ids),
        "handle": known.reader.handle,
        "item": ids[0] if ids else "",
    }
    if side in known.answers:
        yield Answer(one_line(fill(known.answers[side], values)))
        return
    answers = voice.wording.answers
    yield Answer(fill(answers.get(side, answers["customer"]), values))
    if side == Side.PROVIDER:
        for text in dict.fromkeys(_command(answers, point, values) for point in mine[:_COMMANDS] or (None,)):
            yield Answer(text, code=True)
    elif ids:
        yield Answer(fill(answers["naming"], values))


def _is_asked(known: Known, voice: Voice, lines: list[Said], mine: list[Point]) -> bool:
    if known.matter.closed_at is not None:
        return False
    told = any(line.role == "next" and line.text == voice.word("you") for line in lines)
    blind = not known.matter.known and known.notice.kind in _ASKING
    return bool(mine) or told or blind or known.notice.kind == NoticeKind.ESCALATION


def _command(answers: Mapping[str, str], point: Point | None, values: Mapping[str, str]) -> str:
    if point is None:
        return fill(answers["other"], values)
    # A hook that a person has is a task of theirs.
    kind = "approval" if point.status == "in_review" else {"hook": "task"}.get(point.kind, point.kind)
    return fill(answers.get(kind, answers["other"]), {**values, "item": point.id})
