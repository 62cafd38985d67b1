"""Rows of made-up runs: every argument that a test does not name has a plain value."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from onboarding.engine.effects import (
    ItemRow,
    LedgerRow,
    Notice,
    NoticeKind,
    RunHook,
    RunRow,
    StageRow,
    WaitingRow,
    WriteRecords,
)
from onboarding.engine.state import RefusedEntry, TrailEntry

RUN = "onboarding/acme/quick-start"
START = datetime(2026, 11, 2, 8, 0, tzinfo=UTC)


def at(hours: float) -> datetime:
    """That many hours after the start of every made-up run."""
    return START + timedelta(hours=hours)


def a_run(run: str = RUN, **changes: Any) -> RunRow:
    """A run that has just started."""
    values: dict[str, Any] = {
        "run": run, "customer": "acme", "definition": "quick-start", "version": 3, "hash": "h" * 16,
        "variant": "smb", "segment": "smb", "wave": "", "state": "running", "outcome": None,
        "health": "on_track", "stage": "intake", "owner": "dana", "waiting_on": "customer",
        "waiting_since": at(0), "signed_at": at(-24), "started_at": at(0), "closed_at": None,
        "promised_at": None, "due_at": at(48), "first_value": False, "milestones": {},
        "metrics": {"time_to_first_value": None}, "asks": 1, "escalations": 0, "refused": 0,
        "counted_from": at(-24), "month": "2026-11", "first_promised_at": None, "owed_at": None, "on_time": None,
        "first_value_at": None, "live_at": None, "time_to_first_value": None, "time_to_live": None, "elapsed": None,
        "customer_seconds": 0, "provider_seconds": 0, "third_party_seconds": 0, "hold_seconds": 0, "off_hours_seconds": 0,
        "handoff_seconds": 0, "longest_silence": 0, "rounds": 0, "requests": 0, "first_pass": 0, "customer_due": 0,
        "customer_on_time": 0, "forecast_at": None, "forecast_late_at": None, "forecast_runs": None, "forecast_item": None,
    }  # fmt: skip
    return RunRow(**{**values, **changes})


def an_item(item: str = "company_details", **changes: Any) -> ItemRow:
    """An open request of the customer."""
    values: dict[str, Any] = {
        "item": item, "round": 1, "stage": "intake", "kind": "request", "title": "Company details",
        "status": "open", "owner": "customer:champion", "side": "customer", "asked": "customer", "clock": "customer",
        "optional": False, "opened_at": at(0), "due_at": at(24), "promised_at": at(24), "answered_at": None, "closed_at": None,
        "late": False, "tacit": False, "outcome": None, "steps": 0, "mark": None, "stands_for": None, "blocks": ("setup", "go_live"),
    }  # fmt: skip
    return ItemRow(**{**values, **changes})


def a_stage(stage: str = "intake", **changes: Any) -> StageRow:
    """A stage that is open for the first time."""
    values: dict[str, Any] = {
        "stage": stage, "visit": 1, "place": 0, "title": "Intake", "owner": "dana", "status": "open", "milestone": None,
        "entered_at": at(0), "left_at": None, "target_at": at(24),
    }  # fmt: skip
    return StageRow(**{**values, **changes})


def a_wait(person: str = "customer:champion", **changes: Any) -> WaitingRow:
    """An open request that waits for the one who answers for it."""
    values: dict[str, Any] = {
        "kind": "item", "about": "company_details", "person": person, "stage": "intake", "item": "company_details", "round": 1,
        "role": "champion", "first": True, "title": "Company details", "status": "open", "side": "customer", "since": at(0),
        "due_at": at(24), "waits_for": "Waits for customer:champion to deliver legal name.", "stands_for": None, "mark": None,
        "blocks": ("setup", "go_live"),
    }  # fmt: skip
    return WaitingRow(**{**values, **changes})


def a_trail(n: int, **changes: Any) -> TrailEntry:
    """The n-th thing that was said."""
    values: dict[str, Any] = {
        "n": n, "at": at(n), "actor": "customer:champion", "on_behalf_of": None, "channel": "mail",
        "message": "submit", "item": "company_details", "outcome": "accepted", "code": "accepted",
        "message_id": f"m-{n}", "digest": f"{n:064x}", "sentence": "",
    }  # fmt: skip
    return TrailEntry(**{**values, **changes})


def a_stretch(n: int, **changes: Any) -> LedgerRow:
    """The n-th hour, which the customer had."""
    values: dict[str, Any] = {
        "n": n, "item": "company_details", "stage": "intake", "round": 1, "side": "customer",
        "who": "customer:champion", "held_side": None, "clock": "customer", "since": at(n - 1), "to": at(n),
        "seconds": 3600, "working_seconds": 3600,
    }  # fmt: skip
    return LedgerRow(**{**values, **changes})


def a_refusal(n: int, **changes: Any) -> RefusedEntry:
    """The n-th signal that could not be used."""
    values: dict[str, Any] = {
        "n": n, "at": at(n), "via": "signal", "name": "sumbit", "message_id": f"r-{n}",
        "code": "unknown_message", "sentence": "There is no message of this name.",
    }  # fmt: skip
    return RefusedEntry(**{**values, **changes})


def a_notice(key: str = "n-1", **changes: Any) -> Notice:
    """An ask to the customer."""
    values: dict[str, Any] = {
        "key": key, "kind": NoticeKind.ASK, "to": "customer:champion", "template": "ask",
        "subject": "Company details", "lines": ("legal name", "by Wednesday"), "run": RUN,
        "customer": "acme", "at": at(0), "stage": "intake", "item": "company_details",
        "items": ("company_details",),
    }  # fmt: skip
    return Notice(**{**values, **changes})


def a_hook(activity: str = "provision_tenant", **changes: Any) -> RunHook:
    """A hook that the run asks for."""
    values: dict[str, Any] = {
        "key": f"{RUN}:provision:1", "activity": activity, "stage": "setup", "item": "provision",
        "title": "Provision", "round": 1, "check": None,
        "arguments": {"run": RUN, "customer": "acme", "item": "provision", "facts": {}},
        "attempts": 3, "backoff": 2.0, "timeout_seconds": 60,
    }  # fmt: skip
    return RunHook(**{**values, **changes})


def a_turn(n: int, name: str = RUN, **changes: Any) -> WriteRecords:
    """The n-th batch of a run: one thing was said, an hour was booked, the item took a step."""
    values: dict[str, Any] = {
        "run": a_run(name, asks=n, waiting_since=at(n)),
        "trail": (a_trail(n),),
        "ledger": (a_stretch(n),),
        "items": (an_item(steps=n),),
        "stages": (a_stage(visit=1, target_at=at(n)),),
        "id": f"b-{n}",
        "follows": f"b-{n - 1}" if n > 1 else "",
        "chain": "first",
        "execution": "first",
        "decided_at": at(n),
    }
    return WriteRecords(**{**values, **changes})
