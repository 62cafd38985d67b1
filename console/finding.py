"""The runs that something is about: by the key of their customer, or by what their definitions match an event by.

Who sends need not know the name of a run. The server is asked for runs, because it knows one a few milliseconds after its start; the
rows tell of what the server has forgotten. What an event is matched by stands in the run's own order, so runs of two versions of a
definition are each found by their own words.
"""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from console import ground, sending, whereabouts
from console.leaving import Answered
from console.printing import hint
from onboarding.engine import matching
from onboarding.language.model import CUSTOMER
from onboarding.language.values import HANDLE

if TYPE_CHECKING:
    from temporalio.client import Client

    from storage.read_table import ReadTable

LOOKED_AT = 500
"""Open runs whose orders are read where nothing tells the customer."""
_AT_ONCE = 16
_KEPT = 2_000
_ASKED = 200
_GUESSED = 20
_SETTLED = frozenset({"done", "skipped", "cancelled"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is known of a run: `match` as the sender said it, or the payload of an `event` that says it itself (`by_payload`).

    `typed` is false for words of a command line, which stand for a number or a truth, too.
    """

    match: Mapping[str, Any] = field(default_factory=dict)
    event: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    by_payload: bool = False
    typed: bool = True

    @property
    def customer(self) -> Any:
        """The customer's key, where it was said."""
        return self.match.get(CUSTOMER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Of a run's order only what tells whether an event is about it. `rules`: for each event the item and what it is matched by."""

    customer: str
    inputs: Mapping[str, Any]
    rules: Mapping[str, tuple[str, Mapping[str, str]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A run that something is about. `kept` is missing where its order cannot be read here."""

    run: str
    open: bool
    kept: Kept | None


def fits(kept: Kept, wanted: Wanted) -> bool:
    """Whether a run is one that is wanted."""
    rule = kept.rules.get(wanted.event) if wanted.event is not None else None
    if wanted.event is not None and rule is None:
        return False
    match = rule[1] if rule is not None else {}
    if wanted.by_payload:
        said = {name: matching.found(wanted.data, matching.steps(path)) for name, path in match.items()}
        return bool(said) and all(_same(value, matching.expected(kept, name)) for name, value in said.items())
    return all(
        (name == CUSTOMER or name in match) and _same(value, matching.expected(kept, name), wanted.typed)
        for name, value in wanted.match.items()
    )


def _same(value: Any, expected: Any, typed: bool = True) -> bool:
    if value is matching.SILENT or expected is None:
        return False
    if matching.fits(value, expected):
        return True
    try:
        return not typed and isinstance(value, str) and matching.fits(json.loads(value), expected)
    except (ValueError, RecursionError):
        return False


def completed(content: Mapping[str, Any], wanted: Wanted, kept: Kept | None) -> dict[str, Any]:
    """The message for one run: what the sender matched by is said where its definition looks for it."""
    rule = kept.rules.get(wanted.event or "") if kept is not None else None
    if kept is None or rule is None or wanted.by_payload:
        return dict(content)
    data = content.get("data", {})
    if not isinstance(data, Mapping):
        return dict(content)
    for name, path in rule[1].items():
        if name in wanted.match:
            data = matching.filled(data, matching.steps(path), matching.expected(kept, name))
    return {**content, "data": dict(data)} if data else dict(content)


class Finder:
    """Finds runs, and keeps for a while what their orders said."""

    def __init__(self, client: Client) -> None:
        """The client stays the caller's."""
        self._client = client
        self._kept: OrderedDict[str, Kept] = OrderedDict()
        self._looked_for: dict[str, tuple[str, ...] | None] = {}
        self._gate = asyncio.Semaphore(_AT_ONCE)

    async def find(self, wanted: Wanted) -> list[Found]:
        """Every run that fits, open ones first. Raises `Answered` where too many would have to be looked at."""
        found = await self._find(wanted)
        if not found and wanted.event in self._looked_for:
            del self._looked_for[wanted.event]  # a run of a definition that was not there a moment ago
            found = await self._find(wanted)
        return found

    async def _find(self, wanted: Wanted) -> list[Found]:
        places: dict[str, bool] = {}
        customers = await self.customers(wanted)
        if customers is None:
            places = await self._open()
        else:
            for customer in customers:
                places.update(await self._of_customer(customer))
        kept = await asyncio.gather(*(self.order(run) for run in places))
        found = [
            Found(run=run, open=is_open, kept=one)
            for (run, is_open), one in zip(places.items(), kept, strict=True)
            if (one is None and wanted.customer is not None) or (one is not None and fits(one, wanted))
        ]
        return sorted(found, key=lambda one: (not one.open, one.run))

    async def customers(self, wanted: Wanted) -> tuple[str, ...] | None:
        """The customers whose runs may fit, or `None` where nothing tells."""
        if not wanted.by_payload:
            key = wanted.customer
            return None if key is None else (key,) if _is_key(key) else ()
        event = wanted.event or ""
        if event not in self._looked_for:
            if len(self._looked_for) >= _ASKED:
                self._looked_for.clear()
            self._looked_for[event] = await self._paths(event)
        paths = self._looked_for[event]
        if paths is None:
            return None
        said = [matching.found(wanted.data, matching.steps(path)) for path in paths]
        return tuple(dict.fromkeys(one for one in said if _is_key(one)))

    async def _paths(self, event: str) -> tuple[str, ...] | None:
        """Where definitions of open runs look for the customer in an event; `None` where one of them does not look for it at all."""
        examples = _rows(lambda table: table.open_kinds())
        newest = [run async for run, _ in self._listed("ExecutionStatus = 'Running'", _ASKED // 4)]
        orders = await asyncio.gather(*(self.order(run) for run in dict.fromkeys((*examples, *newest))))
        rules = [kept.rules[event][1] for kept in orders if kept is not None and event in kept.rules]
        if any(rule and CUSTOMER not in rule for rule in rules):
            return None
        return tuple(dict.fromkeys(rule[CUSTOMER] for rule in rules if rule))

    async def _of_customer(self, customer: str) -> dict[str, bool]:
        """Runs of a customer, and whether each is open."""
        places: dict[str, bool] = {}
        async for run, is_open in self._listed(f"WorkflowId STARTS_WITH 'onboarding/{customer}/'", _ASKED):
            places[run] = places.get(run, False) or is_open
        for row in _rows(lambda table: table.runs(customer=customer)["rows"]):
            places.setdefault(row["run"], row["state"] != "closed")
        return places or await self._just_started(customer)

    async def _just_started(self, customer: str) -> dict[str, bool]:
        """Runs that no list tells yet, by the names that runs of this customer would have; lists may lag by a second."""
        from workflows.address import parse_run, workflow_id

        parsed = [parse_run(run) for run in _rows(lambda table: table.open_kinds())]
        names = dict.fromkeys(workflow_id(customer, one.definition) for one in parsed if one is not None)
        places = {}
        for run in list(names)[:_GUESSED]:
            found = await whereabouts.look(self._client, run)
            if found is not None:
                places[run] = found.close_time is None
        return places

    async def _open(self) -> dict[str, bool]:
        found = {run: True async for run, _ in self._listed("ExecutionStatus = 'Running'", LOOKED_AT + 1)}
        if len(found) > LOOKED_AT:
            sentence = f"More than {LOOKED_AT} runs are open, too many to look into: match by {CUSTOMER}, too, or name the run."
            raise Answered({"outcome": "conflict", "code": "too_many_runs", "sentence": sentence})
        return found

    async def _listed(self, query: str, most: int) -> AsyncIterator[tuple[str, bool]]:
        from temporalio.client import WorkflowExecutionStatus

        from workflows.address import WORKFLOW_TYPE, parse_run

        whole = f"WorkflowType = '{WORKFLOW_TYPE}' AND {query}"
        async for one in self._client.list_workflows(whole, limit=most, rpc_timeout=whereabouts.CALL):
            if parse_run(one.id) is not None:
                yield one.id, one.status is WorkflowExecutionStatus.RUNNING

    async def order(self, run: str) -> Kept | None:
        """What is kept of the order of a run; `None` where there is none, or none that can be read here."""
        from temporalio.service import RPCError, RPCStatusCode

        if run in self._kept:
            self._kept.move_to_end(run)
            return self._kept[run]
        async with self._gate:
            try:
                found = _kept_of(await whereabouts.order_of(self._client, run))
            except RPCError as error:
                if error.status is not RPCStatusCode.NOT_FOUND:
                    raise
                return None
        if found is not None:
            self._kept[run] = found
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return found

    async def waiting(self, found: Sequence[Found], event: str) -> list[Found]:
        """Those that would still take an event; one that does not answer counts among them, so that nobody guesses for it."""
        takes = await asyncio.gather(*(self._takes(one, event) for one in found))
        return [one for one, yes in zip(found, takes, strict=True) if yes]

    async def _takes(self, found: Found, event: str) -> bool:
        from temporalio.client import WorkflowQueryFailedError
        from temporalio.service import RPCError

        if found.kept is None:
            return True
        item = found.kept.rules[event][0]
        try:
            told = await self._client.get_workflow_handle(found.run).query("status", rpc_timeout=whereabouts.CALL)
        except (RPCError, WorkflowQueryFailedError):
            return True
        return not any(one["id"] == item and one["status"] in _SETTLED for one in told.get("items", ()))

    async def before(self, found: Sequence[Found], wanted: Wanted, name: str, content: Mapping[str, Any]) -> Any:
        """The run that took this very message before, with its verdict, or `None`: said again, it must not go to another one."""
        for one in found:
            verdict = await sending.heard_before(self._client, one.run, name, completed(content, wanted, one.kept))
            if verdict is not None:
                return one, verdict
        return None


def _rows(read: Callable[[ReadTable], list[Any]]) -> list[Any]:
    """What the rows say; nothing where they cannot be read, because the server knows every run that can take something."""
    from onboarding.errors import OnboardingError

    try:
        with ground.read_table() as table:
            return read(table)
    except OnboardingError as error:
        hint(str(error))
        return []


def _is_key(value: Any) -> bool:
    return isinstance(value, str) and HANDLE.fullmatch(value) is not None


def _kept_of(order: Mapping[str, Any]) -> Kept | None:
    """What is kept of an order as it stands in a history; `None` for what is none, which its run says itself."""
    try:
        signals = order["definition"]["signals"]
        rules = {one["event"]: (one["fulfils"], dict(one["match"])) for one in signals}
        names = {name for _, match in rules.values() for name in match}
        inputs = {name: order["inputs"][name] for name in sorted(names) if name in order["inputs"]}
        return Kept(customer=order["customer"], inputs=inputs, rules=rules)
    except (KeyError, TypeError, AttributeError, ValueError):
        return None
