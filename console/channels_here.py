"""The ways out of this installation, put together from the file of ONBOARDING_CHANNELS. Both doors use it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from integrations.channels.pacing import Paced
    from integrations.channels.routing import Routing
    from runtime.channels_file import Channels


@dataclass(frozen=True, slots=True)
class WaysOut:
    """What the file says, and the channels made from it: `routing` is `None` where there are none, so that what is kept counts as sent."""

    said: Channels
    routing: Routing | None = None
    channels: Mapping[str, Paced] = field(default_factory=dict)

    async def close(self) -> None:
        """Gives connections back."""
        for channel in self.channels.values():
            await channel.close()


def channels_here(path: Path | None) -> WaysOut:
    """The channels of this installation. Raises `DefinitionInvalid` with the faults of the file."""
    from runtime.channels_file import Channels

    if path is None:
        return WaysOut(Channels())
    # Late: whoever has no such file needs none of the libraries that go out.
    from integrations.channels.building import build
    from integrations.channels.routing import Route, Routing

    said = _read(path)
    made = {
        name: build(name, way.kind, way.values, per_minute=way.per_minute, at_once=way.at_once, inside=said.inside)
        for name, way in said.channels.items()
    }
    routing = Routing(made, [Route(**values) for values in said.routes]) if made else None
    return WaysOut(said, routing, made)


def webhooks_here(path: Path | None) -> tuple[str, ...]:
    """The names to which a definition may emit. Needs no secret, so that a definition can be checked on any desk."""
    if path is None:
        return ()
    from runtime.channels_file import webhook_names

    return webhook_names(path)


def _read(path: Path) -> Channels:
    from integrations.addresses import is_closed, network_fault
    from integrations.channels import notify
    from integrations.channels.building import HOSTS
    from integrations.egress import refusal
    from integrations.signing import secret_fault
    from runtime.channels_file import Checks, read_channels

    checks = Checks(
        url=refusal, signing=secret_fault, network=network_fault, closed=is_closed, notify=notify.url_fault, notify_installed=notify.is_installed(), hosts=HOSTS,
    )  # fmt: skip
    return read_channels(path, checks)
