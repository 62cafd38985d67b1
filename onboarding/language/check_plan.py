"""Cross rules of the plan as a whole: order, time, asks, facts, conditions, and what nobody uses."""

from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise

from onboarding import limits
from onboarding.language.checking import Checking
from onboarding.language.condition_text import read
from onboarding.language.conditions import check
from onboarding.language.expressions import MAX_CONDITION, declare, only_inputs
from onboarding.language.model import Condition, ConditionKind, FieldType, Item, ItemKind, RoleSource, Side, Stage
from onboarding.language.places import Path
from onboarding.language.units import Duration, longer

_Edges = dict[tuple[str, str], tuple[Path, str]]


def check_plan(checking: Checking) -> None:
    """The plan can be walked from start to end, in the time and with the asks it allows itself."""
    _facts(checking)
    _conditions(checking)
    _gates(checking)
    _order(checking)
    _targets(checking)
    _asks(checking)
    _retention(checking)


def _facts(checking: Checking) -> None:
    document = checking.source.document
    given: list[tuple[str, Path, str]] = [
        (name, ("inputs", name), "the start input") for name in checking.source.file.inputs
    ]
    for entry in checking.entries:
        for key in ("fields", "provides"):
            given += [(name, (*entry.path, key, name), entry.item.id) for name in getattr(entry.item, key, {})]
    seen: dict[str, tuple[str, int]] = {}
    for name, path, giver in sorted(given, key=lambda each: document.place(each[1]).key_line):
        if name in seen:
            first, line = seen[name]
            sentence = f"{name!r} is given by {first} already (line {line}): what is known is not asked again; use it, or choose another name."
            checking.faults.add("asked_twice", path, sentence, key=True)
        else:
            seen[name] = (giver, document.place(path).key_line)


def conditions_of(checking: Checking) -> Iterator[tuple[Path, str, bool]]:
    """Every CEL text of a definition with its path, and whether it is a variant's."""
    for path, stage in checking.source.stages():
        if stage.when:
            yield (*path, "when"), stage.when, False
        if stage.gate:
            compiled = checking.definition.stages[int(path[1])].gate
            for key, conditions in (("all", compiled.all), ("any", compiled.any)):
                for index, condition in enumerate(conditions):
                    if condition.kind is ConditionKind.CEL:
                        yield (*path, "gate", key, index), condition.text, False
    for entry in checking.entries:
        if entry.item.when:
            yield (*entry.path, "when"), entry.item.when, False
    for number, variant in enumerate(checking.source.file.variants):
        yield ("variants", number, "when"), variant.when, True


def _conditions(checking: Checking) -> None:
    definition = checking.definition
    milestones = tuple(stage.milestone for stage in definition.stages if stage.milestone)
    declarations = declare(definition.inputs, definition.items, milestones)
    for path, text, of_variant in conditions_of(checking):
        if of_variant and len(text) <= MAX_CONDITION and not only_inputs(text):
            sentence = "The condition of a variant refers to start inputs only (input.x): variants are chosen before anything else is known."
            checking.faults.add("input_only", path, sentence)
            continue
        for problem in check(declarations, text):
            if problem.name is None or problem.name not in checking.faults.known:
                checking.faults.add_in_text(problem.rule, path, problem.message, problem.line, problem.column)


def _gates(checking: Checking) -> None:
    items = {item.id: item for item in checking.items}
    facts = [given.name for item in checking.items for given in (*item.fields, *item.provides)]
    stages = [stage.id for stage in checking.definition.stages]
    for path, condition in _gate_entries(checking):
        ref = condition.ref
        if condition.kind is ConditionKind.FACT:
            checking.refer("unknown_fact", path, ref, facts, "fact")
        elif condition.kind is ConditionKind.ITEM and ref in stages and ref not in items:
            sentence = f"{ref!r} is a stage, and a gate names items, facts.x or conditions: write it under `needs`."
            checking.faults.add("unknown_name", path, sentence)
        elif condition.kind is ConditionKind.ITEM:
            known = checking.refer("unknown_name", path, ref, items, "item")
            if known and items[ref].optional:
                sentence = f"The gate makes the optional item {ref!r} required: remove `optional`, or the entry."
                checking.faults.add("optional_in_gate", path, sentence)


def _gate_entries(checking: Checking) -> Iterator[tuple[Path, Condition]]:
    for path, _ in checking.source.stages():
        gate = checking.definition.stages[int(path[1])].gate
        for key, conditions in (("all", gate.all), ("any", gate.any)):
            for index, condition in enumerate(conditions):
                yield (*path, "gate", key, index), condition


def _order(checking: Checking) -> None:
    """No circle: what opens, is done or is left waits for something that can come before it."""
    edges = _edges(checking)
    for _ in range(min(len(edges), limits.FAULTS_TOLD)):
        graph: dict[str, list[str]] = {}
        for waiting, awaited in edges:
            graph.setdefault(waiting, []).append(awaited)
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            ring: list[str] = error.args[1]
            _report_ring(checking, ring, edges)
        else:
            return


