"""What the Temporal UI and its command line ask to see what is encrypted: two answers over HTTP, behind a token, and nothing kept.

The UI knows no run when it asks: decoding needs none, because a payload names its own, but nothing can be encrypted for nobody.
So `/encode` alone refuses, unless whoever starts the server has said that messages typed in the UI may stay in clear; under
`/runs/<run>` it encrypts for that run. A token may stand in the path, since the UI of a server without a login has none to send.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import traceback
from collections.abc import Sequence
from typing import Final

from google.protobuf.json_format import MessageToDict, Parse, ParseError
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from temporalio.api.common.v1 import Payload, Payloads

from onboarding.errors import OnboardingError
from runtime.codec import UNDECODABLE, NoRun, PayloadEncryption
from runtime.key_cache import KeyCache

MOST_BYTES: Final = 32 * 1024 * 1024
"""Of one question. The UI asks for a page of a history at once, and base64 makes it longer."""
MOST_PAYLOADS: Final = 20_000
AT_ONCE: Final = 8
"""Questions answered at once; more wait, so that memory is bounded."""
ADVICE: Final = (
    "Send it with `python starter.py`, or let the endpoint in the UI's settings end with /runs/ and the run's name."
)

_log = logging.getLogger("codec_server")


class Asked(Exception):
    """The question is none. Becomes its status, code and sentence."""

    def __init__(self, status: int, code: str, sentence: str) -> None:
        super().__init__(code)
        self.answer = refusal(status, code, sentence)


def refusal(status: int, code: str, sentence: str) -> Response:
    """What is said instead of payloads; never anything of what was sent."""
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    return JSONResponse({"error": code, "message": sentence}, status, headers)


class CodecServer:
    """The two answers. `clear` lets through what cannot be encrypted because nobody says for which run it is."""

    def __init__(self, keys: KeyCache, token: str, *, clear: bool = False) -> None:
        self._codec = PayloadEncryption(keys)
        self._keys = keys
        self._token = token.encode()
        self._clear = clear
        self._gate = asyncio.Semaphore(AT_ONCE)

    def app(self, origins: Sequence[str]) -> Starlette:
        """As an application; browsers may ask from pages of `origins` only."""
        routes = [
            Route("/decode", self._decode, methods=["POST"]),
            Route("/encode", self._encode, methods=["POST"]),
            Route("/runs/{run:path}/decode", self._decode, methods=["POST"]),
            Route("/runs/{run:path}/encode", self._encode, methods=["POST"]),
        ]
        cors = Middleware(
            CORSMiddleware, allow_origins=list(origins), allow_methods=["POST"], allow_credentials=True,
            allow_headers=["authorization", "content-type", "x-namespace"], max_age=600,
        )  # fmt: skip
        found = {Asked: _as_asked, 404: _no_such, 405: _no_such, Exception: _trouble, OnboardingError: _away}
        return Starlette(
            routes=[Mount("/token/{token}", routes=routes), *routes], middleware=[cors], exception_handlers=found
        )

    async def _decode(self, request: Request) -> Response:
        async with self._gate:
            payloads = await self._asked(request)
            return _payloads([shown(one) for one in await self._codec.decode(payloads)])

    async def _encode(self, request: Request) -> Response:
        async with self._gate:
            payloads = await self._asked(request)
            run = request.path_params.get("run")
            if run is not None or not payloads or not self._keys.is_on():
                try:
                    return _payloads(await PayloadEncryption(self._keys, run).encode(payloads))
                except NoRun as nobody:
                    raise Asked(400, "no_run", str(nobody)) from None
            if self._clear:
                return _payloads(payloads)
            raise Asked(
                409,
                "no_run",
                f"Nobody says for which run this is, so it cannot be encrypted, and was not sent. {ADVICE}",
            )

    async def _asked(self, request: Request) -> Sequence[Payload]:
        self._admit(request)
        content = bytearray()
        async for part in request.stream():
            content += part
            if len(content) > MOST_BYTES:
                raise Asked(413, "too_large", f"A question may have {MOST_BYTES:,} bytes.")
        try:
            found = Parse(bytes(content).decode(), Payloads(), max_recursion_depth=10).payloads
        except (ParseError, ValueError, RecursionError):
            raise Asked(400, "not_payloads", 'A question is {"payloads": […]}, as Temporal writes them.') from None
        if len(found) > MOST_PAYLOADS:
            raise Asked(413, "too_large", f"A question may have {MOST_PAYLOADS:,} payloads.")
        return list(found)

    def _admit(self, request: Request) -> None:
        kind, _, word = request.headers.get("authorization", "").partition(" ")
        said = [word] if kind.casefold() == "bearer" else []
        said.append(str(request.path_params.get("token", "")))
        if not any(hmac.compare_digest(one.strip().encode(), self._token) for one in said):
            raise Asked(401, "no_token", "This needs the token that the codec server was started with.")


def shown(payload: Payload) -> Payload:
    """For a person: a marker says in words what it is."""
    if payload.metadata.get("encoding") != UNDECODABLE:
        return payload
    words = "(cannot be decoded: its key was destroyed, or it is not one of this installation)"
    return Payload(metadata={"encoding": b"json/plain"}, data=json.dumps(words).encode())


def _payloads(found: Sequence[Payload]) -> Response:
    return JSONResponse(MessageToDict(Payloads(payloads=found)), headers={"Cache-Control": "no-store"})


async def _as_asked(_: Request, error: Exception) -> Response:
    assert isinstance(error, Asked)
    return error.answer


async def _no_such(_: Request, error: Exception) -> Response:
    return refusal(
        getattr(error, "status_code", 404), "no_such_answer", "There are /decode and /encode, asked with POST."
    )


async def _away(_: Request, error: Exception) -> Response:
    """Keys that cannot be looked at now, or a customer who has none any more."""
    code = str(getattr(error, "code", "keys_unavailable"))
    return refusal(410 if code == "customer_erased" else 503, code, getattr(error, "sentence", str(error)))


async def _trouble(_: Request, error: Exception) -> Response:
    if isinstance(error, ClientDisconnect):
        return Response(status_code=499)
    frames = traceback.extract_tb(error.__traceback__)
    where = f"{frames[-1].filename.rsplit('/', 1)[-1]}:{frames[-1].lineno}" if frames else "nowhere"
    _log.error("codec_server_fault", extra={"reason": f"{type(error).__name__} at {where}"})
    return refusal(
        500, "internal", "The codec server met a fault of the program; nothing of what was asked is in any log."
    )
