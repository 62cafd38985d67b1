"""Cross rules inside one item or one plan: sides, answers, values, decisions, steps."""

import re2

from onboarding.language.checking import Checking
from onboarding.language.grammar import ApprovalModel, FieldRule, InputRule, LadderModel
from onboarding.language.lowering import NONE, fields_of
from onboarding.language.model import FieldType, Item, ItemKind, RoleSource, Side, StepAction
from onboarding.language.places import Path
from onboarding.language.source import Entry
from onboarding.language.units import Offset, Share, longer
from onboarding.language.values import check_value
from onboarding.nearest import nearest

RESERVED_OUTCOMES = ("escalate", "pass", "fail", "skip")
_SIZED = (FieldType.STRING, FieldType.INT, FieldType.NUMBER, FieldType.LIST, FieldType.CONTACTS)
_TEXTS = (
    FieldType.STRING,
    FieldType.EMAIL,
    FieldType.PHONE,
    FieldType.URL,
    FieldType.COUNTRY,
    FieldType.VAT,
    FieldType.IBAN,
)


def check_items(checking: Checking) -> None:
    """Every item can do what its kind does; every plan runs forward in time."""
    for name, rule in checking.source.file.inputs.items():
        _field(checking, ("inputs", name), name, rule)
    _reminder_plans(checking)
    _ladders(checking)
    _stages(checking)
    for entry, item in checking.pairs():
        _sides(checking, entry, item)
        _answer(checking, entry, item)
        _timeout(checking, entry, item)
        if isinstance(entry.item, ApprovalModel):
            _approval(checking, entry, item, entry.item)
    _deputies(checking)


def _field(checking: Checking, path: Path, name: str, rule: FieldRule) -> None:
    faults, kind = checking.faults, rule.type
    if kind is FieldType.ENUM and not rule.values:
        faults.add(
            "enum_values", path, f"The enum {name!r} has no values: add `values: [a, b]`.", key=True, name="values"
        )
    elif kind is not FieldType.ENUM and rule.values:
        faults.add(
            "enum_values",
            (*path, "values"),
            f"Only an enum has values: write `type: enum`, or remove them from {name!r}.",
            key=True,
        )
    for key in ("min", "max"):
        bound = getattr(rule, key)
        if bound is not None and kind not in _SIZED:
            faults.add(
                "bound_not_used",
                (*path, key),
                f"A {kind.value} has no size, so {key} means nothing: remove it.",
                key=True,
            )
        elif (
            bound is not None
            and kind is not FieldType.NUMBER
            and (not isinstance(bound, int) or (kind is not FieldType.INT and bound < 0))
        ):
            faults.add("wrong_value", (*path, key), f"The {key} of a {kind.value} is a whole number of things.")
    if rule.min is not None and rule.max is not None and rule.min > rule.max:
        faults.add(
            "min_over_max",
            (*path, "min"),
            f"The min {rule.min} of {name!r} is above its max {rule.max}: exchange them.",
        )
    if rule.pattern is not None:
        _pattern(checking, (*path, "pattern"), rule)
    if isinstance(rule, InputRule) and rule.default is not None:
        _default(checking, path, name, rule)


def _pattern(checking: Checking, path: Path, rule: FieldRule) -> None:
    if rule.type not in _TEXTS:
        checking.faults.add(
            "pattern_not_used", path, f"A pattern is for text, and a {rule.type.value} is none: remove it.", key=True
        )
        return
    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(rule.pattern or "", options)
    except Exception:  # the package has an error type of its own for some, and none for others
        sentence = (
            "The pattern is not RE2: look-around and back-references take unbounded time and are not known there."
        )
        checking.faults.add("bad_pattern", path, sentence)


def _default(checking: Checking, path: Path, name: str, rule: InputRule) -> None:
    field = fields_of({name: rule})[0]
    broken = rule.type is FieldType.ENUM and not rule.values
    found = () if broken else check_value(field, rule.default)
    if found:
        quote = "; put it in quotes" if rule.type in _TEXTS and not isinstance(rule.default, str) else ""
        sentence = f"The default of {name!r} does not fit: {found[0].sentence.rstrip('.')}{quote}."
        checking.faults.add("default_type", (*path, "default"), sentence)


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


def _stages(checking: Checking) -> None:
    for path, stage in checking.source.stages():
        index = path[1]
        if isinstance(index, int) and not any(True for _ in checking.source.items_of(index)):
            sentence = f"The stage {stage.id!r} has no item: add a request, task, approval, event or hook."
            checking.faults.add(
                "no_items",
                (*path, "id"),
                sentence,
                name=next(
                    (
                        each
                        for each in ("requests", "tasks", "approvals", "events", "hooks")
                        if each in checking.faults.known
                    ),
                    None,
                ),
            )
        gate = stage.gate
        if gate and gate.override and not (gate.all or gate.any):
            sentence = "There is nothing to waive: give the gate conditions, or remove `override`."
            checking.faults.add("override_without_gate", (*path, "gate", "override"), sentence, key=True, name="all")
        for key in ("on_enter", "on_exit"):
            for number, action in enumerate(getattr(stage, key)):
                notice = action.notify is not None and action.template is not None and action.hook is None
                hook = action.hook is not None and action.notify is None and action.template is None
                if not notice and not hook:
                    sentence = "An action is `{notify: role, template: name}` or `{hook: activity}`."
                    checking.faults.add("stage_action", (*path, key, number), sentence)


