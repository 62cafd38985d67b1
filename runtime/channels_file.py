"""The file that ONBOARDING_CHANNELS names: by which ways notices leave, which notice takes which, and where events go.

It is read whole or refused whole. Every fault has line and column, a code, and a sentence with the way out; secrets are named in the
file and never stand in it, so none can be in a sentence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any, Final
from urllib.parse import urlsplit

from pydantic import SecretStr

from onboarding.errors import DefinitionInvalid, Fault
from onboarding.language.places import Path
from onboarding.mailboxes import mailbox
from onboarding.matter import ANSWER_VALUES
from onboarding.nearest import nearest
from runtime import outside
from runtime.channels_grammar import (
    Capped,
    ChannelsFile,
    MailEntry,
    NotifyEntry,
    RouteEntry,
    SlackEntry,
    TeamsEntry,
    WebhookChannelEntry,
    WebhookEntry,
)
from runtime.outside import Network, Outside, secret_in_query
from runtime.people import NO_HANDLE, handle_from
from runtime.placed import PlacedFaults, fit
from runtime.secret_values import SecretMissing, SecretSource
from runtime.yaml_text import YamlText

_EMPTY: Final = "The file says nothing: begin with `channels:`, see docs/channels.md."
_PORTS: Final = {"tls": 465, "starttls": 587, "none": 25}
_VALUE: Final = re.compile(r"\{([a-z_]+)\}")
_REFUSALS: Final = {
    "bad_url": "This is no address that can be used: write https://host/path, without blanks and without a name or password in it.",
    "scheme_not_allowed": "The address begins with https://, or with http:// where the entry says `plain: true`.",
    "host_not_allowed": "The host of the address is not among those of `allow`: add it there, if it is the right one.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Checks(outside.Checks):
    """What only those who make connections know of channels, too."""

    notify: Callable[[SecretStr], str | None]
    """Why the library of the extra cannot use an address, as a code."""
    notify_installed: bool
    hosts: Mapping[str, Sequence[str]]
    """The hosts of services that everybody uses, by kind of channel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One entry with its secrets read: what a channel is built from."""

    kind: str
    values: Mapping[str, Any] = field(repr=False)
    per_minute: int | None = None
    at_once: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Channels:
    """What the file says. Without `channels` a notice that is kept counts as sent."""

    inside: tuple[Network, ...] = ()
    channels: Mapping[str, Way] = field(default_factory=dict)
    routes: tuple[Mapping[str, Any], ...] = ()
    webhooks: Mapping[str, Way] = field(default_factory=dict)
    answer: Mapping[str, str] = field(default_factory=dict)
    """How to answer a notice, by the side of its reader, where that is not what its language says."""
    warnings: tuple[Fault, ...] = ()


def read_channels(path: FilePath, checks: Checks, environ: Mapping[str, str] | None = None) -> Channels:
    """The file as values. Raises `DefinitionInvalid` with every fault; `environ` is where secrets are, by default that of the process."""
    text = YamlText.of(path, empty=_EMPTY)
    if text.faults:
        raise DefinitionInvalid(text.faults, str(path))
    faults = PlacedFaults(text.document)
    file = fit(ChannelsFile, text.document, faults)
    found = (
        _Reading(path.parent, checks, faults, environ, Outside(checks, faults)).read(file)
        if file is not None
        else Channels()
    )
    faults.demand_none(str(path))
    return found


def webhook_names(path: FilePath) -> tuple[str, ...]:
    """The names of the webhooks for events, in the order of the file. Reads no secret. Raises `DefinitionInvalid` for its shape."""
    return tuple(_shape(path).webhooks)


def channel_names(path: FilePath) -> tuple[str, ...]:
    """The names of the channels; as `webhook_names`."""
    return tuple(_shape(path).channels)


def answers(path: FilePath) -> Mapping[str, str]:
    """How to answer, by side; as `webhook_names`."""
    return {str(side): text for side, text in _shape(path).answer.items()}


def _shape(path: FilePath) -> ChannelsFile:
    """The file without what it refers to."""
    text = YamlText.of(path, empty=_EMPTY)
    if text.faults:
        raise DefinitionInvalid(text.faults, str(path))
    faults = PlacedFaults(text.document)
    file = fit(ChannelsFile, text.document, faults)
    faults.demand_none(str(path))
    return file if file is not None else ChannelsFile()


@dataclass(slots=True)
class _Reading:
    folder: FilePath
    checks: Checks
    faults: PlacedFaults
    environ: Mapping[str, str] | None
    outside: Outside

    def read(self, file: ChannelsFile) -> Channels:
        self.outside.open(file.inside)
        channels = {name: self.way(("channels", name), entry) for name, entry in file.channels.items()}
        webhooks = {name: self.way(("webhooks", name), entry) for name, entry in file.webhooks.items()}
        routes = tuple(self.route(("routes", at), entry, tuple(channels)) for at, entry in enumerate(file.routes))
        self.order(file.routes)
        self.answers({str(side): text for side, text in file.answer.items()})
        return Channels(
            inside=self.outside.inside, channels=channels, routes=routes, webhooks=webhooks, answer={str(side): text for side, text in file.answer.items()},
            warnings=tuple(one for one in self.faults.found if one.severity == "warning"),
        )  # fmt: skip

    def way(self, path: Path, entry: Capped) -> Way:
        match entry:
            case MailEntry():
                values = self.mail(path, entry)
            case SlackEntry():
                values = self.slack(path, entry)
            case TeamsEntry():
                values = {"url": self.address(path, entry.url, self.hosts(entry), entry.plain)}
            case NotifyEntry():
                values = {"url": self.notify(path, entry)}
            case _:
                assert isinstance(entry, WebhookEntry)
                values = self.webhook(path, entry)
        if isinstance(entry, SlackEntry | TeamsEntry | WebhookEntry):
            values |= {"allow": self.hosts(entry), "plain": entry.plain}
        values["seconds"] = float(entry.seconds)
        kind = str(getattr(entry, "kind", "events"))
        return Way(kind=kind, values=values, per_minute=entry.per_minute, at_once=entry.at_once)

    def hosts(self, entry: SlackEntry | TeamsEntry | WebhookEntry) -> tuple[str, ...]:
        """Those of the entry, or of the service that it is for."""
        return tuple(entry.allow or self.checks.hosts[str(getattr(entry, "kind", ""))])

    def mail(self, path: Path, entry: MailEntry) -> dict[str, Any]:
        if entry.security == "none" and not entry.plain:
            sentence = "Without TLS a mail can be read on its way: say `security: tls` or `starttls`, or `plain: true` for a server of your own network."
            self.faults.add("not_encrypted", (*path, "security"), sentence)
        if (entry.user is None) != (entry.password is None):
            missing = "password" if entry.password is None else "user"
            self.faults.add("missing_key", path, f"A login has `user` and `password`: add {missing!r}.", key=True)
        self.outside.demand_open((*path, "host"), entry.host)
        name, address = self.mailbox((*path, "from"), entry.sender)
        return {
            "host": entry.host, "port": entry.port or _PORTS[entry.security], "security": entry.security, "user": entry.user or "",
            "password": self.secret((*path, "password"), entry.password) if entry.password else None,
            "address": address, "name": name,
            "reply_to": self.mailbox((*path, "reply_to"), entry.reply_to)[1] if entry.reply_to else "",
        }  # fmt: skip

    def mailbox(self, path: Path, text: str) -> tuple[str, str]:
        """Name and address."""
        found = mailbox(text, named=True)
        if found is None or not found.is_ascii:
            self.faults.add(
                "bad_address", path, "This is no mail address: write it as Name <name@firm.example>, in quotes."
            )
            return "", ""
        return found.name, found.address

    def slack(self, path: Path, entry: SlackEntry) -> dict[str, Any]:
        if (entry.url is None) == (entry.token is None):
            sentence = "Slack is reached by exactly one of `url` (an incoming webhook) and `token` (a bot)."
            self.faults.add("missing_key", path, sentence, key=True)
        if entry.room is not None and entry.token is None:
            self.faults.add(
                "unknown_key", (*path, "room"), "A webhook has its room already: `room` is for a bot.", key=True
            )
        for key in ("allow", "plain") if entry.token is not None else ():
            if key in entry.model_fields_set:
                sentence = f"A bot is asked at slack.com and nowhere else: `{key}` is for a webhook with a `url`."
                self.faults.add("unknown_key", (*path, key), sentence, key=True)
        return {
            "url": self.address(path, entry.url, self.hosts(entry), entry.plain) if entry.url else None,
            "token": self.in_header((*path, "token"), entry.token) if entry.token else None,
            "room": entry.room or "",
        }  # fmt: skip

    def webhook(self, path: Path, entry: WebhookEntry) -> dict[str, Any]:
        secret = self.secret((*path, "secret"), entry.secret) if entry.secret else None
        if secret is not None:
            self.outside.demand_signing((*path, "secret"), secret)
        values: dict[str, Any] = {
            "url": self.address(path, entry.url, entry.allow, entry.plain),
            "headers": {name: self.in_header((*path, "headers", name), one) for name, one in entry.headers.items()},
            "secret": secret,
        }
        if isinstance(entry, WebhookChannelEntry):
            values["address"] = entry.address or ""
        return values

    def notify(self, path: Path, entry: NotifyEntry) -> SecretStr:
        url = self.secret((*path, "url"), entry.url)
        if not self.checks.notify_installed:
            sentence = "This kind needs the package apprise: install the extra `notify`, or remove the entry."
            self.faults.add("not_installed", (*path, "kind"), sentence)
        elif url.get_secret_value() and (code := self.checks.notify(url)):
            sentence = "The library apprise knows no service at this address, or one that only shows something on this machine."
            self.faults.add(code, (*path, "url"), sentence)
        return url

    def address(self, path: Path, url: str | SecretSource, allow: Sequence[str], plain: bool) -> SecretStr:
        """An address, looked at without asking for its name. A wrong one is not repeated where it was named as a secret."""
        place = (*path, "url")
        found = SecretStr(url) if isinstance(url, str) else self.secret(place, url)
        if not found.get_secret_value():
            return found
        code = self.checks.url(found.get_secret_value(), allow, plain)
        if code is not None:
            self.faults.add(code, place, _REFUSALS.get(code, "This address cannot be used."))
        elif isinstance(url, str) and secret_in_query(url):
            sentence = "There seems to be a secret in this address: name the whole address as one, `url: {env: NAME}`."
            self.faults.add("secret_written_down", place, sentence)
        else:
            self.outside.demand_open(place, urlsplit(found.get_secret_value()).hostname or "")
        return found

    def in_header(self, path: Path, source: SecretSource) -> SecretStr:
        """A secret that stands in a header, which holds the letters of Western Europe at most."""
        found = self.secret(path, source)
        if any(ord(one) > 255 for one in found.get_secret_value()):
            sentence = (
                "This secret holds a character that no header can: was it copied from where it is shown shortened?"
            )
            self.faults.add("secret_unusable", path, sentence)
        return found

    def answers(self, answer: Mapping[str, str]) -> None:
        """Says which values a text about how to answer names in vain: they would stand in letters as they are."""
        for side, text in answer.items():
            path: Path = ("answer", side) if ("answer", side) in self.faults.document.places else ("answer",)
            unknown = next((name for name in _VALUE.findall(text) if name not in ANSWER_VALUES), None)
            if unknown is not None:
                way_out = nearest(unknown, ANSWER_VALUES) or f"; there are {', '.join(ANSWER_VALUES)}."
                self.faults.add("unknown_variable", path, f"An answer has no value {unknown[:60]!r}{way_out}")
                if len(path) == 1:
                    return

    def secret(self, path: Path, source: SecretSource) -> SecretStr:
        if source.open_to_others(self.folder):
            sentence = "Other users of this machine may read the file of this secret: `chmod 600` it."
            self.faults.add("secret_open", path, sentence, severity="warning")
        try:
            return source.read(self.folder, self.environ)
        except SecretMissing as missing:
            self.faults.add(missing.code, path, missing.sentence)
            return SecretStr("")

    def route(self, path: Path, entry: RouteEntry, known: tuple[str, ...]) -> Mapping[str, Any]:
        for at, name in enumerate(entry.to):
            if name not in known:
                way_out = nearest(name, known) or (
                    f"; configured are {', '.join(known)}." if known else ": name it under `channels`."
                )
                # One channel may stand there without the brackets of a list.
                place = (*path, "to", at) if (*path, "to", at) in self.faults.document.places else (*path, "to")
                self.faults.add("unknown_channel", place, f"No channel {name!r} is configured{way_out}")
        handle = handle_from(entry.handle) if entry.handle is not None else ""
        if handle is None:
            self.faults.add("not_a_handle", (*path, "handle"), NO_HANDLE)
        values = {name: getattr(entry, name) or "" for name in ("side", "role", "definition")} | {"handle": handle}
        return {**values, "to": tuple(entry.to), "kinds": tuple(entry.kind or ()), "urgent": entry.urgent}

    def order(self, routes: Sequence[RouteEntry]) -> None:
        """Tells routes that nothing reaches, and notices that may find none."""
        catch_all = next((at for at, one in enumerate(routes) if one.model_fields_set == {"to"}), None)
        if catch_all is not None and catch_all + 1 < len(routes):
            sentence = f"Nothing comes here, because route {catch_all + 1} fits everything: put that one last."
            self.faults.add("route_unreached", ("routes", catch_all + 1), sentence, severity="warning")
        elif routes and catch_all is None:
            sentence = "A notice that fits none of the routes reaches nobody who asks for no channel: end with a route that has only `to`."
            self.faults.add("no_last_route", ("routes",), sentence, key=True, severity="warning")
