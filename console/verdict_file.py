"""The file in which `ingest` keeps the verdict of each line: what is final there is not sent again.

One JSON object a line, in the order in which verdicts came; of several for one line the last counts. What a killed process has
written in half is cut off.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import stat
from array import array
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from console.leaving import BY_OUTCOME, Misused

MOST_LINES = 50_000_000
"""Lines that are counted, eight bytes each; what stands behind them is sent again, and answered as a duplicate."""
_LONGEST = 1_048_576
"""Bytes of one verdict: fifty faults with long sentences take a good hundred thousand."""
_NO_LINE = 2**32
"""No file has so many lines: whoever says so is none of ours."""
_TAKEN = 2
"""The bit of a line that its run has taken."""
_BEGINS = b'{"line":'


def code_of(outcome: Any) -> int:
    """The exit code of a verdict; 70 for a word that is none."""
    return BY_OUTCOME.get(str(outcome), 70)


def final(verdict: Mapping[str, Any]) -> bool:
    """Whether saying it again would bring no other verdict."""
    return verdict.get("outcome") != "retry_later"


class VerdictFile:
    """Verdicts that were written before, and a place for more. Held by one process at a time."""

    def __init__(self, path: Path) -> None:
        """Opens or begins it. Raises `Misused` for a file that is none of ours, or that another process is writing."""
        self.path = path
        self.worst = 0
        self._final = array("Q")
        # Not waited for, if it is a pipe.
        number = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NONBLOCK, 0o600)
        self._file = open(number, "r+b", buffering=0)  # noqa: SIM115 - as long as this object
        try:
            self._hold()
            self._file.truncate(self._load())
            self._file.seek(0, os.SEEK_END)
        except BaseException:
            self._file.close()
            raise

    def _hold(self) -> None:
        if not stat.S_ISREG(os.fstat(self._file.fileno()).st_mode):
            raise Misused(f"--verdicts takes a file, and {str(self.path)!r} is none.")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Misused(
                f"Another process is writing {str(self.path)!r}: wait for it, or name another file."
            ) from None

    def _load(self) -> int:
        """Reads what is there; the length of what is whole."""
        whole, number = 0, 0
        with open(self.path, "rb") as lines:
            while line := lines.readline(_LONGEST):
                number += 1
                if not line.endswith(b"\n") and len(line) < _LONGEST and line.startswith(_BEGINS[: len(line)]):
                    break
                self._remember(line, number)
                whole += len(line)
        return whole

    def _remember(self, line: bytes, number: int) -> None:
        try:
            told = json.loads(line)
            at, message_id, outcome = told["line"], told["message_id"], told["outcome"]
            if not (isinstance(at, int) and 0 < at < _NO_LINE):
                raise ValueError
        except (ValueError, KeyError, TypeError, RecursionError):
            raise Misused(
                f"{str(self.path)!r} is no file of verdicts (line {number}): name another one, and nothing is overwritten."
            ) from None
        if final(told):
            if at <= MOST_LINES:
                self._mark(at, message_id, taken=code_of(outcome) == 0)
            self.worst = max(self.worst, code_of(outcome))

    def _mark(self, line: int, message_id: str | None, *, taken: bool) -> None:
        if line >= len(self._final):
            self._final.frombytes(bytes(8 * (line + 1_024 - len(self._final))))
        self._final[line] = _digest(message_id) | (_TAKEN if taken else 0)

    def has(self, line: int, message_id: str | None) -> bool:
        """Whether this line, with this message, has its last word."""
        return line < len(self._final) and self._final[line] & ~_TAKEN == _digest(message_id)

    def took_another(self, line: int, message_id: str) -> bool:
        """Whether another message stood in this line, and its run has taken that."""
        return line < len(self._final) and bool(self._final[line] & _TAKEN) and not self.has(line, message_id)

    def write(self, verdict: Mapping[str, Any]) -> None:
        """Adds one; it stands there when this returns, also if the process is killed then."""
        text = json.dumps(verdict, ensure_ascii=False, separators=(",", ":")) + "\n"
        content = text.encode("utf-8", "backslashreplace")
        if self._file.write(content) < len(content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))

    def close(self) -> None:
        """Lets another process have it."""
        self._file.close()


def _digest(message_id: str | None) -> int:
    """A number that is never 0, which stands for nothing, and in which the bit of what was taken is free."""
    content = hashlib.sha256((message_id or "").encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(content[:8], "big") & ~_TAKEN | 1
