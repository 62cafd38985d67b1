"""The end of the demo: the cover sheet, whose the time was, the time-to-value numbers, and whether everything was as it should be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.markdown import Markdown
from rich.text import Text

from console import ground, reads, tables
from console.demo_script import CUSTOMER, ITEM_LATE, ITEM_RETURNED, STEPS
from metrics.report import SIDES, ledger_faults, ledger_of
from runtime.connection import ui_url

if TYPE_CHECKING:
    from temporalio.client import Client

    from console.demo_screen import Screen
    from onboarding.language.model import Scale
    from runtime.devserver import DevServer


async def tell(
    client: Client,
    run: str,
    run_id: str,
    screen: Screen,
    scale: Scale,
    heard: list[dict[str, Any]],
    server: DevServer,
    *,
    keep: bool,
) -> list[str]:
    """Shows the end; the claims that do not hold."""
    cover = await _cover(client, run)
    screen.title("\nThe cover sheet, as the Temporal UI shows it")
    screen.show(Markdown(cover) if screen.terminal else Text(cover))
    with ground.read_table() as table:
        row = table.find(run)
        entries = table.ledger(run)
        notices = table.outbox(run, limit=1_000)["rows"]
    status = await reads.ask(client, run, "status")
    assert row is not None, "the run was closed in the rows before"
    ledger = ledger_of(entries, row["metrics"])
    screen.show(_numbers(ledger, scale))
    claims = _claims(status, row, entries, ledger, notices, heard)
    screen.show(Group(Text("What was to be shown", style="bold"), *(_claim(*one) for one in claims)))
    page = ui_url(server.ui_url or "", client.namespace, run, run_id)
    screen.title("\nThe run in the Temporal UI")
    screen.show(tables.link(page))
    if not keep:
        screen.say("It goes with the server now; `make demo KEEP=1` leaves both up.")
    return [sentence for sentence, holds in claims if not holds]


async def _cover(client: Client, run: str) -> str:
    from temporalio.api.sdk.v1 import WorkflowMetadata

    found = await client.get_workflow_handle(run).query(
        "__temporal_workflow_metadata", result_type=WorkflowMetadata, rpc_timeout=reads.ASK
    )
    return str(found.current_details)


def _numbers(ledger: dict[str, Any], scale: Scale) -> Group:
    def days(spent: int) -> str:
        return f"{spent / scale.business_day:.1f} business days"

    sides = [
        {"side": side.replace("_", " "), "seconds": ledger["by_side"][side], "scaled": days(ledger["by_side"][side])}
        for side in SIDES
    ]
    total = sum(ledger["by_side"].values())
    sides.append({"side": "together", "seconds": total, "scaled": days(total)})
    counts = ("asks_made",)
    numbers = [
        {"metric": name, "value": value, "scaled": "" if name in counts or value is None else days(value)}
        for name, value in ledger["metrics"].items()
    ]
    elapsed = ledger["elapsed"]
    return Group(
        tables.grid(
            sides,
            {"side": "side", "seconds": "seconds", "scaled": f"at {scale}"},
            f"Whose the time was, of {elapsed} s",
        ),
        Text(""),
        tables.grid(
            numbers, {"metric": "metric", "value": "seconds or count", "scaled": f"at {scale}"}, "Time to value"
        ),
        Text(""),
    )


def _claims(
    status: dict[str, Any],
    row: dict[str, Any],
    entries: list[dict[str, Any]],
    ledger: dict[str, Any],
    notices: list[dict[str, Any]],
    heard: list[dict[str, Any]],
) -> list[tuple[str, bool]]:
    """Each thing the demo wants to show, and whether it was so."""
    items = {item["id"]: item for item in status["items"]}
    kinds = [notice["kind"] for notice in notices if notice["item"] == ITEM_LATE]
    outcomes = [verdict["outcome"] for verdict in heard]
    elapsed = ledger["elapsed"]
    return [
        (f"customer {CUSTOMER} is live, and every stage is done", row["outcome"] == "live" and all(stage["state"] == "done" for stage in status["stages"])),
        (f"{len(STEPS)} messages, each with the verdict it should have", len(heard) == len(STEPS)),
        ("a wrong answer was refused with every reason at once", "rejected" in outcomes and any(len(verdict.get("faults", ())) > 1 for verdict in heard)),
        ("an early event was kept until its item opened", "held" in outcomes and items["contract_signature"]["status"] == "done"),
        ("a decision sent an answer back for correction", items[ITEM_RETURNED]["round"] == 2),
        ("a late answer was reminded of and escalated", items[ITEM_LATE]["late"] and "reminder" in kinds and "escalation" in kinds),
        ("whoever was alarmed heard that it is settled", "retraction" in kinds),
        (f"the time by side adds up to the elapsed {elapsed} s", sum(ledger["by_side"].values()) == elapsed),
        ("the ledger lies end to end from start to close", not ledger_faults(entries, row["started_at"], row["closed_at"])),
        ("time to first value is a number", row["metrics"].get("time_to_first_value") is not None),
    ]  # fmt: skip


def _claim(sentence: str, holds: bool) -> Text:
    return Text.assemble(("  ✓ ", "green") if holds else ("  ✗ ", "red"), sentence)
