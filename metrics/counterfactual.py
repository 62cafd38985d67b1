"""What might have been: had the customer answered at our median, when would this run have been live?

The ledger books every instant of a run to exactly one holder, so whoever has the time is what the run waits for. A stretch of the
customer's that is longer than the median of finished runs is cut to it, and what follows comes that much earlier. Working hours of those who came
later are not played again, and nothing becomes slower: it is an estimate from what happened, not a simulation of what did not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from onboarding.limits import FORECAST_RUNS

_UNSAID = "What the customer's answers cost cannot be said yet"


def counterfactual(
    entries: Iterable[Mapping[str, Any]], medians: Mapping[str, int], runs: int, live_at: str | None
) -> dict[str, Any]:
    """What the customer's time beyond our medians has cost, from rows of `ledger`.

    `{"runs", "live_at", "would_be", "saved", "items": [{"item", "took", "median", "saved"}], "sentence"}`, times in whole seconds; `saved` is
    `None` where fewer than `FORECAST_RUNS` finished runs are known, or had any of these items. Of a run that is live only what came before that counts.
    """
    taken: dict[str, int] = {}
    for entry in entries:
        if entry["side"] == "customer" and entry["item"] and (live_at is None or entry["from"] < live_at):
            taken[entry["item"]] = taken.get(entry["item"], 0) + _until(entry, live_at)
    answer: dict[str, Any] = {"runs": runs, "live_at": live_at, "would_be": None, "saved": None, "items": []}
    if runs < FORECAST_RUNS:
        known = "no finished run" if runs == 0 else "1 finished run" if runs == 1 else f"{runs} finished runs"
        return answer | {"sentence": f"{_UNSAID}: {known} known, {FORECAST_RUNS} needed."}
    if taken and not taken.keys() & medians.keys():
        return answer | {
            "sentence": f"{_UNSAID}: in fewer than {FORECAST_RUNS} finished runs the customer had these items."
        }
    items: list[dict[str, Any]] = [
        {"item": item, "took": took, "median": medians[item], "saved": took - medians[item]}
        for item, took in taken.items()
        if item in medians and took > medians[item]
    ]
    items.sort(key=lambda one: (-one["saved"], one["item"]))
    saved = sum(one["saved"] for one in items)
    return answer | {"saved": saved, "items": items, **_told(saved, items, runs, live_at)}


def _told(saved: int, items: list[dict[str, Any]], runs: int, live_at: str | None) -> dict[str, Any]:
    basis = f"the median of {runs} finished runs"
    if saved == 0:
        return {"would_be": live_at, "sentence": f"The customer answered everything at {basis}, or faster."}
    most = f"most of it on {items[0]['item']}"
    if live_at is None:
        return {
            "sentence": f"Had the customer answered at {basis}, this would be {lasting(saved)} further by now, {most}."
        }
    would_be = datetime.fromisoformat(live_at) - timedelta(seconds=saved)
    return {
        "would_be": would_be.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "sentence": f"Had the customer answered at {basis}, this would have been live {lasting(saved)} earlier, {most}.",
    }


def lasting(seconds: int) -> str:
    """A duration as people say it: days from one day on, else hours, minutes or seconds."""
    for word, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= size:
            amount = round(seconds / size, 1)
            number = int(amount) if amount == int(amount) else amount
            return f"{number} {word}{'' if number == 1 else 's'}"
    return f"{seconds} second{'' if seconds == 1 else 's'}"


def _until(entry: Mapping[str, Any], live_at: str | None) -> int:
    seconds = int(entry["seconds"])
    if live_at is None or entry["to"] <= live_at:
        return seconds
    return round((datetime.fromisoformat(live_at) - datetime.fromisoformat(entry["from"])).total_seconds())