def _edges(checking: Checking) -> _Edges:
    """Who waits for whom, with the place where it is written; an empty path where it follows from containment."""
    edges: _Edges = {}
    stages = {stage.id: stage for stage in checking.definition.stages}
    items = {item.id: item for item in checking.items}
    givers = {given.name: item.id for item in checking.items for given in (*item.fields, *item.provides)}

    def wait(waiting: str, name: str | None, path: Path, kind: str) -> None:
        if waiting.endswith(f" {name}"):
            return  # reported as self_need
        if name in items:
            edges.setdefault((waiting, f"done {name}"), (path, kind))
        elif name in stages:
            edges.setdefault((waiting, f"left {name}"), (path, kind))

    for entry, item in checking.pairs():
        edges.setdefault((f"done {item.id}", f"open {item.stage}"), ((), ""))
        if not item.optional:
            edges.setdefault((f"left {item.stage}", f"done {item.id}"), ((), ""))
        for index, name in enumerate(item.needs):
            wait(f"done {item.id}", name, (*entry.path, "needs", index), "item")
    for path, stage in checking.source.stages():
        edges.setdefault((f"left {stage.id}", f"open {stage.id}"), ((), ""))
        for index, name in enumerate(stage.needs):
            wait(f"open {stage.id}", name, (*path, "needs", index), "stage")
        gate = checking.definition.stages[int(path[1])].gate
        for index, condition in enumerate(gate.all):
            awaited = givers.get(condition.ref) if condition.kind is ConditionKind.FACT else condition.ref
            if condition.kind is not ConditionKind.CEL and awaited in items:
                wait(f"left {stage.id}", awaited, (*path, "gate", "all", index), "gate")
    return edges


def _report_ring(checking: Checking, ring: list[str], edges: _Edges) -> None:
    steps = [(waiting, awaited) for awaited, waiting in pairwise(ring)]
    written = [(edge, *edges[edge]) for edge in steps if edge in edges and edges[edge][0]]
    places = checking.source.document
    names = list(dict.fromkeys(node.partition(" ")[2] for node in ring))
    kinds = [kind for _, _, kind in written]
    contained = any(not node.startswith("done ") for node in ring)
    only_items = not contained and all(kind == "item" for kind in kinds)
    only_stages = len(kinds) > 1 and all(kind == "stage" for kind in kinds)
    if only_items or only_stages:
        edge, path, _ = max(written, key=lambda each: places.place(each[1]).line)
        sentence = f"These wait for each other: {' → '.join(names)}. Take one of the needs away."
        checking.faults.add("cycle", path, sentence)
    else:
        late = [each for each in written if each[2] != "stage"] or written
        edge, path, _ = max(late, key=lambda each: places.place(each[1]).line)
        sentence = f"{edge[0].partition(' ')[2]!r} waits for {edge[1].partition(' ')[2]!r}, which can only come after it: move one of them, or remove the entry."
        checking.faults.add("needs_too_late", path, sentence)
    del edges[edge]


def _targets(checking: Checking) -> None:
    definition = checking.definition
    chain = _longest(definition.stages, {item.id: item.stage for item in checking.items})
    if definition.target and chain and all(each.unit is definition.target.unit for _, each in chain):
        sum_of = sum(each.amount for _, each in chain)
        if sum_of > definition.target.amount:
            names = " + ".join(f"{name} {each}" for name, each in chain)
            sentence = f"The stages take {sum_of}{definition.target.unit.value} ({names}), longer than the target {definition.target}: change one of them."
            checking.faults.add("target_too_short", ("target",), sentence)
    for path, _ in checking.source.stages():
        stage = definition.stages[int(path[1])]
        over = [(entry, item) for entry, item in checking.pairs() if item.stage == stage.id and _over(item, stage)]
        place = (*path, "target")
        if over and checking.source.document.place(place).owner:
            names = ", ".join(f"{item.id} ({item.due})" for _, item in over)
            sentence = f"The target {stage.target} of {stage.id!r} is shorter than items in it are allowed: {names}."
            checking.faults.add("due_over_target", place, sentence)
            continue
        for entry, item in over:
            sentence = f"{item.id!r} is due after {item.due}, later than the target {stage.target} of {stage.id!r}: change one of them."
            checking.faults.add("due_over_target", (*entry.path, "due" if entry.item.due else "id"), sentence)


def _over(item: Item, stage: Stage) -> bool:
    return item.due is not None and stage.target is not None and longer(item.due, stage.target) is True


