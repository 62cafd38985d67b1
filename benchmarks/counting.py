"""Numbers of a made-up run, counted from its rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

Row = dict[str, Any]


def sides(ledger: Iterable[Row]) -> dict[str, int]:
    """Seconds by side. Of the time of a person what lay outside their hours is nobody's; held time is held at any hour."""
    sums = dict.fromkeys(("customer", "provider", "third_party", "hold", "off_hours"), 0)
    for row in ledger:
        held = row["side"] == "hold"
        sums[row["side"]] += row["seconds"] if held else row["working_seconds"]
        sums["off_hours"] += 0 if held else row["seconds"] - row["working_seconds"]
    return {f"{side}_seconds": seconds for side, seconds in sums.items()}


def answers(items: Sequence[Row], now: datetime) -> dict[str, int]:
    """What was asked of the customer, how often it had to come again, and what came in time."""
    requests = [row for row in items if row["kind"] == "request"]
    rounds = {row["item"]: row["round"] for row in requests if row["status"] == "done" and row["outcome"] != "returned"}
    asked = [row for row in items if row["asked"] == "customer" and row["due_at"] is not None]
    due = [row for row in asked if row["answered_at"] is not None or row["due_at"] < now]
    return {
        "asks": sum(1 for row in requests if row["opened_at"] is not None),
        "rounds": sum(1 for row in items if row["round"] > 1),
        "requests": len(rounds),
        "first_pass": sum(1 for last in rounds.values() if last == 1),
        "customer_due": len(due),
        "customer_on_time": sum(
            1 for row in due if row["answered_at"] is not None and row["answered_at"] <= row["due_at"]
        ),
    }
