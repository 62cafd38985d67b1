"""Microsoft Teams, by the webhook of a workflow that posts cards into a channel.

Text stands in runs of rich text, in which Teams reads no Markdown; so nothing of a letter becomes a link, a picture or a mention.
"""

from __future__ import annotations

from typing import Any, Final

from integrations.channels.plain_words import cut_bytes, lines_of, one_line
from integrations.channels.posting import Place, packed, post_json, reach
from integrations.egress import Egress
from integrations.letters import Letter

HOSTS: Final = ("*.logic.azure.com", "*.api.powerplatform.com")
"""Where workflows are asked, unless an installation says otherwise."""
MOST_TITLE: Final = 200
MOST_BYTES: Final = 18_000
"""Of the text: a message has at most 28 KB, and what is not ASCII grows on its way."""
MOST_LINES: Final = 200


class TeamsChannel:
    """Fulfils `Channel`. A room that its members share, so it needs no address of a reader."""

    sort = ""

    def __init__(self, name: str, egress: Egress, place: Place) -> None:
        """`place` is the webhook of the workflow."""
        self.name = name
        self._egress, self._place = egress, place

    async def send(self, letter: Letter) -> None:
        """Posts one card. Teams knows no identity of a message, so a repetition after a lost answer is seen twice."""
        await post_json(self._egress, self._place, letter, packed(_message(letter)), {})

    async def hello(self) -> None:
        """Connects and posts nothing."""
        await reach(self._egress, self._place)

    async def close(self) -> None:
        """Holds nothing."""


def _message(letter: Letter) -> dict[str, Any]:
    title = one_line(f"{letter.reader.name or letter.reader.handle}: {letter.subject}", MOST_TITLE)
    lines = _fitting(lines_of(letter.text).strip()).splitlines()[:MOST_LINES]
    card = {
        "type": "AdaptiveCard",
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "body": [_run(title, weight="Bolder", size="Medium"), *(_run(line) for line in lines if line.strip())],
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def _fitting(text: str) -> str:
    """So much of the text that it fits as JSON, in which a character may take six bytes for each of its own two."""
    share = MOST_BYTES
    while len(packed(cut_bytes(text, share))) > MOST_BYTES:
        share = share * 2 // 3
    return cut_bytes(text, share)


def _run(text: str, **looks: str) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": text, **looks}]}
