"""The people of a run are kept before it starts, are those of whoever started it, and are taken back where nothing was started."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import Engine, select, text
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from console import ground, ordering, people as console_people, starting, whereabouts
from console.leaving import Answered
from console.ordering import Prepared
from onboarding.engine.order_text import write_order
from onboarding.engine.roster import Person
from onboarding.errors import CustomerErased
from runtime.settings import read_settings
from storage.directory import Contact, SqlDirectory
from storage.engine import open_database, reading
from storage.erasing import Erasures
from storage.tables import PEOPLE
from tests.edge.test_erasing import a_told_run, written
from tests.support.shell import ROOT

RUN = "onboarding/c-1/small"
INPUT = ROOT / "definitions" / "examples" / "quick-start.input.yaml"


def lea(address: str) -> Contact:
    return Contact(handle="customer:owner", role="owner", address=address)


DANA = Contact(handle="dana", role="onboarding", address="dana@provider.example")
OTTO = Contact(handle="otto", role="service", address="otto@provider.example")
FIRST = (lea("lea@right.example"), DANA)
OTHERS = {
    "another address and somebody else": (lea("lea@wrong.example"), OTTO),
    "the same people": FIRST,
    "some of them": (DANA, OTTO),
}


ORDERS = ("ffss", "fsfs", "fssf", "sfsf", "sffs")
"""Which start has the next step, the first or the second: the second is refused, so it takes back after the first has kept and begun."""


def side_by_side(directory: SqlDirectory, second: tuple[Contact, ...], order: str, run: str) -> set[Contact]:
    """Two starts, each step at its turn; who stands there in the end."""
    steps: dict[str, list[Callable[[], Any]]] = {
        "f": [lambda: directory.keep(run, FIRST), lambda: directory.settle(run, FIRST)],
        "s": [
            lambda: directory.keep(run, second),
            lambda: directory.take_back(run, second, {one.handle for one in FIRST}),
        ],
    }
    for who in order:
        steps[who].pop(0)()
    return set(directory.of(run))


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("second", OTHERS.values(), ids=OTHERS)
def test_of_two_starts_side_by_side_only_the_people_of_the_one_that_started_stay(
    engine: Engine, second: tuple[Contact, ...], order: str
) -> None:
    """In whatever order they keep, settle and take back."""
    assert set(FIRST) == side_by_side(SqlDirectory(engine), second, order, RUN)


def test_what_an_earlier_start_left_that_was_killed_goes_when_the_run_has_started(engine: Engine) -> None:
    """It was corrected meanwhile: neither the wrong address nor the wrong person stays."""
    directory = SqlDirectory(engine)
    directory.keep(RUN, (lea("lea@wrong.example"), OTTO))
    directory.keep(RUN, FIRST)
    directory.settle(RUN, FIRST)

    assert set(directory.of(RUN)) == set(FIRST)


def test_whoever_was_there_before_stays_as_they_are(engine: Engine) -> None:
    """Also for a role that another start gives them: whoever does not start the run changes nobody. Another run is not touched."""
    directory, earlier = SqlDirectory(engine), lea("lea@earlier.example")
    directory.keep("onboarding/c-1/other", FIRST)
    directory.keep(RUN, (earlier,))
    added = directory.keep(RUN, (*FIRST, replace(lea("lea@wrong.example"), role="a-role-before")))

    assert directory.known(RUN, "customer:owner") == {
        "roles": ["owner"], "mail": "lea@earlier.example", "name": None, "zone": None, "language": None,
    }  # fmt: skip
    assert added == (DANA,)
    directory.take_back(RUN, added)
    assert directory.of(RUN) == (earlier,)
    assert set(directory.of("onboarding/c-1/other")) == set(FIRST)


@pytest.mark.parametrize("second", OTHERS.values(), ids=OTHERS)
@pytest.mark.parametrize("turns", ["ffss", "fsfs", "fssf"])
def test_of_two_starts_that_are_both_refused_nobody_stays(
    engine: Engine, second: tuple[Contact, ...], turns: str
) -> None:
    directory = SqlDirectory(engine)
    added: dict[str, tuple[Contact, ...]] = {}
    for who in turns:
        if who in added:
            directory.take_back(RUN, added[who])
        else:
            added[who] = directory.keep(RUN, FIRST if who == "f" else second)

    assert directory.of(RUN) == ()


def test_an_erasure_finds_runs_of_which_only_people_are_known(engine: Engine) -> None:
    """And those of no other customer, whatever their names are like."""
    for run in (RUN, "onboarding/C-1/small", "onboarding/c-10/small", "onboarding/c_1/small"):
        SqlDirectory(engine).keep(run, FIRST)

    assert Erasures(engine).with_people("onboarding/c-1/") == (RUN,)
    assert Erasures(engine).with_people("onboarding/c_1/") == ("onboarding/c_1/small",)


def test_the_query_of_the_manual_names_runs_that_never_began(engine: Engine) -> None:
    """No command lists them."""
    manual = (ROOT / "docs" / "operating.md").read_text("utf-8")
    (query,) = re.findall(r"^    (SELECT DISTINCT run FROM people .*);$", manual, re.MULTILINE)
    written(engine, a_told_run())
    SqlDirectory(engine).keep(RUN, FIRST)

    with reading(engine) as connection:
        assert connection.execute(text(query)).scalars().all() == [RUN]


# A start at a server that refuses.


class Refusing:
    """A client whose server answers every start with this; what is kept of people when it is asked."""

    def __init__(self, url: str, error: Exception) -> None:
        self.url, self.error, self.kept = url, error, 0

    async def start_workflow(self, *_: Any, **__: Any) -> None:
        """Never starts anything."""
        self.kept = len(people(self.url))
        raise self.error


def people(url: str) -> list[str]:
    """The handles of everybody who is kept."""
    engine = open_database(url)
    with reading(engine) as connection:
        found = connection.execute(select(PEOPLE.c.handle)).scalars().all()
    engine.dispose()
    return list(found)


async def nothing(*_: Any) -> None:
    """The server knows no such run."""


def prepared_at(url: str, monkeypatch: pytest.MonkeyPatch) -> Prepared:
    """A start in this database."""
    monkeypatch.setattr(ground, "_adopted", [])
    ground.adopt(read_settings({"ONBOARDING_DATABASE_URL": url}))
    return ordering.prepare("quick-start", customer="c-1", input_file=str(INPUT))


@pytest.mark.parametrize(
    ("error", "stay"),
    [
        (RPCError("no such search attribute", RPCStatusCode.INVALID_ARGUMENT, b""), False),
        (RPCError("not you", RPCStatusCode.PERMISSION_DENIED, b""), False),
        (CustomerErased(), False),
        (RPCError("who knows", RPCStatusCode.DEADLINE_EXCEEDED, b""), True),
        (RPCError("who knows", RPCStatusCode.UNAVAILABLE, b""), True),
        (TimeoutError(), True),
    ],
)
async def test_a_start_that_is_refused_leaves_nobody_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, stay: bool
) -> None:
    """They stay only where the run may have started: then it needs them, and the same start again finds out."""

    url = f"sqlite:///{tmp_path / 'rows.sqlite'}"
    monkeypatch.setattr(whereabouts, "look", nothing)
    prepared = prepared_at(url, monkeypatch)
    client = Refusing(url, error)
    with pytest.raises(Exception) as caught:
        await starting.begin(client, prepared, "queue")  # type: ignore[arg-type]

    assert error in (caught.value, caught.value.__cause__)
    assert client.kept > 0, "they are kept before anything is started"
    assert len(people(url)) == (client.kept if stay else 0)


async def test_a_start_beside_an_erasure_keeps_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has asked before whether there is one, and nothing is started."""
    url = f"sqlite:///{tmp_path / 'rows.sqlite'}"
    prepared = prepared_at(url, monkeypatch)
    run = prepared.order.run

    async def erased_just_then(*_: Any) -> None:
        with ground.database() as engine:
            Erasures(engine).tombstone(run, "c-1", by="dana", cause="asked", at=prepared.at)

    monkeypatch.setattr(whereabouts, "look", erased_just_then)
    with pytest.raises(Answered) as told:
        await starting.begin(Refusing(url, AssertionError("it was started")), prepared, "queue")  # type: ignore[arg-type]

    assert told.value.answer["code"] == "run_erased"
    assert people(url) == []


