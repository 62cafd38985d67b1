"""The numbers over all runs, counted once more: from what was decided, in plain Python, and with nothing of metrics or storage."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from typing import Any

from onboarding.engine.effects import Decision, WriteRecords
from onboarding.engine.plan import Plan
from onboarding.engine.state import ItemStatus, RunOutcome, RunState, RunStatus
from onboarding.language.model import ItemKind, Side

_PERCENTS = {"median": 50, "p80": 80, "p90": 90}


@dataclass
class Visits:
    """When a stage of a run was entered and left, from its trail, and the target of its first visit and its last."""

    entered: list[datetime] = field(default_factory=list)
    left: list[datetime] = field(default_factory=list)
    first_target: datetime | None = None
    last_target: datetime | None = None

    def spent(self, until: datetime) -> int:
        ends = [*self.left, until][: len(self.entered)]
        return sum(seconds(start, end) for start, end in zip(self.entered, ends, strict=True))


class Told:
    """One run: its final state, and what its decisions told on the way."""

    def __init__(self, plan: Plan, decisions: Sequence[Decision]) -> None:
        self.plan, self.state = plan, decisions[-1].state
        self.definition = plan.definition
        self.closed = self.state.status is RunStatus.CLOSED
        self.owner = ""
        self.visits: dict[str, Visits] = {}
        self.rounds: dict[tuple[str, int], tuple[Any, Any]] = {}
        self.told: dict[str, Any] = {}
        seen = 0
        for decision in decisions:
            state = decision.state
            for entry in state.trail:
                if entry.n > seen and entry.code in ("stage_entered", "stage_left"):
                    visits = self.visits.setdefault(str(entry.item), Visits())
                    (visits.entered if entry.code == "stage_entered" else visits.left).append(entry.at)
            seen = state.trail_count
            self._look(state)
            self._listen(decision)

    def _look(self, state: RunState) -> None:
        for name, stage in state.stages.items():
            if stage.visit:
                visits = self.visits[name]
                visits.last_target = stage.target_at
                if stage.visit == 1:
                    visits.first_target = stage.target_at
        for name, item in state.items.items():
            self.rounds[name, item.round] = (self.plan.items[name], item)

    def _listen(self, decision: Decision) -> None:
        for effect in decision.effects:
            if isinstance(effect, WriteRecords):
                self.owner = effect.run.owner
                for key in effect.withdrawn:
                    if key in self.told and self.told[key].leaves_at >= decision.state.at:
                        del self.told[key]
            elif hasattr(effect, "notice"):
                self.told[effect.notice.key] = effect.notice

    @property
    def signed(self) -> datetime:
        told = self.plan.order.inputs.get("signed_at")
        return datetime.fromisoformat(str(told)) if told else self.state.started_at

    def since_signed(self, at: datetime | None) -> int | None:
        return None if at is None else seconds(self.signed, at)

    def number(self, name: str) -> int | None:
        """A number of the run, `None` where it is not final."""
        state = self.state
        if name == "time_to_first_value":
            return self.since_signed(state.milestones.get("first_value"))
        if name == "time_to_live":
            return self.since_signed(state.closed_at if state.outcome is RunOutcome.LIVE else None)
        if state.closed_at is None:
            return None
        if name == "longest_silence":
            return self._silence(state.closed_at)
        if name.endswith("_seconds") and name != "handoff_seconds":
            return int(state.booked.get(name.removesuffix("_seconds"), 0))
        plain: dict[str, int] = {
            "elapsed": seconds(state.started_at, state.closed_at),
            "asks": state.asks,
            "rounds": state.rounds,
            "handoff_seconds": sum(one.seconds for one in state.handoffs.values()),
        }
        return plain[name]

    def _silence(self, until: datetime) -> int:
        heard = sorted(
            one.leaves_at
            for one in self.told.values()
            if one.side == "customer" and not one.retracts and one.leaves_at <= until
        )
        places = [self.state.started_at, *heard, until]
        return max(seconds(one, other) for one, other in itertools.pairwise(places))

    def on_time(self, now: datetime) -> bool | None:
        """Whether the customer was live by the date that we owe."""
        state, owed = self.state, self.state.owed_at
        if owed is None:
            return None
        knows = any(stage.milestone == "first_value" for stage in self.definition.stages)
        ended = state.closed_at if state.outcome is RunOutcome.LIVE else None
        live = state.milestones.get("first_value") if knows else ended
        if live is not None:
            return live <= owed
        return False if self.closed or now > owed else None

    def answers(self) -> tuple[int, int]:
        """Rounds of the customer's items that can be judged, and those in time."""
        judged = [
            not (now.late or now.overdue) for item, now in self.rounds.values()
            if item.side is Side.CUSTOMER and now.due_at
            and (now.answered_at or now.status is ItemStatus.DONE or now.late or now.overdue)
        ]  # fmt: skip
        return len(judged), sum(judged)

    def requests(self) -> tuple[int, int]:
        """The customer's requests that are done, and those at once."""
        done = [
            now.round == 1 for item in self.definition.items
            if item.kind is ItemKind.REQUEST and item.side is Side.CUSTOMER
            and (now := self.state.items[item.id]).status is ItemStatus.DONE
        ]  # fmt: skip
        return len(done), sum(done)


