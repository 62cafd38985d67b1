"""The codec server: who has the token reads, nobody else; whatever is asked there is an answer, and nothing of it is kept."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from hypothesis import HealthCheck, given, settings, strategies as st
from temporalio.api.common.v1 import Payload, Payloads

from runtime import codec_server
from runtime.codec import ENCODING, PayloadEncryption
from runtime.codec_server import CodecServer
from storage.faults import DatabaseUnavailable
from tests.support.keys import MemoryKeys, a_cache
from workflows.address import workflow_id

RUN, OTHER = workflow_id("acme", "quick-start"), workflow_id("bolt", "quick-start")
TOKEN = "a-token-of-forty-characters-and-no-less"
UI = "http://localhost:8233"
SECRET = "DE89 3704 0044 0532 0130 00"
PLAIN = Payload(metadata={"encoding": b"json/plain"}, data=json.dumps(SECRET).encode())


@dataclass(frozen=True)
class Heard:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def data(self) -> Any:
        """As JSON."""
        return json.loads(self.text)

    @property
    def payloads(self) -> list[Payload]:
        """As payloads."""
        return [
            Payload(
                metadata={name: base64.b64decode(value) for name, value in one.get("metadata", {}).items()},
                data=base64.b64decode(one.get("data", "")),
            )
            for one in self.data["payloads"]
        ]


class Server:
    """The application, asked as a web server would."""

    def __init__(self, **options: Any) -> None:
        self.keys, self.source, _ = a_cache(MemoryKeys())
        self.app = CodecServer(self.keys, TOKEN, **options).app([UI])

    async def ask(
        self,
        path: str,
        body: bytes | list[Payload] = b"",
        *,
        method: str = "POST",
        token: str | None = TOKEN,
        **headers: str,
    ) -> Heard:
        """One question; `token` as the UI with a login sends it."""
        if isinstance(body, list):
            body = json.dumps(MessageToDict(Payloads(payloads=body))).encode()
        sent = {"host": "127.0.0.1", **{name.replace("_", "-"): value for name, value in headers.items()}}
        if token is not None:
            sent["authorization"] = f"Bearer {token}"
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
            "path": path, "raw_path": path.encode(), "root_path": "", "query_string": b"", "client": None, "server": None,
            "headers": [(name.encode(), value.encode("latin-1", "replace")) for name, value in sent.items()],
        }  # fmt: skip
        parts = [body[place : place + 65_536] for place in range(0, len(body), 65_536)] or [b""]
        heard: dict[str, Any] = {"body": b""}

        async def receive() -> dict[str, Any]:
            part = parts.pop(0) if parts else b""
            return {"type": "http.request", "body": part, "more_body": bool(parts)}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                heard["status"], heard["headers"] = message["status"], message["headers"]
            else:
                heard["body"] += message.get("body", b"")

        try:
            await self.app(scope, receive, send)
        except Exception:  # Starlette raises again what it has answered; a server logs it
            assert "status" in heard, "every question has an answer"
        told = {name.decode(): value.decode() for name, value in heard["headers"]}
        return Heard(heard["status"], told, heard["body"].decode())

    async def hidden(self, run: str = RUN) -> Payload:
        """A payload as it stands in a history."""
        (found,) = await PayloadEncryption(self.keys, run).encode([PLAIN])
        return found


@pytest.fixture
def server() -> Server:
    """With keys."""
    return Server()


@pytest.mark.parametrize("prefix", ["", f"/token/{TOKEN}", f"/token/{TOKEN}/runs/{OTHER}", f"/runs/{OTHER}"])
async def test_payloads_of_every_run_can_be_read_wherever_the_token_stands(server: Server, prefix: str) -> None:
    """The UI asks for a page of any run at the one address that it has; what is clear comes back as it is."""
    token = None if "token" in prefix else TOKEN
    asked = [await server.hidden(), PLAIN, await server.hidden(OTHER)]
    heard = await server.ask(f"{prefix}/decode", asked, token=token)

    assert (heard.status, heard.payloads) == (200, [PLAIN] * 3)
    assert heard.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("token", [None, "", "wrong", TOKEN[:-1], TOKEN + "x", "ä"])
@pytest.mark.parametrize("path", ["/decode", "/encode", f"/runs/{RUN}/decode", "/token/wrong/decode", "/token//decode"])
async def test_without_the_token_there_is_nothing(server: Server, token: str | None, path: str) -> None:
    """401 before anything is read."""
    heard = await server.ask(path, [await server.hidden()], token=token)

    assert heard.status in (401, 404)
    assert SECRET not in heard.text


async def test_what_cannot_be_decoded_is_said_in_words(server: Server) -> None:
    """A person looks at it, not a run."""
    server.source.destroyed.add("acme")
    heard = await server.ask(
        "/decode", [Payload(metadata={"encoding": ENCODING}, data=b"x"), await server.hidden(OTHER)]
    )

    assert heard.status == 200
    assert b"cannot be decoded" in heard.payloads[0].data
    assert heard.payloads[1] == PLAIN


@pytest.mark.parametrize("prefix", ["", f"/token/{TOKEN}"])
async def test_for_a_run_that_is_named_it_encrypts(server: Server, prefix: str) -> None:
    """And the run understands it."""
    heard = await server.ask(f"{prefix}/runs/{RUN}/encode", [PLAIN])

    assert heard.status == 200
    assert SECRET not in heard.payloads[0].SerializeToString().decode("latin-1")
    assert await PayloadEncryption(server.keys, RUN).decode(heard.payloads) == [PLAIN]


async def test_for_nobody_it_refuses_and_never_pretends(server: Server) -> None:
    """A message typed in the UI would stand in the history in clear; whoever wants that says so when the server is started."""
    refused = await server.ask("/encode", [PLAIN])
    strange = await server.ask("/runs/not-a-run/encode", [PLAIN])
    passed = await Server(clear=True).ask("/encode", [PLAIN])

    nothing = await server.ask("/encode", [])

    assert (nothing.status, nothing.data) == (200, {}), "a question without an argument is asked here, too"
    assert (refused.status, refused.data["error"]) == (409, "no_run")
    assert (strange.status, strange.data["error"]) == (400, "no_run")
    assert (passed.status, passed.payloads) == (200, [PLAIN])


async def test_keys_that_are_away_and_customers_who_are_erased_are_said_so(server: Server) -> None:
    """503 can be asked again, 410 cannot."""
    hidden = await server.hidden()
    fresh = Server()
    fresh.source.away = DatabaseUnavailable("database_lost", "The connection was lost.", "Try again.")
    away = await fresh.ask("/decode", [hidden])
    server.source.destroyed.add("gone")
    erased = await server.ask(f"/runs/{workflow_id('gone', 'x')}/encode", [PLAIN])

    assert (away.status, away.data["error"]) == (503, "database_lost")
    assert (erased.status, erased.data["error"]) == (410, "customer_erased")


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.binary(max_size=200)
    | st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=10), lambda c: st.lists(c) | st.dictionaries(st.text(max_size=9), c), max_leaves=8).map(lambda v: json.dumps({"payloads": v}).encode()),
    path=st.sampled_from(["/decode", "/encode", f"/runs/{RUN}/encode", "/", "/nowhere", "//", f"/token/{TOKEN}/", "/runs//encode"]),
    method=st.sampled_from(["POST", "GET", "PUT", "OPTIONS", "DELETE"]),
)  # fmt: skip
async def test_whatever_is_asked_there_is_an_answer(server: Server, body: bytes, path: str, method: str) -> None:
    """Never a fault of the program, never a traceback."""
    heard = await server.ask(path, body, method=method)

    assert heard.status < 500
    assert "Traceback" not in heard.text


@pytest.mark.parametrize("many", [False, True])
async def test_a_question_has_its_limits(server: Server, monkeypatch: pytest.MonkeyPatch, many: bool) -> None:
    """Said before it is all in memory."""
    monkeypatch.setattr(codec_server, "MOST_PAYLOADS" if many else "MOST_BYTES", 2 if many else 200_000)
    body: Any = [PLAIN] * 3 if many else b"x" * 200_001
    heard = await server.ask("/decode", body)

    assert (heard.status, heard.data["error"]) == (413, "too_large")


async def test_only_pages_of_the_ui_may_ask_from_a_browser(server: Server) -> None:
    """Its questions before the question are answered for both answers; a page from elsewhere gets no leave."""
    wanted = {
        "access_control_request_method": "POST",
        "access_control_request_headers": "content-type,x-namespace,authorization",
    }
    for path in ("/decode", "/encode", f"/token/{TOKEN}/decode"):
        heard = await server.ask(path, method="OPTIONS", token=None, origin=UI, **wanted)
        assert heard.status == 200
        assert heard.headers["access-control-allow-origin"] == UI
        assert heard.headers["access-control-allow-credentials"] == "true"
        stranger = await server.ask(path, method="OPTIONS", token=None, origin="http://evil.example", **wanted)
        assert stranger.headers.get("access-control-allow-origin") != "http://evil.example"
    asked = await server.ask("/decode", [await server.hidden()], origin=UI)
    foreign = await server.ask("/decode", [await server.hidden()], origin="http://evil.example")

    assert asked.headers["access-control-allow-origin"] == UI
    assert "access-control-allow-origin" not in foreign.headers


async def test_a_refusal_can_be_read_by_the_page_that_asked(server: Server) -> None:
    """Without leave the UI could only say that something failed."""
    heard = await server.ask("/encode", [PLAIN], origin=UI)

    assert heard.status == 409
    assert heard.headers["access-control-allow-origin"] == UI


async def test_nothing_of_what_is_asked_is_logged(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    """Neither contents nor the token, also not of questions that fail."""
    caplog.set_level(logging.DEBUG)
    await server.ask("/decode", [await server.hidden(), PLAIN])
    await server.ask("/encode", [PLAIN])
    await server.ask("/decode", SECRET.encode())

    assert SECRET not in caplog.text
    assert TOKEN not in caplog.text