# Two starts of one name, the second of which does not hear how it ends.


STRANGER = Person(handle="otto", role="helper", email="otto@wrong.example")


class Server:
    """Begins the run of the first start in the moment after the second has looked and found nothing."""

    def __init__(self, first: Prepared, says: Exception, *, order_fails: bool) -> None:
        self.first, self.says, self.order_fails, self.looks = first, says, order_fails, 0

    async def look(self, *_: Any) -> object | None:
        """Nothing the first time."""
        self.looks += 1
        if self.looks > 1:
            return object()
        console_people.keep(self.first)
        console_people.settle(self.first)
        return None

    async def describe(self, *_: Any) -> Any:
        """The run of the first start."""
        return SimpleNamespace(run_id="first", start_time=None)

    async def order_of(self, *_: Any) -> Any:
        """Its order, but for the first time where that fails."""
        if self.order_fails and self.looks == 1:
            raise RPCError("who knows", RPCStatusCode.UNAVAILABLE, b"")
        return json.loads(write_order(self.first.order))

    async def start_workflow(self, *_: Any, **__: Any) -> None:
        """What it says to the second start."""
        raise self.says


def kept(prepared: Prepared) -> set[Contact]:
    """Who stands there of the run."""
    with ground.database() as engine:
        return set(SqlDirectory(engine).of(prepared.order.run))


