"""What people hear of a run and when, and what must hold of it whatever happens: kept beside a simulation, told by nobody else."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from onboarding.engine import calendars
from onboarding.engine.calendars import Clock
from onboarding.engine.effects import Decision, DeliverNotice, Notice, NoticeKind, WriteRecords
from onboarding.engine.flow import ACTIVE
from onboarding.engine.people import asked_of, main_contact, side_of
from onboarding.engine.plan import Plan
from onboarding.engine.state import RunState, RunStatus
from onboarding.language.model import Side

BY_ITSELF = (NoticeKind.REMINDER, NoticeKind.DIGEST, NoticeKind.SILENCE)
"""What the run says without anything having happened: never early, never too soon."""


@dataclass
class Ears:
    """Everything that was said in one run, by the instant at which it leaves."""

    plan: Plan
    written: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    """Who was prompted, by key, and when that leaves."""
    heard: dict[str, datetime] = field(default_factory=dict)
    """What the customer hears, by key."""
    alarms: dict[str, tuple[Notice, datetime]] = field(default_factory=dict)
    asked: dict[tuple[str, str], datetime] = field(default_factory=dict)
    """Who was asked for which item, and when the first ask leaves: of a group, those who need not do it hear that."""
    steps: dict[tuple[str | None, int, int, str], None] = field(default_factory=dict)
    said: dict[str, datetime] = field(default_factory=dict)
    """Every notice by its key, and when it leaves."""
    waiting: dict[str, Notice] = field(default_factory=dict)
    """Asks and handovers that have not left yet."""
    last: RunState | None = None
    held: bool = False

    def fork(self) -> Ears:
        """The same ears for another future."""
        other = copy.copy(self)
        for name in ("written", "heard", "alarms", "asked", "steps", "said", "waiting"):
            setattr(other, name, dict(getattr(self, name)))
        return other

    def listen(self, decision: Decision, now: datetime, *, ticked: bool = True) -> None:
        """Hears what one decision says, in its order, and then looks at what was not said."""
        taken_back = _taken_back(decision)
        self._leave(now)
        for notice in _notices(decision):
            clock = self._clock(decision.state, notice.to)
            self._hours(notice, now, clock)
            self._gap(notice, clock)
            self._alarm(notice, now)
            self._retracts(notice, now, taken_back)
            leaves = notice.not_before or now
            if notice.kind in (NoticeKind.ASK, NoticeKind.HANDOFF) and notice.item and leaves > now:
                self.waiting[notice.key] = notice
            if side_of(self.plan, decision.state, notice.to) is Side.CUSTOMER or notice.kind is NoticeKind.SILENCE:
                self.heard[notice.key] = leaves
        for key in taken_back:
            if key in self.alarms and self.alarms[key][1] > now:
                del self.alarms[key]
            if self.heard.get(key, now) > now:
                del self.heard[key]
            self.waiting.pop(key, None)
            if key in self.written and self.written[key][1] > now:
                del self.written[key]
        self.last = decision.state
        self._silence(decision, now, ticked=ticked)

    def _leave(self, now: datetime) -> None:
        """What was said at night leaves in the morning, and is true then, if only of one of the things that were asked together."""
        for key, notice in list(self.waiting.items()):
            if self.last is None or notice.not_before is None or notice.not_before >= now:
                continue
            del self.waiting[key]
            names = notice.items or (notice.item or "",)
            have = [one for name in names for one in (*self._asked(name), self.last.items[name].owner)]
            assert notice.to in have, f"{key} leaves and is not theirs any more"

    def _asked(self, name: str) -> tuple[str, ...]:
        assert self.last is not None
        return asked_of(self.plan, self.last, self.plan.items[name]) if self.last.items[name].status in ACTIVE else ()

    def _clock(self, state: RunState, handle: str) -> Clock:
        """When somebody reads, by the calendars of this moment."""
        return self.plan.clock(state.calendars, "owner", handle, side_of(self.plan, state, handle))

    def _hours(self, notice: Notice, now: datetime, clock: Clock) -> None:
        waits = self.plan.definition.contact.send_in == "working_hours"
        assert notice.not_before is None or (waits and notice.not_before > now), "nothing waits without a reason"
        if notice.kind is NoticeKind.RECEIPT or notice.kind in BY_ITSELF:
            assert notice.not_before is None, f"{notice.kind} is said when it is true"
        if waits and notice.kind is not NoticeKind.RECEIPT:
            assert calendars.is_working(clock, notice.not_before or now), f"{notice.key} outside the reader's hours"

    def _gap(self, notice: Notice, clock: Clock) -> None:
        leaves, free = notice.not_before or notice.at, self._gap_ends(notice.to, clock)
        if notice.kind in BY_ITSELF and free is not None:
            assert leaves >= free, f"{notice.key} within the gap, which ends {free}"
        if notice.kind in (*BY_ITSELF, NoticeKind.ASK):
            self.written[notice.key] = notice.to, leaves
        assert len(set(notice.items)) == len(notice.items), "each item once"

    def _gap_ends(self, to: str, clock: Clock) -> datetime | None:
        """From when on the run may write to somebody by itself: a gap of hours is long on a calendar with one hour a day."""
        gap, before = self.plan.definition.contact.min_gap, [at for who, at in self.written.values() if who == to]
        return calendars.add(clock, max(before), gap) if gap is not None and before else None

    def _alarm(self, notice: Notice, now: datetime) -> None:
        if notice.kind is NoticeKind.ESCALATION:
            self.alarms[notice.key] = (notice, notice.not_before or now)
            step = (notice.item, notice.round, notice.step, notice.to)
            assert not notice.step or step not in self.steps, "each step once"
            self.steps[step] = None
        if notice.kind is NoticeKind.ASK:
            for name in notice.items or ((notice.item,) if notice.item else ()):
                leaves = notice.not_before or now
                self.asked[notice.to, name] = min(leaves, self.asked.get((notice.to, name), leaves))
        lent = "/away." in notice.key  # somebody is back, or away, and has or loses what was never an alarm
        if notice.kind is NoticeKind.RETRACTION and notice.template in ("retraction", "goes_on") and not lent:
            read = [
                key
                for key, (alarm, leaves) in self.alarms.items()
                if (alarm.to, alarm.item) == (notice.to, notice.item) and leaves <= now
            ]
            asked = self.asked.get((notice.to, notice.item or ""))
            assert read or (asked is not None and asked <= now), (
                f"{notice.key}: nobody is told that it is settled who was not alarmed"
            )
            for key in read if notice.item is not None else ():
                del self.alarms[key]

    def _retracts(self, notice: Notice, now: datetime, taken_back: tuple[str, ...]) -> None:
        """What calls alarms off names only such as its reader should have heard by now, and the rows take them back as well."""
        assert not notice.retracts or notice.kind is NoticeKind.RETRACTION, "only what is settled calls something off"
        for key in notice.retracts:
            assert key in taken_back, f"{notice.key} calls off {key}, which is not taken back"
            assert self.said[key] <= now, f"{key} was not read"
            assert key.endswith(f"/{notice.to}"), f"{key} was for somebody else"
        self.said[notice.key] = notice.not_before or now

    def _silence(self, decision: Decision, now: datetime, *, ticked: bool) -> None:
        """A hold stops the count; after it the count of the machine is not held against a stricter one."""
        state, longest = decision.state, self.plan.definition.contact.max_silence
        if state.hold is not None or self.held:
            self.heard["hold"] = now
        self.held = state.hold is not None
        main = main_contact(self.plan, state)
        if not ticked or longest is None or self.held or state.status is RunStatus.CLOSED or main is None:
            return
        clock = self._clock(state, main)
        limit = calendars.add(clock, max((*self.heard.values(), state.started_at)), longest)
        limit = max(limit, self._gap_ends(main, clock) or limit)
        # Where words wait for hours, the end of one working day and the beginning of the next are the same to a reader, and a
        # worker that comes back at night speaks in the morning.
        waits = self.plan.definition.contact.send_in == "working_hours" and not calendars.is_working(clock, now)
        assert now <= limit or waits, f"the customer has heard nothing since before {limit}"


def _notices(decision: Decision) -> Iterator[Notice]:
    for effect in decision.effects:
        if isinstance(effect, DeliverNotice):
            yield effect.notice


def _taken_back(decision: Decision) -> tuple[str, ...]:
    return tuple(key for one in decision.effects if isinstance(one, WriteRecords) for key in one.withdrawn)
