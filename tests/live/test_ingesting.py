"""`ingest` on a real server: hundreds of lines, a kill in the middle, and each effect once."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from temporalio.client import Client

from runtime.devserver import DevServer
from storage.engine import open_database
from storage.tables import TRAIL
from tests.support.calls import Answer, Door, begun
from tests.support.doors import environment_of, worker_process
from tests.support.shell import ROOT

pytestmark = pytest.mark.live

DATA = ROOT / "tests" / "live" / "data"
QUEUE = "ingesting"
CUSTOMERS = 10
EACH = 49
"""Notes to each of them; with an event each, 500 lines."""


@pytest.fixture(scope="module")
async def cli(client: Client, dev_server: DevServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Door]:
    """The command line beside a worker with the same database."""
    folder = tmp_path_factory.mktemp("ingesting")
    async with worker_process(client, dev_server.address, folder, QUEUE):
        yield Door(folder, **environment_of(dev_server.address, folder, QUEUE))


def started(cli: Door, customer: str) -> str:
    """A run of this customer."""
    words = ("--customer", customer, "--input", DATA / "every-message.input.yaml", "--actor", "lena")
    answer = cli("start", DATA / "every-message.yaml", *words)
    assert answer.code == 0, answer.err
    run: str = answer.data["run"]
    return run


def written(folder: Path, name: str, lines: list[Any]) -> Path:
    """A file of these lines; what is bytes stands there as it is."""
    path = folder / name
    path.write_bytes(b"".join(one if isinstance(one, bytes) else json.dumps(one).encode() + b"\n" for one in lines))
    return path


def verdicts(answer: Answer) -> list[dict[str, Any]]:
    """In the order of the lines."""
    return sorted((json.loads(line) for line in answer.lines), key=lambda one: one["line"])


async def test_every_line_gets_its_verdict(cli: Door) -> None:
    """By name, by customer, as a webhook brings it; refused and broken ones in their place; the worst is the exit code."""
    run = await asyncio.to_thread(started, cli, "i-one")
    note = {"actor": "lena", "text": "SECRET-4711"}
    event = {"specversion": "1.0", "type": "bank.paid", "id": "e-1", "source": "bank", "data": {"customer": "i-one"}}
    lines = [
        {"name": "note", "run": "i-one/every-message", "message": note},
        {"name": "note", "match": {"customer_id": "i-one"}, "message": {**note, "message_id": "m-2"}},
        event,
        event,
        {**event, "id": "e-2", "data": {"customer": "i-nobody"}},
        {**event, "id": "e-3", "data": {}},
        b"not json\n",
        {"name": "note", "run": run, "message": {"actor": "lena"}},
        {"name": "complete", "run": run, "message": {"actor": "customer:owner", "item": "call", "provides": {"goal": "G"}}},
        {"name": "note", "run": "i-none/every-message", "message": note},
        {"name": "happen", "match": {"customer_id": "i-one"}, "message": {"actor": "integration:bank", "event": "bank.paid"}},
    ]  # fmt: skip
    answer = await asyncio.to_thread(cli, "ingest", written(cli.folder, "small.jsonl", lines))

    found = verdicts(answer)
    assert [(one["outcome"], one["code"]) for one in found] == [
        ("accepted", "noted"), ("accepted", "noted"), ("accepted", "happened"), ("duplicate", "happened"), ("unknown", "no_run_matches"),
        ("unknown", "no_run_matches"), ("rejected", "not_json"), ("rejected", "required"), ("forbidden", "not_entitled"), ("unknown", "unknown_run"),
        ("conflict", "already_done"),
    ]  # fmt: skip
    assert [one["line"] for one in found] == list(range(1, 12))
    assert [one["message_id"] for one in found[1:4]] == ["m-2", "e-1", "e-1"]
    assert {one["run"] for one in found[:4]} == {run}
    assert found[6]["column"] == 1
    assert "SECRET" not in answer.out + answer.err
    assert answer.code == 25
    assert "11 lines read" in answer.err


async def test_a_kill_in_the_middle_of_500_lines_loses_nothing_and_doubles_nothing(cli: Door) -> None:
    """The same command goes on where final verdicts end; said again when all are there, it sends nothing."""
    names = [f"i-{n}" for n in range(CUSTOMERS)]
    runs = await asyncio.gather(*(asyncio.to_thread(started, cli, name) for name in names))
    lines: list[Any] = []
    for n in range(EACH):
        for name, run in zip(names, runs, strict=True):
            message = {"actor": "lena", "text": f"note {n}"} | ({"message_id": f"n-{n}"} if n % 2 else {})
            about = {"run": run} if n % 3 else {"match": {"customer_id": name}}
            lines.append({"name": "note", **about, "message": message})
    lines += [
        {"specversion": "1.0", "type": "bank.paid", "id": f"e-{name}", "source": "bank", "data": {"customer": name}}
        for name in names
    ]
    file, kept = written(cli.folder, "many.jsonl", lines), cli.folder / "verdicts.jsonl"
    words = ("ingest", str(file), "--verdicts", str(kept))

    at_kill = await asyncio.to_thread(_killed_after, cli, words, kept, 150)
    began = time.monotonic()
    done = await asyncio.to_thread(cli, *words)
    seconds = time.monotonic() - began
    again = await asyncio.to_thread(cli, *words)

    assert (done.code, done.out, again.code) == (0, "", 0), done.err
    found = [json.loads(line) for line in kept.read_text("utf-8").splitlines()]
    assert sorted(one["line"] for one in found) == list(range(1, len(lines) + 1)), "each line has one final verdict"
    assert {one["outcome"] for one in found} <= {"accepted", "duplicate"}
    assert 150 <= at_kill < len(lines)
    assert f"{len(lines)} final before; 0 verdicts" in again.err
    effects = await _effects(cli, runs, len(lines))
    assert set(effects.values()) == {1}
    assert len(effects) == len(lines)
    for run in runs:
        assert _order(cli, run) == [f"note {n}" for n in range(EACH)], "in the order of the file"
    twice = sum(one["outcome"] == "duplicate" for one in found)
    print(
        f"\n  ingest: {len(effects)} effects of {len(lines)} lines, 0 lost, 0 double; killed after {at_kill} verdicts, "
        f"{twice} said again; {(len(lines) - at_kill) / seconds:.0f} lines a second"
    )


def _killed_after(cli: Door, words: tuple[str, ...], kept: Path, count: int) -> int:
    """Lets it write so many verdicts, and kills it; how many there are then."""
    until = time.monotonic() + 60
    with begun([sys.executable, str(ROOT / "starter.py"), *words], cli) as process:
        while not kept.exists() or kept.read_bytes().count(b"\n") < count:
            assert process.poll() is None, process.stderr and process.stderr.read()
            assert time.monotonic() < until, "no verdicts came"
            time.sleep(0.01)
    return kept.read_bytes().count(b"\n")


def _trail(cli: Door, runs: list[str]) -> list[Any]:
    engine = open_database(cli.environment["ONBOARDING_DATABASE_URL"])
    with engine.connect() as connection:
        query = select(TRAIL.c.run, TRAIL.c.n, TRAIL.c.message_id, TRAIL.c.sentence, TRAIL.c.message)
        rows = connection.execute(query.where(TRAIL.c.run.in_(runs)).order_by(TRAIL.c.run, TRAIL.c.n)).all()
    engine.dispose()
    return [row for row in rows if row.message in ("note", "happen")]


async def _effects(cli: Door, runs: list[str], wanted: int) -> Counter[tuple[str, str]]:
    """How often each message stands in the trails."""
    until = time.monotonic() + 20
    while len(rows := _trail(cli, runs)) < wanted and time.monotonic() < until:
        await asyncio.sleep(0.1)
    return Counter((row.run, row.message_id) for row in rows)


def _order(cli: Door, run: str) -> list[str]:
    return [row.sentence for row in _trail(cli, [run]) if row.message == "note"]


async def test_where_nobody_answers_it_ends_and_goes_on_later(
    cli: Door, client: Client, dev_server: DevServer, tmp_path: Path
) -> None:
    """Lines behind one without a verdict are not sent before it; nothing is called refused; the same command ends well later."""
    folder, queue = tmp_path, f"{QUEUE}-late"
    door = Door(folder, **environment_of(dev_server.address, folder, queue))
    run = await asyncio.to_thread(started, door, "i-late")
    lines = [{"name": "note", "run": run, "message": {"actor": "lena", "text": f"note {n}"}} for n in range(6)]
    file = written(folder, "late.jsonl", lines)
    words = ("ingest", file, "--verdicts", folder / "verdicts", "--at-once", "1")
    impatient = Door(folder, **environment_of(dev_server.address, folder, queue))
    without = await asyncio.to_thread(_within, impatient, words, 110)

    assert without.code == 75
    first = [json.loads(line) for line in (folder / "verdicts").read_text("utf-8").splitlines()]
    assert {one["outcome"] for one in first} == {"retry_later"}
    assert [one["code"] for one in first] == ["no_verdict_yet", *["behind_unanswered"] * 5]
    assert "goes on there" in without.err

    async with worker_process(client, dev_server.address, folder, queue):
        answer = await asyncio.to_thread(door, *words)

    assert answer.code == 0, answer.err
    assert _order(door, run) == [f"note {n}" for n in range(6)]


def _within(door: Door, words: tuple[Any, ...], seconds: float) -> Answer:
    done = subprocess.run(
        [sys.executable, str(ROOT / "starter.py"), *map(str, words)],
        stdin=subprocess.DEVNULL, capture_output=True, cwd=door.folder, env=door.environment, timeout=seconds, check=False,
    )  # fmt: skip
    return Answer(code=done.returncode, out=done.stdout.decode(), err=done.stderr.decode(), seconds=0)


async def test_what_is_piped_is_answered_line_by_line_and_ends_at_ctrl_c(cli: Door) -> None:
    """Whoever waits for the verdict before the next line gets it; nobody has to close the pipe to get away."""
    run = await asyncio.to_thread(started, cli, "i-piped")
    with begun([sys.executable, str(ROOT / "starter.py"), "ingest", "-"], cli) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for n in range(2):
            message = {"message_id": f"m-{n}", "actor": "lena", "text": "x"}
            process.stdin.write(json.dumps({"name": "note", "run": run, "message": message}).encode() + b"\n")
            process.stdin.flush()
            told = json.loads(await asyncio.wait_for(asyncio.to_thread(process.stdout.readline), 30))
            assert (told["line"], told["outcome"]) == (n + 1, "accepted")
        process.send_signal(signal.SIGINT)
        code = await asyncio.to_thread(process.wait, 10)
        errors = process.communicate()[1].decode()

    assert code == 130
    assert "Traceback" not in errors


async def test_a_file_that_is_larger_than_the_memory_it_may_take_is_read(cli: Door) -> None:
    """A hundred megabytes take hardly more than a hundred kilobytes."""
    run = await asyncio.to_thread(started, cli, "i-large")
    good = {"name": "note", "run": run, "message": {"message_id": "m-1", "actor": "lena", "text": "x"}}
    broken = b'{"name": "note", "x": "' + b"y" * 500_000 + b'"}\n'
    peaks = {}
    for name, count in (("small", 1), ("large", 200)):
        file = written(cli.folder, f"{name}.jsonl", [*[broken] * count, good])
        peaks[name] = await asyncio.to_thread(_peak, cli, file, count + 1)
        file.unlink()
    more = (peaks["large"] - peaks["small"]) / 1_000_000
    print(
        f"\n  ingest: a file of 100 MB takes {more:.0f} MB more than one of 0.5 MB ({peaks['large'] / 1_000_000:.0f} MB in all)"
    )

    assert more < 40


def _peak(cli: Door, file: Path, lines: int) -> int:
    """The most memory that it took, in bytes."""
    out = file.with_suffix(".out")
    with out.open("wb") as told:
        command = [sys.executable, str(ROOT / "starter.py"), "ingest", str(file)]
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=told, stderr=subprocess.DEVNULL, cwd=cli.folder, env=cli.environment
        )  # fmt: skip
        peak = 0
        while process.poll() is None:
            # Of its memory alone: what the kernel tells of a child that has ended also counts the process that started it.
            found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process.pid}/status").read_text("ascii", "replace"))
            peak = int(found[1]) * 1_024 if found else peak
            time.sleep(0.01)
    assert process.returncode == 20
    assert len(out.read_bytes().splitlines()) == lines
    assert peak > 0
    return peak
