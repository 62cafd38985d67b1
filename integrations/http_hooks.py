"""Hooks that are one request to another system, as the installation's file describes them.

What the other side says is data: facts come out of it only where the file points, and none of its words stands in a code,
a log or the sentence of a failure. Each attempt carries the same key, so that a repetition does nothing twice over there.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol
from urllib.parse import quote, urljoin

import standardwebhooks
from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from integrations.answers import pause_of
from integrations.egress import MOST_URL, Answered
from integrations.letters import NotTaken, Postponed
from onboarding.errors import HookPutOff, HookRefused
from onboarding.hook_terms import AnswerTerms, CallTerms
from onboarding.ports import Later

VARIABLES = ("run", "customer", "item", "facts", "fields", "files", "key")
"""What a body may name."""
MOST_BYTES = 1_048_576
"""Of a body that leaves, and of an answer."""
_AGAIN = (408, 425, 429)
_SHOWN = 200

_SENTENCES: Mapping[str, str] = {
    "timeout": "The other side did not answer in time.",
    "unreachable": "The other side could not be reached.",
    "unresolved": "Nobody knows where the other side is: its name leads nowhere.",
    "certificate": "The other side has no certificate that is believed here.",
    "broken_answer": "The answer broke off, or is in a form that nobody here reads.",
    "bad_url": "The address is none that anything goes out to.",
    "scheme_not_allowed": "The address is not https.",
    "answer_too_large": "The other side answered more than 1 MiB, and nothing of it was read.",
    "forbidden_address": "The address leads into a network that hooks may not reach.",
    "host_not_allowed": "The address leads to a host that this hook may not reach.",
    "redirected": "The other side sent us elsewhere, and nobody follows.",
    "answer_no_json": "The answer is not the JSON that it was to be.",
    "body_no_json": "The body that the installation describes is no JSON for these facts.",
    "body_too_large": "The body is larger than 1 MiB.",
    "http_202": "The other side goes on working, and the installation does not say how its answer comes.",
}


class Outside(Protocol):
    """The one way out of this installation: `integrations.egress.Egress`."""

    async def request(
        self, method: str, url: str, *, headers: Mapping[str, str] | None, content: bytes, allow: Collection[str], plain: bool,
        seconds: float, most_bytes: int,
    ) -> Answered:  # fmt: skip
        """Raises `Postponed` or `NotTaken` with a code where no answer came."""


class HttpHook:
    """One hook of the installation's file. Called in a thread of the worker, and waits there for the answer."""

    def __init__(
        self, terms: CallTerms, outside: Outside, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        """`now` is for the signature and for what the other side says of dates."""
        self._terms = terms
        self._outside = outside
        self._now = now
        self._template = bodies().from_string(terms.body) if terms.body else None
        self._signer = standardwebhooks.Webhook(terms.secret) if terms.secret else None

    def __call__(self, arguments: Mapping[str, Any]) -> Mapping[str, Any] | Later:
        """Asks the other side. Raises `HookRefused` for what no repetition changes, `HookPutOff` for the rest."""
        key = str(arguments.get("key", ""))
        body = self._body(arguments)
        found = self._ask(self._terms.method, self._terms.url, key, None if self._terms.method == "GET" else body)
        return self._read(found, self._terms.url)

    def poll(self, address: str, key: str) -> Mapping[str, Any] | Later:
        """Asks how far it is, at the address that the other side has named."""
        return self._read(self._ask("GET", address, key, None), address)

    def _body(self, arguments: Mapping[str, Any]) -> bytes:
        if self._template is None:
            text = json.dumps(dict(arguments), ensure_ascii=False, separators=(",", ":"))
        else:
            text = self._rendered({name: arguments.get(name) for name in VARIABLES})
        body = text.encode("utf-8", "replace")
        if len(body) > MOST_BYTES:
            raise _refused("body_too_large")
        return body

    def _rendered(self, known: Mapping[str, Any]) -> str:
        assert self._template is not None
        try:
            return json.dumps(_json(self._template.render(known).encode("utf-8", "replace")), ensure_ascii=False)
        except (
            TemplateError,
            ValueError,
            TypeError,
            ArithmeticError,
            LookupError,
            RecursionError,
            AttributeError,
        ):
            raise _refused("body_no_json") from None

    def _ask(self, method: str, url: str, key: str, body: bytes | None) -> Answered:
        terms = self._terms
        headers = {**terms.headers, "Accept": "application/json", "Idempotency-Key": as_header(key)}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if self._signer is not None:
            headers |= self._signature(as_header(key), body or b"")
        asking = self._outside.request(
            method, url, headers=headers, content=body or b"", allow=terms.allow, plain=terms.plain, seconds=terms.seconds,
            most_bytes=MOST_BYTES,
        )  # fmt: skip
        try:
            return asyncio.run(asking)
        except Postponed as why:
            raise HookPutOff(why.code, sentence_of(why.code), why.after) from None
        except NotTaken as why:
            raise _refused(why.code) from None

    def _signature(self, key: str, body: bytes) -> dict[str, str]:
        assert self._signer is not None
        at = self._now()
        # The library takes an instant without a zone as UTC.
        signed = self._signer.sign(key, at.astimezone(UTC).replace(tzinfo=None), body.decode())
        return {"webhook-id": key, "webhook-timestamp": str(int(at.timestamp())), "webhook-signature": signed}

    def _read(self, got: Answered, asked: str) -> Mapping[str, Any] | Later:
        if got.status in _AGAIN or got.status >= 500:
            code = f"http_{got.status}"
            raise HookPutOff(code, sentence_of(code), pause_of(got, self._now()))
        if not 200 <= got.status < 300:
            raise _refused(f"http_{got.status}")
        if got.status == 202:
            return self._later(got, asked)
        status_decides = self._terms.answer.ok == "status"
        said = None if status_decides and not got.body.strip() else _answer(got.body)
        return mapped(self._terms.answer, said)

    def _later(self, got: Answered, asked: str) -> Later:
        later = self._terms.later
        if later is None:
            raise _refused("http_202")
        said = _answer(got.body) if got.body.strip() else None
        address = at_pointer(said, later.poll) if later.poll else ""
        if later.poll and not isinstance(address, str):
            # While it is polled the other side need not repeat where.
            address = asked if asked != self._terms.url else ""
        try:
            url = urljoin(asked, address) if address else ""
        except ValueError:
            raise _refused("bad_url") from None
        if later.poll and not url:
            raise _refused("answer_no_json")
        if not url.isprintable() or len(url) > MOST_URL:
            raise _refused("bad_url")  # it is kept until it is asked, and no database takes it
        how_far = at_pointer(said, later.progress) if later.progress else None
        progress = str(how_far)[:_SHOWN] if isinstance(how_far, str | int | float) else ""
        return Later(
            progress="".join(c for c in progress if c.isprintable()), poll=url, every=later.every, within=later.within
        )


def bodies() -> ImmutableSandboxedEnvironment:
    """The sandbox for bodies: whatever is put in writes itself as JSON, so a value can never become more than a value."""
    found = ImmutableSandboxedEnvironment(
        autoescape=False, undefined=StrictUndefined, finalize=_written, keep_trailing_newline=False
    )
    found.filters.pop("safe", None)
    found.filters["tojson"] = lambda value: value  # said again, it changes nothing
    return found


def mapped(terms: AnswerTerms, said: Any) -> dict[str, Any]:
    """Our own form of an answer, from where the installation says that its parts stand."""
    answer: dict[str, Any] = {}
    ok = True if terms.ok == "status" else at_pointer(said, terms.ok)
    if ok is not None:
        answer["ok"] = ok
    if terms.provides is None:
        provides = at_pointer(said, "/provides")
        answer |= {} if provides is None else {"provides": provides}
    else:
        given = {fact: at_pointer(said, pointer) for fact, pointer in terms.provides.items()}
        answer["provides"] = {fact: value for fact, value in given.items() if value is not None}
    for name, pointer in (("note", terms.note), ("faults", terms.faults)):
        value = at_pointer(said, pointer) if pointer else None
        answer |= {} if value is None else {name: value}
    if terms.refused and ok is False and not answer.get("faults"):
        answer["faults"] = [dict(zip(("place", "code", "sentence"), terms.refused, strict=True))]
    return answer


def at_pointer(data: Any, pointer: str) -> Any:
    """What a JSON pointer (RFC 6901) leads to, or `None`."""
    for step in pointer.split("/")[1:]:
        step = step.replace("~1", "/").replace("~0", "~")
        if isinstance(data, dict) and step in data:
            data = data[step]
        elif isinstance(data, list) and step.isascii() and step.isdigit() and len(step) < 7 and int(step) < len(data):
            data = data[int(step)]
        else:
            return None
    return data


def as_header(key: str) -> str:
    """A key as it may stand in a header, whatever characters a customer's key has."""
    return quote(key, safe="/:._-~@+", errors="replace")


def sentence_of(code: str) -> str:
    """What a person reads about a code. Nothing of what the other side said is in it."""
    if code in _SENTENCES:
        return _SENTENCES[code]
    status = code.removeprefix("http_")
    if status != code:
        return f"The other side answered {status}."
    return "The other side could not be asked."


def _refused(code: str) -> HookRefused:
    return HookRefused(code, sentence_of(code))


def _written(value: Any) -> Any:
    if isinstance(value, Markup):
        value = str(value)
    return Markup(json.dumps(value, ensure_ascii=False, allow_nan=False))


def _answer(body: bytes) -> Any:
    try:
        return _json(body)
    except (ValueError, RecursionError):
        raise _refused("answer_no_json") from None


def _json(text: bytes) -> Any:
    return json.loads(text, parse_constant=_no_number)


def _no_number(word: str) -> Any:
    raise ValueError(word)
