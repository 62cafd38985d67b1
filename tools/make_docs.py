"""Writes the generated parts of the documentation, or with --check says whether they are up to date.

    python tools/make_docs.py            write them
    python tools/make_docs.py --check    exit 1 on a difference

Generated are the keyword list in definitions/README.md and docs/machine.md.
"""

import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
README = Path("definitions/README.md")
MACHINE = Path("docs/machine.md")
BEGIN, END = "<!-- keywords:begin -->", "<!-- keywords:end -->"


def keyword_table() -> str:
    """Every keyword of the language as Markdown tables, one for each level of a file."""
    levels: dict[str, list[str]] = {}
    for keyword in import_module("onboarding.language.keywords").keywords():
        cells = (f"`{keyword.name}`", keyword.type, keyword.default, keyword.description)
        levels.setdefault(keyword.level, []).append(f"| {' | '.join(map(_cell, cells))} |")
    return "\n\n".join(
        "\n".join([f"| {level} | takes | default | meaning |", "|---|---|---|---|", *rows])
        for level, rows in levels.items()
    )


def readme() -> str:
    """definitions/README.md with the keyword list of today."""
    text = (ROOT / README).read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{README}: expected the markers {BEGIN} and {END}, one after the other.")
    return f"{before}{BEGIN}\n\n{keyword_table()}\n\n{END}{after}"


def machine_page() -> str:
    """docs/machine.md, drawn from the machine itself."""
    return str(import_module("onboarding.reading.picture").machine_page()).rstrip("\n") + "\n"


PAGES: dict[Path, Callable[[], str]] = {README: readme, MACHINE: machine_page}


def main(check: bool) -> int:
    """Writes every page, or only compares; the exit code is 1 when `check` found a difference."""
    different = []
    for path, make in PAGES.items():
        wanted, target = make(), ROOT / path
        if target.is_file() and target.read_text(encoding="utf-8") == wanted:
            continue
        different.append(path)
        if not check:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(wanted, encoding="utf-8")
    for path in different:
        print(f"{path}: {'not up to date: run python tools/make_docs.py' if check else 'written'}")
    return 1 if check and different else 0


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main(check="--check" in sys.argv[1:]))
