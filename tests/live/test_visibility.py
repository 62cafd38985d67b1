"""`list --as-query`: Temporal's own command line, given that query, finds the runs that `list` finds."""

from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from temporalio import workflow
from temporalio.client import Client
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes
from temporalio.worker import Worker

from console.visibility import ATTRIBUTES
from onboarding.engine.effects import RunRow, WriteRecords
from runtime.devserver import DevServer
from runtime.temporal_cli import find_cli
from storage.engine import open_database
from storage.records import SqlRecordStore
from tests.support.calls import Door
from tests.support.records import a_run, at

pytestmark = pytest.mark.live

WAVE = "w-as-query"
"""No other run on this server is in this wave."""
RUNS: tuple[dict[str, Any], ...] = (
    {},
    {"stage": "go_live", "health": "at_risk", "owner": "erik"},
    {"health": "stalled", "waiting_on": "third_party", "segment": "it's large, (very) 100%"},
    {"state": "on_hold", "health": "on_hold"},
    {"state": "closed", "outcome": "live", "closed_at": at(5), "waiting_on": "nobody", "stage": "transition"},
    {"definition": "b2b-standard", "health": "escalated", "segment": "ü 漢 OR 1=1"},
)
QUESTIONS: tuple[tuple[tuple[str, ...], int], ...] = (
    ((), 6),
    (("--state", "running"), 4),
    (("--state", "on_hold"), 1),
    (("--state", "closed"), 1),
    (("--state", "running", "--state", "closed"), 5),
    (("--health", "at_risk", "--health", "stalled", "--health", "escalated"), 3),
    (("--health", "on_hold", "--health", "at_risk"), 2),
    (("--stage", "go_live", "--owner", "Erik"), 1),
    (("--waiting-on", "third_party"), 1),
    (("--definition", "b2b-standard", "--state", "running"), 1),
    (("--customer", "c-as-query-0", "--customer", "c-as-query-3"), 2),
    (("--segment", "it's large, (very) 100%"), 1),
    (("--segment", "ü 漢 OR 1=1", "--segment", "smb"), 5),
)


@workflow.defn(name="OnboardingRun", sandboxed=False)
class OverAtOnce:
    """Whatever is asked of it, it is over: a closed run is an execution that has completed."""

    @workflow.run
    async def run(self) -> None:
        """Ends."""


def shown(row: RunRow) -> TypedSearchAttributes:
    """What Temporal is told of a run."""
    pairs = [
        SearchAttributePair(SearchAttributeKey.for_keyword(name), getattr(row, one)) for one, name in ATTRIBUTES.items()
    ]
    return TypedSearchAttributes(pairs)


async def begin(client: Client) -> list[RunRow]:
    """Executions of these runs. Nobody works on them but for the one that is closed: what is asked is what they show."""
    rows = []
    for n, changes in enumerate(RUNS):
        customer = f"c-as-query-{n}"
        definition = changes.get("definition", "quick-start")
        row = a_run(f"onboarding/{customer}/{definition}", customer=customer, wave=WAVE, **changes)
        queue = f"as-query-{row.state}"
        await client.start_workflow(OverAtOnce.run, id=row.run, task_queue=queue, search_attributes=shown(row))
        rows.append(row)
    async with Worker(client, task_queue="as-query-closed", workflows=[OverAtOnce]):
        await asyncio.gather(*(client.get_workflow_handle(row.run).result() for row in rows if row.state == "closed"))
    return rows


async def test_temporal_finds_with_the_query_what_list_finds(
    client: Client, dev_server: DevServer, tmp_path: Path
) -> None:
    """Every filter that both know, alone and together, with words that hold quotes and commas."""
    rows = await begin(client)
    door = Door(tmp_path)
    engine = open_database(door.environment["ONBOARDING_DATABASE_URL"])
    for row in rows:
        SqlRecordStore(engine).write(WriteRecords(run=row, id="b-1"))
    engine.dispose()
    found = []
    for question, count in QUESTIONS:
        words = ("list", "--wave", WAVE, *question)
        listed, query = await asyncio.gather(
            asyncio.to_thread(door, *words, "-o", "json"), asyncio.to_thread(door, *words, "--as-query")
        )
        runs = sorted(row["run"] for row in listed.data["rows"])
        found.append((question, count, runs, await told(dev_server, query.out.rstrip("\n"), runs)))
    for row in rows:
        if row.state != "closed":
            await client.get_workflow_handle(row.run).terminate()

    assert [(question, len(runs)) for question, _, runs, _ in found] == [*QUESTIONS]
    assert [(question, told) for question, _, _, told in found] == [(question, runs) for question, _, runs, _ in found]


async def told(server: DevServer, query: str, expected: list[str]) -> list[str]:
    """What `temporal workflow list` finds, once it has heard of everything."""
    cli = await find_cli()
    found: list[str] = []
    for _ in range(40):
        answer = await asyncio.to_thread(
            subprocess.run,
            [str(cli.path), "workflow", "list", "--query", query, "--address", server.address, "--namespace", server.namespace, "-o", "json"],
            capture_output=True, text=True, check=True, timeout=30,
        )  # fmt: skip
        found = sorted(one["execution"]["workflowId"] for one in json.loads(answer.stdout or "[]"))
        if found == expected:
            break
        await asyncio.sleep(0.25)
    return found
