"""What brings events to the webhooks of this installation, put together from its settings and the file of ONBOARDING_CHANNELS."""

from __future__ import annotations

import uuid
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from temporalio.client import Client

    from integrations.event_out import EventReceiver
    from runtime.channels_file import Channels, Way
    from runtime.settings import Settings


def events_beside(
    settings: Settings, client: Client, database: Engine, said: Channels
) -> list[Coroutine[Any, Any, None]]:
    """What runs beside a worker. Without a webhook events are let go all the same: they wait for the day on which there is one."""
    from runtime.releasing_events import EventReleaser
    from storage.events import SqlEvents

    events = SqlEvents(database)
    found = [EventReleaser(client, events).run()]
    if said.webhooks:
        # Late: whoever has none needs none of the libraries that go out.
        from integrations.egress import Egress
        from integrations.event_out import EventSender

        receivers = [receiver_of(name, way) for name, way in said.webhooks.items()]
        by = uuid.uuid4().hex
        sender = EventSender(events, receivers, Egress(said.inside), by=by, installation=settings.environment)
        found.append(sender.run())
    return found


def receiver_of(name: str, way: Way) -> EventReceiver:
    """A webhook of the file as whoever sends knows it."""
    from integrations.channels.posting import Place
    from integrations.event_out import RUNS_AT_ONCE, EventReceiver

    values = dict(way.values)
    secret = values.pop("secret")
    return EventReceiver(
        name=name, place=Place(**values), secrets=(secret,), per_minute=way.per_minute, at_once=way.at_once or RUNS_AT_ONCE
    )  # fmt: skip
