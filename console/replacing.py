"""Files that are there whole or not at all: written beside their place and put there when they are done."""

from __future__ import annotations

import contextlib
import glob
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from console.leaving import Misused


@contextlib.contextmanager
def beside(path: Path, named: str = "--file") -> Iterator[Path]:
    """A place next to `path` to write to, which takes its name when the block ends and is gone when it raises.

    Raises `Misused` for what is no ordinary file: a device would be replaced by one. `named` is how the command calls the path.
    """
    path = path.resolve()
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISREG(path.stat().st_mode):
            raise Misused(f"{named} takes the name of an ordinary file, and {str(path)!r} is none.")
    part = place_for(path)
    try:
        yield part
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def place_for(path: Path) -> Path:
    """Where this process writes what will be called `path`. What one that was killed has left there is taken away."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.part*"):
        number = left.name.removeprefix(f".{path.name}.").partition(".")[0]
        if number.isdigit() and not _lives(int(number)):
            left.unlink(missing_ok=True)
    return path.with_name(f".{path.name}.{os.getpid()}.part")


def _lives(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        pass
    return number != os.getpid()
