"""A system outside that takes events over real HTTP: it checks every signature with the library of receivers, and every form by its schema."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker  # type: ignore[import-untyped]
from pydantic import SecretStr
from pytest_httpserver import HTTPServer
from standardwebhooks import Webhook
from werkzeug import Request, Response

from integrations.channels.posting import Place
from integrations.egress import Egress
from integrations.event_out import EventReceiver
from onboarding import emitted

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def loopback() -> Egress:
    """What may reach the receivers of a test."""
    return Egress((ip_network("127.0.0.0/8"),))


@dataclass
class Simulated:
    """A clock that stands where it is put."""

    at: datetime = datetime(2026, 11, 30, 9, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at

    def shift(self, **by: float) -> None:
        """Time passes."""
        self.at += timedelta(**by)


@dataclass
class Receiver:
    """Remembers what has arrived, and answers as it is told to."""

    server: HTTPServer
    name: str = "crm"
    clock: Simulated | None = None
    """By which the age of a signature is judged, where that is not the clock of this machine."""
    status: Callable[[dict[str, Any]], int] = lambda event: 204
    headers: dict[str, str] = field(default_factory=dict)
    requests: list[dict[str, Any]] = field(default_factory=list)
    """Everything that came, refused or not."""
    taken: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.server.expect_request(f"/{self.name}", method="POST").respond_with_handler(self._hear)

    @property
    def webhook(self) -> EventReceiver:
        """As an installation would name it."""
        url = self.server.url_for(f"/{self.name}")
        place = Place(url=SecretStr(url), allow=(f"{self.server.host}:{self.server.port}",), plain=True)
        return EventReceiver(name=self.name, place=place, secrets=(SecretStr(SECRET),))

    def told(self) -> list[tuple[str, int]]:
        """What was taken, each once, in the order in which it first came."""
        first = {event["id"]: event for event in reversed(self.taken)}
        return [(event["data"]["run"], int(event["sequence"])) for event in self.taken if first.pop(event["id"], None)]

    def _hear(self, request: Request) -> Response:
        body = request.get_data()
        event: dict[str, Any] = json.loads(body)
        self._verify(body, dict(request.headers))
        assert request.headers["webhook-id"] == event["id"]
        assert request.headers["content-type"] == "application/cloudevents+json"
        validator = Draft202012Validator(emitted.schema_of(event["type"]), format_checker=FormatChecker())
        validator.validate(event)
        self.requests.append(event)
        status = self.status(event)
        if 200 <= status < 300:
            self.taken.append(event)
        return Response(status=status, headers=self.headers)

    def _verify(self, body: bytes, headers: dict[str, str]) -> None:
        if self.clock is None:
            Webhook(SECRET).verify(body, headers)
            return
        lowered = {name.lower(): value for name, value in headers.items()}
        at = datetime.fromtimestamp(int(lowered["webhook-timestamp"]), UTC)
        assert abs((at - self.clock()).total_seconds()) < 300
        assert lowered["webhook-signature"] == Webhook(SECRET).sign(lowered["webhook-id"], at, body.decode())
