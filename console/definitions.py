"""`check`, `schema`, `picture`: what can be said of a definition without running it."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from console import ground, letters_here, printing
from console.leaving import INVALID, OK, Misused
from console.printing import Output, hint

app = typer.Typer()


class PictureForm(StrEnum):
    """How a picture is drawn."""

    MERMAID = "mermaid"
    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    SVG = "svg"


@app.command()
def check(
    files: Annotated[list[str], typer.Argument(metavar="FILE…", help="Definition files, or ids of definitions/.")],
    strict: Annotated[bool, typer.Option("--strict", help="Warnings count as errors.")] = False,
    portable: Annotated[
        bool, typer.Option("--portable", help="Leave out names of templates, activities and groups.")
    ] = False,
    output: Output = None,
) -> int:
    """Validate definitions: every fault with file:line:column, rule and sentence. Exit 65 if any has an error."""
    from onboarding.language.installation import PORTABLE

    ground.settings()
    known = PORTABLE if portable else ground.installation()
    checked = [_checked(name, known, strict=strict) for name in files]
    checked += [] if portable else _templates([Path(file["file"]).stem for file in checked])
    printing.show({"files": checked}, lambda _: "\n".join(_lines(checked)), rows="files")
    faults = [fault for file in checked for fault in file["faults"]]
    errors = sum(fault["severity"] == "error" for fault in faults)
    warnings = len(faults) - errors
    hint(f"{len(checked)} checked: {errors} errors, {warnings} warnings.")
    return OK if all(file["ok"] for file in checked) else INVALID


def _checked(name: str, known: Any, *, strict: bool) -> dict[str, Any]:
    from onboarding.errors import DefinitionInvalid
    from runtime import library

    try:
        path = library.find(name, folder=ground.settings().definitions)
        faults = library.check_file(path, installation=known)
    except DefinitionInvalid as invalid:
        path, faults = Path(name), list(invalid.faults)
    rows = [
        {"line": one.line, "column": one.column, "rule": one.rule, "severity": one.severity, "message": one.message, "place": one.place}
        for one in faults
    ]  # fmt: skip
    ok = not any(strict or one.severity == "error" for one in faults)
    return {"file": str(path), "ok": ok, "faults": rows}


def _templates(definitions: list[str]) -> list[dict[str, Any]]:
    """The installation's templates that cannot be used and that one of these definitions may need, as files with faults."""
    files: dict[str, list[dict[str, Any]]] = {}
    found = dict.fromkeys(one for name in definitions for one in letters_here.broken_templates(ground.settings(), name))
    for one in found:
        row = {
            "line": one.fault.line,
            "column": 1,
            "rule": one.fault.code,
            "severity": "error",
            "message": one.fault.sentence,
            "place": "",
        }
        files.setdefault(str(one.path), []).append(row)
    return [{"file": path, "ok": False, "faults": rows} for path, rows in files.items()]


def _lines(checked: list[dict[str, Any]]) -> list[str]:
    """As compilers write faults, so that editors can jump to them."""
    lines = []
    for file in checked:
        if not file["faults"]:
            lines.append(f"{file['file']}: ok")
        for one in file["faults"]:
            lines.append(
                f"{file['file']}:{one['line']}:{one['column']}: {one['severity']}: {one['message']} [{one['rule']}]"
            )
    return lines


@app.command()
def schema(output: Output = None) -> int:
    """Print the JSON Schema of the language, for editors."""
    from onboarding.language.keywords import json_schema

    ground.settings()
    found = json_schema()
    printing.show(found, lambda _: json.dumps(found, indent=2, ensure_ascii=False))
    return OK


@app.command()
def picture(
    definition: Annotated[str, typer.Argument(metavar="DEF", help="A path, or the id of a file in definitions/.")],
    output: Annotated[
        PictureForm, typer.Option("-o", "--output", help="Mermaid text; svg wants an extra.")
    ] = PictureForm.MERMAID,
) -> int:
    """Print the stage graph of a definition as Mermaid text."""
    from onboarding.reading.picture import definition_picture
    from runtime import library

    if output is PictureForm.SVG:
        raise Misused("No extra that draws SVG is installed: paste the Mermaid text into an editor that shows it.")
    compiled = library.load(definition, folder=ground.settings().definitions, portable=True)
    drawn = definition_picture(compiled.definitions[()])
    if output in (PictureForm.JSON, PictureForm.JSONL):
        print(json.dumps({"definition": compiled.id, "mermaid": drawn}, ensure_ascii=False))
    else:
        print(drawn, end="")
    return OK
