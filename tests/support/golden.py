"""The stories whose histories are recorded for each release: every kind of run that a release has led, on a real server.

`tools/record_histories.py` plays them; what has been recorded is replayed for ever by tests/shell/test_golden_histories.py. A story is
free to change for the next release; a recorded history never is.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.client import Client, WorkflowFailureError
from temporalio.common import RawValue
from temporalio.service import RPCError

from onboarding.engine import rules
from onboarding.engine.effects import WriteRecords
from onboarding.engine.order_text import run_name
from onboarding.engine.state import StartOrder
from onboarding.language.model import Definition
from onboarding.ports import INCOMPLETE
from storage.memory import MemoryStore
from tests.support.asking import asked_run, quick_and_slow, settled
from tests.support.clock import Clock
from tests.support.scenario import Scenario, Step, load_scenarios
from tests.support.shell import ROOT, Edge, Run, a_run, a_worker, an_order, answer_all, instant
from tests.support.slow_rows import USUAL, SlowStore, busy_run

EVERY_MESSAGE = ROOT / "tests" / "live" / "data" / "every-message"
_WEEK = timedelta(weeks=1)


@dataclass
class Stage:
    """Where a story is played: `worker` is the one that most stories share."""

    client: Client
    clock: Clock
    folder: Path
    queue: str
    names: list[str] = field(default_factory=list)

    def customer(self, story: str) -> str:
        """A key of this story alone."""
        self.names.append(story)
        return f"c-{story.replace('_', '-')}"

    @asynccontextmanager
    async def worker_of_its_own(self, story: str, edge: Edge) -> AsyncIterator[str]:
        """A task queue with a worker for a story whose outside differs."""
        async with a_worker(self.client, edge, f"golden-{story}"):
            yield f"golden-{story}"


Story = Callable[[Stage], Awaitable[list[Run]]]


async def whole_runs(stage: Stage) -> list[Run]:
    """Each shipped definition as far as plain answers go, and to its end; the rest is lost on the way."""
    runs = []
    for definition in ("quick-start", "document-intake", "b2b-standard", "reference"):
        order = an_order(definition, customer=stage.customer(f"whole-{definition}"))
        run = await a_run(stage.client, order, stage.queue)
        try:
            await _to_the_end(run, order)
        except AssertionError:
            await run.say("cancel", "last", actor="dana", reason="They left.")
            await run.handle.result()
        runs.append(run)
    return runs


async def every_message(stage: Stage) -> list[Run]:
    """Every message as an update and as a signal, accepted and refused, to one run of each way."""
    runs = []
    for way in ("update", "signal"):
        order = an_order(str(EVERY_MESSAGE), customer=stage.customer(f"every-{way}"), inputs=_CONTACTS)
        run = await a_run(stage.client, order, stage.queue)
        for name, said in SAID:
            content = (
                {**said, "data": {"customer": order.customer}} if CUSTOMER in said.get("data", {}).values() else said
            )
            if way == "update":
                await run.say(name, **content)
            else:
                await run.signal(name, {"message_id": f"s-{name}-{len(content)}", **content})
        await run.say("cancel", "last", actor="lena", reason="They left.")
        await run.handle.result()
        runs.append(run)
    return runs


async def poisoned(stage: Stage) -> list[Run]:
    """Signals and updates of every broken shape, a cancellation by the server's own means, and the run goes on."""
    order = an_order("quick-start", customer=stage.customer("poisoned"))
    run = await a_run(stage.client, order, stage.queue)
    for name in ("submit", "note", "nonsense", "__temporal_x"):
        for args in POISON:
            await run.signal(name, *args)
    await run.handle.cancel()
    await _to_the_end(run, order)
    return [run]


async def long_chain(stage: Stage) -> list[Run]:
    """Seven hundred notes: the run goes on as new, with what it remembers."""
    order = an_order("quick-start", customer=stage.customer("long-chain"))
    run = await a_run(stage.client, order, stage.queue)
    for n in range(700):
        await run.say("note", f"n-{n}", actor="dana", text="A word.")
    await run.say("note", "n-3", actor="dana", text="A word.")
    await _to_the_end(run, order)
    return [run]


async def slow_rows(stage: Stage) -> list[Run]:
    """Rows outlast their workflow tasks, which then leave no event of their own."""
    async with stage.worker_of_its_own("slow-rows", Edge(records=SlowStore(MemoryStore(), seed=11))) as queue:
        customers = [stage.customer(f"slow-rows-{n}") for n in range(4)]
        return list(
            await asyncio.gather(
                *(
                    busy_run(stage.client, stage.folder / one, one, queue, seconds=12, seed=n)
                    for n, one in enumerate(customers)
                )
            )
        )


async def rows_again(stage: Stage) -> list[Run]:
    """The store has rows of turns that never were, then it is away for a while."""
    store = _Lossy()
    async with stage.worker_of_its_own("rows-again", Edge(records=store)) as queue:
        order = an_order("quick-start", customer=stage.customer("rows-again"))
        run = await a_run(stage.client, order, queue)
        for word in ("lost", "away"):
            store.trouble = word
            for n in range(3):
                await run.say("note", actor="dana", text=f"{word} {n}")
            store.trouble = ""
        await _to_the_end(run, order)
    return [run]


