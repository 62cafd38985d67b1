"""The cover sheet of a run: what a manager sees in the Temporal UI without asking anybody.

Note [What the UI does with Markdown]
    It shows Markdown as current details, passes raw HTML through, wraps a `#` heading in its narrow column and cuts off the last
    line and a half. So every value is escaped, headings are of the third level, and the sheet ends with a rule and an empty line.
    The text travels in an address, and proxies stop at 8 KB of that: it stays under `COVER_BYTES`, whatever a run holds.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from onboarding import limits
from onboarding.clear import Clear
from onboarding.engine import figures, gates, health
from onboarding.engine.forecast import at_risk, forecast
from onboarding.engine.people import has_since, stage_owner
from onboarding.engine.plan import Plan
from onboarding.engine.state import RunState, RunStatus, StageState, StageStatus
from onboarding.engine.waits import named
from onboarding.language.model import Item, Stage
from onboarding.limits import COVER_BYTES as COVER_BYTES
from onboarding.reading.items import open_ones
from onboarding.reading.ledger import ended
from onboarding.reading.shapes import cut, seconds

END = "\n---\n\n"

_SPACE = "\N{NO-BREAK SPACE}" * 2
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_MARKED = re.compile(r"[\\`*|\[\]]")
_LINKED = re.compile(r"(?i)(?<=:)(?=//)|(?<=www)(?=\.)|(?<=@)")

Attribute = str | int | bool | datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sizes:
    """How much of each part is shown; the first that fits is taken."""

    stages: int
    items: int
    events: int
    refused: int
    text: int


_TRIES = (
    _Sizes(stages=20, items=15, events=5, refused=3, text=80),
    _Sizes(stages=12, items=8, events=5, refused=3, text=64),
    _Sizes(stages=8, items=5, events=3, refused=1, text=40),
    _Sizes(stages=4, items=3, events=1, refused=1, text=24),
    _Sizes(stages=0, items=0, events=0, refused=0, text=16),
)


def _is_seen(char: str) -> bool:
    return unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Co")


def escaped(value: str, length: int = limits.NAME_LENGTH) -> str:
    """A value that stays text in Markdown: one line, no markup, no HTML, nothing that becomes a link, no hidden characters."""
    line = " ".join(value.split())
    # Asked of the whole first: most lines hide nothing, and to look at each character costs more than all the rest of the line.
    shown = line if line.isprintable() else "".join(filter(_is_seen, line))
    safe = cut(shown, length).translate(_ENTITIES)
    return _LINKED.sub("\u200b", _MARKED.sub(r"\\\g<0>", safe))


def cover(plan: Plan, state: RunState, at: datetime) -> str:
    """The sheet as Markdown, at most `COVER_BYTES` long."""
    for sizes in _TRIES:
        text = _Sheet(plan, state, at, sizes).text()
        if len(text.encode()) <= COVER_BYTES:
            return text
    raise AssertionError("the smallest sheet always fits")


def summary(plan: Plan) -> Clear:
    """The one line that stands above a run for ever."""
    return Clear(cut(f"{plan.order.customer} · {plan.definition.id}", limits.ATTRIBUTE_LENGTH))


def attributes(plan: Plan, state: RunState) -> dict[str, Attribute]:
    """What managers filter runs by: the search attributes of the contract; `None` where a run has no value."""
    inputs = plan.order.inputs
    return {
        "OnboardingCustomer": _word(state.customer),
        "OnboardingDefinition": _word(plan.definition.id),
        "OnboardingStage": _word(health.current_stage(plan, state)),
        "OnboardingOwner": _word(health.current_owner(plan, state)),
        "OnboardingHealth": _word(health.health(plan, state)),
        "OnboardingWaitingOn": _word(health.waiting_on(plan, state)),
        "OnboardingSegment": _word(inputs.get("segment")),
        "OnboardingWave": _word(inputs.get("wave")),
        "OnboardingDueAt": health.next_due(state),
        "OnboardingPromisedAt": state.promised_at,
        "OnboardingSignedAt": figures.input_instant(plan, "signed_at"),
        "OnboardingEscalations": state.escalations,
        "OnboardingAsks": state.asks,
        "OnboardingFirstValue": "first_value" in state.milestones,
    }


def _word(value: object) -> str | None:
    return value[: limits.ATTRIBUTE_LENGTH] if isinstance(value, str) and value else None


def lasting(spent: int) -> str:
    """A duration for people: its two largest units."""
    parts = []
    for word, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        amount, spent = divmod(spent, size)
        if amount:
            parts.append(f"{amount}{word}")
    return " ".join(parts[:2]) or "0s"


class _Sheet:
    """One sheet of one size; each method is one part of it, in the order in which they are read."""

    def __init__(self, plan: Plan, state: RunState, at: datetime, sizes: _Sizes) -> None:
        self.plan = plan
        self.state = state
        self.at = at
        self.sizes = sizes
        # A rehearsal in compressed time lives in seconds; for everybody else they are noise.
        self.form = "%Y-%m-%d %H:%M:%S UTC" if plan.definition.scale else "%Y-%m-%d %H:%M UTC"

    def text(self) -> str:
        parts = (self.headline(), self.stages(), self.open_items(), self.events(), self.refused())
        return "\n".join(part for part in parts if part) + END

    def say(self, value: str) -> str:
        return escaped(value, self.sizes.text)

    def when(self, at: datetime | None) -> str:
        return "–" if at is None else f"{at.astimezone(UTC):{self.form}}"

    def brief(self, at: datetime | None) -> str:
        """An instant in a narrow column, whose head says UTC; the year only where it is not this one."""
        if at is None:
            return "–"
        year = "" if at.year == self.at.year else " %Y"
        return f"{at.astimezone(UTC):{f'%d %b{year} %H:%M:%S' if self.plan.definition.scale else f'%d %b{year} %H:%M'}}"

    def headline(self) -> str:
        plan, state = self.plan, self.state
        if state.status is RunStatus.CLOSED:
            head = f"### Closed ({state.outcome}) on {self.when(state.closed_at)}"
            return "\n\n".join([head, self._time(), self._identity()]) + "\n"
        stage = plan.stages[health.current_stage(plan, state)]
        word = health.health(plan, state).replace("_", " ")
        side = health.waiting_on(plan, state).replace("_", " ")
        # Whoever put it on hold is not who it waits for.
        who = f" ({self.say(state.booking.who)})" if state.booking and state.booking.who and not state.hold else ""
        lines = [
            f"### {self.say(stage.title)} · {word}",
            f"**Waiting on** {side}{who} since {self.when(health.waiting_since(state))}",
            f"**Must act** {self._must_act()}",
            f"**Next** {self._next()}",
            *self._forecast(),
        ]
        if state.hold is not None:
            lines.insert(1, f"**On hold** since {self.when(state.hold.since)} by {self.say(state.hold.by)}")
        return "\n\n".join([*lines, self._time(), self._identity()]) + "\n"

    def _forecast(self) -> list[str]:
        found = forecast(self.plan, self.state, self.at)
        if found is None:
            return []
        late = f" to {self.when(found.late_at)}" if found.runs else ""
        basis = f"from {found.runs} finished runs" if found.runs else "by the plan"
        risk = ", **at risk**" if at_risk(self.state, found) else ""
        way = f"; in the way: {self.say(self.plan.items[found.item].title)}" if found.item else ""
        return [f"**Live** {self.when(found.likely_at)}{late} ({basis}){risk}{way}"]

    def _identity(self) -> str:
        state, definition = self.state, self.plan.definition
        parts = [self.say(state.customer), f"{self.say(definition.id)} v{definition.version}"]
        if definition.variant:
            parts.append(self.say(definition.variant))
        if definition.scale:
            parts.append(f"compressed time, {definition.scale}")
        parts.append(f"started {self.when(state.started_at)}")
        if state.promised_at is not None:
            parts.append(f"promised for {self.when(state.promised_at)}")
        counts = f"{state.asks} asks, {state.escalations} escalations, {gates.open_debt(state)} open waivers"
        return f"{' · '.join(parts)} · {counts}"

    def _time(self) -> str:
        end = ended(self.state, self.at)
        booked = figures.by_side(self.plan, self.state, end)
        sides = [f"{side.replace('_', ' ')} {lasting(spent)}" for side, spent in booked.items() if spent]
        # The sheet is made when somebody asks for it; whoever keeps or passes on its text needs the instant.
        as_of = "" if self.state.status is RunStatus.CLOSED else f" (as of {self.when(self.at)})"
        spent = lasting(seconds(self.state.started_at, end))
        return f"**Time** {spent}{': ' if sides else ''}{', '.join(sides)}{as_of}"

    def _must_act(self) -> str:
        """Whoever has the run's time first, then the others with something open, each named once."""
        plan, state = self.plan, self.state
        now = state.booking.item if state.booking else ""
        items = sorted(open_ones(plan, state), key=lambda item: (item.id != now, item.optional, plan.place[item.id]))
        first: dict[str, Item] = {}
        for item in items:
            first.setdefault(named(plan, state, item), item)
        if not first:
            stage = health.current_stage(plan, state)
            lacking = gates.unmet(plan, state, stage)
            what = self.say(lacking[0]) if lacking else "the next step"
            return f"{self.say(stage_owner(plan, state, stage))}: {what}"
        told = [f"{self.say(who)}: {self.say(item.title)}{self._due(item)}" for who, item in list(first.items())[:3]]
        more = len(first) - len(told)
        return "; ".join(told) + (f"; {more} more" if more else "")

    def _due(self, item: Item) -> str:
        current = self.state.items[item.id]
        if current.due_at is None:
            return ""
        return f" (due {self.when(current.due_at)}{', **overdue**' if current.overdue else ''})"

    def _next(self) -> str:
        coming = health.upcoming(self.plan, self.state)
        if not coming:
            return "nothing happens by itself"
        at, what, _ = coming[0]
        return f"{self.when(at)}: {self.say(what)}"

    def stages(self) -> str:
        plan, state = self.plan, self.state
        shown, left = _around(plan.definition.stages, health.current_stage(plan, state), self.sizes.stages)
        rows = [self._stage(stage, state.stages[stage.id]) for stage in shown]
        return self._table("Stages", ("Stage", "State", "Owner", "Planned, UTC", "Actual, UTC"), rows, left)

    def _stage(self, stage: Stage, current: StageState) -> tuple[str, ...]:
        owner = stage_owner(self.plan, self.state, stage.id)
        word = current.status.replace("_", " ")
        if current.status is StageStatus.OPEN:
            met, of = gates.progress(self.plan, self.state, stage.id)
            word = f"**open** {met} of {of}{', stalled' if current.stalled else ''}"
        actual = current.left_at or current.entered_at
        said = f"{'left' if current.left_at else 'since'} {self.brief(actual)}" if actual else "–"
        return self.say(stage.title), word, self.say(owner), self.brief(current.target_at), said

    def open_items(self) -> str:
        plan, state = self.plan, self.state
        every = sorted(open_ones(plan, state), key=lambda item: _by_due(state, item))
        shown = every[: self.sizes.items]
        rows = [
            (
                self.say(item.title),
                state.items[item.id].status.replace("_", " "),
                self.say(named(plan, state, item)),
                self.brief(has_since(state.items[item.id])),
                f"{self.brief(state.items[item.id].due_at)}{' **overdue**' if state.items[item.id].overdue else ''}",
            )
            for item in shown
        ]
        return self._table(
            "Open items", ("Item", "State", "Who", "Since, UTC", "Due, UTC"), rows, len(every) - len(shown)
        )

    def events(self) -> str:
        last = self.state.trail[-self.sizes.events :] if self.sizes.events else ()
        lines = []
        for entry in reversed(last):
            about = f" {self.say(entry.item)}" if entry.item else ""
            word = entry.code.replace("_", " ")
            lines.append(
                f"- {self.brief(entry.at)}: {self.say(entry.actor)}, {self.say(entry.message)}{about}: {self.say(word)}"
            )
        return "\n".join(["### Last events", "", *lines, ""]) if lines else ""

    def refused(self) -> str:
        count = self.state.refused_count
        if not count:
            return ""
        last = self.state.refused[-self.sizes.refused :] if self.sizes.refused else ()
        lines = [
            f"- {self.when(one.at)}: {one.via} {self.say(one.name)}, id {self.say(one.message_id)}: {self.say(one.code)}"
            for one in reversed(last)
        ]
        return "\n".join([f"### Refused messages: {count}", "", *lines, ""])

    def _table(self, title: str, heads: tuple[str, ...], rows: Sequence[tuple[str, ...]], left: int) -> str:
        if not rows:
            return f"### {title}: {left}\n" if left else ""
        # The UI draws tables without any space between columns: every cell brings its own.
        padded = [tuple(f"{cell}{_SPACE}" for cell in cells) for cells in rows]
        lines = [f"| {' | '.join(cells)} |" for cells in (heads, (":--",) * len(heads), *padded)]
        more = [f"and {left} more", ""] if left else []
        return "\n".join([f"### {title}", "", *lines, "", *more])


def _by_due(state: RunState, item: Item) -> tuple[bool, datetime, bool]:
    due = state.items[item.id].due_at
    return due is None, due or state.at, item.optional


def _around(stages: Sequence[Stage], current: str, most: int) -> tuple[Sequence[Stage], int]:
    """As many stages as may be shown, the current one among them, most of them after it."""
    here = next((n for n, stage in enumerate(stages) if stage.id == current), 0)
    start = max(0, min(here - 1, len(stages) - most))
    shown = stages[start : start + most]
    return shown, len(stages) - len(shown)
