"""The people of a run are kept before it starts, are those of whoever started it, and are taken back where nothing was started."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select
from temporalio.service import RPCError, RPCStatusCode

from console import ground, ordering, starting, whereabouts
from onboarding.errors import CustomerErased
from runtime.settings import read_settings
from storage.directory import Contact, SqlDirectory
from storage.engine import open_database, reading
from storage.erasing import Erasures
from storage.tables import PEOPLE
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
    before: list[Contact] = []
    steps: dict[str, list[Callable[[], Any]]] = {
        "f": [lambda: directory.keep(run, FIRST), lambda: directory.settle(run, FIRST)],
        "s": [
            lambda: before.extend(directory.keep(run, second)),
            lambda: directory.take_back(run, second, before, {one.handle for one in FIRST}),
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


def test_whoever_was_there_before_is_there_again(engine: Engine) -> None:
    """Nothing was started, so what stands there is as it was; another run is not touched."""
    directory = SqlDirectory(engine)
    directory.keep("onboarding/c-1/other", FIRST)
    directory.keep(RUN, (lea("lea@earlier.example"),))
    before = directory.keep(RUN, FIRST)
    directory.take_back(RUN, FIRST, before)

    assert directory.of(RUN) == before == (lea("lea@earlier.example"),)
    assert set(directory.of("onboarding/c-1/other")) == set(FIRST)


def test_an_erasure_finds_runs_of_which_only_people_are_known(engine: Engine) -> None:
    """And those of no other customer, whatever their names are like."""
    for run in (RUN, "onboarding/C-1/small", "onboarding/c-10/small", "onboarding/c_1/small"):
        SqlDirectory(engine).keep(run, FIRST)

    assert Erasures(engine).with_people("onboarding/c-1/") == (RUN,)
    assert Erasures(engine).with_people("onboarding/c_1/") == ("onboarding/c_1/small",)


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

    async def nothing(*_: Any) -> None:
        return None

    url = f"sqlite:///{tmp_path / 'rows.sqlite'}"
    monkeypatch.setattr(whereabouts, "look", nothing)
    monkeypatch.setattr(ground, "_adopted", [])
    ground.adopt(read_settings({"ONBOARDING_DATABASE_URL": url}))
    prepared = ordering.prepare("quick-start", customer="c-1", input_file=str(INPUT))
    client = Refusing(url, error)
    with pytest.raises(Exception) as caught:
        await starting.begin(client, prepared, "queue")  # type: ignore[arg-type]

    assert error in (caught.value, caught.value.__cause__)
    assert client.kept > 0, "they are kept before anything is started"
    assert len(people(url)) == (client.kept if stay else 0)