def _longest(stages: tuple[Stage, ...], stage_of: dict[str, str]) -> list[tuple[str, Duration]]:
    """The chain of stages with the largest sum of targets; stages without a target take no time."""
    best: dict[str, list[tuple[str, Duration]]] = {}
    pending = list(stages)
    while pending:
        ready = [stage for stage in pending if all(stage_of.get(name, name) in best for name in stage.needs)]
        if not ready:  # a circle or an unknown name, reported elsewhere
            break
        for stage in ready:
            before = [best[stage_of.get(name, name)] for name in stage.needs]
            longest = max(before, key=_amount, default=[])
            best[stage.id] = [*longest, (stage.id, stage.target)] if stage.target else longest
        pending = [stage for stage in pending if stage not in ready]
    return max(best.values(), key=_amount, default=[])


def _amount(chain: list[tuple[str, Duration]]) -> int:
    return sum(each.amount for _, each in chain)


def _asks(checking: Checking) -> None:
    budget = checking.definition.contact.request_budget
    sides = {role.id: role.side for role in checking.definition.roles}
    asks: dict[str, None] = {}
    for item in checking.items:
        by_customer = any(sides.get(owner) is Side.CUSTOMER for owner in item.owners)
        if item.kind is ItemKind.REQUEST or (item.kind is ItemKind.APPROVAL and by_customer):
            asks[f"bundle {item.bundle}" if item.bundle else item.id] = None
    if budget is not None and len(asks) > budget:
        sentence = f"The worst case is {len(asks)} asks to the customer ({', '.join(asks)}), over the budget of {budget}: bundle requests, or raise it."
        checking.faults.add("ask_budget", ("policies", "contact", "request_budget"), sentence)


def unused(checking: Checking) -> list[tuple[str, Path, str]]:
    """What is declared and not used: rule, path, sentence; for variants to compare before it is reported."""
    file = checking.source.file
    found: list[tuple[str, Path, str]] = []
    used = _used_roles(checking)
    found += [
        ("unused_role", ("roles", name), f"The role {name!r} is not used: remove it.")
        for name in file.roles
        if name not in used
    ]
    plans = [getattr(entry.item, key) for entry in checking.entries for key in ("reminders", "escalation")]
    plans += [getattr(checking.source.default(kind), key) for kind in ItemKind for key in ("reminders", "escalation")]
    for key in ("reminders", "escalation"):
        for name in getattr(file.policies, key):
            if name not in plans:
                found.append(("unused_policy", ("policies", key, name), f"The plan {name!r} is not used: remove it."))
    inputs, milestones = _referred(checking)
    for name in file.inputs:
        if name not in inputs:
            found.append(
                (
                    "unused_input",
                    ("inputs", name),
                    f"The input {name!r} is not used in this file: remove it, unless people want to see it.",
                )
            )
    for path, stage in checking.source.stages():
        if stage.milestone and stage.milestone not in milestones:
            sentence = f"The milestone {stage.milestone!r} is used by no metric and no condition: remove it, unless people want to see it."
            found.append(("unused_milestone", (*path, "milestone"), sentence))
    return found


def _used_roles(checking: Checking) -> list[str]:
    file = checking.source.file
    used = [role.deputy or "" for role in file.roles.values()]
    used += [name for steps in file.policies.escalation.values() for step in steps for name in step.to]
    used += [checking.source.default(kind).owner or "" for kind in ItemKind]
    for stage in checking.definition.stages:
        used += [stage.owner, *(action.notify or "" for action in (*stage.on_enter, *stage.on_exit))]
        used += stage.gate.override.by if stage.gate.override else ()
    for item in checking.items:
        used += [*item.owners, item.review or ""]
    return used


def _referred(checking: Checking) -> tuple[list[str], list[str]]:
    """Names of inputs and of milestones that something refers to."""
    file = checking.source.file
    texts = [text for _, text, _ in conditions_of(checking)]
    names = [reference.names for text in texts for reference in read(text[:MAX_CONDITION]).references]
    ends = [role.from_ or "" for role in file.roles.values()] + [rule.from_ or "" for rule in file.calendars.values()]
    ends += [end or "" for metric in file.metrics.values() for end in (metric.from_, metric.to)]
    names += [tuple(end.split(".")) for end in ends]
    inputs = [name[1] for name in names if name[0] == "input" and len(name) > 1]
    inputs += [name for rule in file.signals.values() for name in rule.match]
    inputs += [name for item in checking.items for name in item.with_facts]
    if any(role.source is RoleSource.CONTACT for role in checking.definition.roles):
        inputs += [name for name, rule in file.inputs.items() if rule.type is FieldType.CONTACTS]
    return inputs, [name[1] for name in names if name[0] == "milestones" and len(name) > 1]


def _retention(checking: Checking) -> None:
    keep = checking.definition.keep_facts
    if keep is not None and keep.is_business:
        sentence = f"What is kept after the end waits on nobody's calendar: write {keep} in days, such as 400d."
        checking.faults.add("wrong_unit", ("retention", "facts"), sentence)
