"""A worker that dies between rows and history: `python -m tests.support.dying ADDRESS DATABASE TASK_QUEUE WRITES`.

It kills itself, as -9 would, when the database has committed that many batches and the server knows nothing of the last one;
0 means never. Its first line says that it polls.
"""

from __future__ import annotations

import asyncio
import os
import sys

from onboarding.engine.effects import WriteRecords
from runtime.connection import connect
from storage.engine import open_database
from storage.notices import SqlNoticeStore
from storage.records import SqlRecordStore
from tests.support.prompt import Prompt
from tests.support.shell import Edge, a_worker


class Dying(SqlRecordStore):
    """Counts what it commits."""

    left = 0

    def write(self, records: WriteRecords) -> str:
        """As a store, the last time."""
        answer = super().write(records)
        if answer == records.id:
            self.left -= 1
            if self.left == 0:
                os._exit(9)
        return answer


async def main(address: str, url: str, task_queue: str, writes: int) -> None:
    """Works until it dies or is killed."""
    database = open_database(url)
    store = Dying(database)
    store.left = writes
    client = await connect(address=address, namespace="default")
    async with a_worker(client, Edge(records=store, notifier=Prompt(SqlNoticeStore(database))), task_queue):
        print("up", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])))