async def hooks_fail(stage: Stage) -> list[Run]:
    """A hook fails at every attempt and becomes a person's task; another run is cancelled while its hook is called."""
    runs = []
    for story, hooks in (("hook-fails", _Hooks(fail=True)), ("hook-called-back", _Hooks(fail=False))):
        async with stage.worker_of_its_own(story, Edge(hooks=hooks)) as queue:
            order = an_order("short", customer=stage.customer(story))
            run = await a_run(stage.client, order, queue)
            await run.say("complete", actor="dana", item="first")
            if hooks.fail:
                await _accepted(run, "complete", actor="dana", item="call")
                await run.say("complete", actor="dana", item="later")
            else:
                await run.say("cancel", actor="dana", reason="They left.")
            await run.handle.result()
            runs.append(run)
    return runs


async def refused_start(stage: Stage) -> list[Run]:
    """An order that nobody can read ends the run at once."""
    name = run_name(stage.customer("refused-start"), "quick-start")
    handle = await stage.client.start_workflow("OnboardingRun", {"run": 5}, id=name, task_queue=stage.queue)
    with suppress(WorkflowFailureError):
        await handle.result()
    return [Run(handle)]


async def asked_all_the_time(stage: Stage) -> list[Run]:
    """Checks and hooks come and go, and queries end tasks whose rows are on their way."""
    edge = Edge(records=SlowStore(MemoryStore(), seed=7, pauses=USUAL), hooks=quick_and_slow())
    async with stage.worker_of_its_own("asked", edge) as queue:
        customers = [stage.customer(f"asked-{n}") for n in range(3)]
        runs = await asyncio.gather(
            *(asked_run(stage.client, one, queue, seconds=12, asking=4, seed=n) for n, one in enumerate(customers))
        )
        for run in runs:
            await settled(run)
    return list(runs)


async def earlier_rules(stage: Stage) -> list[Run]:
    """A run with the rules of each number before: whole, with signals, dates and a hook."""
    runs = []
    for number in range(rules.FIRST, rules.NEWEST):
        for definition in ("quick-start", "short"):
            story = f"rules-{number}-{definition}"
            order = replace(an_order(definition, customer=stage.customer(story)), rules_version=number)
            hooks = _Hooks(fail=False, names=_called(order.definition))
            async with stage.worker_of_its_own(story, Edge(hooks=hooks)) as queue:
                run = await a_run(stage.client, order, queue)
                for n in range(5):
                    await run.signal("note", {"message_id": f"s-{n}", "actor": "dana", "text": "A word."})
                await _to_the_end(run, order)
            runs.append(run)
    return runs


async def two_months(stage: Stage) -> list[Run]:
    """Reminders, ladder, a hold and an absence, each on its day."""
    order = an_order("two-months", customer=stage.customer("two-months"))
    run = await a_run(stage.client, order, stage.queue)
    begin = instant((await run.ask("status"))["started_at"])
    for day, name, content in MONTHS:
        await stage.clock.advance(run.handle, begin + timedelta(days=day, seconds=40))
        if name == "answer":
            await answer_all(run, order, most=1)
        elif name:
            await run.say(name, actor="dana", **content)
    await answer_all(run, order)
    return [run]


