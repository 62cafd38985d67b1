"""A process that writes turns of one run until it is killed: `python -m tests.support.writer URL RUN [TURNS]`."""

from __future__ import annotations

import sys

from storage.engine import open_database
from storage.records import SqlRecordStore
from tests.support.records import a_turn


def main(url: str, run: str, turns: int) -> None:
    """Writes turn after turn and says the number of each that is committed."""
    store = SqlRecordStore(open_database(url))
    for n in range(1, turns + 1):
        store.write(a_turn(n, run))
        print(n, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 1_000_000)
