"""What the channels over HTTP share: a place to post to, the identity of a letter in its headers, and what an answer means."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import SecretStr

from integrations.answers import demand_taken
from integrations.egress import SECONDS, Answered, Egress
from integrations.letters import Letter
from integrations.signing import outside_identity


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """An address to which requests go, and what may go there. The address is a secret as soon as whoever knows it may post."""

    url: SecretStr
    allow: Sequence[str]
    plain: bool = False
    seconds: float = SECONDS
    headers: Mapping[str, SecretStr] = field(default_factory=dict)


async def post_json(egress: Egress, place: Place, letter: Letter, body: bytes, headers: Mapping[str, str]) -> Answered:
    """The answer of the other side, which has taken it. Raises `Postponed` and `NotTaken`."""
    everything = {
        "Content-Type": "application/json; charset=utf-8",
        "Idempotency-Key": outside_identity(letter.key),
        **{name: value.get_secret_value() for name, value in place.headers.items()},
        **headers,
    }
    answered = await egress.request(
        "POST",
        place.url.get_secret_value(),
        headers=everything,
        content=body,
        allow=place.allow,
        plain=place.plain,
        seconds=place.seconds,
    )
    demand_taken(answered)
    return answered


async def reach(egress: Egress, place: Place) -> None:
    """Connects and says nothing. Raises `Postponed` and `NotTaken`."""
    await egress.reach(place.url.get_secret_value(), allow=place.allow, plain=place.plain, seconds=place.seconds)


def packed(value: Any) -> bytes:
    """JSON in ASCII: whatever a text holds, it is inside quotes, and half a character breaks nothing."""
    return json.dumps(value, separators=(",", ":")).encode("ascii")
