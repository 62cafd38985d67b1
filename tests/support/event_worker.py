"""A process that sends events until it is killed: `python -m tests.support.event_worker DATABASE PORT`, with FAULT armed where it is set."""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import timedelta

from pydantic import SecretStr

from integrations import event_out
from integrations.channels.posting import Place
from runtime.fault_injection import VARIABLE, arm
from storage.engine import open_database
from storage.events import SqlEvents
from tests.support.receiver import SECRET, loopback


async def main(url: str, port: str) -> None:
    """Sends to the receiver of a test. What a dead one has claimed is free after a second here."""
    event_out.LEASE = timedelta(seconds=1)  # type: ignore[misc]
    if os.environ.get(VARIABLE):
        arm(os.environ[VARIABLE], environment="test")
    place = Place(url=SecretStr(f"http://localhost:{port}/crm"), allow=(f"localhost:{port}",), plain=True)
    webhook = event_out.EventReceiver(name="crm", place=place, secrets=(SecretStr(SECRET),))
    events = SqlEvents(open_database(url))
    await event_out.EventSender(events, [webhook], loopback(), by=str(os.getpid()), installation="test").run()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
