"""Reading a file that somebody named: only a regular one, and never more of it than is wanted.

A named pipe would be waited for until somebody writes, a device may never end, and neither can be read a second time.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_KINDS = (
    (stat.S_ISDIR, "a directory"), (stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"), (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)  # fmt: skip


class Unreadable(Exception):
    """The file cannot be read, in half a sentence that says why. Raised before anything is done; say it and name the file."""


def read_at_most(path: Path, size: int) -> bytes:
    """The first bytes of a regular file; one more than is allowed tells a file that is too large."""
    with open_regular(path) as file, _told():
        return file.read(size)


@contextlib.contextmanager
def open_regular(path: Path) -> Iterator[BinaryIO]:
    """A regular file, to be read."""
    with _told():
        # Looked at before it is opened, because opening is what waits; and not waited for if it is another one by then.
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            kind = next((name for fits, name in _KINDS if fits(mode)), "something else")
            raise Unreadable(f"it is {kind}, and only files are read")
        file = open(path, "rb", opener=_without_waiting)  # noqa: SIM115 - closed below
    with file:
        yield file


@contextlib.contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Unreadable(error.strerror or "the system does not say why") from None
    except ValueError:
        raise Unreadable("no file has such a name") from None


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)
