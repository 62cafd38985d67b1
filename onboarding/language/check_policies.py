"""Cross rules of reminder plans and escalation ladders: whole steps, in time order, with somebody to turn to."""

from onboarding.language.checking import Checking
from onboarding.language.grammar import LadderModel
from onboarding.language.lowering import NONE
from onboarding.language.model import Item, ItemKind, Side, StepAction
from onboarding.language.places import Path
from onboarding.language.source import Entry
from onboarding.language.units import Offset, Share, longer


def check_policies(checking: Checking) -> None:
    """Every plan runs forward in time, and every ladder finds somebody."""
    _reminder_plans(checking)
    _ladders(checking)
    _deputies(checking)
    _contact(checking)


def _reminder_plans(checking: Checking) -> None:
    for name, steps in checking.source.file.policies.reminders.items():
        positions: list[tuple[Path, Offset | Share]] = []
        for index, step in enumerate(steps):
            path: Path = ("policies", "reminders", name, index)
            problem = None
            if (step.at is None) == (step.every is None):
                problem = "has either `at` or `every`"
            elif step.every is not None and step.max is None:
                problem = "with `every` needs `max`, so that it ends"
            elif step.at is not None and step.max is not None:
                problem = "with `at` comes once: remove `max`"
            elif isinstance(step.at, Share):
                problem = f"is relative to due: write -1bd, due or +2bd instead of {step.at}"
            if problem:
                checking.faults.add(
                    "reminder_step",
                    path,
                    f"A reminder step {problem}.",
                    name="at" if step.at is None and step.every is None else None,
                )
            elif step.at is not None:
                positions.append(((*path, "at"), step.at))
            else:
                positions.append(((*path, "every"), Offset(1, step.every)))
        _in_order(checking, positions)


def _contact(checking: Checking) -> None:
    contact = checking.source.file.policies.contact
    if contact.min_gap and contact.max_silence and longer(contact.min_gap, contact.max_silence):
        sentence = (
            f"Nothing could be said for {contact.min_gap}, and the customer is to hear something within"
            f" {contact.max_silence}: shorten the gap, or lengthen the silence."
        )
        checking.faults.add("gap_over_silence", ("policies", "contact", "min_gap"), sentence)


def unread(checking: Checking) -> list[tuple[str, Path, str]]:
    """Rules of contact that nobody would ever notice: rule, path, sentence; for variants to compare before it is reported."""
    contact = checking.source.file.policies.contact
    found: list[tuple[str, Path, str]] = []
    reminded = any(item.reminders for item in checking.items)
    for name, written in (("digest", contact.digest), ("min_gap", contact.min_gap)):
        if written and not reminded:
            sentence = f"No item has reminders, so {name!r} changes nothing: give one a plan, or remove the line."
            found.append(("digest_unread", ("policies", "contact", name), sentence))
    sides = {role.id: role.side for role in checking.definition.roles}
    theirs = any(sides.get(role) is Side.CUSTOMER for item in checking.items for role in item.owners)
    if contact.max_silence and not theirs:
        sentence = (
            "No customer role owns an item, so nobody would hear the report: give one an item, or remove the line."
        )
        found.append(("silence_unread", ("policies", "contact", "max_silence"), sentence))
    return found


def _in_order(checking: Checking, positions: list[tuple[Path, Offset | Share]]) -> None:
    for number, (path, position) in enumerate(positions):
        for _, earlier in positions[:number]:
            if _before(position, earlier):
                sentence = f"The step at {position} comes before the step at {earlier}: put them in time order."
                checking.faults.add("steps_out_of_order", path, sentence)
                break


def _before(one: Offset | Share, other: Offset | Share) -> bool:
    """Whether `one` is certainly earlier than `other`."""
    if isinstance(one, Share) or isinstance(other, Share):
        if isinstance(one, Share) and isinstance(other, Share):
            return one.percent < other.percent
        # A share lies at due or before it; whether an offset before due is earlier depends on the due itself.
        return isinstance(one, Share) and isinstance(other, Offset) and other.sign > 0
    if one.sign != other.sign:
        return one.sign < other.sign
    if one.duration is None or other.duration is None:
        return False
    above = longer(other.duration, one.duration) if one.sign > 0 else longer(one.duration, other.duration)
    return above is True


