"""A connection to PostgreSQL that does not wait for ever.

Where a machine or something on the way to it goes away without a word, nothing ends a wait for its answer: neither the driver nor
PostgreSQL has a limit for that. Each such wait would keep a thread and a connection for hours, and a few of them keep a worker from
its database when that has long come back.
"""

from __future__ import annotations

from collections.abc import Generator
from time import monotonic
from typing import Any, Final, TypeVar

from psycopg import Connection, OperationalError

_Result = TypeVar("_Result")

KERNEL: Final = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 25_000}
"""A peer that is gone from the network is noticed by the kernel after 25 seconds."""


def patient(seconds: float) -> type[Connection[Any]]:
    """A kind of connection that is lost when an answer takes longer than this; whoever waits gets an `OperationalError`."""

    class Patient(Connection[Any]):
        def wait(self, gen: Generator[Any, Any, _Result], *args: Any, **more: Any) -> _Result:
            """As the driver waits, which looks up ten times a second even where nothing has come."""
            return super().wait(self._bounded(gen), *args, **more)

        def _bounded(self, gen: Generator[Any, Any, _Result]) -> Generator[Any, Any, _Result]:
            until = monotonic() + seconds
            try:
                wanted = next(gen)
                while True:
                    ready = yield wanted
                    if not ready and monotonic() > until:
                        self.pgconn.finish()  # closed, so that nobody is given it again
                        raise OperationalError(f"no answer within {seconds:.0f} s")
                    wanted = gen.send(ready)
            except StopIteration as end:
                result: _Result = end.value
                return result

    return Patient
