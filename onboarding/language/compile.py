"""Raw data in; a checked definition with its hash out, or every fault at once. Pure: reads nothing, asks nobody."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from onboarding import limits
from onboarding.errors import DefinitionInvalid, Fault
from onboarding.language import lowering
from onboarding.language.check import check
from onboarding.language.expressions import Declarations, declare
from onboarding.language.grammar import VariantModel
from onboarding.language.installation import PORTABLE, Installation
from onboarding.language.model import Definition, Field, Scale
from onboarding.language.places import Document
from onboarding.language.rules import RULES, Faults, in_line_order
from onboarding.language.shape import shape
from onboarding.language.source import Source
from onboarding.language.variants import Combination, combinations, holding, patched

__all__ = ["PORTABLE", "CompiledFile", "Installation", "compile_definition", "faults_of"]


@dataclass(frozen=True, slots=True)
class CompiledFile:
    """A definition file that loads: its inputs, its variants, and the definition for each set of them."""

    id: str
    version: int
    title: str
    hash: str
    inputs: tuple[Field, ...]
    variants: tuple[str, ...]
    warnings: tuple[Fault, ...]
    declarations: Declarations
    rules: tuple[VariantModel, ...]
    definitions: Mapping[Combination, Definition]

    def choose(self, inputs: Mapping[str, Any]) -> Definition:
        """The definition for these inputs: every variant whose condition holds, applied in file order."""
        return self.definitions[holding(list(self.rules), self.declarations, inputs)]


def compile_definition(document: Document, installation: Installation, scale: Scale | None = None) -> CompiledFile:
    """Check and compile a definition; `DefinitionInvalid` with all its faults when it has errors."""
    found, sources = _check(document, installation)
    if any(fault.severity == "error" for fault in found) or () not in sources:
        raise DefinitionInvalid(found)
    base = sources[()]
    digest = _digest(document.data, scale)
    definitions = {
        applied: lowering.lower(source, digest=digest, variant=joined(applied), scale=scale)
        for applied, source in sources.items()
    }
    return CompiledFile(
        id=base.file.id,
        version=base.file.version,
        title=base.file.title,
        hash=digest,
        inputs=definitions[()].inputs,
        variants=tuple(variant.id for variant in base.file.variants),
        warnings=tuple(found),
        declarations=declare(definitions[()].inputs, (), ()),
        rules=tuple(base.file.variants),
        definitions=definitions,
    )


def faults_of(document: Document, installation: Installation) -> list[Fault]:
    """Every fault of a document, in line order; empty when it is a definition without a flaw."""
    return _check(document, installation)[0]


def _check(document: Document, installation: Installation) -> tuple[list[Fault], dict[Combination, Source]]:
    faults = Faults(document)
    if not isinstance(document.data, dict):
        faults.add(
            "not_a_mapping", (), "A definition is one mapping of keywords, beginning with `schema: onboarding/v1`."
        )
        return faults.found, {}
    schema = document.data.get("schema")
    if schema == "wave/v1":
        faults.add(
            "not_built_yet", ("schema",), "Waves (wave/v1) are not built yet: start customers one by one for now."
        )
        return faults.found, {}
    shaped = shape(document, faults)
    if shaped.file is None or (isinstance(schema, str) and schema != "onboarding/v1"):
        return in_line_order(faults.found), {}
    faults.known, faults.document = shaped.known, shaped.data
    base = Source(shaped.file, shaped.data)
    if _too_many(base, faults):
        return in_line_order(faults.found), {}
    idle = check(base, installation, faults)
    sources: dict[Combination, Source] = {(): base}
    if not any(fault.severity == "error" for fault in faults.found):
        patches, idle_everywhere = _check_variants(base, installation, faults)
        sources |= patches
        for rule, path, sentence in idle:
            if all(sentence in sentences for sentences in idle_everywhere):
                faults.add(rule, path, sentence, key=True)
    elif not shaped.known and not base.file.variants:  # nothing that is missing here could stand elsewhere
        for rule, path, sentence in idle:
            if RULES[rule].severity == "error":
                faults.add(rule, path, sentence, key=True)
    return in_line_order(faults.found), sources


def _too_many(source: Source, faults: Faults) -> bool:
    """Whether a definition has more of something than a run can look at in one turn."""
    file = source.file
    counted = (
        ("stages", "items", sum(1 for _ in source.entries()), limits.ITEMS),
        ("stages", "stages", len(file.stages), limits.STAGES),
        ("calendars", "calendars", len(file.calendars), limits.CALENDARS),
    )
    over = [one for one in counted if one[2] > one[3]]
    for place, what, count, most in over:
        sentence = f"A definition has at most {most} {what}, found {count}: split it into several."
        faults.add("too_many_items", (place,), sentence, key=True)
    return bool(over)


def joined(applied: Combination) -> str:
    """The name of variants that hold together."""
    return "+".join(applied)


def _check_variants(
    base: Source, installation: Installation, faults: Faults
) -> tuple[dict[Combination, Source], list[list[str]]]:
    """Every variant alone, and all that can hold together, is a definition of its own.

    Beside them, what each leaves unused: a warning is due only for what the base and all variants leave unused.
    """
    variants = base.file.variants
    declarations = declare(lowering.fields_of(base.file.inputs), (), ())
    sets = combinations(variants, declarations)
    if sets is None:
        sentence = "Too many variants can hold together: let their conditions compare one enum input."
        faults.add("too_many_variants", ("variants",), sentence, key=True)
        return {}, []
    values = len(base.document.places) * len(sets)
    if values > limits.VALUES_CHECKED:
        sentence = f"The {len(sets)} sets of variants that can hold together make {values} values to check, {limits.VALUES_CHECKED} are allowed: take out variants, or let their conditions compare one enum input."
        faults.add("too_many_variants", ("variants",), sentence, key=True)
        return {}, []
    longest = max((len(joined(applied)) for applied in sets), default=0)
    if longest > limits.VARIANT_LENGTH:
        sentence = f"Variants that hold together have a name of {longest} characters, {limits.VARIANT_LENGTH} are allowed: shorten their ids."
        faults.add("too_many_variants", ("variants",), sentence, key=True)
        return {}, []
    sources: dict[Combination, Source] = {}
    idle: list[list[str]] = []
    seen = [(fault.rule, fault.message) for fault in faults.found]
    for applied in sorted(sets, key=len):
        inner = Faults(base.document)
        document = patched(base.document, applied, variants, inner)
        inner.document = document
        shaped = shape(document, inner)
        if shaped.file is not None:
            inner.known, inner.document = shaped.known, shaped.data
            sources[applied] = Source(shaped.file, shaped.data)
            idle.append([sentence for _, _, sentence in check(sources[applied], installation, inner)])
        for fault in inner.found:
            if (fault.rule, fault.message) not in seen:
                seen.append((fault.rule, fault.message))
                faults.found.append(_at_variant(fault, applied, base))
    return sources, idle


def _at_variant(fault: Fault, applied: Combination, base: Source) -> Fault:
    """A fault that only a variant makes is reported there, if not already inside its own text."""
    index = next(number for number, variant in enumerate(base.file.variants) if variant.id == applied[-1])
    place = base.document.place(("variants", index))
    named = " and ".join(repr(name) for name in applied)
    inside = fault.line >= place.line and fault.line < _end(base.document, index)
    message = f"{fault.message} (with variant {named})"
    if inside:
        return replace(fault, message=message)
    at = base.document.place(("variants", index, "id"))
    return replace(fault, line=at.key_line, column=at.key_column, message=message, place=f"variants[{index}]")


def _end(document: Document, index: int) -> int:
    lines = [place.line for path, place in document.places.items() if path[:2] == ("variants", index)]
    return max(lines, default=0) + 1


def _digest(data: Any, scale: Scale | None) -> str:
    content = {"source": data, "scale": str(scale) if scale else None}
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
