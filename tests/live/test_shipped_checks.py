"""Every shipped definition on a real server with the real example hooks: to its end with good answers, and each check says no to a wrong one."""

# ruff: noqa: SIM300 – tests put the expected value first

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from temporalio.client import Client

from integrations.hooks import HookRegistry
from onboarding.engine.state import StartOrder
from onboarding.language.attachments import MEDIA_TYPES
from onboarding.language.model import Check, Field, FieldType, Item, ItemKind
from runtime import library
from tests.support.floor import Floor
from tests.support.shell import Run, a_run, an_order

pytestmark = pytest.mark.live

STARTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("document-intake", {}),
    ("document-intake", {"regulated": False, "sso": False}),
    ("quick-start", {}),
    ("b2b-standard", {}),
    ("b2b-standard", {"segment": "smb"}),
    ("b2b-standard", {"segment": "enterprise", "sso": True}),
)
REALISTIC: dict[str, Any] = {
    "string": "As agreed", "int": 5, "number": 1.5, "bool": True, "date": "2026-12-01", "email": "it@leasing.example",
    "phone": "+45 33 12 34 56", "url": "https://leasing.example", "country": "DK", "vat": "DK13585628",
    "iban": "DK5000400440116243", "list": ["Two users need a second training"],
    "legal_name": "Nordlys Leasing ApS", "licence_number": "BAF-104233", "vat_id": "DE136695976",
}  # fmt: skip
"""Values as people give them, by the name of a field or by its type: every check digit is right."""
TURN = ("open", "returned", "in_review")


def checked(definition: str) -> Iterator[tuple[str, str]]:
    """Item and activity of each check of a definition, with all its variants."""
    for item in library.load(definition).definitions[()].items:
        yield from ((item.id, check.activity) for check in item.checks)


CHECKS = [(name, *check) for name in ("document-intake", "quick-start", "b2b-standard") for check in checked(name)]


@pytest.mark.parametrize(("definition", "inputs"), STARTS, ids=lambda value: str(value))
async def test_a_shipped_definition_goes_to_its_end(
    client: Client, floor: Floor, customer: str, definition: str, inputs: dict[str, Any]
) -> None:
    """No answer goes back, no check breaks, nobody has to do the work of a hook."""
    order = an_order(definition, customer=customer, **inputs)
    run = await a_run(client, order, floor.task_queue)

    await everybody(run, order)

    status = await run.ask("status")
    trail = await whole_trail(run)
    assert ("closed", "live") == (status["state"], status["outcome"])
    assert {1} == {item["round"] for item in status["items"]}
    checks = [entry["code"] for entry in trail if entry["message"] == "check"]
    assert {"check_passed"} == set(checks)
    hooks = [entry["code"] for entry in trail if entry["message"] == "hook"]
    assert {"hook_done"} == set(hooks)


@pytest.mark.parametrize(("definition", "item_id", "activity"), CHECKS)
async def test_a_check_refuses_a_wrong_answer_at_a_place_of_its_form(
    client: Client, floor: Floor, customer: str, definition: str, item_id: str, activity: str
) -> None:
    """The check says no where intake could not. What blocks goes back with the sentence, advice is only recorded."""
    order = an_order(definition, customer=customer)
    item = item_of(order, item_id)
    check = next(check for check in item.checks if check.activity == activity)
    run = await a_run(client, order, floor.task_queue)
    await everybody(run, order, until=item_id)
    wrong = a_wrong_answer(item, activity)

    answer = asked_of(check, wrong)
    verdict = await run.say("submit", actor=item.owner, item=item_id, **wrong)

    assert answer["ok"] is False
    [fault] = answer["faults"]
    assert exists(wrong, fault["place"]), "the place is one of the answer that was given"
    if any(field.type is FieldType.VAT for field in item.fields):  # then intake knows the digits, too
        assert [fault["place"]] == [one["place"] for one in verdict["faults"]]
        return
    assert "accepted" == verdict["outcome"], verdict
    await until_code(run, item_id, "check_failed")
    if check.blocks:
        view = await run.ask("customer_view")
        [missing] = next(ask["missing"] for ask in view["asks"] if ask["item"] == item_id)
        # Two checks of one request may see the same fault: the first one that says so sends it back.
        assert missing in [one["sentence"] for each in item.checks for one in asked_of(each, wrong)["faults"]]
    await everybody(run, order)
    status = await run.ask("status")
    assert "live" == status["outcome"]
    assert [2 if check.blocks else 1] == [one["round"] for one in status["items"] if one["id"] == item_id]


