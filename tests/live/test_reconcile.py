"""`reconcile` and `trail verify` beside a real server: rows, trail, definition, run and server say the same, or it is named."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from runtime.devserver import DevServer
from tests.support.calls import Answer, Door
from tests.support.doors import environment_of, worker_process

pytestmark = pytest.mark.live

DATA = Path(__file__).parent / "data"
QUEUE = "reconcile"
_KEYS = count(1)


@pytest.fixture(scope="module")
async def cli(client: Client, dev_server: DevServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Door]:
    """The command line beside a worker with the same database."""
    folder = tmp_path_factory.mktemp("reconcile")
    async with worker_process(client, dev_server.address, folder, QUEUE):
        yield Door(folder, **environment_of(dev_server.address, folder, QUEUE))


def started(cli: Door) -> str:
    """A run in which something has been said; its name."""
    answer = cli(
        "start", DATA / "every-message.yaml", "--customer", f"rec-{next(_KEYS)}", "--input", DATA / "every-message.input.yaml", "--actor", "lena"
    )  # fmt: skip
    run: str = answer.data["run"]
    said = (
        ("submit", "papers", "--fields", '{"name": "N", "count": 2}', "--actor", "customer:owner"),
        ("note", "A text", "--actor", "lena"),
    )
    for name, *words in said:
        assert cli(name, run, *words, "-o", "json").code == 0
    return run


def sql(cli: Door, *statements: str) -> None:
    """Changes rows behind our back."""
    with sqlite3.connect(cli.folder / "rows.sqlite", timeout=20) as rows:
        for statement in statements:
            assert rows.execute(statement).rowcount > 0, statement
    rows.close()


async def beside(work: Callable[..., Any], *arguments: Any) -> Any:
    """Calls are processes; the loop goes on meanwhile."""
    return await asyncio.to_thread(work, *arguments)


def found(answer: Answer) -> list[tuple[str, str | None, str]]:
    """Where, which column, and what says otherwise."""
    return [(row["where"], row["column"], row["source"]) for row in answer.data["rows"]]


async def test_a_run_that_was_left_alone_agrees_with_everything(cli: Door) -> None:
    """Open and closed; the chain is that of the run itself."""
    await beside(_agrees, cli)


def _agrees(cli: Door) -> None:
    run = started(cli)
    well = cli("reconcile", run)
    chain = cli("trail", "verify", run)
    assert cli("cancel", run, "--reason", "r", "--outcome", "lost", "--actor", "lena").code == 0
    closed = cli("reconcile", run, "-o", "json")
    table = cli("reconcile", run, "-o", "table")

    assert (well.code, well.data) == (0, {"runs": 1, "asked": 1, "older": 0, "differences": 0, "rows": []})
    assert (chain.code, "No Temporal server" in chain.err) == (0, False)
    assert (closed.code, closed.data["differences"]) == (0, 0)
    assert table.out.strip() == "one run, 1 of them asked themselves: nothing differs."


async def test_what_only_others_can_tell_is_named(cli: Door) -> None:
    """The words of the definition, what the run shows now, and an end of the trail that told of nothing."""
    await beside(_named, cli)


def _named(cli: Door) -> None:
    run = started(cli)
    head = cli("trail", "head", run).data["n"]
    sql(
        cli,
        f"update items set title = 'Another' where run = '{run}' and item = 'papers'",
        f"update runs set health = 'stalled' where run = '{run}'",
        f"delete from trail where run = '{run}' and n = {head}",
    )
    answer = cli("reconcile", run)
    chain = cli("trail", "verify", run)

    assert answer.code == 21
    assert {
        ("items/papers/1", "title", "definition"),
        ("runs", "health", "run"),
        (f"trail/{head}", None, "run"),
    } <= set(found(answer))
    assert (chain.code, chain.data["rows"][-1]["code"], chain.data["rows"][-1]["n"]) == (21, "cut_off", head)


async def test_a_run_that_is_known_on_one_side_only_is_named(cli: Door) -> None:
    """Open there without rows here, and open here without a run there."""
    await beside(_one_side, cli)


def _one_side(cli: Door) -> None:
    run, other = started(cli), started(cli)
    names = [row[0] for row in _ask(cli, "select name from sqlite_master where type = 'table'")]
    for table in sorted((name for name in names if _has_run(cli, name)), key=lambda name: name == "runs"):
        with sqlite3.connect(cli.folder / "rows.sqlite", timeout=20) as rows:
            rows.execute(f"delete from {table} where run = '{run}'")
        rows.close()
    sql(cli, f"update runs set run = '{other}x' where run = '{other}'")
    answer = cli("reconcile")
    mine = {(row["run"], row["where"], row["source"], row["expected"]) for row in answer.data["rows"]}

    assert answer.code == 21
    assert {(run, "runs", "server", "running"), (f"{other}x", "runs", "server", "unknown")} <= mine


def _ask(cli: Door, statement: str) -> list[Any]:
    with sqlite3.connect(cli.folder / "rows.sqlite", timeout=20) as rows:
        answer = rows.execute(statement).fetchall()
    rows.close()
    return answer


def _has_run(cli: Door, table: str) -> bool:
    return any(row[1] == "run" for row in _ask(cli, f"pragma table_info({table})"))


async def test_without_an_answer_the_rows_are_compared_to_one_another(cli: Door) -> None:
    """And it is said that nobody else was asked."""
    await beside(_alone, cli)


def _alone(cli: Door) -> None:
    run = started(cli)
    sql(cli, f"update items set status = 'done' where run = '{run}' and item = 'call'")
    answer = cli("reconcile", run, TEMPORAL_ADDRESS="127.0.0.1:1")

    assert (answer.code, answer.data["asked"]) == (21, 0)
    assert ("items/call/1", "status", "trail") in found(answer)
    assert "No Temporal server answers" in answer.err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [(("nobody/quick-start",), 23, "No run"), (("c-1/quick-start", "--all"), 64, "name none")],
)
async def test_what_cannot_be_reconciled_is_said(cli: Door, arguments: tuple[str, ...], code: int, words: str) -> None:
    """With the way out."""
    answer = await beside(cli, "reconcile", *arguments)

    assert (answer.code, words in answer.out + answer.err) == (code, True)
