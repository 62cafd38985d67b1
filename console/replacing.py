"""Files that are there whole or not at all: written beside their place and put there when they are done."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from console.leaving import Misused


@contextlib.contextmanager
def beside(path: Path) -> Iterator[Path]:
    """A place next to `path` to write to, which takes its name when the block ends and is gone when it raises.

    Raises `Misused` for what is no ordinary file: a device would be replaced by one.
    """
    path = path.resolve()
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISREG(path.stat().st_mode):
            raise Misused(f"--file takes the name of an ordinary file, and {str(path)!r} is none.")
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield part
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
