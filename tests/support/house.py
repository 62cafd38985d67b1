"""One store with everything that brings notices and rows to it, as a worker has it."""

from __future__ import annotations

from typing import Any

from temporalio.testing import ActivityEnvironment

from activities.notices import NoticeActivities
from activities.records import RecordActivities
from integrations.kept import Anybody, KeptChannel, OneRoute, PlainText
from integrations.letters import Channel
from integrations.sending import Sender
from tests.support.prompt import Prompt


class House:
    """A store, the notifier on it, the activities on both, and the outbox to look at."""

    def __init__(self, store: Any, notices: Any, reads: Any) -> None:
        self.store, self.held, self.reads = store, notices, reads
        self.notifier = Prompt(notices)
        self.records = RecordActivities(store, self.notifier)
        self.notices = NoticeActivities(self.notifier)
        self.environment = ActivityEnvironment()

    def sender(self, *channels: Channel, **options: Any) -> Sender:
        """One that brings everything by these channels, or by the one that keeps."""
        routes = OneRoute(*(channels or (KeptChannel(),)))
        return Sender(self.held, options.pop("directory", Anybody()), PlainText(), routes, **options)

    async def send(self) -> int:
        """Lets go what may leave now; how many that were."""
        sender = self.sender()
        count = await sender.look()
        assert await sender.drain(10)
        await sender.close()
        return count

    def run(self, function: Any, *arguments: Any) -> Any:
        """Calls an activity as a worker does."""
        return self.environment.run(function, *arguments)

    def states(self) -> dict[str, str]:
        """Key and state of everything in the outbox."""
        return {line["key"]: line["state"] for line in self.reads.outbox()["rows"]}
