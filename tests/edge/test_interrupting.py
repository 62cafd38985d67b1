"""Ctrl-C reaches a command that waits, whichever thread the signal was given to, and one that has not begun."""

from __future__ import annotations

import asyncio
import inspect
import signal
import socket
import sys
import threading
from pathlib import Path

import pytest

from console import ground
from console.interrupting import woken_by_signals
from tests.support.calls import Door, begun
from tests.support.shell import ROOT

WAITS = """
import asyncio, signal, sys, threading
sys.path.insert(0, sys.argv[1])
from console import ground
from console.leaving import guarded, leave

async def silent():
    print("waits", flush=True)
    await asyncio.Event().wait()

threading.Thread(target=threading.Event().wait, daemon=True).start()
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
leave(guarded(lambda: ground.run(silent())))
"""
"""A command that waits for what does not come, in a process whose signals another thread takes: its loop sleeps on, as it does where a
signal comes between its last step and its sleep."""


def test_a_command_that_waits_hears_ctrl_c_that_another_thread_took(tmp_path: Path) -> None:
    """Nothing else happens that would wake it."""
    door = Door(tmp_path)
    with begun([sys.executable, "-c", WAITS, str(ROOT)], door) as waiting:
        assert waiting.stdout is not None
        assert waiting.stdout.readline() == b"waits\n"
        waiting.send_signal(signal.SIGINT)
        assert waiting.wait(10) == 130
        assert waiting.communicate()[1] == b""


def test_what_was_interrupted_before_it_began_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal is told of no coroutine that was never awaited."""

    def interrupted(*_: str) -> None:
        raise KeyboardInterrupt

    async def work() -> None:
        """Never begins."""

    monkeypatch.setattr("runtime.logs.set_up_logs", interrupted)
    asked = work()

    with pytest.raises(KeyboardInterrupt):
        ground.run(asked)

    assert inspect.getcoroutinestate(asked) == inspect.CORO_CLOSED


def test_the_loop_gives_back_what_it_took() -> None:
    """Whoever was woken by signals before is again; in another thread, where no signal is handled, nothing is done."""
    loop = asyncio.new_event_loop()
    one, other = socket.socketpair()
    with one, other:
        other.setblocking(False)
        signal.set_wakeup_fd(other.fileno())
        with woken_by_signals(loop):
            pass
        elsewhere = threading.Thread(target=lambda: woken_by_signals(loop).__enter__())
        elsewhere.start()
        elsewhere.join()
        assert signal.set_wakeup_fd(-1) == other.fileno()
    loop.close()
