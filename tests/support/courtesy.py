"""Runs of one stage under a contact policy, and everything that they say.

`at(1)` is Monday, 30 November 2026, so `at(6)` is a Saturday; everybody works from 9 to 17 UTC unless a test says otherwise.
"""

from __future__ import annotations

from typing import Any

from onboarding.engine import machine
from onboarding.engine.calendars import Calendar, Zone
from onboarding.engine.effects import DeliverNotice, Notice, NoticeKind, WriteRecords
from onboarding.language.model import (
    ContactPolicy,
    Item,
    ItemKind,
    LadderStep,
    Mark,
    ReminderStep,
    Role,
    RoleSource,
    Side,
    StepAction,
)
from onboarding.language.units import Offset, parse_duration
from tests.support.builders import Run, a_definition, a_run, a_stage, an_item, an_order, at, text

CHAMPION, SIGNER = "customer:champion", "sid"
HOURS = {"send_in": "working_hours"}
TOKYO = Calendar(zone=Zone(name="Asia/Tokyo", transitions=((0, 32_400),)), week=(0, 1, 2, 3, 4), hours=((540, 1_020),))
ROLES = (
    Role(id="lead", side=Side.PROVIDER, source=RoleSource.VALUE, ref="olga", deputy="head"),
    Role(id="head", side=Side.PROVIDER, source=RoleSource.VALUE, ref="henk"),
    Role(id="champion", side=Side.CUSTOMER, source=RoleSource.CONTACT, ref="champion", deputy="signer"),
    Role(id="signer", side=Side.CUSTOMER, source=RoleSource.CONTACT, ref="signer"),
)
PEOPLE = {"lead": ("olga",), "head": ("henk",), "champion": (CHAMPION,), "signer": (SIGNER,)}


def remind(*steps: str) -> tuple[ReminderStep, ...]:
    """Reminder steps as a file writes them: `-1bd`, `due`, or `every 2bd` three times."""
    found = []
    for step in steps:
        if step.startswith("every "):
            found.append(ReminderStep(every=parse_duration(step.removeprefix("every ")), max=3))
        elif step == "due":
            found.append(ReminderStep(at=Offset(0)))
        else:
            found.append(ReminderStep(at=Offset(1 if step[0] == "+" else -1, parse_duration(step[1:]))))
    return tuple(found)


def ladder(after: str, do: StepAction, *to: str, mark: Mark | None = None) -> tuple[LadderStep, ...]:
    """One step, so long after due."""
    return (LadderStep(at=Offset(1, parse_duration(after)), do=do, to=to, mark=mark),)


def request(name: str, **changes: Any) -> Item:
    """A request to the champion with one field."""
    return an_item(
        name, ItemKind.REQUEST, "one", **{"owner": "champion", "fields": (text(f"f_{name}"),), "due": "3bd", **changes}
    )


def task(name: str, **changes: Any) -> Item:
    """A task of ours."""
    return an_item(name, ItemKind.TASK, "one", **{"owner": "lead", **changes})


def begin(
    *items: Item, contact: dict[str, Any] | None = None, stage: dict[str, Any] | None = None, start: Any = None, **order: Any
) -> Run:  # fmt: skip
    """A run of one stage with these items under this contact policy."""
    written = dict(contact or {})
    for name in ("min_gap", "max_silence"):
        if name in written:
            written[name] = parse_duration(written[name])
    definition = a_definition(
        roles=ROLES, items=items, stages=(a_stage("one", tuple(item.id for item in items), **(stage or {})),), signals=(), metrics=(),
        contact=ContactPolicy(**written), **order.pop("definition", {}),
    )  # fmt: skip
    given = {"people": PEOPLE, "customer_contacts": (CHAMPION, SIGNER), **order}
    return a_run(an_order(definition, **given), start or at(1))


def told(run: Run, *kinds: NoticeKind, since: int = 0) -> list[Notice]:
    """Every notice of these kinds."""
    found = [effect.notice for effect in run.effects[since:] if isinstance(effect, DeliverNotice)]
    return [one for one in found if one.kind in kinds or not kinds]


def withdrawn(run: Run) -> list[str]:
    """Every key that was taken back."""
    return [key for effect in run.effects if isinstance(effect, WriteRecords) for key in effect.withdrawn]


def ring(run: Run, until: Any) -> None:
    """Time passes from alarm to alarm, as it does in the world."""
    while (alarm := machine.alarm_at(run.state)) is not None and alarm <= until:
        run.wait(alarm)
    run.wait(until)


def submit(run: Run, item: str, when: Any, actor: str = CHAMPION) -> None:
    """An answer that fits."""
    verdict = run.say("submit", actor, item=item, fields={f"f_{item}": "x"}, when=when)
    assert not verdict.refused, verdict
