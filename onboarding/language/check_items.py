"""Cross rules inside one stage or item: sides, answers, decisions, people."""

from onboarding.language.check_values import check_field, check_patterns
from onboarding.language.checking import Checking
from onboarding.language.grammar import ApprovalModel
from onboarding.language.model import Item, ItemKind, RoleSource, Side
from onboarding.language.places import Path
from onboarding.language.source import Entry
from onboarding.nearest import nearest

RESERVED_OUTCOMES = ("escalate", "pass", "fail", "skip")


def check_items(checking: Checking) -> None:
    """Every item can do what its kind does."""
    for name, rule in checking.source.file.inputs.items():
        check_field(checking, ("inputs", name), name, rule)
    _stages(checking)
    for entry, item in checking.pairs():
        _sides(checking, entry, item)
        _answer(checking, entry, item)
        _timeout(checking, entry, item)
        if isinstance(entry.item, ApprovalModel):
            _approval(checking, entry, item, entry.item)


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
        rules = getattr(entry.item, key, {})
        for name, rule in rules.items():
            check_field(checking, (*entry.path, key, name), name, rule)
        check_patterns(checking, (*entry.path, key), rules)
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
    if item.in_order and len(item.owners) == 1:
        sentence = f"{item.id!r} has one owner, so there is no order: remove `in_order`, or name several `owners`."
        faults.add("in_order_alone", (*entry.path, "in_order"), sentence, key=True)
    if item.handoff:
        _handoff(checking, entry, item)


def _handoff(checking: Checking, entry: Entry, item: Item) -> None:
    """What is handed over was done by another role of ours, and may be sent back."""
    roles = {role.id: role for role in checking.definition.roles}
    if any(owner not in roles for owner in item.owners):
        return
    given = [
        each
        for each in checking.items
        if (each.id in item.needs or each.stage in item.needs)
        and each.kind not in (ItemKind.HOOK, ItemKind.EVENT)
        and each.owner in roles
        and roles[each.owner].side is Side.PROVIDER
        and each.owner not in item.owners
    ]
    lacking = []
    if any(roles[owner].side is not Side.PROVIDER for owner in item.owners):
        lacking.append("owners on our side only")
    if not given:
        lacking.append("a task of another role of ours among its `needs`")
    if all(outcome.passes for outcome in item.outcomes):
        lacking.append("an outcome that reopens something")
    if not any(outcome.passes for outcome in item.outcomes):
        lacking.append("an outcome that passes")
    if lacking:
        sentence = f"{item.id!r} is a handoff and needs {' and '.join(lacking)}: add that, or remove `handoff`."
        checking.faults.add("handoff_shape", (*entry.path, "handoff"), sentence, key=True)


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
