"""`starter.py` against a real server and a worker of its own: every message with every answer and its exit code."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest
from temporalio.client import Client

from runtime.devserver import DevServer
from tests.support.calls import Answer, Door
from tests.support.doors import environment_of, worker_process
from tests.support.drawings import Page

pytestmark = pytest.mark.live

DATA = Path(__file__).parent / "data"
QUEUE = "cli"
PAPERS = ("submit", "papers", "--fields", '{"name": "N", "count": 2}', "--actor", "customer:owner")
_KEYS = count(1)


@dataclass(frozen=True)
class Case:
    """A message as it is accepted, what must have been said before, and who may not say it."""

    words: tuple[str, ...]
    actor: str
    before: tuple[tuple[str, ...], ...] = ()
    stranger: str = "nobody.we.know"


CASES = {
    "submit": Case(PAPERS[1:4], "customer:owner"),
    "decide": Case(("sign", "accept"), "hugo", before=(PAPERS,)),
    "complete": Case(("call", "--provides", '{"goal": "G"}'), "lena", stranger="customer:owner"),
    "happen": Case(("bank.paid", "--data", '{"customer": "CUSTOMER"}'), "integration:bank", stranger="customer:owner"),
    "hold": Case(("--reason", "r"), "lena", stranger="customer:owner"),
    "resume": Case((), "lena", before=(("hold", "--reason", "r", "--actor", "lena"),), stranger="customer:owner"),
    "extend": Case(("papers", "--due", "2031-01-01T00:00:00Z", "--reason", "r"), "lena", stranger="customer:owner"),
    "set-calendar": Case(("customer", "--week", "mon-thu", "--reason", "r"), "lena", stranger="customer:owner"),
    "reassign": Case(("call", "--to", "hugo"), "lena", stranger="customer:owner"),
    "absence": Case(
        ("lena", "--from", "2026-01-01T00:00:00Z", "--until", "2031-01-01T00:00:00Z"), "hugo", stranger="customer:owner"
    ),
    "waive": Case(("facts.count >= 5", "--reason", "r"), "hugo", stranger="lena"),
    "reopen": Case(("papers", "--reason", "r"), "lena", before=(PAPERS,), stranger="customer:owner"),
    "promise": Case(("--due", "2031-01-01T00:00:00Z", "--reason", "r"), "lena", stranger="customer:owner"),
    "note": Case(("A text",), "customer:owner"),
    "cancel": Case(("--reason", "r", "--outcome", "lost"), "lena", stranger="customer:owner"),
}
CODES = {"accepted": 0, "duplicate": 0, "rejected": 20, "conflict": 21, "closed": 22, "unknown": 23, "forbidden": 25}


@pytest.fixture(scope="module")
async def cli(client: Client, dev_server: DevServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Door]:
    """The command line beside a worker with the same database."""
    folder = tmp_path_factory.mktemp("cli")
    async with worker_process(client, dev_server.address, folder, QUEUE):
        yield Door(folder, **environment_of(dev_server.address, folder, QUEUE))


def started(cli: Door, **more: str) -> str:
    """A fresh run; its name."""
    answer = cli(
        "start", DATA / "every-message.yaml", "--customer", f"cli-{next(_KEYS)}", "--input", DATA / "every-message.input.yaml", "--actor", "lena", **more
    )  # fmt: skip
    assert answer.code == 0, answer.err
    assert answer.data["created"] is True
    run: str = answer.data["run"]
    return run


def say(cli: Door, run: str, name: str, *words: str) -> Answer:
    """One message."""
    if name == "absence":
        return cli(name, *words, "--run", run, "-o", "json")
    return cli(name, run, *words, "-o", "json")


async def in_a_thread(work: object, *arguments: object) -> Answer:
    """Calls are processes; the loop goes on meanwhile."""
    return await asyncio.to_thread(work, *arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", CASES)
async def test_every_message_with_every_answer(cli: Door, name: str) -> None:
    """One run: wrong, not entitled, no such run, accepted, said again, id taken, closed."""
    await asyncio.to_thread(_every_answer, cli, name)


def _every_answer(cli: Door, name: str) -> None:
    case = CASES[name]
    run = started(cli)
    for command, *words in case.before:
        assert say(cli, run, command, *words).code == 0
    plain = tuple(word.replace("CUSTOMER", run.split("/")[1]) for word in case.words)
    words = (*plain, "--actor", case.actor)
    refused = {
        "rejected": (run, name, *words, "--sent-at", "yesterday"),
        "forbidden": (run, name, *plain, "--actor", case.stranger),
        "unknown": (run.replace("cli-", "cli-0"), name, *words),
    }
    with ThreadPoolExecutor(3) as pool:  # none of them changes anything, so their order does not matter
        found = list(pool.map(lambda call: say(cli, *call), refused.values()))
    done = {
        "accepted": (run, name, *words, "--id", "m-1"),
        "duplicate": (run, name, *words, "--id", "m-1"),
        # A run that its own message has closed cannot tell any more that an id was taken.
        "closed" if name == "cancel" else "conflict": (run, name, *words, "--id", "m-1", "--channel", "other"),
    }
    found += [say(cli, *call) for call in done.values()]
    for outcome, answer in zip((*refused, *done), found, strict=True):
        assert (outcome, CODES[outcome]) == (answer.data["outcome"], answer.code), answer.data
        assert {"outcome", "code", "sentence", "message_id", "item", "status", "received_at", "next"} <= set(
            answer.data
        )
    if name != "cancel":
        say(cli, run, "cancel", "--reason", "r", "--actor", "lena")
        late = say(cli, run, name, *words)
        assert (late.code, late.data["outcome"], late.data["code"]) == (22, "closed", "run_finished")


REFUSALS: tuple[tuple[tuple[str, ...], int, str], ...] = (
    (("submit", "paper", "--actor", "customer:owner"), 23, "unknown_item"),
    (("submit", "call", "--actor", "customer:owner"), 20, "wrong_kind"),
    (("submit", "papers", "--actor", "customer:owner", "--fields", '{"count": 0}'), 20, "required"),
    (("submit", "papers", "--actor", "customer:owner", "--fields", '{"name": "N"}', "--draft"), 0, "draft_kept"),
    (("submit", "extras", "--actor", "customer:owner", "--fields", '{"wish": "W"}'), 0, "held"),
    (("decide", "sign", "acept", "--actor", "hugo"), 23, "unknown_outcome"),
    (("happen", "bank.payed", "--actor", "integration:bank"), 23, "unknown_event"),
    (("happen", "bank.paid", "--actor", "integration:bank", "--data", '{"customer": "another"}'), 20, "not_this_run"),
    (
        ("happen", "bank.paid", "--actor", "integration:bank", "--data", '{"customer_id": "another"}'),
        20,
        "not_this_run",
    ),
    (("extend", "firsd", "--due", "2031-01-01T00:00:00Z", "--reason", "r", "--actor", "lena"), 23, "unknown_item"),
    (("extend", "first", "--due", "2031-01-01T00:00:00Z", "--reason", "r", "--actor", "lena"), 0, "extended"),
    (("set-calendar", "custommer", "--week", "mon", "--reason", "r", "--actor", "lena"), 23, "unknown_calendar"),
    (("set-calendar", "customer", "--reason", "r", "--actor", "lena"), 20, "nothing_given"),
    (("set-calendar", "customer", "--week", "mo-fr", "--reason", "r", "--actor", "lena"), 20, "bad_week"),
    (
        (
            "set-calendar",
            "customer",
            "--tz",
            "Europe/Madrid",
            "--country",
            "ES",
            "--subdivision",
            "MD",
            "--holiday",
            "2026-12-24",
            "--hours",
            "09:00-14:00",
            "--hours",
            "16:00-19:00",
            "--reason",
            "r",
            "--actor",
            "lena",
        ),
        0,
        "calendar_set",
    ),
    (
        ("set-calendar", "customer:owner", "--no-holidays", "--week", "mon,tue", "--reason", "r", "--actor", "lena"),
        0,
        "calendar_set",
    ),
    (("reassign", "second", "--to", "hugo", "--actor", "lena"), 0, "reassigned"),
    (("reopen", "nothing", "--reason", "r", "--actor", "lena"), 23, "unknown_item"),
    (("complete", "call", "--provides", '{"goal": "G"}', "--actor", "hugo", "--on-behalf-of", "lena"), 0, "completed"),
    (("complete", "call", "--provides", '{"goal": "G"}', "--actor", "lena"), 21, "already_done"),
    (PAPERS, 0, "answered"),
    (("decide", "sign", "accept", "--actor", "lena"), 25, "not_entitled"),
    (("decide", "sign", "accept", "--actor", "hugo"), 25, "same_person"),
    (("reassign", "head", "--to", "ines", "--actor", "lena"), 0, "reassigned"),
)


async def test_what_a_run_says_no_to(cli: Door) -> None:
    """In one run, in this order: the code of each verdict, and its exit code."""
    run = await asyncio.to_thread(started, cli)
    for (name, *words), exit_code, code in REFUSALS:
        answer = await in_a_thread(say, cli, run, name, *words)

        assert (answer.data["code"], answer.code) == (code, exit_code), answer.data


async def test_a_second_start_is_a_conflict_unless_it_is_the_same(cli: Door) -> None:
    """21 with who and when; 0 and `created: false` for the same input; also after the run has closed."""
    run = await asyncio.to_thread(started, cli)
    customer = run.split("/")[1]
    start = ("start", DATA / "every-message.yaml", "--customer", customer, "--input", DATA / "every-message.input.yaml")
    for _ in ("open", "closed"):
        same = await in_a_thread(cli, *start)
        other = await in_a_thread(cli, *start, "--set", "colour=blue")

        assert (same.code, same.data["created"], same.data["run"]) == (0, False, run)
        assert (other.code, other.data["code"], other.data["started_by"]) == (21, "already_started", "lena")
        assert other.data["started_at"].endswith("Z")
        assert "lena" in other.data["sentence"]
        await in_a_thread(say, cli, run, "cancel", "--reason", "r", "--actor", "lena")


async def test_after_the_retention_the_read_table_remembers(cli: Door, client: Client) -> None:
    """The server has forgotten the run: a message is `closed`, a name nearby is told, a new start is a conflict."""
    run = await asyncio.to_thread(started, cli)
    await in_a_thread(say, cli, run, "cancel", "--reason", "r", "--actor", "lena")
    await client.get_workflow_handle(run).result()
    await _forget(client, run)
    note = await in_a_thread(say, cli, run, "note", "Too late", "--actor", "lena")
    status = await in_a_thread(cli, "status", run)
    again = await in_a_thread(
        cli, "start", DATA / "every-message.yaml", "--customer", run.split("/")[1], "--input", DATA / "every-message.input.yaml"
    )  # fmt: skip

    assert (note.code, note.data["code"]) == (22, "run_finished")
    assert (status.code, status.data["state"], status.data["source"]) == (0, "closed", "read_table")
    assert (again.code, again.data["started_by"]) == (21, "lena")


async def _forget(client: Client, run: str) -> None:
    from temporalio.api.common.v1 import WorkflowExecution
    from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
    from temporalio.service import RPCError

    execution = WorkflowExecution(workflow_id=run)
    await client.workflow_service.delete_workflow_execution(
        DeleteWorkflowExecutionRequest(namespace=client.namespace, workflow_execution=execution)
    )
    for _ in range(600):
        try:
            await client.get_workflow_handle(run).describe()
        except RPCError:
            return
        await asyncio.sleep(0.1)
    raise AssertionError("the server still knows the run")


async def test_reads_and_lists_of_one_run(cli: Door) -> None:
    """Every read answers in the shape of the contract; a change is in the lists at once."""
    run = await asyncio.to_thread(started, cli)
    await in_a_thread(say, cli, run, "note", "Hello", "--actor", "lena", "--id", "n-1")
    await in_a_thread(say, cli, run, "submit", "papers", "--signal", "--actor", "customer:owner")
    shapes = {
        ("status", run): {"run", "customer", "definition", "state", "stages", "items", "next", "state_hash", "ui"},
        ("open-items", run): {"rows", "next_cursor"},
        ("why", run, "sign"): {"item", "status", "sentence", "holder", "since", "next"},
        ("gate", run, "first"): {"stage", "holds", "conditions", "debt"},
        ("trail", run, "--all"): {"rows", "next_cursor"},
        ("ledger", run): {"elapsed", "by_side", "entries", "metrics"},
        ("refused", run): {"rows", "next_cursor"},
        ("customer", run): {"run", "stages", "asks"},
        ("outbox", run): {"rows", "next_cursor"},
        ("report", run): {"run", "metrics", "by_side"},
    }
    for call, fields in shapes.items():
        answer = await in_a_thread(cli, *call)
        assert answer.code == 0, call
        assert fields <= set(answer.data), call
        assert (await in_a_thread(cli, *call, "-o", "table")).code == 0, call
    drawn, page = [await in_a_thread(cli, "ledger", run, "-o", form) for form in ("table", "html")]
    assert "- open meanwhile" in drawn.out
    assert (page.code, Page(page.out).outside) == (0, [])
    refused = (await in_a_thread(cli, "refused", run)).data["rows"]
    trail = (await in_a_thread(cli, "trail", run)).data["rows"]
    listed = (await in_a_thread(cli, "list", "--definition", "every-message", "--customer", run.split("/")[1])).data[
        "rows"
    ]
    mine = (await in_a_thread(cli, "inbox", "Lena", "--all")).data["rows"]
    other = (await in_a_thread(cli, "list", "--health", "escalated", "--customer", run.split("/")[1])).data["rows"]
    for call in (("why", run, "sing"), ("gate", run, "fist")):
        assert (await in_a_thread(cli, *call)).code == 23
    assert (await in_a_thread(cli, "trail", run, "--cursor", "nonsense")).code == 23

    assert [(row["name"], row["code"]) for row in refused] == [("submit", "required")]
    assert ("n-1", "noted") in [(row["message_id"], row["code"]) for row in trail]
    assert [row["run"] for row in listed] == [run]
    assert {(run, "call"), (run, "paid")} <= {(row["run"], row["id"]) for row in mine}
    assert other == []


async def test_watch_ends_with_the_run(cli: Door) -> None:
    """A line for every change, and 0 when it is over."""
    run = await asyncio.to_thread(started, cli)
    watching = asyncio.create_task(in_a_thread(cli, "status", run, "--watch"))
    await asyncio.sleep(3)
    await in_a_thread(say, cli, run, "cancel", "--reason", "r", "--actor", "lena")
    answer = await watching

    assert answer.code == 0
    assert [json.loads(line)["state"] for line in answer.lines][-1] == "closed"


async def test_doctor_is_content(cli: Door) -> None:
    """Server, search attributes, worker, database: nothing fails."""
    answer = await in_a_thread(cli, "doctor", "--fix", "-o", "jsonl")
    rows = {row["name"]: row["level"] for row in map(json.loads, answer.lines)}

    assert answer.code == 0
    assert {
        name: rows[name] for name in ("server", "namespace", "search attributes", "worker", "database")
    } == dict.fromkeys(("server", "namespace", "search attributes", "worker", "database"), "ok")


async def test_no_worker_is_75_and_the_same_id_tells_later(
    client: Client, dev_server: DevServer, tmp_path: Path
) -> None:
    """Within 15 seconds, neither accepted nor failed; a read says so at once. With a worker the same message has its verdict."""
    queue = "cli-nobody"
    cli = Door(tmp_path, **environment_of(dev_server.address, tmp_path, queue))
    run = await asyncio.to_thread(started, cli)
    status = await in_a_thread(cli, "status", run)
    doctor = await in_a_thread(cli, "doctor")
    note = await in_a_thread(say, cli, run, "note", "Anybody?", "--actor", "lena", "--id", "n-1")
    signal = await in_a_thread(say, cli, run, "note", "Anybody?", "--actor", "lena", "--id", "n-2", "--signal")
    async with worker_process(client, dev_server.address, tmp_path, queue):
        later = await in_a_thread(say, cli, run, "note", "Anybody?", "--actor", "lena", "--id", "n-1")
        other = await in_a_thread(say, cli, run, "note", "Another", "--actor", "lena", "--id", "n-1")
        trail = await in_a_thread(cli, "trail", run)

    assert (status.code, status.data["code"]) == (75, "no_worker")
    assert status.seconds < 5
    assert doctor.code == 0
    assert (note.code, note.data["outcome"], note.data["message_id"]) == (75, "retry_later", "n-1")
    assert 10 < note.seconds < 18
    assert (signal.code, signal.data["sent"]) == (0, True)
    assert later.code == 0
    assert later.data["outcome"] in ("accepted", "duplicate")
    assert (other.code, other.data["code"]) == (21, "id_reused")
    assert [row["message_id"] for row in trail.data["rows"]].count("n-1") == 1


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_hundred_calls_end_as_they_should(cli: Door) -> None:
    """No abort and no hang at the end of a process, whatever it did."""
    run = await asyncio.to_thread(started, cli)
    calls: Sequence[tuple[tuple[str, ...], int]] = (
        (("status", run), 0), (("note", run, "x", "--actor", "lena"), 0), (("note", run, "x"), 20), (("why", run, "nothing"), 23),
        (("note", run + "x", "x", "--actor", "lena"), 23), (("trail", run), 0), (("hold", run, "--reason", "r", "--actor", "owner"), 25),
        (("list",), 0), (("status", run, "--what"), 64), (("note", run, "x", "--actor", "lena", "--signal"), 0),
    )  # fmt: skip
    with ThreadPoolExecutor(4) as pool:
        found = await asyncio.gather(
            *(asyncio.get_running_loop().run_in_executor(pool, lambda one=one: cli(*one[0]).code) for one in calls * 10)
        )

    assert [code for _, code in calls * 10] == found


@pytest.mark.slow
async def test_a_killed_worker_loses_no_message(client: Client, dev_server: DevServer, tmp_path: Path) -> None:
    """kill -9 while notes are sent: each one has its verdict in the end, and each stands in the trail once."""
    queue = "cli-killed"
    cli = Door(tmp_path, **environment_of(dev_server.address, tmp_path, queue))
    async with worker_process(client, dev_server.address, tmp_path, queue) as first:
        run = await asyncio.to_thread(started, cli)
        sending = asyncio.create_task(asyncio.to_thread(_notes, cli, run, 12))
        await asyncio.sleep(3)
        first.process.kill()
        await first.ended()
    async with worker_process(client, dev_server.address, tmp_path, queue):
        codes = await sending
        trail = (await in_a_thread(cli, "trail", run, "--all")).data["rows"]

    assert codes == [0] * 12
    ids = [row["message_id"] for row in trail if row["message"] == "note"]
    assert sorted(ids) == sorted(f"n-{number}" for number in range(12))


def _notes(cli: Door, run: str, how_many: int) -> list[int]:
    """As a careful sender does: the same message again until there is a verdict."""
    codes = []
    for number in range(how_many):
        answer = say(cli, run, "note", f"Note {number}", "--actor", "lena", "--id", f"n-{number}")
        while answer.code == 75:
            answer = say(cli, run, "note", f"Note {number}", "--actor", "lena", "--id", f"n-{number}")
        codes.append(answer.code)
    return codes


async def test_an_absence_is_said_once_to_every_open_run_of_the_person(cli: Door) -> None:
    """A row for each run with its verdict; the same command again does nothing; who is nobody's is told so."""
    await asyncio.to_thread(_absence_everywhere, cli)


