"""Definitions at the edge of what a file may hold, and their orders: as text, because that is how they come."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from onboarding.engine.state import StartOrder
from tests.support.shell import an_order

HEAD = """schema: onboarding/v1
id: big
version: 1
title: Big
inputs:
  lead: {type: email, required: true}
  numbers: {type: list, default: []}
calendars:
  provider: {tz: Europe/Berlin, week: mon-fri, hours: "09:00-17:00"}
roles:
  manager: {side: provider, from: input.lead, deputy: boss}
  boss: {side: provider, value: boss@provider.example}
policies:
  reminders:
    daily: [{at: -1bd}, {at: due}, {every: 1d, max: 100}]
  escalation:
    steep: [{at: due, do: notify, to: boss}, {at: +1bd, do: notify, to: boss}]
"""
INPUTS = {"lead": "lead@provider.example"}


def tasks(count: int, more: Callable[[int], str] = lambda _: "", default: str = "owner: boss") -> str:
    """A definition of one stage with this many tasks."""
    lines = [f"      - {{id: t{n}, title: Task {n}{more(n)}}}" for n in range(count)]
    top = f"defaults: {{task: {{{default}}}}}\nstages:\n  - id: only\n    title: Only\n    owner: manager\n    tasks:\n"
    return HEAD + top + "\n".join(lines) + "\n"


def stages(count: int, each: int) -> str:
    """A chain of stages with this many tasks in each."""
    text = HEAD + "defaults: {task: {owner: boss, due: 1d}}\nstages:\n"
    for n in range(count):
        needs = f"    needs: [s{n - 1}]\n" if n else ""
        text += f"  - id: s{n}\n    title: Stage {n}\n    owner: manager\n{needs}    tasks:\n"
        text += "".join(f"      - {{id: t{n}_{k}, title: Task}}\n" for k in range(each))
    return text


def a_chain(count: int) -> str:
    """Tasks of which each needs the one before."""
    return tasks(count, lambda n: f", needs: [t{n - 1}]" if n else "")


def an_endless_reminder(count: int) -> str:
    """Tasks that are reminded of every day, and escalated."""
    return tasks(count, default="owner: boss, due: 3bd, reminders: daily, escalation: steep")


def with_contact(text: str, policy: str) -> str:
    """The same definition with a policy of what is said when."""
    return text.replace("policies:\n", f"policies:\n  contact: {policy}\n", 1)


def order_of(text: str, folder: Path, customer: str = "c-1") -> StartOrder:
    """The order of a definition that is given as text."""
    (folder / "big.yaml").write_text(text, encoding="utf-8")
    return an_order(str(folder / "big"), customer=customer, inputs=INPUTS)
