"""Events to the outside in rows, as a run would have told them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine

from onboarding.engine.effects import WriteRecords
from onboarding.engine.state import EmittedEvent
from storage.events import SqlEvents
from storage.records import SqlRecordStore
from tests.support.records import RUN, a_run

NOW = datetime(2026, 11, 30, 9, tzinfo=UTC)


def an_event(n: int, *to: str, id: str | None = None) -> EmittedEvent:
    """The n-th event of a run."""
    at = NOW + timedelta(minutes=n)
    data = {"stage": f"s{n}", "visit": 1, "entered_at": "2026-11-30T09:00:00Z", "left_at": None, "target_at": None}
    return EmittedEvent(
        n=n, id=id or f"evt_{n}", type="stage.entered", at=at, subject=f"s{n}", data=data, to=to or ("crm",)
    )


def a_batch(name: str, *events: EmittedEvent, run: str = RUN, follows: str = "", **changes: Any) -> WriteRecords:
    """Rows of a turn that tell these events."""
    given: dict[str, Any] = {
        "run": a_run(run), "events": events, "id": name, "follows": follows, "chain": "c", "execution": "x", **changes,
    }  # fmt: skip
    return WriteRecords(**given)


def tell(engine: Engine, run: str, count: int, *to: str) -> None:
    """A run that has told so many events, all of them history."""
    told = (an_event(n, *to, id=f"evt_{run.replace('/', '_')}_{n}") for n in range(1, count + 1))
    SqlRecordStore(engine).write(a_batch(f"{run}-1", *told, run=run))
    SqlEvents(engine).release(run, [f"{run}-1"])
