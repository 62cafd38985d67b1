"""The job as data: one onboarding that every contender carries out, its messages, and the same as a definition of our language.

Seven stages one after the other, each with a deadline. A task of a stage starts by itself when the stage's first input has come; an
approval opens when the inputs of its stage have come.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

FIELDS: Final = ("company", "contact_person", "remark")
DEADLINE: Final = 30 * 86_400
"""Seconds that a stage may take: armed in every run, and never reached but in the herd."""
HOOK: Final = "enable_production"
"""The hook behind each automated task of ours: it calls nobody and answers at once."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage and what must happen in it."""

    id: str
    inputs: tuple[str, ...]
    approval: str | None
    tasks: tuple[str, ...]


STAGES: Final = (
    Stage("welcome", ("company_details",), "goal_agreed", ("open_account",)),
    Stage("intake", ("legal_details", "billing_details", "users"), None, ("check_register", "check_credit")),
    Stage("kickoff", ("kickoff_dates",), "plan_agreed", ("create_tenant",)),
    Stage("data", ("sources", "mapping", "export"), "data_accepted", ("profile_export", "import_data")),
    Stage("setup", ("preferences",), None, ("configure", "connect_sign_on")),
    Stage("trial", ("test_cases", "test_result"), "trial_passed", ("prepare_training",)),
    Stage("closing", ("go_live_date",), "go_decision", ("switch_on",)),
)
INPUTS: Final = tuple(name for stage in STAGES for name in stage.inputs)
APPROVALS: Final = tuple(stage.approval for stage in STAGES if stage.approval is not None)
TASKS: Final = tuple(name for stage in STAGES for name in stage.tasks)


@dataclass(frozen=True, slots=True)
class Message:
    """What somebody outside says: `submit` or `decide`, with about 300 bytes of JSON."""

    name: str
    item: str
    content: dict[str, Any]


def messages(stages: Sequence[Stage] = STAGES) -> Iterator[Message]:
    """The messages of one run, in the order in which they are sent. The ids are unique within a run."""
    for stage in stages:
        for name in stage.inputs:
            yield _message("submit", name, "customer:champion", {"fields": {f"{name}_{field}": "x" * 36 for field in FIELDS}})  # fmt: skip
        if stage.approval is not None:
            words = f"We have looked at everything that came for {stage.id}, and agree. " + "x" * 90
            yield _message("decide", stage.approval, "lead", {"outcome": "accept", "comment": words})


def _message(name: str, item: str, actor: str, more: dict[str, Any]) -> Message:
    return Message(name, item, {"message_id": f"m-{item}", "actor": actor, "item": item, **more})


def definition(first_due: int = DEADLINE, stages: Sequence[Stage] = STAGES) -> dict[str, Any]:
    """The job in our language. `first_due` are the seconds until the first input is late."""
    day = DEADLINE // 86_400
    return {
        "schema": "onboarding/v1",
        "id": "benchmark",
        "version": 1,
        "title": "The job of the benchmark",
        "inputs": {"contacts": {"type": "contacts", "required": True}},
        "roles": {
            "onboarding": {"side": "provider", "value": "dana@provider.example"},
            "lead": {"side": "provider", "value": "lead@provider.example"},
            "champion": {"side": "customer", "contact": "champion"},
        },
        "policies": {"escalation": {"told": [{"at": "due", "do": "notify", "to": ["lead"], "mark": "at_risk"}]}},
        "defaults": {
            kind: {"owner": owner, "clock": "calendar", "due": f"{day}d", "escalation": "told"}
            for kind, owner in (("request", "champion"), ("approval", "lead"))
        },
        "stages": [_stage(stages, number, first_due) for number in range(len(stages))],
    }


def _stage(stages: Sequence[Stage], number: int, first_due: int) -> dict[str, Any]:
    stage = stages[number]
    fields = {name: {"type": "string", "required": True} for name in FIELDS}
    requests = [
        {"id": name, "title": _title(name), "bundle": f"pack_{stage.id}", "fields": {f"{name}_{field}": rule for field, rule in fields.items()}}
        for name in stage.inputs
    ]  # fmt: skip
    if number == 0:
        requests[0]["due"] = f"{first_due}s"
    needs = {"needs": [stages[number - 1].id]} if number else {}
    approval = {"id": stage.approval, "title": _title(stage.approval or ""), "needs": list(stage.inputs)}
    outcomes = {"decisions": {"accept": "pass", "return": {"reopen": [stage.inputs[-1]]}}}
    return {
        "id": stage.id,
        "title": _title(stage.id),
        "owner": "onboarding",
        **needs,
        "target": f"{DEADLINE // 86_400}d",
        "requests": requests,
        "hooks": [
            {"id": name, "title": _title(name), "activity": HOOK, "needs": [stage.inputs[0]]} for name in stage.tasks
        ],
        **({"approvals": [{**approval, **outcomes}]} if stage.approval else {}),
    }


def _title(name: str) -> str:
    return name.replace("_", " ").capitalize()


def start_input() -> dict[str, Any]:
    """What a run of ours starts with."""
    contact = {"role": "champion", "email": "lea@bakery.example", "name": "Lea Brandt", "tz": "Europe/Berlin"}
    return {"contacts": [contact]}
