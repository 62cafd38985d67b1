"""`erase` beside a real server: what people said is nowhere any more, what was counted still is, and the trail verifies."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.client import Client
from temporalio.converter import WorkflowSerializationContext

from console import histories
from runtime.codec import ENCODING, UNDECODABLE
from runtime.devserver import DevServer
from storage.engine import open_database
from storage.erasing import Erasures
from storage.keys import destroy
from tests.edge.test_erasing import written
from tests.live.test_encrypted_runs import client_with_keys, payloads_in
from tests.support.builders import a_definition, a_run, an_order
from tests.support.calls import Answer, Door
from tests.support.doors import environment_of, worker_process
from tests.support.known_runs import BEGIN

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]

DATA = Path(__file__).parent / "data"
QUEUE = "erasing"
CANARIES = (
    "Kanariennote", "Kanariengrund", "Kanarienkommentar", "Kanariensignal", "Kanarienkennung", "Kanarienwert", "Kanarienziel",
    "kanari.name", "Olga Kanari", "Kanarienende",
)  # fmt: skip
"""Each is said at another place, and by nobody else."""
_KEYS = count(1)


@pytest.fixture(scope="module")
async def cli(client: Client, dev_server: DevServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Door]:
    """The command line beside a worker with the same database."""
    folder = tmp_path_factory.mktemp("erasing")
    async with worker_process(client, dev_server.address, folder, QUEUE):
        yield Door(folder, **environment_of(dev_server.address, folder, QUEUE))


async def beside(work: Callable[..., Any], *arguments: Any) -> Any:
    """Calls are processes; the loop goes on meanwhile."""
    return await asyncio.to_thread(work, *arguments)


async def told(cli: Door, client: Client) -> tuple[str, str]:
    """A run in which every canary was said; its customer and its name."""
    customer = f"forget-{next(_KEYS)}"
    people = cli.folder / "people.yaml"
    people.write_text("contacts:\n  - {role: owner, email: kanari.name@customer.example, name: Olga Kanari}\n")
    answer = await beside(
        cli, "start", DATA / "every-message.yaml", "--customer", customer, "--input", people, "--actor", "lena"
    )
    assert answer.code == 0, answer.err
    run: str = answer.data["run"]
    handle = client.get_workflow_handle(run)
    said: tuple[tuple[str, dict[str, Any]], ...] = (
        ("note", {"text": "Kanariennote"}),
        ("promise", {"due": "2031-01-01T00:00:00Z", "reason": "Kanariengrund"}),
        ("submit", {"item": "papers", "fields": {"name": "Kanarienwert", "count": 2}, "actor": "customer:owner"}),
        ("complete", {"item": "call", "provides": {"goal": "Kanarienziel"}, "comment": "Kanarienkommentar"}),
    )
    for n, (name, content) in enumerate(said):
        await handle.execute_update(name, {"message_id": f"m{n}", "actor": "lena", **content}, id=f"m{n}")
    await handle.signal("submit", {"message_id": "Kanarienkennung", "item": "papers", "fields": {"Kanariensignal": 1}})
    until = time.monotonic() + 20
    while not rows_of(cli.folder, run, "refused")["refused"]:
        assert time.monotonic() < until, "the signal was not entered"
        await asyncio.sleep(0.1)
    return customer, run


async def cancelled(client: Client, run: str) -> None:
    """The run ends, and its rows are written before."""
    handle = client.get_workflow_handle(run)
    await handle.execute_update("cancel", {"message_id": "end", "actor": "lena", "reason": "Kanarienende"}, id="end")
    await handle.result()


def found_in_files(folder: Path) -> list[str]:
    """Canaries in the database and what lies beside it, byte for byte."""
    content = b"".join(path.read_bytes() for path in folder.glob("rows.sqlite*"))
    return [word for word in CANARIES if word.encode() in content]


def rows_of(folder: Path, run: str, *tables: str) -> dict[str, list[Any]]:
    """Whole tables of one run."""
    with closing(sqlite3.connect(folder / "rows.sqlite", timeout=20)) as rows:
        return {
            name: rows.execute(f"SELECT * FROM {name} WHERE run = ? ORDER BY 1, 2, 3", (run,)).fetchall()
            for name in tables
        }


async def test_what_people_said_is_nowhere_and_what_was_counted_still_is(cli: Door, client: Client) -> None:
    """Refused while a run is open; then erased with a cancel, and of nobody else."""
    customer, run = await told(cli, client)
    _, other = await told(cli, client)
    refused = await beside(cli, "erase", customer)
    assert (refused.code, refused.data["code"]) == (21, "runs_open")
    assert "--cancel" in refused.data["sentence"]

    erased: Answer = await beside(cli, "erase", customer, "--cancel", "Kanarienende", "--actor", "lena", "-o", "json")

    assert erased.code == 0, erased.out + erased.err
    assert (erased.data["runs"], erased.data["histories"], erased.data["compacted"]) == (1, 1, True)
    assert (erased.data["people"] >= 1, erased.data["sentences"] >= 7, erased.data["notices"] >= 1) == (True,) * 3
    assert [found.run_id async for found in client.list_workflows(f'WorkflowId = "{run}"')] == []
    left = rows_of(cli.folder, other, "people", "trail", "notices")
    assert all(left.values())
    assert "Kanariennote" in str(left["trail"])


@pytest.fixture(scope="module")
async def forgotten(cli: Door, client: Client) -> tuple[str, str]:
    """A run that was erased; its customer and its name."""
    customer, run = await told(cli, client)
    await cancelled(client, run)
    before = await beside(cli, "trail", "verify", run)
    assert before.code == 0, before.out
    erased = await beside(cli, "erase", customer)
    assert erased.code == 0, erased.out + erased.err
    return customer, run


async def test_the_trail_of_a_forgotten_run_still_verifies(cli: Door, forgotten: tuple[str, str]) -> None:
    """In the rows and in an export, and nothing of it differs from anything."""
    run = forgotten[1]
    answers = [
        await beside(cli, *words)
        for words in (
            ("trail", "verify", run), ("export", "trail", run, "--file", "trail.jsonl"), ("trail", "verify", "trail.jsonl"), ("reconcile", run),
        )
    ]  # fmt: skip

    assert [answer.code for answer in answers] == [0, 0, 0, 0], [answer.out for answer in answers]
    assert answers[0].data["entries"] == answers[2].data["entries"] > 5


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("status", "RUN"), 0), (("list", "--customer", "CUSTOMER"), 0), (("report", "RUN"), 0), (("outbox", "RUN"), 0),
        (("report", "-o", "html", "--file", "report.html"), 0), (("export", "items"), 0), (("export", "erasures"), 0),
        (("trail", "RUN"), 22), (("ledger", "RUN", "-o", "html", "--file", "ledger.html"), 22), (("customer", "RUN"), 22),
    ],
)  # fmt: skip
async def test_every_read_of_a_forgotten_run_has_an_answer(
    cli: Door, forgotten: tuple[str, str], words: tuple[str, ...], code: int
) -> None:
    """Numbers where numbers are asked for, else the sentence that it was erased; and none of it says what was said."""
    names = {"CUSTOMER": forgotten[0], "RUN": forgotten[1]}
    answer = await beside(cli, *(names.get(word, word) for word in words))

    assert answer.code == code, answer.out + answer.err
    assert [canary for canary in CANARIES if canary in answer.out] == []
    if words[0] == "status":
        assert (answer.data["state"], answer.data["erased_at"][-1]) == ("closed", "Z")
    elif code:
        assert "run_erased" in answer.out


async def test_who_is_forgotten_stays_so(cli: Door, forgotten: tuple[str, str]) -> None:
    """A second call finds nothing to do, and a second start is refused."""
    again = await beside(cli, "erase", forgotten[0], "-o", "json")
    words = "start", DATA / "every-message.yaml", "--customer", forgotten[0], "--input", cli.folder / "people.yaml"
    back = await beside(cli, *words)

    assert (again.code, again.data["already"], again.data["runs"], again.data["sentences"]) == (0, True, 0, 0)
    assert (back.code, back.data["code"]) == (22, "customer_erased")


@pytest.mark.parametrize("point", ["erase.after_key", "erase.after_tombstone"])
async def test_an_erasure_that_was_killed_is_finished_by_the_next(cli: Door, client: Client, point: str) -> None:
    """And leaves what an undisturbed one leaves."""
    left = []
    for fault in ("", f"{point}:kill:1"):
        customer, run = await told(cli, client)
        await cancelled(client, run)
        if fault:
            died = await beside(lambda: cli("erase", customer, FAULT=fault))  # noqa: B023 - called at once
            assert died.code == -signal.SIGKILL
        done = await beside(cli, "erase", customer)
        assert (done.code, done.data["already"]) == (0, False)
        assert (await beside(cli, "erase", customer)).data["already"] is True
        assert [found.run_id async for found in client.list_workflows(f'WorkflowId = "{run}"')] == []
        assert (await beside(cli, "reconcile", run)).code == 0
        left.append(_counted(cli.folder, run))

    assert left[0] == left[1]
    print(f"{point}: killed once, finished by the next call, the same end state")


def _counted(folder: Path, run: str) -> dict[str, Any]:
    """What is left of a run, without what is another in every run: names, instants, digests."""
    tables = rows_of(folder, run, "people", "trail", "refused", "promises", "notices", "erasures")
    texts = {name: [len(row) for row in rows] for name, rows in tables.items()}
    (erased,) = tables["erasures"]
    return {**texts, "counts": erased[5:9], "gone": erased[9] is not None}


async def test_a_customer_whom_nobody_knows_is_told(cli: Door) -> None:
    """Neither on the server nor in the rows; and what makes no sense together is misuse."""
    unknown = await beside(cli, "erase", "nobody-at-all")
    quoted = await beside(cli, "erase", 'x" OR WorkflowId != "')
    misused = [
        (await beside(cli, *words)).code
        for words in (("erase",), ("erase", "c", "--due"), ("erase", "c", "--yes"), ("erase", "--due", "--cancel", "r"))
    ]

    assert (unknown.code, unknown.data["code"], quoted.code) == (23, "unknown_customer", 23)
    assert misused == [64, 64, 64, 64]


async def test_without_a_server_nothing_is_erased(cli: Door, client: Client) -> None:
    """The histories are the greater part of it."""
    customer, run = await told(cli, client)
    answer = await beside(lambda: cli("erase", customer, TEMPORAL_ADDRESS="127.0.0.1:1"))

    assert answer.code == 69
    assert "Kanariennote" in str(rows_of(cli.folder, run, "trail"))


async def test_a_run_that_goes_on_at_another_server_is_not_erased(cli: Door, client: Client) -> None:
    """Without its key it could never go on there. Whoever knows that the server has lost it says so."""
    definition = a_definition()
    run = f"onboarding/elsewhere/{definition.id}"
    engine = open_database(f"sqlite:///{cli.folder / 'rows.sqlite'}")
    written(engine, a_run(an_order(definition, run=run, customer="elsewhere"), BEGIN))
    answer = await beside(cli, "erase", "elsewhere")

    assert (answer.code, answer.data["code"], answer.data["runs"]) == (21, "run_elsewhere", [run])
    assert not Erasures(engine).forgotten("elsewhere")
    assert not Erasures(engine).begun([run])
    assert (await beside(cli, "erase", "--due", "--lost")).code == 64

    done = await beside(cli, "erase", "elsewhere", "--lost")
    assert (done.code, done.data["runs"]) == (0, 1)
    assert Erasures(engine).forgotten("elsewhere")
    assert (await beside(cli, "erase", "elsewhere")).data["already"]
    engine.dispose()


async def test_a_run_that_began_in_the_middle_of_an_erasure_can_be_ended(cli: Door, client: Client) -> None:
    """Its order was encrypted under a key that is gone: no worker can carry it on, and none can be told to cancel it."""
    run = "onboarding/slipped/x"
    await client.start_workflow("OnboardingRun", id=run, task_queue="nobody-works-here")
    engine = open_database(f"sqlite:///{cli.folder / 'rows.sqlite'}")
    destroy(engine, "slipped")
    engine.dispose()

    async with asyncio.timeout(30):
        while (refused := await beside(cli, "erase", "slipped")).code == 0:
            await asyncio.sleep(0.1)  # the server's list is a moment behind
    assert (refused.code, refused.data["runs"]) == (21, [run])
    done = await beside(cli, "erase", "slipped", "--cancel", "They asked to be forgotten.")
    assert (done.code, done.data["histories"]) == (0, 1)
    assert not await histories.is_open(client, run)


async def test_no_reason_leaves_in_clear_where_all_is_to_be_encrypted(
    cli: Door, client: Client, tmp_path: Path
) -> None:
    """To cancel is to send."""
    customer, _ = await told(cli, client)
    answer = await beside(
        lambda: cli(
            "erase", customer, "--cancel", "Kanarienende",
            ONBOARDING_ENVIRONMENT="production", ONBOARDING_KEYS=str(tmp_path / "keys.json"),
        )
    )  # fmt: skip

    assert answer.code == 64
    assert "keys_required" in answer.out + answer.err or "no key file" in answer.err


async def test_a_customer_whose_key_looks_alike_is_another(client: Client) -> None:
    """Whatever the server's list takes for a beginning."""
    handles = []
    for customer in ("look_alike", "lookXalike", "LOOK_ALIKE", "look_alike2"):
        run = f"onboarding/{customer}/x"
        handles.append(await client.start_workflow("OnboardingRun", id=run, task_queue="nobody-works-here"))
    try:
        async with asyncio.timeout(20):
            while not (found := await histories.of_customer(client, "look_alike")):
                await asyncio.sleep(0.1)
        assert [run for run, _ in found] == ["onboarding/look_alike/x"]
        assert await histories.is_open(client, "onboarding/look_alike/x")
    finally:
        for handle in handles:
            await handle.terminate()
    assert await histories.delete(client, "onboarding/look_alike/x") == 1
    assert await histories.of_customer(client, "look_alike") == []
    assert await histories.delete(client, "onboarding/look_alike/x") == 0