NUMBERS = (
    "time_to_first_value", "time_to_live", "elapsed", "customer_seconds", "provider_seconds", "third_party_seconds", "hold_seconds",
    "off_hours_seconds", "handoff_seconds", "longest_silence", "asks", "rounds",
)  # fmt: skip


def recount(runs: Iterable[Told], by: Callable[[Told], dict[str, Any]], now: datetime) -> list[dict[str, Any]]:
    """The lines of a report, in the order of what they are made by."""
    groups: dict[tuple[Any, ...], list[Told]] = {}
    for run in runs:
        groups.setdefault(tuple(by(run).items()), []).append(run)
    ordered = sorted(groups, key=lambda key: [value for _, value in key])
    return [{"by": dict(key), "at": f"{now:%Y-%m-%dT%H:%M:%SZ}", **_line(groups[key], now)} for key in ordered]


def _line(runs: list[Told], now: datetime) -> dict[str, Any]:
    closed = [run for run in runs if run.closed]
    sides = {
        side: sum(run.number(f"{side}_seconds") or 0 for run in closed)
        for side in ("customer", "provider", "third_party", "hold", "off_hours")
    }
    owners = [run.owner for run in runs]
    return {
        "runs": len(runs),
        "open": len(runs) - len(closed),
        "outcomes": {word: sum(run.state.outcome == word for run in runs) for word in ("live", "lost", "cancelled")},
        "metrics": {name: spread(_known(run.number(name) for run in runs)) for name in sorted(NUMBERS)},
        "with_open": {name: _with_open(name, runs, now) for name in ("time_to_first_value", "time_to_live")},
        "rates": _rates(runs, closed, now),
        "sides": {"n": len(closed), "elapsed": sum(run.number("elapsed") or 0 for run in closed), **sides},
        "owners": spread([owners.count(owner) for owner in set(owners)]),
        "stages": _stages(runs, now),
    }


def _rates(runs: list[Told], closed: list[Told], now: datetime) -> dict[str, Any]:
    kept = [on_time for run in runs if (on_time := run.on_time(now)) is not None]
    return {
        "on_time": rate(len(kept), len(kept), sum(kept)),
        "went_live": rate(len(closed), len(closed), sum(run.state.outcome == "live" for run in closed)),
        "escalated": rate(len(closed), len(closed), sum(run.state.escalations > 0 for run in closed)),
        "customer_on_time": _shares([run.answers() for run in runs]),
        "first_pass": _shares([run.requests() for run in runs]),
    }


def _shares(pairs: list[tuple[int, int]]) -> dict[str, Any]:
    return rate(sum(n > 0 for n, _ in pairs), sum(n for n, _ in pairs), sum(count for _, count in pairs))