async def everybody(run: Run, order: StartOrder, until: str | None = None) -> None:
    """Everybody does their part until the run is closed, or until one item is open that is left to the test."""
    async with asyncio.timeout(60):
        while True:
            status = await run.ask("status")
            if status["state"] == "closed" or until in [
                one["id"] for one in status["items"] if one["status"] == "open"
            ]:
                return
            todo = [one for one in status["items"] if one["status"] in TURN and one["kind"] != "hook"]
            for current in sorted(
                todo, key=lambda one: not item_of(order, one["id"]).optional
            ):  # what is optional goes with the run
                item = item_of(order, current["id"])
                for name, content in good_answers(item, current, order):
                    verdict = await run.say(name, **content)
                    assert verdict["outcome"] == "accepted", verdict
            if not todo:
                await asyncio.sleep(0.05)  # hooks and checks are at work


def asked_of(check: Check, answer: dict[str, Any]) -> Mapping[str, Any]:
    """What a check says of an answer when it is asked by itself."""
    fields = {name: answer["fields"][name] for name in check.with_fields or answer["fields"]}
    return HookRegistry().run(check.activity, {"fields": fields, "files": answer["files"]}, "key")


def item_of(order: StartOrder, item: str) -> Item:
    """An item of the plan."""
    return next(one for one in order.definition.items if one.id == item)


def good_answers(item: Item, current: dict[str, Any], order: StartOrder) -> list[tuple[str, dict[str, Any]]]:
    """The messages that settle an item which somebody must act on now."""
    content: dict[str, Any] = {"actor": current["owner"], "item": item.id}
    if current["status"] == "in_review":
        return [("decide", {**content, "actor": item.review, "outcome": "accept"})]
    if item.event is not None:
        rule = next(signal for signal in order.definition.signals if signal.event == item.event)
        data = {path.removeprefix("payload."): order.customer for path in rule.match.values()}
        return [("happen", {"actor": "integration:crm", "event": item.event, "data": data})]
    match item.kind:
        case ItemKind.TASK:
            return [("complete", {**content, "provides": values(item.provides)})]
        case ItemKind.APPROVAL:
            outcome = next(one.name for one in item.outcomes if one.passes)
            return [("decide", {**content, "actor": role, "outcome": outcome}) for role in item.owners[: item.quorum]]
    return [("submit", {**content, **a_good_answer(item)})]


def a_good_answer(item: Item) -> dict[str, Any]:
    """Fields and files; each file is announced by its media type, as browsers do."""
    fields = {"reference": "vault:kv/customers/c-1/erp"} if item.secret else values(item.fields)
    return {"fields": fields, "files": [a_file(item, n) for n in range(item.files.min)] if item.files else []}


def a_wrong_answer(item: Item, activity: str) -> dict[str, Any]:
    """A good answer but for the one thing that this check is there for and intake cannot see."""
    good = a_good_answer(item)
    if activity == "check_vat_id":
        wrong = {name: "DE136695977" for name in good["fields"] if name.startswith("vat")}
        return {**good, "fields": {**good["fields"], **wrong}}
    first, *others = good["files"]
    ending = {"scan_file": "exe", "verify_documents": "dat", "profile_export": "dat"}[activity]
    return {**good, "files": [{**first, "name": f"extract.{ending}"}, *others]}


def a_file(item: Item, n: int) -> dict[str, Any]:
    """A reference to a file of the first type that this request takes."""
    ending = item.files.types[0] if item.files and item.files.types else "pdf"
    digest = hashlib.sha256(f"{item.id}{n}".encode()).hexdigest()
    name = f"{item.id}-{n}.{ending}"
    return {
        "uri": f"s3://inbox/{name}",
        "sha256": digest,
        "type": MEDIA_TYPES[ending][0],
        "bytes": 24_310,
        "name": name,
    }


def values(fields: tuple[Field, ...]) -> dict[str, Any]:
    """A realistic value for every field, required or not."""
    return {one.name: REALISTIC.get(one.name, REALISTIC.get(one.type)) for one in fields}


def exists(answer: dict[str, Any], place: str) -> bool:
    """Whether a JSON pointer leads somewhere in an answer."""
    found: Any = answer
    for step in place.split("/")[1:]:
        if isinstance(found, list) and step.isdigit() and int(step) < len(found):
            found = found[int(step)]
        elif isinstance(found, dict) and step in found:
            found = found[step]
        else:
            return False
    return True


async def until_code(run: Run, item: str, code: str) -> None:
    """Waits until the trail says this of an item."""
    async with asyncio.timeout(30):
        while not any(one["item"] == item and one["code"] == code for one in await whole_trail(run)):
            await asyncio.sleep(0.05)


async def whole_trail(run: Run) -> list[dict[str, Any]]:
    """Every entry that the run still holds."""
    rows: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        page = await run.ask("trail", *([{"cursor": cursor}] if cursor else []))
        rows += page["rows"]
        cursor = page["next_cursor"]
        if cursor is None:
            return rows
