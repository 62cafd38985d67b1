"""Figures of a loop: what a process takes, read from the kernel, and how long things took."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_KIB = 1_024


def memory_of(pid: int) -> int:
    """Bytes of memory that are its own or shared, now."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * _KIB
    raise ProcessLookupError(pid)


def files_of(pid: int) -> int:
    """How many files, sockets and pipes it has open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


@dataclass
class Watch:
    """Looks at a process again and again."""

    pid: int
    pause: float
    memory: list[int] = field(default_factory=list)
    files: list[int] = field(default_factory=list)

    async def look(self) -> None:
        """Until it is cancelled."""
        while True:
            self.memory.append(memory_of(self.pid))
            self.files.append(files_of(self.pid))
            await asyncio.sleep(self.pause)

    @property
    def growth(self) -> float:
        """By which share the memory of the last quarter is above that of the second: the first is for warming up."""
        second, last = _quarters(self.memory)
        return statistics.median(last) / statistics.median(second) - 1

    @property
    def more_files(self) -> float:
        """How many more files were open in the last quarter than in the second."""
        second, last = _quarters(self.files)
        return statistics.median(last) - statistics.median(second)


def _quarters(values: Sequence[int]) -> tuple[Sequence[int], Sequence[int]]:
    quarter = len(values) // 4
    assert quarter, "too few looks to tell"
    return values[quarter : 2 * quarter], values[-quarter:]


def spread_of(seconds: Iterable[float]) -> str:
    """The 50th, 95th and 99th percentile and the longest, in milliseconds."""
    ordered = sorted(seconds)
    places = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "longest": 1.0}
    return ", ".join(
        f"{name} {1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]:.0f} ms"
        for name, share in places.items()
    )
