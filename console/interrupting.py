"""Ctrl-C while a loop waits: heard at once, whatever the machine was doing in that moment.

A signal is only noted when it comes, and acted on by the main thread between two of its steps. Where it comes after the last step
before the loop goes to sleep, or is given to another thread, nothing wakes the loop, and `asyncio.run` alone has nothing that would:
a command that waits for a line of stdin then waits for ever.
"""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
from asyncio import AbstractEventLoop
from collections.abc import Iterator

_ENOUGH = 4_096


@contextlib.contextmanager
def woken_by_signals(loop: AbstractEventLoop) -> Iterator[None]:
    """Each signal wakes this loop, so that its handler runs. What the handler does is not touched. Only in the main thread, where
    signals are handled; elsewhere nothing is done.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heard, told = socket.socketpair()
    with heard, told:
        heard.setblocking(False)
        told.setblocking(False)
        loop.add_reader(heard, heard.recv, _ENOUGH)
        before = signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(before)
            loop.remove_reader(heard)