def _absence_everywhere(cli: Door) -> None:
    first, second, over = started(cli), started(cli), started(cli)
    assert say(cli, over, "cancel", "--reason", "r", "--actor", "lena").code == 0
    words = ("absence", "lena", "--from", "2026-01-01T00:00:00Z", "--until", "2031-01-01T00:00:00Z", "--actor", "hugo")
    _until(
        lambda: (
            {first, second}
            <= {row["run"] for row in cli("list", "--state", "running", "--all", "-o", "json").data["rows"]}
        )
    )

    told = cli(*words, "--id", "holiday", "-o", "json")
    again = cli(*words, "--id", "holiday", "-o", "json")
    nobody = cli("absence", "noone", *words[2:], "-o", "json")

    mine = {row["run"]: row["code"] for row in told.data["rows"]}
    assert (told.code, mine[first], mine[second]) == (0, "absence_noted", "absence_noted")
    assert over not in mine
    assert {"duplicate"} == {row["outcome"] for row in again.data["rows"] if row["run"] in (first, second)}
    assert (nobody.code, nobody.data["rows"]) == (0, [])
    why = cli("why", first, "call", "-o", "json").data
    assert (why["holder"], why["stands_for"]) == ("hugo", "lena")


def _until(holds: Callable[[], bool]) -> None:
    for _ in range(60):
        if holds():
            return
        time.sleep(0.5)
    raise AssertionError("it did not come to be")
