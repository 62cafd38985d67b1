"""Eleven runs whose numbers are known: small enough to be worked out by hand, and played by the core like any other.

All are signed on Monday, 30 November 2026, 08:00 UTC, start at 09:00, and are looked at 24 hours after that. The customer works from
9 to 17, we work around the clock. Intake takes one hour, setup of the first seven 1, 2, 2, 3, 5, 8 and 13 hours, and the first
use comes one hour later. What is not plain:

    d   its setup is waived after 3 hours
    e   2 of the 5 hours of its setup are on hold
    f   comes back to setup: 3 hours, one hour at the last stage, and 5 hours of setup again
    h   is in setup still, and its answer went back once
    i   is in intake still
    j   was lost in setup after 4 hours
    k   was cancelled in intake after half an hour
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from onboarding.engine import machine
from onboarding.engine.calendars import Calendar
from onboarding.engine.effects import WriteRecords
from onboarding.engine.state import RunState
from onboarding.language.model import Definition, Field, FieldType, Gate, ItemKind, Metric, Override
from onboarding.language.units import parse_duration
from storage.engine import open_database
from storage.records import SqlRecordStore
from tests.support.builders import OFFICE, UTC_ZONE, Run, a_definition, a_run, a_stage, an_item, an_order, at, text

HOURS = {"a": 1, "b": 2, "c": 2, "d": 3, "e": 5, "f": 8, "g": 13}
"""Hours of setup of the runs that are live."""
BEGIN = at(1)
NOW = BEGIN + timedelta(hours=24)
_ALWAYS = Calendar(zone=UTC_ZONE, week=tuple(range(7)), hours=((0, 1_440),))
_CUSTOMER = "customer:champion"


def known_runs() -> dict[str, RunState]:
    """The final states, by the letter of the run."""
    return {letter: run.state for letter, run in _played().items()}


def known_batches() -> Iterator[WriteRecords]:
    """The rows of all of them, turn by turn, each in its place in the chain of its run."""
    for run in _played().values():
        batches = [effect for effect in run.effects if isinstance(effect, WriteRecords)]
        for n, batch in enumerate(batches, start=1):
            follows = f"b{n - 1}" if n > 1 else ""
            yield replace(batch, id=f"b{n}", follows=follows, chain="first", execution="first", decided_at=BEGIN)


def known_run(letter: str) -> Run:
    """One of them, with its plan."""
    return _played()[letter]


def definition_of(version: int) -> Definition:
    """Intake, setup, live: a request of the customer, a task of ours, and the outside world."""
    items = (
        an_item("details", ItemKind.REQUEST, "intake", "champion", fields=(text("legal_name"),), due="4h", clock="calendar", review="lead"),
        an_item("configure", ItemKind.TASK, "setup", "lead", due="2h"),
        an_item("first_use", ItemKind.EVENT, "live", "champion", event="product.used"),
    )  # fmt: skip
    return a_definition(
        id="known", version=version, stages=(
            a_stage("intake", ("details",), target="4h", clock="calendar"),
            a_stage("setup", ("configure",), target="4h", clock="calendar", needs=("intake",), milestone="ready", gate=Gate(override=Override(by=("head",)))),
            a_stage("live", ("first_use",), needs=("setup",), milestone="first_value"),
        ),
        items=items, target=parse_duration("9h"),
        inputs=(Field(name="signed_at", type=FieldType.DATETIME), Field(name="segment", type=FieldType.STRING)),
        metrics=(
            Metric(id="time_to_first_value", start="input.signed_at", end="milestones.first_value"),
            Metric(id="time_to_ready", start="input.signed_at", end="milestones.ready"),
            Metric(id="asks_made", count="asks"),
        ),
    )  # fmt: skip


def _begin(letter: str) -> Run:
    definition = definition_of(2 if letter in "gk" else 1)
    order = an_order(
        definition, run=f"onboarding/{letter}/known", customer=letter, calendars={"provider": _ALWAYS, "customer": OFFICE},
        inputs={"signed_at": "2026-11-30T08:00:00Z", "segment": "large" if letter in "efg" else "small"},
    )  # fmt: skip
    return a_run(order, BEGIN)


@cache
def _played() -> dict[str, Run]:
    played = {letter: _begin(letter) for letter in "abcdefghijk"}
    for letter, run in played.items():
        for hours, name, actor, content in sorted(_story(letter), key=lambda step: step[0]):
            _ring(run, BEGIN + timedelta(hours=hours))
            verdict = run.say(name, actor, when=BEGIN + timedelta(hours=hours), **content)
            assert not verdict.refused, f"{letter}: {verdict.sentence}"
        _ring(run, NOW)
    return played


def _ring(run: Run, until: datetime) -> None:
    while (alarm := machine.alarm_at(run.state)) is not None and alarm < until:
        run.wait(alarm)


_Step = tuple[float, str, str, dict[str, Any]]


def _story(letter: str) -> list[_Step]:
    """What is said in a run: hours after its start, the message, who says it."""
    if letter == "i":
        return []
    if letter == "k":
        return [(0.5, "cancel", "olga", {"reason": "They want something else."})]
    answer = (1, "submit", _CUSTOMER, {"item": "details", "fields": {"legal_name": "Acme"}})
    accept = (1, "decide", "olga", {"item": "details", "outcome": "accept"})
    if letter == "h":
        early = (0.5, *answer[1:])
        back = (0.5, "decide", "olga", {"item": "details", "outcome": "return", "comment": "The name is not complete."})
        return [early, back, answer, accept]
    if letter == "j":
        return [answer, accept, (5, "cancel", "olga", {"reason": "They went elsewhere.", "outcome": "lost"})]
    over = 1 + HOURS[letter] + (letter == "f")  # an hour of f was spent elsewhere
    said: dict[str, list[_Step]] = {
        "d": [(4, "waive", "henk", {"item": "configure", "reason": "They do it themselves."})],
        "e": [(2, "hold", "olga", {"reason": "Their freeze.", "side": "customer"}), (4, "resume", "olga", {}), _done(over)],
        "f": [_done(4), (5, "reopen", "olga", {"items": ["configure"], "reason": "It was the wrong region."}), _done(over)],
    }  # fmt: skip
    used = (over + 1, "happen", "integration:app", {"event": "product.used"})
    return [answer, accept, *said.get(letter, [_done(over)]), used]


def _done(hours: float) -> _Step:
    return hours, "complete", "olga", {"item": "configure"}


def fill(url: str) -> None:
    """Writes the known runs into a database."""
    engine = open_database(url)
    store = SqlRecordStore(engine)
    for batch in known_batches():
        store.write(batch)
    engine.dispose()