async def test_what_is_due_is_shown_and_then_erased(cli: Door, client: Client) -> None:
    """Only runs whose definition says so, only when the time has passed, and of this customer nothing else."""
    text = (DATA / "every-message.yaml").read_text()
    customer, runs = f"forget-{next(_KEYS)}", {}
    for name, facts in (("short-memory", "1s"), ("long-memory", "400d")):
        file = cli.folder / f"{name}.yaml"
        file.write_text(text.replace("id: every-message", f"id: {name}") + f"retention: {{facts: {facts}}}\n")
        started = await beside(
            cli, "start", file, "--customer", customer, "--input", DATA / "every-message.input.yaml", "--actor", "lena"
        )
        runs[name] = started.data["run"]
        note = {"message_id": "n", "actor": "lena", "text": "Kanariennote"}
        await client.get_workflow_handle(runs[name]).execute_update("note", note, id="n")
    nothing = await beside(cli, "erase", "--due", "-o", "json")
    for run in runs.values():
        await cancelled(client, run)
    await asyncio.sleep(1.1)  # the time that the definition says
    shown = await beside(cli, "erase", "--due", "-o", "json")
    assert "Kanariennote" in str(rows_of(cli.folder, runs["short-memory"], "trail"))
    erased = await beside(cli, "erase", "--due", "--yes", "-o", "json")

    assert (nothing.code, nothing.data["due"]) == (0, 0)
    assert (shown.code, [row["run"] for row in shown.data["rows"]], shown.data["erased"]) == (
        0,
        [runs["short-memory"]],
        0,
    )
    assert (erased.code, erased.data["erased"]) == (0, 1), erased.err
    assert "Kanariennote" not in str(rows_of(cli.folder, runs["short-memory"], "trail"))
    assert "Kanariennote" in str(rows_of(cli.folder, runs["long-memory"], "trail"))
    assert (await beside(cli, "reconcile", *runs.values())).code == 0
    assert (await beside(cli, "erase", "--due", "--yes", "-o", "json")).data["due"] == 0
    again = await beside(
        cli, "start", "short-memory.yaml", "--customer", customer, "--input", DATA / "every-message.input.yaml"
    )
    assert (again.code, again.data["code"]) == (22, "run_erased")


