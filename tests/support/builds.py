"""The release after this one, made of this one: a copy of the program with new rules that change what runs command.

It is what an upgrade really meets: two programs on disk, each a process of its own. Made up is only what has changed.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from onboarding.engine import rules
from tests.support.shell import ROOT

_PARTS = ("onboarding", "workflows", "activities", "storage", "integrations", "metrics", "runtime", "console")
_DOORS = ("worker.py", "starter.py", "definitions")

_CHANGES = {
    # The number of its rules, as its authors would add it.
    "onboarding/engine/rules.py": (
        f"NEWEST = {rules.NEWEST}",
        f"TELLS_ITS_BUILD = {rules.NEWEST + 1}\nNEWEST = TELLS_ITS_BUILD",
    ),
    # Another order of commands, and one more for each message: without its number no older run would replay.
    "workflows/behaviour.py": (
        "    def _hear(self, decision: Decision) -> None:\n        self._heard += 1\n",
        (
            "    def _hear(self, decision: Decision) -> None:\n        self._heard += 1\n"
            "        if self._order.rules_version >= rules.TELLS_ITS_BUILD:\n"
            '            workflow.upsert_memo({"build": "next"})\n'
        ),
    ),
}
_UNGUARDED = "        if self._order.rules_version >= rules.TELLS_ITS_BUILD:\n            workflow", "        workflow"


def next_build(folder: Path, *, guarded: bool = True) -> Path:
    """Writes the next release into `folder`; not `guarded` it forgets to ask for the rules of a run, as one should not."""
    folder.mkdir(parents=True)
    for part in (*_PARTS, *_DOORS):
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / part)
    for name, (old, new) in _CHANGES.items():
        path = folder / name
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{name} has changed: say here anew what the next release changes in it"
        text = text.replace(old, new)
        path.write_text(text if guarded else text.replace(*_UNGUARDED), encoding="utf-8")
    return folder
