"""Runs whose rows and notices stand in a database, for tests of what is written to people."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from sqlalchemy import Engine

from onboarding.engine.effects import DeliverNotice, Notice
from onboarding.engine.records import whole
from storage.directory import Contact, SqlDirectory
from storage.notices import SqlNoticeStore
from storage.records import SqlRecordStore
from tests.support.builders import Run, a_run, at

PEOPLE = (
    Contact(
        handle="customer:champion",
        role="champion",
        address="carla@customer.example",
        name="Carla Cho",
        zone="Europe/Berlin",
        language="de",
    ),
    Contact(handle="olga", role="lead", address="olga@provider.example", name="Olga Orlow"),
    Contact(handle="henk", role="head", address="henk@provider.example", name="Henk Haan"),
)


def notices_of(run: Run) -> Iterator[Notice]:
    """Everything that a run has said to people, in order."""
    for effect in run.effects:
        if isinstance(effect, DeliverNotice):
            yield effect.notice


def keep(engine: Engine, run: Run) -> Run:
    """Writes the rows, the notices and the people of a run."""
    SqlRecordStore(engine).write(replace(whole(run.plan, run.state), id=f"batch-{len(run.effects)}"))
    store = SqlNoticeStore(engine)
    for notice in notices_of(run):
        store.keep(notice)
    SqlDirectory(engine).keep(run.state.run, PEOPLE)
    return run


def a_late_run() -> Run:
    """The customer has answered one thing of two, and then nothing for two weeks: somebody is alarmed."""
    run = a_run()
    run.say(
        "submit", "customer:champion", item="details", fields={"legal_name": "Acme", "vat_id": "DE1"}, when=at(1, 12)
    )
    for day in range(2, 15):
        run.wait(at(day, 10))
    return run