def _sides(checking: Checking, entry: Entry, item: Item) -> None:
    wanted = {ItemKind.REQUEST: Side.CUSTOMER, ItemKind.TASK: Side.PROVIDER}.get(entry.kind)
    roles = {role.id: role for role in checking.definition.roles}
    for owner in item.owners if entry.kind is ItemKind.APPROVAL else (item.owner,):
        role = roles.get(owner)
        if role is None or role.ref == "" or (owner in checking.faults.known and role.side is Side.THIRD_PARTY):
            continue
        path = next(
            (
                place
                for place in ((*entry.path, "owner"), (*entry.path, "owners"))
                if place in checking.source.document.places
            ),
            (*entry.path, "id"),
        )
        if wanted is not None and role.side is not wanted:
            sentence = f"A {entry.kind.value} is owned by a {wanted.value} role, and {owner!r} ({item.id!r}) is on the {role.side.value} side: name another owner."
            checking.faults.add("wrong_side", path, sentence)
        elif entry.kind is ItemKind.APPROVAL and role.side is Side.THIRD_PARTY:
            checking.faults.add(
                "wrong_side",
                path,
                f"An approval is owned by a customer or provider role, and {owner!r} is a third party.",
            )


def _answer(checking: Checking, entry: Entry, item: Item) -> None:
    if entry.kind is ItemKind.REQUEST and not (item.fields or item.files or item.secret or item.event):
        known = next((each for each in ("fields", "files", "secret", "event") if each in checking.faults.known), None)
        sentence = f"The request {item.id!r} does not say what counts as an answer: add fields, files, secret or event."
        checking.faults.add("no_answer", (*entry.path, "id"), sentence, name=known)
    for key in ("fields", "provides"):
        for name, rule in getattr(entry.item, key, {}).items():
            _field(checking, (*entry.path, key, name), name, rule)
    files = item.files
    if files and files.max is not None and files.min > files.max:
        sentence = f"The min {files.min} of the files is above their max {files.max}: exchange them."
        checking.faults.add("min_over_max", (*entry.path, "files", "min"), sentence)


def _timeout(checking: Checking, entry: Entry, item: Item) -> None:
    outcomes = tuple(outcome.name for outcome in item.outcomes)
    if item.on_timeout in (*RESERVED_OUTCOMES, *outcomes):
        return
    written = entry.item.on_timeout is not None
    path: Path = (*entry.path, "on_timeout") if written else (*entry.path, "id")
    known = (*RESERVED_OUTCOMES, *outcomes)
    hint = nearest(item.on_timeout, known) or f"; known here: {', '.join(known)}."
    checking.faults.add(
        "unknown_outcome",
        path,
        f"{item.id!r} has no outcome {item.on_timeout!r} for its time-out{hint}",
        name=item.on_timeout,
    )


def _approval(checking: Checking, entry: Entry, item: Item, written: ApprovalModel) -> None:
    faults = checking.faults
    if written.owner and written.owners:
        faults.add(
            "owner_and_owners",
            (*entry.path, "owners"),
            "An approval has `owner` or `owners`: remove one of them.",
            key=True,
        )
    for outcome in item.outcomes:
        if outcome.name in RESERVED_OUTCOMES:
            place = (*entry.path, "decisions", outcome.name)
            faults.add(
                "reserved_outcome",
                place,
                f"{outcome.name!r} is a word of on_timeout: give the outcome another name.",
                key=True,
            )
    if not any(outcome.passes for outcome in item.outcomes):
        faults.add(
            "no_passing_outcome",
            (*entry.path, "decisions"),
            f"No outcome of {item.id!r} passes, so it can never be done: add one, such as `accept: pass`.",
            key=True,
            name="decisions",
        )
    _quorum(checking, entry, item, written)


def _quorum(checking: Checking, entry: Entry, item: Item, written: ApprovalModel) -> None:
    """Different people: two roles with one source are one person, a group is enough people for any quorum."""
    roles = {role.id: role for role in checking.definition.roles}
    if any(owner not in roles for owner in item.owners):
        return
    barred = [
        (roles[each.owner].source, roles[each.owner].ref)
        for each in checking.items
        if each.id in item.four_eyes and each.owner in roles and each.kind is not ItemKind.HOOK
    ]
    people: dict[tuple[RoleSource, str], None] = {}
    for owner in item.owners:
        role = roles[owner]
        person = (role.source, role.ref)
        if role.source is RoleSource.GROUP:
            return
        if person not in barred or role.deputy:
            people[person] = None
    if item.quorum > len(people):
        path = next(
            (
                place
                for place in ((*entry.path, "quorum"), (*entry.path, "four_eyes"))
                if place in checking.source.document.places
            ),
            (*entry.path, "id"),
        )
        why = " who did not do what four_eyes names" if item.four_eyes else ""
        sentence = f"{item.id!r} needs {item.quorum} different people{why}, and {len(people)} may decide: name more owners or lower the quorum."
        checking.faults.add("quorum_unmet", path, sentence)


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
