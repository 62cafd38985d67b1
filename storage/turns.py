"""One writer of a process at a time, for a database that has room for one.

SQLite has a single write lock, and whoever finds it taken sleeps and looks again, ever longer: fifty threads that ask for it at once mostly
sleep, and who came last may be first. Within one process they queue here instead, before they take a connection.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager


class Turns:
    """Lets one through after another, in the order in which they came."""

    def __init__(self) -> None:
        """Nobody is inside."""
        self._lock = threading.Lock()
        self._inside = False
        self._queue: deque[threading.Event] = deque()

    @contextmanager
    def one(self, seconds: float) -> Iterator[bool]:
        """The block is this caller's alone; `False` where it was not their turn within so many seconds, and then it is not."""
        mine = self._wait(seconds)
        try:
            yield mine
        finally:
            if mine:
                self._leave()

    def _wait(self, seconds: float) -> bool:
        with self._lock:
            if not self._inside:
                self._inside = True
                return True
            called = threading.Event()
            self._queue.append(called)
        try:
            if called.wait(seconds):
                return True
        except BaseException:  # a thread of an activity can be told to stop wherever it is
            if self._is_called(called):
                self._leave()
            raise
        return self._is_called(called)

    def _is_called(self, called: threading.Event) -> bool:
        """Whether it was called in the very last moment. If not, it is in the queue no more."""
        with self._lock:
            if not called.is_set():
                self._queue.remove(called)
            return called.is_set()

    def _leave(self) -> None:
        with self._lock:
            if self._queue:
                self._queue.popleft().set()  # still taken: it is handed on
            else:
                self._inside = False