def rate(runs: int, n: int, count: int) -> dict[str, Any]:
    return {"runs": runs, "n": n, "count": count, "rate": count / n if n else None}


def _with_open(name: str, runs: list[Told], now: datetime) -> dict[str, Any]:
    times = [(run.number(name), seconds(run.signed, run.state.closed_at or now), run.closed) for run in runs]
    return survival(
        [value for value, _, _ in times if value is not None],
        [until for value, until, closed in times if value is None and not closed],
        [until for value, until, closed in times if value is None and closed],
    )


def _stages(runs: list[Told], now: datetime) -> list[dict[str, Any]]:
    found = []
    places = {(run.definition.id, place, stage.id) for run in runs for place, stage in enumerate(run.definition.stages)}
    names = {(definition, stage) for definition, _, stage in places}
    for definition, stage in names:
        there = [(run, run.visits[stage]) for run in runs if run.definition.id == definition and stage in run.visits]
        if there:
            place = min(one for other, one, name in places if (other, name) == (definition, stage))
            found.append({"definition": definition, "stage": stage, "place": place, **_stage(there, now)})
    return sorted(found, key=lambda one: (one["definition"], one["place"], one["stage"]))


def _stage(there: list[tuple[Told, Visits]], now: datetime) -> dict[str, Any]:
    left = [(run, visits) for run, visits in there if len(visits.left) == len(visits.entered)]
    inside = [(run, visits) for run, visits in there if len(visits.left) < len(visits.entered)]
    ended = [(run, visits, run.state.closed_at) for run, visits in inside if run.state.closed_at]
    kept = [visits.left[-1] <= visits.last_target for _, visits in left if visits.last_target]
    missed = [
        visits for run, visits in inside if visits.last_target and visits.last_target < (run.state.closed_at or now)
    ]
    spent = [visits.spent(now) for _, visits in left]
    return {
        "entered": len(there),
        "left": len(left),
        "open": sum(not run.closed for run, _ in inside),
        "lost": sum(run.state.outcome == "lost" for run, _ in inside),
        "cancelled": sum(run.state.outcome == "cancelled" for run, _ in inside),
        "planned": spread([seconds(one.entered[0], one.first_target) for _, one in left if one.first_target]),
        "actual": spread(spent),
        "with_open": survival(
            spent,
            [visits.spent(now) for run, visits in inside if not run.closed],
            [visits.spent(until) for _, visits, until in ended],
        ),
        "within_target": rate(len(kept) + len(missed), len(kept) + len(missed), sum(kept)),
    }


def spread(values: list[int]) -> dict[str, Any]:
    """Percentiles as the standard library has them."""
    if len(values) < 2:
        return {"n": len(values), **dict.fromkeys(_PERCENTS, values[0] if values else None)}
    cuts = statistics.quantiles([Fraction(value) for value in values], n=100, method="inclusive")
    return {"n": len(values), **{name: float(cuts[percent - 1]) for name, percent in _PERCENTS.items()}}


def survival(ended: list[int], lasting: list[int], broken_off: list[int]) -> dict[str, Any]:
    """The product-limit estimate, end by end, with exact fractions."""
    everything = sorted([*ended, *lasting, *broken_off])
    rest, curve = Fraction(1), []
    for time in sorted(set(ended)):
        at_risk = sum(one >= time for one in everything)
        rest *= Fraction(at_risk - ended.count(time), at_risk)
        curve.append((time, rest))
    found = {
        name: next((time for time, rest in curve if rest <= Fraction(100 - percent, 100)), None)
        for name, percent in _PERCENTS.items()
    }
    return {"n": len(everything), "reached": len(ended), "open": len(lasting), "ended": len(broken_off), **found}


def _known(values: Iterable[int | None]) -> list[int]:
    return [value for value in values if value is not None]


def seconds(start: datetime, end: datetime) -> int:
    """Whole seconds between."""
    return int((end - start).total_seconds())
