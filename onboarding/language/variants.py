"""Variants: small patches on a definition, chosen once when a run starts.

A patch works on the data as written, so a patched definition is checked by the same rules as any other. Every
value that a variant brings keeps its own place in the file; a fault in it is reported there.
"""

import copy
from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from typing import Any

from onboarding.language.condition_text import compared_texts, read
from onboarding.language.expressions import Declarations, evaluate, only_inputs
from onboarding.language.grammar import VariantModel
from onboarding.language.model import Field, FieldType
from onboarding.language.places import Document, Path, Place, without
from onboarding.language.rules import Faults
from onboarding.language.source import KIND_KEYS
from onboarding.nearest import nearest

MAX_COMBINATIONS = 32
"""Sets of variants that can hold together; each is checked as a definition of its own."""

MAX_ASSIGNMENTS = 4_096
"""Combinations of input values tried to find out which variants exclude each other."""

OTHER = "\x00"
"""Stands for any text that no condition names."""

Combination = tuple[str, ...]


def combinations(variants: list[VariantModel], declarations: Declarations) -> tuple[Combination, ...] | None:
    """Every set of variants that can hold together, in file order and without the empty one; `None` when too many."""
    domains = _domains(variants, declarations)
    decided = [variant for variant in variants if domains is not None and _decidable(variant.when, domains)]
    names = tuple(domains or ())
    found: dict[Combination, None] = {(variant.id,): None for variant in variants}
    for values in product(*(domains[name] for name in names)) if domains else [()]:
        activation = {"input": {name: value for name, value in zip(names, values, strict=True) if value is not None}}
        held = [variant.id for variant in decided if evaluate(declarations, variant.when, activation).holds]
        open_ids = [variant.id for variant in variants if variant not in decided]
        if 2 ** len(open_ids) > MAX_COMBINATIONS:
            return None
        for chosen in product((False, True), repeat=len(open_ids)):
            maybe = [name for name, taken in zip(open_ids, chosen, strict=True) if taken]
            ids = tuple(variant.id for variant in variants if variant.id in held or variant.id in maybe)
            if ids:
                found[ids] = None
            if len(found) > MAX_COMBINATIONS:
                return None
    return tuple(found)


def holding(variants: list[VariantModel], declarations: Declarations, inputs: Mapping[str, Any]) -> Combination:
    """The variants whose condition holds for these inputs, in file order."""
    activation = {"input": inputs}
    return tuple(variant.id for variant in variants if evaluate(declarations, variant.when, activation).holds)


def _decidable(when: str, domains: Mapping[str, tuple[Any, ...]]) -> bool:
    return only_inputs(when) and all(len(ref.names) == 2 and ref.names[1] in domains for ref in read(when).references)


def _domains(variants: list[VariantModel], declarations: Declarations) -> dict[str, tuple[Any, ...]] | None:
    """The values worth trying of each input whose conditions can be tried out; `None` when there are too many."""
    domains: dict[str, tuple[Any, ...]] = {}
    open_names: list[str] = []
    for variant in variants:
        reading = read(variant.when)
        for reference in reading.references:
            name = reference.names[1] if len(reference.names) == 2 else ""
            rule = declarations.inputs.get(name)
            texts = tuple(token.text[1:-1] for token in compared_texts(reading, reference))
            values = _values(rule, texts) if rule and reference.names[0] == "input" else ()
            if not values and not reference.asked:
                open_names.append(name)
            domains[name] = tuple(dict.fromkeys((*domains.get(name, ()), *values)))
    for name in open_names:
        domains.pop(name, None)
    size = 1
    for choices in domains.values():
        size *= len(choices)
    return domains if size <= MAX_ASSIGNMENTS else None


def _values(rule: Field, texts: tuple[str, ...]) -> tuple[Any, ...]:
    absent = () if rule.required or rule.default is not None else (None,)
    if rule.type is FieldType.BOOL:
        return (True, False, *absent)
    if rule.type is FieldType.ENUM:
        return (*rule.values, *absent)
    # Any other text is tried only where it is compared with nothing but texts.
    return (*texts, OTHER, *absent) if texts else ()


# --- patching -----------------------------------------------------------------


def patched(document: Document, applied: Combination, variants: list[VariantModel], faults: Faults) -> Document:
    """The document with these variants applied; what a variant names and does not exist is a fault at the variant."""
    patch = _Patch(document, faults)
    for index, variant in enumerate(variants):
        if variant.id in applied:
            patch.apply(("variants", index), variant)
    return Document(patch.data, patch.all_places)


