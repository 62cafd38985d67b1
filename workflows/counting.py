"""Local activities counted apart from all others, see docs/decisions/0012-replay-and-upgrade.md."""

from collections.abc import Iterator
from contextlib import contextmanager

from temporalio import workflow

APART = 1_000_000
"""Where their numbers begin: an execution ends long before it has as many activities."""
_KIND = "activity"


@contextmanager
def counted_apart(number: int) -> Iterator[None]:
    """The local activity that is started inside has this number among its own, and takes none of the others away.

    The SDK counts both sorts together and offers no other way than its own counter. `tests/shell/test_counting.py` looks at the numbers
    that it gives: another release of the SDK that counts otherwise fails there. A retry that the SDK leaves to a timer would take a number of
    the common counter; rows that are written at once never wait that long.
    """
    counters = workflow._Runtime.current()._curr_seqs  # type: ignore[attr-defined]
    before = counters.get(_KIND, 0)
    counters[_KIND] = APART + number - 1
    try:
        yield
    finally:
        counters[_KIND] = before
