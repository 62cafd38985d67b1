"""The outside world of a fault loop: every notice that leaves and every hook that is called becomes a line of a file, by its key.

A line is on its way to the disk before the worker goes on, so a worker that is killed right after it has still done it.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

VARIABLE = "FAULTS_SINK"
"""Names the file to a worker."""


def heard(kind: str, key: str) -> None:
    """Called inside a worker: this key has reached the world now."""
    # A worker whose files may not grow leaves half a line: nobody has heard that, and the next one begins on its own.
    line = ("\n" + json.dumps({"kind": kind, "key": key, "pid": os.getpid()})).encode()
    file = os.open(os.environ[VARIABLE], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        if os.write(file, line) < len(line):
            raise OSError("the world has no room for a whole line")
    finally:
        os.close(file)


def hook(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """A hook that does nothing else."""
    heard("hook", str(arguments["key"]))
    return {"ok": True}


def read_sink(file: Path) -> dict[str, Counter[str]]:
    """How often each key was heard, by kind."""
    found: dict[str, Counter[str]] = {"notice": Counter(), "hook": Counter()}
    for told in _lines(file):
        found[told["kind"]][told["key"]] += 1
    return found


def brought(file: Path) -> dict[str, list[int]]:
    """The processes that have brought each letter, in their order."""
    found: dict[str, list[int]] = {}
    for told in _lines(file):
        if told["kind"] == "notice":
            found.setdefault(told["key"], []).append(told["pid"])
    return found


def _lines(file: Path) -> Iterator[dict[str, Any]]:
    for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else ():
        if line.endswith("}"):
            yield json.loads(line)
