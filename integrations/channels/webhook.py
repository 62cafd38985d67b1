"""A letter as JSON to a system of the installation: a gateway for text messages, a ticket system, a chat that nobody else knows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from pydantic import SecretStr

from integrations.channels.plain_words import lines_of, one_line
from integrations.channels.posting import Place, packed, post_json, reach
from integrations.egress import Egress
from integrations.letters import Letter
from integrations.signing import signed_headers

VERSION = 1
"""Of the form of the letter; a field may be added without a new one."""
_MOST_SUBJECT = 500


class WebhookChannel:
    """Fulfils `Channel`. The key of the letter is `webhook-id` and `Idempotency-Key`, so a receiver knows a repetition."""

    def __init__(
        self,
        name: str,
        egress: Egress,
        place: Place,
        *,
        secret: SecretStr | None = None,
        address: str = "",
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`address`: which of a reader's addresses is sent along as `to`; without one the receiver knows who a handle is."""
        self.name = name
        self.sort = address
        self._egress, self._place, self._secret, self._clock = egress, place, secret, clock

    async def send(self, letter: Letter) -> None:
        """Posts one letter, signed in the form of Standard Webhooks where there is a secret."""
        body = packed(form_of(letter, self.sort))
        headers = signed_headers(self._secret, letter.key, self._clock(), body) if self._secret else {}
        await post_json(self._egress, self._place, letter, body, headers)

    async def hello(self) -> None:
        """Connects and posts nothing."""
        await reach(self._egress, self._place)

    async def close(self) -> None:
        """Holds nothing."""


def form_of(letter: Letter, sort: str) -> dict[str, Any]:
    """What the receiver reads; described in docs/channels.md."""
    reader = letter.reader
    return {
        "version": VERSION,
        "key": letter.key,
        "kind": letter.kind,
        "run": letter.run,
        "item": letter.item,
        "to": reader.addresses.get(sort, "") if sort else None,
        "reader": {
            "handle": reader.handle,
            "name": one_line(reader.name, 200),
            "side": reader.side,
            "roles": list(reader.roles),
            "zone": reader.zone,
        },
        "language": letter.language,
        "subject": one_line(letter.subject, _MOST_SUBJECT),
        "text": lines_of(letter.text),
        "html": lines_of(letter.html) if letter.html is not None else None,
    }
