"""Calls of `starter.py` as processes of their own, the way people and scripts make them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.shell import ROOT

ENOUGH = 60
"""Seconds after which a call hangs."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a call left behind."""

    code: int
    out: str
    err: str
    seconds: float

    @property
    def data(self) -> Any:
        """The answer on stdout, which holds nothing else."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[str]:
        """The lines on stdout."""
        return self.out.splitlines()


@contextmanager
def begun(command: Sequence[str], door: Door, **more: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process with open pipes, to be talked to; over and its pipes closed afterwards, also where a test fails in the middle.

    Whatever a pipe still holds is left: what it says is to be read before. `more` is laid over the environment.
    """
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=door.folder, env={**door.environment, **more}
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        for pipe in (process.stdin, process.stdout, process.stderr):
            assert pipe is not None
            with suppress(BrokenPipeError):  # what was never read by it
                pipe.close()
        process.wait()


class Door:
    """`starter.py` with settings of its own; every call must end without a traceback."""

    def __init__(self, folder: Path, **environment: str) -> None:
        """`folder` holds the database, and is where commands are typed."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("ONBOARDING_", "TEMPORAL_"))}
        self.folder = folder
        self.environment = {
            **clean,
            "ONBOARDING_DATABASE_URL": f"sqlite:///{folder / 'rows.sqlite'}",
            "ONBOARDING_KEYS": str(folder / "keys.json"),
            "TEMPORAL_ADDRESS": "127.0.0.1:1",
            **environment,
        }

    def __call__(self, *arguments: str | Path, **more: str) -> Answer:
        """One call. `more` is laid over the environment."""
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, str(ROOT / "starter.py"), *map(str, arguments)],
            stdin=subprocess.DEVNULL, capture_output=True, cwd=self.folder, env={**self.environment, **more}, timeout=ENOUGH, check=False,
        )  # fmt: skip
        answer = Answer(
            code=done.returncode, out=done.stdout.decode(), err=done.stderr.decode(), seconds=time.monotonic() - began
        )
        assert "Traceback" not in answer.out + answer.err, answer.err
        assert answer.code != 70, answer.err
        return answer
