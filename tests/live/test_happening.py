"""An event finds the run that it is about, by the command line and a real server: the sender knows no run."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path

import pytest
from temporalio.client import Client

from runtime.devserver import DevServer
from tests.support.calls import Answer, Door
from tests.support.doors import environment_of, worker_process
from tests.support.shell import ROOT

pytestmark = pytest.mark.live

DATA = ROOT / "tests" / "live" / "data"
QUEUE = "happening"
_KEYS = count(1)


@pytest.fixture(scope="module")
async def cli(client: Client, dev_server: DevServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Door]:
    """The command line beside a worker with the same database."""
    folder = tmp_path_factory.mktemp("happening")
    async with worker_process(client, dev_server.address, folder, QUEUE):
        yield Door(folder, **environment_of(dev_server.address, folder, QUEUE))


def started(cli: Door, customer: str, path: Path = DATA / "every-message.yaml") -> str:
    """A run of this customer."""
    answer = cli("start", path, "--customer", customer, "--input", DATA / "every-message.input.yaml", "--actor", "lena")
    assert answer.code == 0, answer.err
    run: str = answer.data["run"]
    return run


def another(folder: Path, name: str) -> Path:
    """The same definition under another name."""
    path = folder / f"{name}.yaml"
    text = (DATA / "every-message.yaml").read_text("utf-8")
    path.write_text(text.replace("id: every-message", f"id: {name}", 1), "utf-8")
    return path


def paid(cli: Door, *words: str, id: str = "p-1") -> Answer:
    """The bank says so."""
    return cli("happen", *words, "--actor", "integration:bank", "--id", id, "-o", "json")


async def test_an_event_finds_the_run_of_its_customer(cli: Door) -> None:
    """Right after its start, and once: said again it is a duplicate, and what it is about stands in the payload."""
    customer = f"h-{next(_KEYS)}"
    run = await asyncio.to_thread(started, cli, customer)
    match = ("bank.paid", "--match", f"customer_id={customer}")
    first = await asyncio.to_thread(paid, cli, *match)
    again = await asyncio.to_thread(paid, cli, *match)
    by_name = await asyncio.to_thread(paid, cli, run, "bank.paid", "--data", json.dumps({"customer": customer}))

    assert (first.code, first.data["outcome"], first.data["run"]) == (0, "accepted", run), first.data
    assert (again.code, again.data["outcome"]) == (0, "duplicate")
    assert by_name.data["outcome"] == "duplicate"


async def test_an_event_that_says_another_name_than_it_is_matched_by_is_refused(cli: Door) -> None:
    """What a sender says is never overwritten."""
    customer = f"h-{next(_KEYS)}"
    run = await asyncio.to_thread(started, cli, customer)
    match = ("bank.paid", "--match", f"customer_id={customer}", "--data", '{"customer": "c-other"}')
    answer = await asyncio.to_thread(paid, cli, *match)
    silent = await asyncio.to_thread(paid, cli, run, "bank.paid", id="p-2")
    told = await asyncio.to_thread(paid, cli, run, "bank.paid", "--match", f"customer_id={customer}", id="p-3")

    assert (answer.code, answer.data["code"]) == (20, "not_this_run")
    assert (silent.code, silent.data["code"]) == (20, "not_this_run")
    assert (told.code, told.data["outcome"]) == (0, "accepted")


async def test_nobody_several_and_closed_are_three_answers(cli: Door) -> None:
    """Each with its exit code and what to do; all of several are told where the sender says so, each once."""
    customer = f"h-{next(_KEYS)}"
    run = await asyncio.to_thread(started, cli, customer)
    other = await asyncio.to_thread(started, cli, customer, another(cli.folder, "second-round"))
    match = ("bank.paid", "--match", f"customer_id={customer}")

    nobody = await asyncio.to_thread(paid, cli, "bank.paid", "--match", f"customer_id={customer}0")
    elsewhere = await asyncio.to_thread(paid, cli, "bank.robbed", "--match", f"customer_id={customer}")
    several = await asyncio.to_thread(paid, cli, *match)
    assert (nobody.code, nobody.data["code"]) == (23, "no_run_matches")
    assert (elsewhere.code, elsewhere.data["code"]) == (23, "no_run_matches")
    assert (several.code, several.data["code"], several.data["runs"]) == (21, "several_runs", [run, other])
    assert "--all" in several.data["sentence"]

    one = await asyncio.to_thread(paid, cli, other, "bank.paid", "--match", f"customer_id={customer}")
    again = await asyncio.to_thread(paid, cli, *match)
    rest = await asyncio.to_thread(paid, cli, *match, id="p-2")
    every = await asyncio.to_thread(paid, cli, *match, "--all", id="p-3")
    assert (one.code, one.data["outcome"]) == (0, "accepted")
    assert (again.data["outcome"], again.data["run"]) == ("duplicate", other), "said again it goes to no other run"
    assert (rest.data["outcome"], rest.data["run"]) == ("accepted", run), "only this one still waits for it"
    assert {row["run"] for row in every.data["rows"]} == {run, other}
    assert every.code == 21

    for name in (run, other):
        assert (await asyncio.to_thread(cli, "cancel", name, "--reason", "r", "--actor", "lena")).code == 0
    closed = await asyncio.to_thread(paid, cli, *match, id="p-4")
    before = await asyncio.to_thread(paid, cli, *match, id="p-2")
    assert (closed.code, closed.data["code"]) == (22, "run_finished")
    assert before.data["outcome"] == "duplicate"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("bank.paid",), "EVENT with --match"),
        (("a", "b", "c"), "one word too many"),
        (("bank.paid", "--match", "customer_id"), "NAME=VALUE"),
        (("bank.paid", "--match", "a=1", "--match", "a=2"), "twice"),
        (("c-1/x", "bank.paid", "--all"), "leave out RUN"),
    ],
)
def test_a_wrong_command_line_says_what_is_wrong(cli: Door, words: tuple[str, ...], said: str) -> None:
    """Nothing is sent."""
    answer = paid(cli, *words)

    assert (answer.code, answer.out) == (64, "")
    assert said in answer.err


async def test_runs_are_found_where_everything_is_encrypted(
    client: Client, dev_server: DevServer, tmp_path: Path
) -> None:
    """What they are matched by stands in their orders, which only a key opens. Without one a run is found by its customer alone."""
    queue = f"{QUEUE}-keys"
    door = Door(tmp_path, **environment_of(dev_server.address, tmp_path, queue))
    assert (await asyncio.to_thread(door, "keys", "new")).code == 0
    (tmp_path / "elsewhere").mkdir()
    stranger = Door(tmp_path / "elsewhere", **environment_of(dev_server.address, tmp_path / "elsewhere", queue))
    event = {"specversion": "1.0", "type": "bank.paid", "id": "p-1", "source": "bank", "data": {"customer": "h-key"}}
    (tmp_path / "events.jsonl").write_text(json.dumps(event), "utf-8")
    match = ("bank.paid", "--match", "customer_id=h-key")
    async with worker_process(client, dev_server.address, tmp_path, queue):
        run = await asyncio.to_thread(started, door, "h-key")
        silent = await asyncio.to_thread(paid, stranger, *match, id="p-0")
        ingested = await asyncio.to_thread(door, "ingest", "events.jsonl")
        again = await asyncio.to_thread(paid, door, *match, id="p-2")
        told = await asyncio.to_thread(paid, stranger, *match, "--data", '{"customer": "h-key"}', id="p-3")

    assert (silent.data["run"], silent.data["code"]) == (run, "not_this_run")
    assert json.loads(ingested.out)["outcome"] == "accepted", ingested.out
    assert (again.data["run"], again.data["code"]) == (run, "already_done")
    assert (told.data["run"], told.data["code"]) == (run, "already_done")