@pytest.mark.parametrize(
    ("says", "order_fails"),
    [
        (RPCError("who knows", RPCStatusCode.UNAVAILABLE, b""), False),
        (RPCError("who knows", RPCStatusCode.DEADLINE_EXCEEDED, b""), False),
        (WorkflowAlreadyStartedError("run", "OnboardingRun"), True),
    ],
)
async def test_a_start_that_does_not_hear_how_it_ended_changes_no_address_of_the_run_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: Exception, order_fails: bool
) -> None:
    """Until it is told, somebody whom only it names may stand there; then nobody, and the first start changes nothing more."""
    first = prepared_at(f"sqlite:///{tmp_path / 'rows.sqlite'}", monkeypatch)
    second = replace(
        first,
        order=replace(first.order, input_digest="another"),
        people=(*(replace(one, email="lea@wrong.example") for one in first.people), STRANGER),
    )
    server = Server(first, says, order_fails=order_fails)
    for name in ("look", "describe", "order_of"):
        monkeypatch.setattr(whereabouts, name, getattr(server, name))

    with pytest.raises(RPCError):
        await starting.begin(server, second, "queue")  # type: ignore[arg-type]
    unheard = kept(first)
    with pytest.raises(Answered) as told:
        await starting.begin(server, second, "queue")  # type: ignore[arg-type]

    theirs = set(console_people.contacts_of(first))
    assert {one for one in unheard if one.handle != STRANGER.handle} == theirs
    assert told.value.answer["code"] == "already_started"
    assert kept(first) == theirs
    assert await starting.begin(server, first, "queue") == ("first", False)  # type: ignore[arg-type]
    assert kept(first) == theirs


async def test_the_same_start_again_leaves_exactly_the_people_of_its_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a stranger of a start that died beside it nor their address; but whoever has left a group since still holds their role."""
    first = prepared_at(f"sqlite:///{tmp_path / 'rows.sqlite'}", monkeypatch)
    server = Server(first, TimeoutError(), order_fails=False)
    for name in ("look", "describe", "order_of"):
        monkeypatch.setattr(whereabouts, name, getattr(server, name))
    await server.look()
    died = (replace(first.people[0], email="lea@wrong.example"), STRANGER)
    left, *rest = first.people
    with ground.database() as engine:
        SqlDirectory(engine).settle(first.order.run, console_people.contacts_of(replace(first, people=(*died, *rest))))

    await starting.begin(server, first, "queue")  # type: ignore[arg-type]
    mended = kept(first)
    await starting.begin(server, replace(first, people=tuple(rest)), "queue")  # type: ignore[arg-type]

    assert mended == set(console_people.contacts_of(first))
    assert left.handle in {one.handle for one in kept(first)}
    assert kept(first) == mended


def test_everybody_of_an_order_is_known_by_its_history() -> None:
    """Also who is named by an input and has no role: a start that is refused takes nobody of another run back."""
    prepared = ordering.prepare("quick-start", customer="c-1", input_file=str(INPUT))
    order = json.loads(write_order(prepared.order))

    assert {one.handle for one in prepared.people} <= console_people.handles_of(order)
    assert console_people.handles_of({"inputs": {"sponsor": "olga", "seats": 3}}) == {"olga"}
    assert console_people.handles_of({}) == set()
