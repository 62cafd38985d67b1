"""An installation without channels: what is kept counts as sent. For the demo, tests and a first look; nobody is written to."""

from __future__ import annotations

from collections.abc import Sequence

from integrations.letters import Channel, Letter, Reader
from onboarding.engine.effects import Notice


class KeptChannel:
    """Takes everything and sends nothing: whoever wants to read it asks for `outbox`."""

    name = "outbox"
    sort = "outbox"

    async def send(self, letter: Letter) -> None:
        """The row is the letter."""

    async def close(self) -> None:
        """There is nothing to give back."""


class Anybody:
    """A directory that knows everybody by nothing but their handle."""

    def reader(self, run: str, handle: str) -> Reader | None:
        """That handle."""
        return Reader(handle=handle)


class PlainText:
    """A renderer without templates: the words of the notice, line by line."""

    def letter(self, notice: Notice, reader: Reader) -> Letter:
        """The notice as it is."""
        return Letter(
            key=notice.key, reader=reader, kind=str(notice.kind), run=notice.run, item=notice.item, subject=notice.subject,
            text="\n".join(notice.lines),
        )  # fmt: skip


class OneRoute:
    """Everything by the same channels, in their order."""

    def __init__(self, *channels: Channel) -> None:
        """Which ones."""
        self._channels = channels

    def channels(self, notice: Notice, reader: Reader) -> Sequence[Channel]:
        """All of them."""
        return self._channels
