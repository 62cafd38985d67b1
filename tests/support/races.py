"""Definitions of races and the judge of a deadline race: answer, state, rows and notices of one item must name one winner."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, select

from onboarding.engine.state import StartOrder
from storage.engine import reading
from storage.read_table import ReadTable
from storage.tables import NOTICES
from tests.support.agreement import rows_of_trail, whole_trail
from tests.support.shell import Run, an_order

INPUTS = {
    "contacts": [{"role": "champion", "email": "lea@bakery.example", "name": "Lea Brandt", "tz": "Europe/Berlin"}]
}
_HEAD = """
schema: onboarding/v1
id: races
version: 1
title: Races
inputs:
  contacts: {type: contacts, required: true}
calendars:
  provider: {tz: Europe/Berlin, week: mon-fri, hours: "09:00-17:00"}
roles:
  owner: {side: provider, value: dana@provider.example, deputy: second}
  second: {side: provider, value: drew@provider.example}
  lead: {side: provider, value: lead@provider.example}
  head: {side: provider, value: head@provider.example}
policies:
  escalation:
    quick: [{at: due, do: notify, to: [head], mark: at_risk}]
defaults:
  task: {owner: owner, clock: calendar, escalation: none}
  approval: {owner: owner, clock: calendar, escalation: none}
stages:
  - id: only
    title: Only one
    owner: lead
    tasks:
      - {id: anchor, title: What keeps the stage open}
