"""What may stand in the file that ONBOARDING_CHANNELS names: one model for each level. docs/channels.md tells it with examples."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from onboarding.engine.effects import NoticeKind
from runtime.secret_values import SecretSource

MOST_ENTRIES: Final = 100
MOST_SECONDS: Final = 10
"""Of one try: the outbox gives a channel a quarter of a minute."""

_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_HOST: Final = re.compile(r"(?i)(\*\.)?[\w]([\w.-]{0,251}[\w])?(:[0-9]{1,5})?|\[[0-9a-f:.]{2,45}\](:[0-9]{1,5})?")
_SERVER: Final = re.compile(r"(?i)[\w]([\w.-]{0,251}[\w.])?|[0-9a-f:.]{2,45}")
_HEADER: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
# Said by us, or by the library that makes the request: a second one would make the first mean something else.
_OUR_HEADERS: Final = (
    "host", "content-length", "content-type", "transfer-encoding", "connection", "accept-encoding", "idempotency-key", "te", "upgrade",
)  # fmt: skip


Sort = Literal["mail", "slack", "phone", "teams", "webhook"]
"""Which of a reader's addresses."""
Side = Literal["customer", "provider", "third_party"]


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise PydanticCustomError("bad_id", "A name is small letters, digits, - and _, and begins with a letter.")
    return value


def _host(value: str) -> str:
    if not _HOST.fullmatch(value):
        raise PydanticCustomError(
            "bad_host", "A host is written as hooks.example.com, hooks.example.com:8443 or *.example.com."
        )
    return value


def _server(value: str) -> str:
    if not _SERVER.fullmatch(value):
        raise PydanticCustomError("bad_host", "A server is written as smtp.example.com; its port stands in `port`.")
    return value


def _kind(value: str) -> str:
    if value not in set(NoticeKind):
        known = ", ".join(NoticeKind)
        raise PydanticCustomError("unknown_kind", f"There is no such kind of notice; the kinds are {known}.")
    return value


def _by_side(value: Any) -> Any:
    if isinstance(value, str):
        return dict.fromkeys(get_args(Side), value)
    if not isinstance(value, dict):
        raise PydanticCustomError("bad_answer", "Say how to answer as a text, or as a mapping of sides to texts.")
    return value


def _header(value: str) -> str:
    if not _HEADER.fullmatch(value) or value.lower() in _OUR_HEADERS or value.lower().startswith("webhook-"):
        raise PydanticCustomError(
            "bad_header", "This is no name of a header, or one that is set already: choose another one."
        )
    return value


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


class Model(BaseModel):
    """Takes what is written as it is, and nothing else."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


Name = Annotated[str, AfterValidator(_name)]
Names = Annotated[list[Name], BeforeValidator(_listed), Field(min_length=1, max_length=MOST_ENTRIES)]
Hosts = Annotated[
    list[Annotated[str, AfterValidator(_host)]], BeforeValidator(_listed), Field(min_length=1, max_length=MOST_ENTRIES)
]
Text = Annotated[str, Field(min_length=1, max_length=500)]
Headers = Annotated[dict[Annotated[str, AfterValidator(_header)], SecretSource], Field(max_length=20)]
Seconds = Annotated[int, Field(ge=1, le=MOST_SECONDS)]


Kind = Annotated[str, AfterValidator(_kind)]


class Capped(Model):
    """What every way out may say: how fast, how many at once, how long one try may take."""

    per_minute: Annotated[int, Field(ge=1, le=100_000)] | None = None
    at_once: Annotated[int, Field(ge=1, le=100)] | None = None
    seconds: Seconds = MOST_SECONDS


class MailEntry(Capped):
    """Mail by a server of SMTP."""

    kind: Literal["mail"]
    host: Annotated[str, AfterValidator(_server)]
    port: Annotated[int, Field(ge=1, le=65_535)] | None = None
    security: Literal["tls", "starttls", "none"] = "tls"
    plain: bool = False
    user: Text | None = None
    password: SecretSource | None = None
    sender: Annotated[Text, Field(alias="from")]
    reply_to: Text | None = None


class SlackEntry(Capped):
    """Slack: an incoming webhook (`url`) or a bot (`token`)."""

    kind: Literal["slack"]
    url: SecretSource | None = None
    token: SecretSource | None = None
    room: Text | None = None
    allow: Hosts | None = None
    plain: bool = False


class TeamsEntry(Capped):
    """Microsoft Teams by the webhook of a workflow."""

    kind: Literal["teams"]
    url: SecretSource
    allow: Hosts | None = None
    plain: bool = False


class WebhookEntry(Capped):
    """Where JSON is posted to. An address that is a secret is named as one."""

    url: Text | SecretSource
    allow: Hosts
    plain: bool = False
    headers: Headers = {}
    secret: SecretSource | None = None


class WebhookChannelEntry(WebhookEntry):
    """Letters as JSON."""

    kind: Literal["webhook"]
    address: Sort | None = None


class EventsEntry(WebhookEntry):
    """Events go out signed and never otherwise."""

    secret: SecretSource


class NotifyEntry(Capped):
    """Another service, by the library apprise."""

    kind: Literal["notify"]
    url: SecretSource


ChannelEntry = Annotated[
    MailEntry | SlackEntry | TeamsEntry | WebhookChannelEntry | NotifyEntry, Field(discriminator="kind")
]


class RouteEntry(Model):
    """Which channels notices of some sort try, in this order."""

    kind: Annotated[list[Kind], BeforeValidator(_listed), Field(min_length=1)] | None = None
    side: Side | None = None
    role: Text | None = None
    handle: Text | None = None
    definition: Text | None = None
    urgent: bool | None = None
    to: Names


class ChannelsFile(Model):
    """The whole file."""

    inside: Annotated[list[Text], Field(max_length=MOST_ENTRIES)] = []
    channels: Annotated[dict[Name, ChannelEntry], Field(max_length=MOST_ENTRIES)] = {}
    routes: Annotated[list[RouteEntry], Field(max_length=MOST_ENTRIES)] = []
    webhooks: Annotated[dict[Name, EventsEntry], Field(max_length=MOST_ENTRIES)] = {}
    answer: Annotated[dict[Side, Annotated[str, Field(min_length=1, max_length=2_000)]], BeforeValidator(_by_side)] = {}
