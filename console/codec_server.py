"""`codec-server`: lets the Temporal UI, and `temporal workflow show --codec-endpoint`, read what is encrypted."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from ipaddress import ip_address
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from console import ground
from console.leaving import OK, UNAVAILABLE, Misused
from console.printing import hint
from runtime.masters import MasterFile

if TYPE_CHECKING:
    import uvicorn

    from runtime.settings import Settings

app = typer.Typer()

TOKEN_BYTES = 32


@app.command()
def codec_server(
    listen: Annotated[
        str,
        typer.Option("--listen", metavar="ADDRESS:PORT", help="Where it listens; the default is this machine only."),
    ] = "127.0.0.1:8234",
    clear_messages: Annotated[
        bool,
        typer.Option("--clear-messages", help="Let messages that are typed in the UI be sent without encryption."),
    ] = False,
) -> int:
    """Show the Temporal UI what is encrypted, until Ctrl-C. Whoever has its token reads everything."""
    settings = ground.settings()
    host, port = _address(listen)
    file = MasterFile(settings.keys)
    file.read()
    given = settings.codec_token.get_secret_value() if settings.codec_token is not None else None
    if given is None and not ip_address(host).is_loopback:
        raise Misused(
            f"--listen {listen} can be reached by other machines: set ONBOARDING_CODEC_TOKEN, and put a proxy with TLS before it."
        )
    token = given or secrets.token_urlsafe(TOKEN_BYTES)
    return ground.run(_serve(settings, host, port, token, clear=clear_messages, told=given is None))


async def _serve(settings: Settings, host: str, port: int, token: str, *, clear: bool, told: bool) -> int:
    try:
        import uvicorn

        from runtime.codec_server import CodecServer
    except ImportError as missing:
        from runtime.errors import NotInstalled

        raise NotInstalled((missing.name or "starlette").partition(".")[0], "codec") from None
    from console.children import stopping
    from console.keys_here import cache_of

    origins = origins_of(settings)
    application = CodecServer(cache_of(settings), token, clear=clear).app(origins)
    server = uvicorn.Server(
        uvicorn.Config(
            application, host=host, port=port, log_config=None, access_log=False, server_header=False, lifespan="off",
            timeout_graceful_shutdown=5, limit_concurrency=100,
        )
    )  # fmt: skip
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # its traceback of a fault could quote what was asked
    bracketed = f"[{host}]" if ":" in host else host
    hint(
        f"The codec server listens at http://{bracketed}:{port}; pages of {', '.join(origins)} may ask it. Ctrl-C ends it."
    )
    if told:
        hint(f"Token, new at each start (or set ONBOARDING_CODEC_TOKEN): {token}")
    hint(f"In the UI, or with --ui-codec-endpoint: http://{bracketed}:{port}/token/{token if told else '<token>'}")
    # Its own handlers would end the process by the signal, and asked to end is no failure.
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign, assignment]
    stop = stopping()
    serving = asyncio.ensure_future(_until_it_cannot(server))
    await asyncio.wait((serving, asyncio.ensure_future(stop.wait())), return_when=asyncio.FIRST_COMPLETED)
    server.should_exit = True
    if not await serving:
        hint(f"Nothing can listen at {bracketed}:{port}: another program does, or it is no address of this machine.")
        return UNAVAILABLE
    return OK


async def _until_it_cannot(server: uvicorn.Server) -> bool:
    """Serves until it is told to stop; whether it could listen at all."""
    try:
        await server.serve()
    except SystemExit:  # its own way to say that it cannot
        return False
    return True


def origins_of(settings: Settings) -> list[str]:
    """The pages from which a browser may ask: those of the Temporal UI, under each name that this machine has for itself."""
    from runtime.connection import DEFAULT_ADDRESS, connect_config, ui_base

    base = ui_base(settings, connect_config().get("target_host")) or ui_base(settings, DEFAULT_ADDRESS) or ""
    parts = urlsplit(base)
    hosts = (
        ["localhost", "127.0.0.1"] if parts.hostname in ("localhost", "127.0.0.1", "::1") else [parts.hostname or ""]
    )
    port = f":{parts.port}" if parts.port else ""
    return [f"{parts.scheme}://{host}{port}" for host in hosts]


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    try:
        found = ip_address(host.removeprefix("[").removesuffix("]"))
        if not (port.isascii() and port.isdigit() and 0 < int(port) < 65_536):
            raise ValueError
    except ValueError:
        raise Misused(f"--listen takes an address and a port, such as 127.0.0.1:8234, found {text[:60]!r}.") from None
    return str(found), int(port)
