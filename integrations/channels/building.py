"""Channels from what an installation says of them."""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from typing import Any

from integrations.addresses import Network
from integrations.channels import slack, teams
from integrations.channels.mail import MailChannel, Server
from integrations.channels.mail_text import Sender
from integrations.channels.notify import NotifyChannel
from integrations.channels.pacing import Greeting, Paced
from integrations.channels.posting import Place
from integrations.channels.slack import SlackChannel
from integrations.channels.teams import TeamsChannel
from integrations.channels.webhook import WebhookChannel
from integrations.egress import Egress

HOSTS: Mapping[str, Sequence[str]] = {"slack": slack.HOSTS, "teams": teams.HOSTS}
"""The hosts of services that everybody uses, by kind of channel."""


def build(
    name: str,
    kind: str,
    values: Mapping[str, Any],
    *,
    per_minute: int | None = None,
    at_once: int | None = None,
    inside: Sequence[Network] = (),
    trust: ssl.SSLContext | None = None,
) -> Paced:
    """One channel with its cap. `values` are those of its kind in `runtime.channels_file`, with secrets read.

    Raises `ValueError` for a kind that is not known here.
    """
    channel = _of_kind(name, kind, dict(values), inside, trust)
    return Paced(channel, per_minute=per_minute, at_once=at_once)


def _of_kind(
    name: str, kind: str, values: dict[str, Any], inside: Sequence[Network], trust: ssl.SSLContext | None
) -> Greeting:
    egress = Egress(inside, trust=trust)
    match kind:
        case "mail":
            sender = Sender(address=values.pop("address"), name=values.pop("name"), reply_to=values.pop("reply_to"))
            return MailChannel(name, Server(**values), sender, inside=inside, trust=trust)
        case "slack":
            token, room = values.pop("token"), values.pop("room")
            place = {**values, "url": values["url"] or slack.bot_url()}
            return SlackChannel(name, egress, Place(**place), token=token, room=room)
        case "teams":
            return TeamsChannel(name, egress, Place(**values))
        case "webhook":
            secret, address = values.pop("secret"), values.pop("address")
            return WebhookChannel(name, egress, Place(**values), secret=secret, address=address)
        case "notify":
            return NotifyChannel(name, values["url"], inside=inside, seconds=values["seconds"])
    raise ValueError(f"no channel of kind {kind!r}")