async def test_no_byte_of_what_was_said_is_left(cli: Door, client: Client) -> None:
    """When everybody is erased, neither the database nor its log holds a word, and the server has no history."""
    await told(cli, client)
    with closing(sqlite3.connect(cli.folder / "rows.sqlite", timeout=20)) as rows:
        customers = [row[0] for row in rows.execute("SELECT DISTINCT customer FROM runs")]
    began = time.monotonic()
    for customer in customers:
        answer = await beside(cli, "erase", customer, "--cancel", "Kanarienende", "--actor", "lena")
        assert answer.code == 0, answer.out + answer.err
    seconds = time.monotonic() - began

    left = [found.id async for found in client.list_workflows('WorkflowId STARTS_WITH "onboarding/forget-"')]
    assert (found_in_files(cli.folder), left) == ([], [])
    print(
        f"S10: {len(CANARIES)} things said by each of {len(customers)} customers, 0 left in database and histories; {seconds:.0f} s"
    )


async def test_payloads_that_somebody_copied_before_open_no_more(
    client: Client, dev_server: DevServer, tmp_path: Path
) -> None:
    """A history that was exported stays closed: whoever has it, the database and the master keys reads nothing in it."""
    cli = Door(tmp_path, **environment_of(dev_server.address, tmp_path, "erasing-keys"))
    assert (await beside(cli, "keys", "new")).code == 0
    ours = await client_with_keys(dev_server, tmp_path)
    async with worker_process(client, dev_server.address, tmp_path, "erasing-keys"):
        customer, run = await told(cli, ours)
        await cancelled(ours, run)
        events = [event async for event in ours.get_workflow_handle(run).fetch_history_events()]
        closed = [
            payload
            for event in events
            for payload in payloads_in(event)
            if payload.metadata.get("encoding") == ENCODING
        ]
        before = len(await _opened(await client_with_keys(dev_server, tmp_path), run, closed))
        began = time.monotonic()
        erased = await beside(cli, "erase", customer)
        seconds = time.monotonic() - began
        again = await beside(cli, "erase", customer)
    after = await _opened(await client_with_keys(dev_server, tmp_path), run, closed)

    left = sum(word.encode() in event.SerializeToString() for event in events for word in CANARIES)
    print(
        f"S10: {before} payloads of a copied history could be read before, {len(after)} after, in {seconds:.1f} s; "
        f"{left} things that were said stand in it in clear; the second call does nothing"
    )
    assert (erased.code, erased.data["keys"], again.data["already"]) == (0, 1, True)
    assert (before, len(after), left) == (len(closed), 0, 0)
    assert before >= 10
    assert found_in_files(tmp_path) == []


async def _opened(client: Client, run: str, payloads: list[Payload]) -> list[Payload]:
    """Those of them that a client with all the keys there are can read."""
    context = WorkflowSerializationContext(namespace=client.namespace, workflow_id=run)
    codec = client.data_converter.with_context(context).payload_codec
    assert codec is not None
    found = [(await codec.decode([payload]))[0] for payload in payloads]
    return [payload for payload in found if payload.metadata.get("encoding") not in (UNDECODABLE, ENCODING)]