class _Patch:
    def __init__(self, document: Document, faults: Faults) -> None:
        self.original = document
        self.data: Any = copy.deepcopy(document.data)
        self.faults = faults
        self.places: dict[Path, Place] = {
            path: place for path, place in document.places.items() if path[:1] != ("stages",)
        }
        # Stages are moved and removed, so each of their parts carries its place until the end.
        self.marks = {path: place for path, place in document.places.items() if path[:1] == ("stages",)}

    def apply(self, path: Path, variant: VariantModel) -> None:
        for key in ("target", "stall"):
            if getattr(variant, key) is not None:
                self.data[key] = self.original.get((*path, key))
                self.places[(key,)] = self._owned((*path, key), variant.id)
        for index, name in enumerate(variant.remove):
            self._remove((*path, "remove", index), name)
        for name in variant.override:
            self._override((*path, "override", name), name, variant.id)
        for name in variant.add:
            self._add((*path, "add", name), name, variant.id)

    def _owned(self, path: Path, owner: str) -> Place:
        return replace(self.original.place(path), owner=owner)

    def _copy_marks(self, source: Path, target: Path, owner: str) -> None:
        for path in [known for known in self.marks if known[: len(target)] == target]:
            del self.marks[path]
        for path in self.original.places:
            if path[: len(source)] == source:
                self.marks[(*target, *path[len(source) :])] = self._owned(path, owner)

    def _find(self, name: str) -> Path | None:
        for index, stage in enumerate(self.data["stages"]):
            if stage.get("id") == name:
                return ("stages", index)
            for kind in KIND_KEYS:
                for number, item in enumerate(stage.get(kind, ())):
                    if item.get("id") == name:
                        return ("stages", index, kind, number)
        return None

    def _names(self) -> list[str]:
        stages = self.data["stages"]
        items = [item for stage in stages for kind in KIND_KEYS for item in stage.get(kind, ())]
        return [str(each["id"]) for each in (*stages, *items) if "id" in each]

    def _missing(self, path: Path, name: str, *, key: bool) -> None:
        hint = nearest(name, self._names()) or "; it names the id of a stage or item of this file."
        self.faults.add("variant_target", path, f"There is nothing called {name!r} to change{hint}", key=key, name=name)

    def _remove(self, path: Path, name: str) -> None:
        found = self._find(name)
        if found is None:
            self._missing(path, name, key=False)
            return
        around, index = Document(self.data).get(found[:-1]), found[-1]
        removed = [name]
        if len(found) == 2:
            stage = around[index]
            removed += [item["id"] for kind in KIND_KEYS for item in stage.get(kind, ()) if "id" in item]
        del around[index]
        self.marks = dict(without(self.marks, found))
        self._forget(tuple(removed))

    def _forget(self, removed: tuple[str, ...]) -> None:
        """Signals and metrics of what is gone go with it: nobody can mean them."""
        signals, metrics = self.data.get("signals") or {}, self.data.get("metrics") or {}
        for name in [key for key, rule in signals.items() if rule.get("fulfils") in removed]:
            del signals[name]
        gone = [f"items.{name}" for name in removed]
        milestones = [stage.get("milestone") for stage in self.data["stages"]]
        for name, rule in list(metrics.items()):
            ends = [str(rule.get(key, "")) for key in ("from", "to")]
            lost = [
                end
                for end in ends
                if end.startswith("milestones.") and end.removeprefix("milestones.") not in milestones
            ]
            if any(end in gone for end in ends) or lost:
                del metrics[name]

    def _override(self, path: Path, name: str, owner: str) -> None:
        found = self._find(name)
        if found is None:
            self._missing(path, name, key=True)
        elif "id" in self.original.get(path):
            self.faults.add(
                "variant_override_id",
                (*path, "id"),
                f"The id of {name!r} is for life: remove it and add another item.",
                key=True,
            )
        else:
            self._merge(found, path, Document(self.data).get(found), owner)

    def _merge(self, target: Path, source: Path, into: dict[str, Any], owner: str) -> None:
        for key, value in self.original.get(source).items():
            if isinstance(value, dict) and isinstance(into.get(key), dict):
                self.marks[(*target, key)] = self._owned((*source, key), owner)
                self._merge((*target, key), (*source, key), into[key], owner)
            else:
                into[key] = copy.deepcopy(value)
                self._copy_marks((*source, key), (*target, key), owner)

    def _add(self, path: Path, name: str, owner: str) -> None:
        written = self.original.get(path)
        found = self._find(name)
        if found is None and "owner" in written:
            self.data["stages"].append({"id": name, **copy.deepcopy(written)})
            self._copy_marks(path, ("stages", len(self.data["stages"]) - 1), owner)
        elif found is None or len(found) != 2:
            hint = nearest(name, [str(stage.get("id")) for stage in self.data["stages"]])
            sentence = f"There is no stage {name!r} to add to{hint or '; a new stage needs title, owner and items.'}"
            self.faults.add("variant_target", path, sentence, key=True, name=name)
        else:
            self._add_items(path, found, written, owner)

    def _add_items(self, path: Path, stage: Path, written: dict[str, Any], owner: str) -> None:
        for kind, items in written.items():
            if kind not in KIND_KEYS or not isinstance(items, list):
                sentence = (
                    f"{kind!r} is no list of items: add {', '.join(KIND_KEYS)}, and change the stage by override."
                )
                self.faults.add("variant_target", (*path, kind), sentence, key=True)
                continue
            into = Document(self.data).get(stage).setdefault(kind, [])
            for index, item in enumerate(items):
                into.append(copy.deepcopy(item))
                self._copy_marks((*path, kind, index), (*stage, kind, len(into) - 1), owner)

    @property
    def all_places(self) -> dict[Path, Place]:
        return {**self.places, **self.marks}
