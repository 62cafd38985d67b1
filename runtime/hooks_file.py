"""The file that ONBOARDING_HOOKS names: which hooks are requests to other systems, and how many calls each may make.

Every fault has line and column, a code, and a sentence with the way out. No value that is secret stands in the file, so none can
be in a sentence.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Final
from urllib.parse import urlsplit

from jinja2 import TemplateSyntaxError, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic import SecretStr

from onboarding.errors import DefinitionInvalid
from onboarding.hook_terms import AnswerTerms, CallTerms, FetchTerms, HookTerms, LaterTerms
from onboarding.language.attachments import MEGABYTE
from onboarding.language.places import Path
from onboarding.nearest import nearest
from runtime.hooks_grammar import HookEntry, HooksFile, LaterModel
from runtime.outside import Checks, Network, Outside, like_secret, secret_in_query
from runtime.placed import PlacedFaults, fit
from runtime.secret_values import SecretMissing, SecretSource
from runtime.yaml_text import YamlText

_OF_A_SCAN: Final = frozenset(("use", "allow", "plain", "headers", "seconds", "megabytes", "at_once", "per_minute"))
_EMPTY: Final = "The file says nothing: begin with `hooks:`."
_HEADER: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_OURS: Final = (
    "idempotency-key",
    "host",
    "content-length",
    "content-type",
    "accept",
    "transfer-encoding",
    "connection",
)
_HOST: Final = re.compile(
    r"(?i)(\*\.)?[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?(:[0-9]{1,5})?|\[[0-9a-f:]{2,45}\](:[0-9]{1,5})?"
)
_PORT: Final = re.compile(r":[0-9]{1,5}$")
_NO_WAY: Final = {
    "bad_url": "This is no address: write it as https://host/path, without blanks and without a name before an @.",
    "scheme_not_allowed": "A hook is called at an address that begins with https:// (http:// only with `plain: true`).",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """What the file says. `inside` are networks that would be forbidden otherwise."""

    terms: Mapping[str, HookTerms] = field(default_factory=dict)
    inside: tuple[Network, ...] = ()


def read_hooks(path: FilePath, checks: Checks, *, installed: tuple[str, ...], variables: tuple[str, ...]) -> Hooks:
    """The hooks of a file. `installed` are the hooks there are without the file, `variables` what a body may name.

    Raises `DefinitionInvalid` with every fault.
    """
    text = YamlText.of(path, empty=_EMPTY)
    if text.faults:
        raise DefinitionInvalid(text.faults, str(path))
    faults = PlacedFaults(text.document)
    file = fit(HooksFile, text.document, faults)
    reading = _Reading(path.parent, faults, Outside(checks, faults), installed, variables)
    found = reading.read(file) if file is not None else Hooks()
    faults.demand_none(str(path))
    return found


@dataclass(slots=True)
class _Reading:
    folder: FilePath
    faults: PlacedFaults
    outside: Outside
    installed: tuple[str, ...]
    variables: tuple[str, ...]

    def read(self, file: HooksFile) -> Hooks:
        self.outside.open(file.inside)
        return Hooks(
            terms={name: self.hook(name, entry) for name, entry in file.hooks.items()}, inside=self.outside.inside
        )

    def hook(self, name: str, entry: HookEntry) -> HookTerms:
        at: Path = ("hooks", name)
        call = scan = None
        if entry.use is not None:
            scan = self.scan(at, entry)
        elif entry.url is not None:
            call = self.call(at, entry)
        elif extra := sorted(entry.model_fields_set - {"at_once", "per_minute"}):
            self.faults.add(
                "missing_key", at, f"{name!r} has {', '.join(extra)} and no `url`: say where it leads.", key=True
            )
        elif name not in self.installed:
            near = nearest(name, self.installed) or f"; installed here: {', '.join(self.installed)}."
            self.faults.add(
                "unknown_activity", at, f"{name!r} has no `url`, and no hook of this name is installed{near}", key=True
            )
        return HookTerms(call=call, scan=scan, at_once=entry.at_once, per_minute=entry.per_minute)

    def scan(self, at: Path, entry: HookEntry) -> FetchTerms:
        for name in sorted(entry.model_fields_set - _OF_A_SCAN):
            self.faults.add(
                "unknown_key",
                (*at, name),
                f"{name!r} says nothing of `use: {entry.use}`: remove it; known here: {', '.join(sorted(_OF_A_SCAN))}.",
                key=True,
            )
        if not entry.allow:
            self.faults.add(
                "host_not_allowed", at, "Nobody says from where files may be read: add `allow: [host, …]`.", key=True
            )
        allow = self.allowed(at, entry)
        for place, host in enumerate(allow):
            self.outside.demand_open((*at, "allow", place), _PORT.sub("", host).strip("[]"))
        headers = {name: self.header((*at, "headers", name), name, value) for name, value in entry.headers.items()}
        return FetchTerms(
            allow=allow, plain=entry.plain, headers=headers, seconds=float(entry.seconds), most_bytes=entry.megabytes * MEGABYTE
        )  # fmt: skip

    def call(self, at: Path, entry: HookEntry) -> CallTerms:
        allow = self.allowed(at, entry)
        if "megabytes" in entry.model_fields_set:
            self.faults.add(
                "unknown_key", (*at, "megabytes"), "`megabytes` belongs to `use: scan_files`: remove it.", key=True
            )
        self.hosts(at, entry, allow)
        self.body(at, entry)
        headers = {name: self.header((*at, "headers", name), name, value) for name, value in entry.headers.items()}
        secret = self.value((*at, "secret"), entry.secret) if entry.secret else ""
        self.outside.demand_signing((*at, "secret"), SecretStr(secret))
        answer, no = entry.answer, entry.answer.refused
        refused = (no.place, no.code, no.sentence) if no else None
        return CallTerms(
            url=entry.url or "", allow=allow, method=entry.method, plain=entry.plain, headers=headers, secret=secret,
            body=entry.body, seconds=float(entry.seconds), later=self.later((*at, "later"), entry.later),
            answer=AnswerTerms(ok=answer.ok, provides=answer.provides, note=answer.note, faults=answer.faults, refused=refused),
        )  # fmt: skip

    def allowed(self, at: Path, entry: HookEntry) -> tuple[str, ...]:
        for place, host in enumerate(entry.allow):
            if not _HOST.fullmatch(host):
                sentence = "A host is written as api.example.com, api.example.com:8443 or *.example.com."
                self.faults.add("wrong_value", (*at, "allow", place), sentence)
        return tuple(entry.allow)

    def hosts(self, at: Path, entry: HookEntry, allow: tuple[str, ...]) -> None:
        path = (*at, "url")
        url = entry.url or ""
        code = self.outside.checks.url(url, allow, entry.plain)
        host = urlsplit(url).hostname or "" if code != "bad_url" else ""
        if code == "host_not_allowed":
            near = nearest(host, allow) or f": add `allow: [{host}]`."
            self.faults.add("host_not_allowed", path, f"{host!r} is not among the hosts of `allow`{near}")
        elif code is not None:
            self.faults.add(code, path, _NO_WAY.get(code, "Nothing goes out to this address."))
        else:
            self.outside.demand_open(path, host)
        if code != "bad_url" and (urlsplit(url).fragment or secret_in_query(url)):
            self.faults.add(
                "secret_in_url",
                path,
                "An address is seen by everybody on its way: put what is secret into `headers`, from {env: NAME}.",
            )

    def body(self, at: Path, entry: HookEntry) -> None:
        path = (*at, "body")
        if not entry.body:
            return
        if entry.method == "GET":
            self.faults.add("wrong_value", path, "GET has no body: remove it, or write `method: POST`.", key=True)
        sandbox = ImmutableSandboxedEnvironment()
        try:
            tree = sandbox.parse(entry.body)
            sandbox.compile(entry.body)
        except TemplateSyntaxError as error:
            self.faults.add(
                "bad_template",
                path,
                f"The body cannot be read in its line {error.lineno}: look at its brackets and filters.",
            )
            return
        for name in sorted(meta.find_undeclared_variables(tree) - set(self.variables)):
            near = nearest(name, self.variables) or f"; a body knows {', '.join(self.variables)}."
            self.faults.add("unknown_variable", path, f"The body names {name!r}, which there is not{near}")

    def header(self, path: Path, name: str, value: str | SecretSource) -> str:
        if not _HEADER.fullmatch(name) or name.lower() in _OURS or name.lower().startswith("webhook-"):
            self.faults.add(
                "wrong_value",
                path,
                f"{name[:60]!r} is no header that can be given here: choose another name.",
                key=True,
            )
        if isinstance(value, SecretSource):
            text = self.value(path, value)
        else:
            text = value
            if like_secret(name):
                self.faults.add(
                    "secret_in_file",
                    path,
                    f"{name[:60]!r} is called as secrets are: write {{env: NAME}} or {{file: PATH}} instead of the value.",
                )
        if any(not char.isprintable() or not char.isascii() for char in text):
            self.faults.add(
                "wrong_value", path, f"The value of {name[:60]!r} has characters that no header has: take them out."
            )
        return text

    def value(self, path: Path, source: SecretSource) -> str:
        try:
            return source.read(self.folder).get_secret_value()
        except SecretMissing as why:
            self.faults.add(why.code, path, why.sentence)
            return ""

    def later(self, path: Path, later: LaterModel | None) -> LaterTerms | None:
        if later is None:
            return None
        for name in ("within", "every"):
            given = getattr(later, name)
            if given is not None and given.is_business:
                self.faults.add(
                    "wrong_value", (*path, name), f"Another system knows no working days: write {name} in d, h, m or s."
                )
                return None
        if later.every and not later.poll:
            self.faults.add(
                "missing_key",
                path,
                "`every` says how often it is asked, and nothing says where: add `poll`, a JSON pointer.",
                key=True,
            )
        every = later.every.seconds if later.every else 30
        return LaterTerms(within=later.within.seconds, poll=later.poll, every=every, progress=later.progress)
