"""Events to other systems: CloudEvents 1.0 in JSON, signed in the Standard Webhooks form, at least once and in order for each run.

Runs beside a worker; several may do so at once. What is sent is claimed for a while, so that two do not send the same, and what fails is
tried again: after half a minute, then more seldom, at most every two minutes or so. A run whose event a receiver refuses for good
is parked there until a person says otherwise; it holds back no other run and no other receiver. A receiver that answers nobody is
asked with one run at a time.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import logging
import random
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol
from urllib.parse import quote

from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from standardwebhooks.webhooks import Webhook as Signer

from integrations.egress import Answered
from integrations.letters import NotTaken, Postponed
from onboarding.crash_points import reached
from onboarding.emitted import schema_id
from onboarding.ports import Claimed, EventQueue, OutgoingEvent

LOOK: Final = 0.5
"""Seconds between two looks for what is to be sent."""
LEASE: Final = timedelta(minutes=1)
"""How long a claim holds: longer than one request may take, and renewed by each event that has arrived."""
FIRST: Final = 30.0
"""Seconds until the second attempt; each further pause is twice as long."""
LONGEST: Final = 120.0
"""Of these pauses, but for chance and for what the receiver asks for: below thirty attempts in an hour."""
CHANCE: Final = (1.1, 1.3)
"""By how much a pause is longer, so that runs that failed together do not come back together."""
PATIENCE: Final = 3_600.0
"""The longest pause that a receiver may ask for."""
RUNS_AT_ONCE: Final = 8
"""Of one webhook."""
EVENTS_AT_ONCE: Final = 50
"""Read from the rows of one run together."""
TROUBLE: Final = 3
"""After so many runs in a row that got no answer, one is enough to see whether the receiver is there again."""

TRIED_AGAIN: Final = frozenset((401, 403, 404, 408, 425, 429))
"""Answers that say something about the receiver or about us, and nothing about the event; those from 500 on are tried again, too."""
GONE: Final = 410

_FORM = JSONFormat()
_log = logging.getLogger("events")


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """A receiver of events, as the installation names it. `secrets`: the first one, and while it is changed the old one as well."""

    name: str
    url: str = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)
    allow: tuple[str, ...]
    plain: bool = False
    seconds: float = 10.0


class Requests(Protocol):
    """What makes requests, see `integrations/egress.py`."""

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: dict[str, str],
        content: bytes,
        allow: Collection[str],
        plain: bool,
        seconds: float,
    ) -> Answered:
        """The answer, or `Postponed` or `NotTaken`."""  # fmt: skip


def body_of(event: OutgoingEvent, installation: str) -> bytes:
    """The event as it leaves: the same bytes at every try."""
    told = {
        "run": event.run, "customer": event.customer, "definition": event.definition, "version": event.version,
        "variant": event.variant, **event.data,
    }  # fmt: skip
    attributes = {
        "specversion": "1.0",
        "id": event.id,
        "source": f"/{quote(installation, safe='')}/{quote(event.run)}",
        "type": event.type,
        "subject": event.subject or event.run,
        "time": event.at.astimezone(UTC),
        "datacontenttype": "application/json",
        "dataschema": schema_id(event.type),
        "sequence": f"{event.n:010}",
    }
    return _FORM.write(CloudEvent(attributes, told))


def headers_of(event: OutgoingEvent, body: bytes, secrets: Sequence[str], at: datetime) -> dict[str, str]:
    """The headers of a delivery: `webhook-id` stays the same at every try, the rest is that of this one."""
    signatures = [signer_of(secret).sign(event.id, at, body.decode()) for secret in secrets]
    return {
        "content-type": f"{JSONFormat.CONTENT_TYPE}; charset=utf-8",
        "webhook-id": event.id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def signer_of(secret: str) -> Signer:
    """What signs with a secret of the form `whsec_` and base64, or of any other form by its bytes. Raises `ValueError` for an empty one."""
    if secret.startswith("whsec_"):
        with contextlib.suppress(binascii.Error):
            return Signer(base64.b64decode(secret.removeprefix("whsec_") + "==", validate=False))
    if not secret:
        raise ValueError("a webhook is signed with a secret")
    return Signer(secret.encode())


class EventSender:
    """Brings events to webhooks. `look` does what is to be done now; `run` does so until it is cancelled."""

    def __init__(
        self,
        queue: EventQueue,
        webhooks: Sequence[Webhook],
        egress: Requests,
        *,
        by: str,
        installation: str,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        chance: Callable[[], float] = random.random,
    ) -> None:
        """`by` names this process among all that send; `installation` stands in the source of every event."""
        self._queue = queue
        self._webhooks = tuple(webhooks)
        self._egress = egress
        self._by = by
        self._installation = installation
        self._now = now
        self._chance = chance
        self._trouble: dict[str, int] = {}

    async def run(self) -> None:
        """Each webhook for itself, so that a slow one holds back none."""
        async with asyncio.TaskGroup() as group:
            for webhook in self._webhooks:
                group.create_task(self._serve(webhook))

    async def look(self) -> int:
        """Everything that may leave now; how many events have arrived."""
        return sum(await asyncio.gather(*(self._look_for(webhook) for webhook in self._webhooks)))

    async def _serve(self, webhook: Webhook) -> None:
        while True:
            count = 0
            try:
                count = await self._look_for(webhook)
            except Exception as error:
                _log.warning("events_delayed", extra={"code": getattr(error, "code", type(error).__name__)})
            if not count:
                await asyncio.sleep(LOOK)

    async def _look_for(self, webhook: Webhook) -> int:
        most = 1 if self._trouble.get(webhook.name, 0) >= TROUBLE else RUNS_AT_ONCE
        now = self._now()
        claimed = await asyncio.to_thread(self._queue.claim, webhook.name, self._by, most, now, now + LEASE)
        return sum(await asyncio.gather(*(self._send_run(webhook, one) for one in claimed)))

    async def _send_run(self, webhook: Webhook, claimed: Claimed) -> int:
        """The events of one run, in order, until one does not arrive."""
        events, through = await asyncio.to_thread(self._queue.following, claimed, EVENTS_AT_ONCE)
        count = 0
        for event in events:
            if not await self._send(webhook, claimed, event):
                return count
            count += 1
        if through > (events[-1].n if events else claimed.sent):  # nothing there was for this webhook
            await self._note(claimed, through)
        await asyncio.to_thread(self._queue.give_back, claimed, self._by)
        return count

    async def _send(self, webhook: Webhook, claimed: Claimed, event: OutgoingEvent) -> bool:
        code, after, final = await self._deliver(webhook, event)
        if code == "":
            reached("events.after_send")
            self._trouble.pop(webhook.name, None)
            mine = await self._note(claimed, event.n)
            reached("events.after_mark")
            return mine
        about = {"run_key": event.run, "code": code}
        now = self._now()
        if final:
            await asyncio.to_thread(self._queue.park, claimed, self._by, code, now)
            _log.warning("event_refused", extra=about)
            return False
        self._trouble[webhook.name] = self._trouble.get(webhook.name, 0) + 1
        tries = claimed.tries if event.n == claimed.sent + 1 else 0
        again = now + timedelta(seconds=self._pause(tries, after))
        await asyncio.to_thread(self._queue.put_off, claimed, self._by, code, again, now)
        _log.info("event_delayed", extra=about)
        return False

    async def _note(self, claimed: Claimed, n: int) -> bool:
        now = self._now()
        return await asyncio.to_thread(self._queue.arrived, claimed, self._by, n, now, now + LEASE)

    async def _deliver(self, webhook: Webhook, event: OutgoingEvent) -> tuple[str, float | None, bool]:
        """An empty code for an event that has arrived; else the code, what pause was asked for, and whether that is final."""
        body = body_of(event, self._installation)
        headers = headers_of(event, body, webhook.secrets, self._now())
        try:
            answer = await self._egress.request(
                "POST", webhook.url, headers=headers, content=body, allow=webhook.allow, plain=webhook.plain, seconds=webhook.seconds,
            )  # fmt: skip
        except Postponed as later:
            return later.code, later.after, False
        except NotTaken as no:  # about the webhook as it is configured: it can be mended, and then everything goes on
            return no.code, None, False
        if 200 <= answer.status < 300:
            return "", None, False
        if answer.status == GONE:
            return "gone", None, True
        if answer.status in TRIED_AGAIN or answer.status >= 500:
            return f"status_{answer.status}", _retry_after(answer), False
        return f"status_{answer.status}", None, True

    def _pause(self, tries: int, asked: float | None) -> float:
        low, high = CHANCE
        own = min(FIRST * 2 ** min(tries, 10), LONGEST) * (low + (high - low) * self._chance())
        return max(own, min(asked or 0.0, PATIENCE))


def _retry_after(answer: Answered) -> float | None:
    """Seconds, where the receiver has said so in seconds."""
    said = answer.headers.get("retry-after", "").strip()
    return float(said) if said.isascii() and said.isdigit() and len(said) < 8 else None
