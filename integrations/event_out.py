"""Events to other systems: CloudEvents 1.0 in JSON, signed in the Standard Webhooks form, at least once and in order for each run.

Runs beside a worker; several may do so at once. What is sent is claimed for a while, so that two do not send the same, and what fails is
tried again: after half a minute, then more seldom, at most every two minutes or so. A run whose event a receiver refuses for good
is parked there until a person says otherwise; it holds back no other run and no other receiver. A receiver that answers nobody is
asked with one run at a time.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import quote

from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from pydantic import SecretStr

from integrations.answers import pause_of
from integrations.channels.posting import Place
from integrations.egress import Egress
from integrations.letters import NotTaken, Postponed
from integrations.signing import signed_headers
from onboarding.crash_points import reached
from onboarding.emitted import schema_id
from onboarding.event_ports import ClaimedEvents, EventQueue, OutgoingEvent

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
RUNS_AT_ONCE: Final = 8
"""Of one webhook."""
LONGEST_WAIT: Final = 5.0
"""Seconds that an event waits here for the cap of its receiver; a longer wait is for the rows."""
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
class EventReceiver:
    """A webhook of the installation to which events go. `secrets`: what signs, and while it is changed the one before as well."""

    name: str
    place: Place
    secrets: tuple[SecretStr, ...]
    per_minute: int | None = None
    """Events that it is sent at most, where it has a cap."""
    at_once: int = RUNS_AT_ONCE


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


def headers_of(event: OutgoingEvent, body: bytes, receiver: EventReceiver, at: datetime) -> dict[str, str]:
    """The headers of one attempt: `webhook-id` is the same at every one, the rest is that of this one."""
    found: dict[str, str] = {}
    for secret in receiver.secrets:
        signed = signed_headers(secret, event.id, at, body)
        before = found.get("webhook-signature")
        found = signed | ({"webhook-signature": f"{before} {signed['webhook-signature']}"} if before else {})
    own = {name: value.get_secret_value() for name, value in receiver.place.headers.items()}
    return own | found | {"content-type": JSONFormat.CONTENT_TYPE}


class EventSender:
    """Brings events to webhooks. `look` does what is to be done now; `run` does so until it is cancelled."""

    def __init__(
        self,
        queue: EventQueue,
        receivers: Sequence[EventReceiver],
        egress: Egress,
        *,
        by: str,
        installation: str,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        chance: Callable[[], float] = random.random,
    ) -> None:
        """`by` names this process among all that send; `installation` stands in the source of every event."""
        self._queue = queue
        self._receivers = tuple(receivers)
        self._egress = egress
        self._by = by
        self._installation = installation
        self._now = now
        self._chance = chance
        self._trouble: dict[str, int] = {}
        self._next: dict[str, float] = {}

    async def run(self) -> None:
        """Each receiver for itself, so that a slow one holds back none."""
        async with asyncio.TaskGroup() as group:
            for receiver in self._receivers:
                group.create_task(self._serve(receiver))

    async def look(self) -> int:
        """Everything that may leave now; how many events have arrived."""
        return sum(await asyncio.gather(*(self._look_for(receiver) for receiver in self._receivers)))

    async def _serve(self, receiver: EventReceiver) -> None:
        while True:
            count = 0
            try:
                count = await self._look_for(receiver)
            except Exception as error:
                _log.warning("events_delayed", extra={"code": getattr(error, "code", type(error).__name__)})
            if not count:
                await asyncio.sleep(LOOK)

    async def _look_for(self, receiver: EventReceiver) -> int:
        most = 1 if self._trouble.get(receiver.name, 0) >= TROUBLE else receiver.at_once
        now = self._now()
        claimed = await asyncio.to_thread(self._queue.claim, receiver.name, self._by, most, now, now + LEASE)
        return sum(await asyncio.gather(*(self._send_run(receiver, one) for one in claimed)))

    async def _send_run(self, receiver: EventReceiver, claimed: ClaimedEvents) -> int:
        """The events of one run, in order, until one does not arrive."""
        events, through = await asyncio.to_thread(self._queue.following, claimed, EVENTS_AT_ONCE)
        count = 0
        for event in events:
            if not await self._turn(receiver):
                break
            if not await self._send(receiver, claimed, event, tries=0 if count else claimed.tries):
                return count
            count += 1
        if count == len(events) and through > claimed.sent:  # also past what was for others
            await self._note(claimed, through)
        await asyncio.to_thread(self._queue.give_back, claimed, self._by)
        return count

    async def _turn(self, receiver: EventReceiver) -> bool:
        """Waits until the cap of a receiver allows one more; `False` where that is too far away to keep others from sending."""
        if receiver.per_minute is None:
            return True
        now = time.monotonic()
        turn = max(now, self._next.get(receiver.name, now))
        if turn - now > LONGEST_WAIT:
            return False
        self._next[receiver.name] = turn + 60.0 / receiver.per_minute
        await asyncio.sleep(turn - now)
        return True

    async def _send(self, receiver: EventReceiver, claimed: ClaimedEvents, event: OutgoingEvent, *, tries: int) -> bool:
        code, after, final = await self._deliver(receiver, event)
        if code == "":
            reached("events.after_send")
            self._trouble.pop(receiver.name, None)
            mine = await self._note(claimed, event.n)
            reached("events.after_mark")
            return mine
        about = {"run_key": event.run, "code": code}
        now = self._now()
        if final:
            await asyncio.to_thread(self._queue.park, claimed, self._by, code, now)
            _log.warning("event_refused", extra=about)
            return False
        self._trouble[receiver.name] = self._trouble.get(receiver.name, 0) + 1
        again = now + timedelta(seconds=self._pause(tries, after))
        await asyncio.to_thread(self._queue.put_off, claimed, self._by, code, again, now)
        _log.info("event_delayed", extra=about)
        return False

    async def _note(self, claimed: ClaimedEvents, n: int) -> bool:
        now = self._now()
        return await asyncio.to_thread(self._queue.arrived, claimed, self._by, n, now, now + LEASE)

    async def _deliver(self, receiver: EventReceiver, event: OutgoingEvent) -> tuple[str, float | None, bool]:
        """An empty code for an event that has arrived; else the code, what pause was asked for, and whether that is final."""
        place = receiver.place
        try:
            body = body_of(event, self._installation)
            headers = headers_of(event, body, receiver, self._now())
            answer = await self._egress.request(
                "POST", place.url.get_secret_value(), headers=headers, content=body, allow=place.allow, plain=place.plain, seconds=place.seconds,
            )  # fmt: skip
        except Postponed as later:
            return later.code, later.after, False
        except NotTaken as no:  # about the webhook as it is configured: it can be mended, and then everything goes on
            return no.code, None, False
        except (
            Exception
        ) as error:  # a fault of ours in one event is none of other runs, and comes back no more often than any other
            _log.error("event_failed", extra={"run_key": event.run, "code": type(error).__name__})
            return "not_made", None, False
        if 200 <= answer.status < 300:
            return "", None, False
        if answer.status == GONE:
            return "gone", None, True
        if answer.status in TRIED_AGAIN or answer.status >= 500:
            return f"http_{answer.status}", pause_of(answer), False
        return f"http_{answer.status}", None, True

    def _pause(self, tries: int, asked: float | None) -> float:
        low, high = CHANCE
        own: float = min(FIRST * 2.0 ** min(tries, 10), LONGEST) * (low + (high - low) * self._chance())
        return max(own, asked or 0.0)