"""
VARIANTS = ("ladder", "stage_owner", "skip", "pass")
"""What a deadline does: a step of a ladder, word to the owner of the stage, leaving out, passing by itself."""


def deadline_order(folder: Path, customer: str, dues: list[int], first: int = 0) -> StartOrder:
    """A run with one item for each number of seconds, the variants in turn from the `first` on."""
    tasks, approvals = [], []
    for n, due in enumerate(dues):
        variant = VARIANTS[(n + first) % len(VARIANTS)]
        about = f"id: {variant}_{n}, title: {variant} {n}, due: {due}s"
        match variant:
            case "ladder":
                tasks.append(f"{{{about}, escalation: quick}}")
            case "stage_owner":
                tasks.append(f"{{{about}}}")
            case "skip":
                tasks.append(f"{{{about}, on_timeout: skip}}")
            case "pass":
                approvals.append(f"{{{about}, on_timeout: pass, decisions: {{by_itself: pass, by_person: pass}}}}")
    return _order(folder, customer, tasks, approvals)


def decision_order(folder: Path, customer: str, count: int) -> StartOrder:
    """A run with approvals of one seat each: half of them can only pass, the others can send a task back."""
    tasks = [f"{{id: base_{n}, title: Base {n}}}" for n in range(1, count, 2)]
    approvals = [
        f"{{id: one_{n}, title: One {n}, decisions: {{grant: pass, decline: pass}}}}"
        if n % 2 == 0
        else f"{{id: one_{n}, title: One {n}, needs: [base_{n}], decisions: {{grant: pass, decline: {{reopen: [base_{n}]}}}}}}"
        for n in range(count)
    ]
    return _order(folder, customer, tasks, approvals)


def _order(folder: Path, customer: str, tasks: list[str], approvals: list[str]) -> StartOrder:
    lines = [f"      - {one}" for one in tasks]
    if approvals:
        lines += ["    approvals:", *(f"      - {one}" for one in approvals)]
    path = folder / "races"
    path.with_suffix(".yaml").write_text(_HEAD.lstrip() + "\n".join(lines) + "\n", encoding="utf-8")
    return an_order(str(path), customer=customer, inputs=INPUTS)


def answer_to(item: str) -> tuple[str, dict[str, Any]]:
    """What the owner of an item of a deadline race says."""
    if item.startswith("pass"):
        return "decide", {"message_id": f"m-{item}", "actor": "dana", "item": item, "outcome": "by_person"}
    return "complete", {"message_id": f"m-{item}", "actor": "dana", "item": item}


@dataclass
class Told:
    """Everything that tells of one item: `winner` is who came first by its trail, `wrong` what does not agree with it."""

    variant: str
    winner: str
    wrong: list[str]


async def judge(run: Run, database: Engine, verdicts: dict[str, dict[str, Any] | None]) -> list[Told]:
    """Looks at every item of a run for which there is a verdict; `None` is the verdict that the sender of a signal never hears."""
    reads = ReadTable(database)
    status = {row["id"]: row for row in (await run.ask("status"))["items"]}
    rows = {row["id"]: row for row in reads.items(run.handle.id)}
    trail, written = await whole_trail(run), rows_of_trail(reads, run)
    notices = reads.outbox(run.handle.id, limit=1_000)["rows"]
    with reading(database) as connection:
        # A notice that was taken back before it came leaves its key and nothing else.
        unsent = connection.execute(select(NOTICES.c.key).where(NOTICES.c.at.is_(None))).scalars().all()
    assert trail == written
    return [
        _judged(
            item,
            verdict,
            status[item],
            rows[item],
            [row for row in trail if row["item"] == item],
            Counter((row["kind"], row["state"], row["to"]) for row in notices if row["item"] == item),
            sum(key.startswith(f"{run.handle.id}/{item}/") for key in unsent),
        )
        for item, verdict in verdicts.items()
    ]


def _judged(
    item: str,
    verdict: dict[str, Any] | None,
    state: dict[str, Any],
    row: dict[str, Any],
    trail: list[dict[str, Any]],
    notices: Counter[tuple[str, str, str]],
    unsent: int,
) -> Told:
    variant = item.rpartition("_")[0]
    codes = [entry["code"] for entry in trail]
    mine = [entry for entry in trail if entry["message_id"] == f"m-{item}"]
    late = "overdue" in codes
    refused = late and variant == "pass"
    reader = {"ladder": "head", "stage_owner": "lead"}.get(variant, "")
    heard, taken_back = notices["escalation", "sent", reader], notices["escalation", "withdrawn", reader] + unsent
    settled, not_needed = notices["retraction", "sent", reader], notices["retraction", "withdrawn", reader]
    claims = {
        "the deadline passes once": codes.count("overdue") == late,
        "one message, one entry": len(mine) == (not refused) and all(one["outcome"] == "accepted" for one in mine),
        "late is after the deadline": refused or not late or codes.index("overdue") < trail.index(mine[0]),
        "the sender heard the same": verdict is None
        or (verdict["outcome"], verdict["code"])
        == (
            ("conflict", "already_decided")
            if refused
            else ("accepted", "decided" if variant == "pass" else "completed")
        ),
        "settled": state["status"] == row["status"] == "done",
        "late in state and row": state["late"] is row["late"] is late,
        "outcome in state and row": state["outcome"]
        == row["outcome"]
        == (None if variant != "pass" else "by_itself" if late else "by_person"),
        "steps in state, row and trail": state["steps"]
        == row["steps"]
        == codes.count("step_notify")
        == (late and variant == "ladder"),
        "by itself only where it says so": codes.count("tacit") == (late and variant in ("skip", "pass")),
        # An alarm that an answer overtakes on its way is taken back, and then nobody hears that it is settled.
        "told when late, or taken back": heard + taken_back == (late and reader != ""),
        "called off if and only if told": (settled, not_needed) == (heard, taken_back),
        "nobody else hears of it, and nothing is on its way": heard + taken_back - unsent + settled + not_needed
        == sum(count for (kind, _, _), count in notices.items() if kind in ("escalation", "retraction")),
    }
    wrong = [claim for claim, holds in claims.items() if not holds]
    story = f"{item}: {', '.join(wrong)}; {codes}, {dict(notices)}, {state}, {row}, {verdict}"
    return Told(variant, "clock" if late else "sender", [story] if wrong else [])