async def scenarios(stage: Stage) -> list[Run]:
    """The stories of tests/scenarios on a clock that is moved, some weeks later than they tell where those are over."""
    runs = []
    for one in load_scenarios():
        late = datetime.now(UTC) + timedelta(minutes=5) - one.begin
        shift = _WEEK * max(0, -(-late // _WEEK))
        hooks = _Hooks(fail=False, names=_called(one.order().definition))
        async with stage.worker_of_its_own(one.name, Edge(hooks=hooks)) as queue:
            runs.append(await _played(stage, one, shift, queue))
    return runs


async def _played(stage: Stage, scenario: Scenario, shift: timedelta, queue: str) -> Run:
    told = scenario.order()
    customer = stage.customer(f"scenario-{scenario.name}")
    order = replace(told, customer=customer, run=run_name(customer, told.definition.id))
    begin = scenario.begin + shift
    run = await a_run(stage.client, order, queue, start_delay=begin - datetime.now(UTC))
    now = begin
    for step in scenario.steps:
        if step.hook is None and (at := step.at + shift) > now:
            now = at
            try:
                if not await stage.clock.advance(run.handle, at + timedelta(seconds=1)):
                    break
            except RPCError:  # it is over
                break
        if step.say is not None:
            await _say(run, step)
    return run


def _called(definition: Definition) -> list[str]:
    """Every activity that it names."""
    named = [
        name for item in definition.items for name in (item.activity, item.undo, *(one.activity for one in item.checks))
    ]
    return [name for name in dict.fromkeys(named) if name]


async def _say(run: Run, step: Step) -> None:
    assert step.say is not None
    content = dict(step.raw)
    with suppress(RPCError):  # some speak to a run that is over
        if step.via == "signal":
            await run.signal(step.say, content)
        else:
            await run.say(step.say, content.pop("message_id"), **content)


STORIES: tuple[Story, ...] = (
    whole_runs, every_message, poisoned, long_chain, slow_rows, rows_again, hooks_fail, asked_all_the_time, refused_start, earlier_rules, two_months, scenarios,
)  # fmt: skip

_CONTACTS = {"contacts": [{"role": "owner", "email": "lea@bakery.example", "name": "Lea", "handle": "owner"}]}
CUSTOMER = "the customer of the run"
SAID: tuple[tuple[str, dict[str, Any]], ...] = (
    ("note", {"actor": "lena", "text": "Begun."}),
    ("submit", {"actor": "customer:owner", "item": "papers", "fields": {"count": 0}}),
    ("submit", {"actor": "customer:owner", "item": "papers", "fields": {"name": "Lea", "count": 3}}),
    ("complete", {"actor": "lena", "item": "call", "provides": {"goal": "calm"}}),
    ("extend", {"actor": "lena", "item": "sign", "due": "2099-01-05T10:00:00Z", "reason": "Feast days."}),
    ("absence", {"actor": "lena", "person": "lead", "since": "2099-01-01T08:00:00Z", "until": "2099-01-03T08:00:00Z"}),
    ("reassign", {"actor": "lena", "item": "paid", "to": "hugo", "reason": "He knows them."}),
    ("hold", {"actor": "lena", "reason": "They move house.", "side": "customer"}),
    ("resume", {"actor": "lena"}),
    ("set_calendar", {"actor": "lena", "calendar": "provider", "zone": None}),
    ("promise", {"actor": "lena", "date": "2099-02-01", "reason": "Agreed."}),
    ("decide", {"actor": "hugo", "item": "sign", "outcome": "return", "reason": "Once more."}),
    ("submit", {"actor": "customer:owner", "item": "papers", "fields": {"name": "Lea", "count": 5}, "files": []}),
    ("decide", {"actor": "hugo", "item": "sign", "outcome": "accept"}),
    ("waive", {"actor": "hugo", "stage": "first", "condition": "facts.count >= 5", "reason": "Enough."}),
    ("reopen", {"actor": "lena", "items": ["papers"], "reason": "A page is missing."}),
    ("happen", {"actor": "integration:bank", "event": "bank.paid", "data": {"customer_id": "nobody"}}),
    ("happen", {"actor": "integration:bank", "event": "bank.paid", "channel": "bank", "data": {"customer": CUSTOMER}}),
    ("nonsense", {"actor": "lena"}),
)  # fmt: skip
"""What the run of every message hears, in this order; some of it is refused."""

MONTHS: tuple[tuple[float, str, dict[str, Any]], ...] = (
    (5, "", {}),
    (9, "hold", {"reason": "The customer moves house.", "side": "customer"}),
    (29, "resume", {}),
    (30, "answer", {}),
    (40, "answer", {}),
    (61, "answer", {}),
)


def _json(data: bytes) -> RawValue:
    return RawValue(Payload(metadata={"encoding": b"json/plain"}, data=data))


POISON: tuple[list[Any], ...] = (
    [], [None], ["text"], [[1, 2]], [{"item": 5}], [{"actor": "dana"}, {"actor": "dana"}], [_json(b"{broken")], [_json(b"\xff\xfe")],
    [_json(b"[" * 50_000)], [_json(b'{"text": NaN}')], [RawValue(Payload(metadata={"encoding": b"binary/plain"}, data=b"\x00\xff"))],
    [RawValue(Payload(metadata={"encoding": b"binary/unheard-of"}, data=b"{}"))], [RawValue(Payload(data=b"{}"))],
)  # fmt: skip


class _Lossy:
    """A store that says, while it is told to, that rows of other turns stand there, or that is away."""

    def __init__(self) -> None:
        self._inner = MemoryStore()
        self.trouble = ""

    def write(self, batch: WriteRecords) -> str:
        if self.trouble == "lost" and not batch.whole:
            return INCOMPLETE
        if self.trouble == "away":
            raise OSError("the database is away")
        return self._inner.write(batch)


class _Hooks:
    """Hooks that fail, or say yes after a moment."""

    def __init__(self, *, fail: bool, names: Sequence[str] = ("enable_production",)) -> None:
        self.fail = fail
        self.names = tuple(names)
        self._slow = threading.Event()

    def run(self, name: str, arguments: Mapping[str, Any], key: str) -> Mapping[str, Any]:
        """As a hook runner."""
        if self.fail:
            raise OSError("gone")
        self._slow.wait(0.5)
        return {"ok": True, "provides": {}, "faults": [], "note": ""}


async def _to_the_end(run: Run, order: StartOrder) -> None:
    for _ in range(100):
        await answer_all(run, order)
        if (await run.ask("status"))["state"] == "closed":
            await run.handle.result()
            return
        await asyncio.sleep(0.05)
    raise AssertionError(await run.ask("status"))


async def _accepted(run: Run, name: str, **content: Any) -> None:
    for _ in range(400):
        if (await run.say(name, **content))["outcome"] == "accepted":
            return
        await asyncio.sleep(0.05)
    raise AssertionError(await run.ask("status"))