def _ladders(checking: Checking) -> None:
    for name, steps in checking.source.file.policies.escalation.items():
        for index, step in enumerate(steps):
            _ladder_step(checking, ("policies", "escalation", name, index), step)
        _in_order(
            checking, [(("policies", "escalation", name, index, "at"), step.at) for index, step in enumerate(steps)]
        )


def _ladder_step(checking: Checking, path: Path, step: LadderModel) -> None:
    known = (*checking.source.file.roles, "deputy")
    many = isinstance(checking.source.document.get((*path, "to")), list)
    for index, name in enumerate(step.to):
        checking.refer("unknown_role", (*path, "to", index) if many else (*path, "to"), name, known, "role")
    if step.do is StepAction.NOTIFY and not step.to:
        checking.faults.add("ladder_step", path, "A step that notifies says whom: add `to: [role]`.", name="to")
    if step.do is StepAction.REASSIGN and len(step.to) > 1:
        checking.faults.add("ladder_step", path, "A step that reassigns names one new owner: keep one of them.")
    if step.reason and step.do is not StepAction.HOLD:
        checking.faults.add(
            "ladder_step", (*path, "reason"), "Only a hold is noted with a reason: remove it.", key=True
        )


def _deputies(checking: Checking) -> None:
    """A ladder that turns to the deputy is used where somebody has one, and says where nobody has."""
    file = checking.source.file
    deputies = {role.id: role.deputy for role in checking.definition.roles}
    for name, steps in file.policies.escalation.items():
        used = [item for entry, item in checking.pairs() if _ladder_of(checking, entry) == name]
        alone = list(dict.fromkeys(item.owner for item in used if item.owner in deputies and not deputies[item.owner]))
        for index, step in enumerate(steps):
            path: Path = ("policies", "escalation", name, index, "to" if step.to else "do")
            to_deputy = "deputy" in step.to or (step.do is StepAction.REASSIGN and not step.to)
            if to_deputy and used and len(alone) == len(dict.fromkeys(item.owner for item in used)):
                checking.faults.add(
                    "no_deputy",
                    path,
                    f"Nobody who is on this ladder has a deputy ({', '.join(alone)}): declare one, or name a role.",
                    name="deputy",
                )
            elif to_deputy and alone:
                checking.faults.add(
                    "deputy_missing",
                    path,
                    f"These owners on this ladder have no deputy, so the step finds nobody: {', '.join(alone)}.",
                )
        _before_open(checking, name, used)
        _other_side(checking, name, used)


def _other_side(checking: Checking, ladder: str, used: list[Item]) -> None:
    """A deadline gives nobody's decision to the other side, and nothing of ours to the customer."""
    sides = {role.id: role.side for role in checking.definition.roles}
    for index, step in enumerate(checking.source.file.policies.escalation[ladder]):
        to = sides.get(step.to[0]) if step.do is StepAction.REASSIGN and step.to else None
        of_theirs = [item for item in used if (sides.get(item.owner), to) == (Side.CUSTOMER, Side.PROVIDER)]
        crossed = [item.id for item in of_theirs if item.kind is ItemKind.APPROVAL]
        crossed += [item.id for item in used if (sides.get(item.owner), to) == (Side.PROVIDER, Side.CUSTOMER)]
        if crossed:
            path: Path = ("policies", "escalation", ladder, index, "to")
            sentence = f"{step.to[0]!r} is on the other side and cannot be given {', '.join(crossed)}: name a role of their own side, or notify."
            checking.faults.add("wrong_side", path, sentence)


def _ladder_of(checking: Checking, entry: Entry) -> str:
    return entry.item.escalation or checking.source.default(entry.kind).escalation or NONE


def _before_open(checking: Checking, ladder: str, used: list[Item]) -> None:
    for index, step in enumerate(checking.source.file.policies.escalation[ladder]):
        before = step.at.duration if isinstance(step.at, Offset) and step.at.sign < 0 else None
        early = [item for item in used if before and item.due and longer(before, item.due)]
        if early:
            path: Path = ("policies", "escalation", ladder, index, "at")
            names = ", ".join(f"{item.id} (due {item.due} later)" for item in early)
            sentence = f"The step at {step.at} lies before these items open: {names}. Move it closer to due."
            checking.faults.add("step_before_open", path, sentence)
