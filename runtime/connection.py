"""How a process of ours talks to Temporal: one plugin for client, worker and replayer.

Tests and production share it, so that they cannot diverge.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import os
import re
import socket
from datetime import timedelta
from typing import Final
from urllib.parse import quote

from temporalio.client import Client
from temporalio.envconfig import ClientConfig, ClientConnectConfig
from temporalio.plugin import SimplePlugin
from temporalio.runtime import (
    LogForwardingConfig,
    LoggingConfig,
    PrometheusConfig,
    Runtime,
    TelemetryConfig,
    TelemetryFilter,
)
from temporalio.service import KeepAliveConfig, RPCError
from temporalio.worker.workflow_sandbox import SandboxRestrictions

from runtime.converting import converter
from runtime.errors import SettingsInvalid, Unreachable
from runtime.key_cache import KeyCache
from runtime.sandbox import Sandbox
from runtime.settings import Settings

DEFAULT_ADDRESS: Final = "localhost:7233"
PROBE: Final = timedelta(seconds=2)
"""How long a port may take to open."""
ANSWER: Final = timedelta(seconds=3)
"""How long the server behind it may take to answer."""
SIGN_OF_LIFE: Final = KeepAliveConfig(interval_millis=11_000, timeout_millis=4_000)
"""A machine that has gone away closes no connection: with the SDK's own 30 s and 15 s a worker polled into the void for that
long. A server of Temporal takes it amiss to be asked more often than every 10 s."""

# Native code cannot be imported twice in one process, and the large pure packages cost 50 ms and a
# megabyte for each run if they are. None of them asks a clock when it is called.
LIBRARIES: Final = (
    "cel_expr_python", "re2", "_re2", "pydantic", "pydantic_core", "annotated_types",
    "typing_extensions", "email_validator", "dns", "idna", "phonenumbers", "stdnum",
)  # fmt: skip
# Our own rooms are reloaded for each run only under `strict`, see docs/decisions/0018-rooms-loaded-once.md: a run is made in 0.05 s instead of
# 0.27 s, measured, and takes half the memory.
OURS: Final = ("onboarding", "activities", "workflows")


def plugin(keys: KeyCache | None = None, *, strict: bool = False) -> SimplePlugin:
    """Converter, codec, failures and sandbox. `strict` reloads our rooms in the sandbox, so that it stops any clock.

    Without `keys` what is sent stays as it is, and what was encrypted is undecodable.
    """
    passed = LIBRARIES if strict else (*LIBRARIES, *OURS)
    return SimplePlugin(
        "onboarding",
        data_converter=converter(keys),
        workflow_runner=Sandbox(restrictions=SandboxRestrictions.default.with_passthrough_modules(*passed)),
    )


@functools.cache
def build_runtime(logger: logging.Logger | None = None, metrics: str | None = None) -> Runtime:
    """The SDK's native half, its log lines sent to `logger` (default `temporalio.core`) and so to stderr.

    Left alone it writes them to stdout, into the middle of `-o json`. One per process and logger. At the address `metrics` it
    shows its numbers, and ours beside them, to Prometheus. Raises `Unreachable` where nothing can listen there.
    """
    try:
        return _runtime(logger, metrics)
    except ValueError as error:
        if metrics is None:
            raise
        raise Unreachable(
            f"Nothing can listen at {metrics}: {str(error).removeprefix('Failed starting Prometheus exporter: ')}.",
            place=metrics,
            way_out="Set ONBOARDING_METRICS_ADDRESS to a free port of this machine, one for each worker, or leave it out.",
            code="metrics_address",
        ) from None


def _runtime(logger: logging.Logger | None, metrics: str | None) -> Runtime:
    return Runtime(
        telemetry=TelemetryConfig(
            metrics=PrometheusConfig(bind_address=metrics, durations_as_seconds=True) if metrics else None,
            logging=LoggingConfig(
                filter=TelemetryFilter(core_level="WARN", other_level="ERROR"),
                forwarding=LogForwardingConfig(logger or logging.getLogger("temporalio.core")),
            ),
        )
    )


def connect_config() -> ClientConnectConfig:
    """What `TEMPORAL_*` and `temporal.toml` say, with the default address filled in.

    Raises `SettingsInvalid` if the file or the profile cannot be read.
    """
    try:
        config = ClientConfig.load_client_connect_config()
    except (RuntimeError, ValueError, TypeError, OSError) as error:
        raise SettingsInvalid(
            f"Temporal's own configuration cannot be read: {error}.",
            place="TEMPORAL_CONFIG_FILE",
            way_out="Look at TEMPORAL_PROFILE, TEMPORAL_CONFIG_FILE and the other TEMPORAL_* variables.",
        ) from error
    config.setdefault("target_host", DEFAULT_ADDRESS)
    return config


async def connect(
    settings: Settings | None = None,
    *,
    address: str | None = None,
    namespace: str | None = None,
    strict: bool = False,
    metrics: str | None = None,
    keys: KeyCache | None = None,
) -> Client:
    """A client of the configured server, or of `address` and `namespace` where a door has its own server.

    A worker names the address at which it shows its `metrics`. Whoever reads or writes what people say brings the `keys`.

    Raises `Unreachable` within five seconds if nothing answers, `SettingsInvalid` if Temporal's own
    configuration cannot be read. The caller need not close it.
    """
    # A server that this process started needs no key and no certificate of another one.
    config = ClientConnectConfig(target_host=address) if address else connect_config()
    if namespace is not None:
        config["namespace"] = namespace
    target = config["target_host"]
    await _port_opens(target)
    try:
        # Cancelling leaves the native call behind, so a process whose connection timed out must end
        # with os._exit (reference: sdk-python issue 300); doors do that anyway.
        async with asyncio.timeout(ANSWER.total_seconds()):
            return await Client.connect(
                **config,
                plugins=[plugin(keys, strict=strict)],
                runtime=build_runtime(metrics=metrics),
                connect_timeout=ANSWER,
                keep_alive_config=SIGN_OF_LIFE,
                identity=_identity(settings),
            )
    except TimeoutError as error:
        raise _unreachable(target, f"has an open port and did not answer in {ANSWER.seconds} s") from error
    except (RuntimeError, RPCError, ValueError) as error:
        raise _unreachable(target, f"did not answer as one: {_short(error)}") from error


def _identity(settings: Settings | None) -> str:
    """Who this process is in histories and on the UI's page of workers; runtime/health.py looks for the host."""
    where = f"{os.getpid()}@{socket.gethostname()}"
    return f"{where} ({settings.environment})" if settings else where


def _short(error: Exception) -> str:
    """The native layer's error is a paragraph; its inner message is what a person can use."""
    inner = re.search(r'message: "([^"]+)"', str(error))
    return (inner.group(1) if inner else str(error))[:200]


async def _port_opens(target: str) -> None:
    """Fail early: the SDK's own connection attempts cannot be cancelled without a hang at exit."""
    host, _, port = target.rpartition(":")
    if not host or not port.isdigit():
        raise SettingsInvalid(
            f"The Temporal address {target!r} is not host:port.",
            place="TEMPORAL_ADDRESS",
            way_out=f"Write it like {DEFAULT_ADDRESS}.",
        )
    try:
        async with asyncio.timeout(PROBE.total_seconds()):
            _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
    except TimeoutError as error:
        raise _unreachable(target, f"did not answer in {PROBE.seconds} s") from error
    except (OSError, OverflowError, UnicodeError) as error:  # the last for a name that no host can have
        raise _unreachable(target, "cannot be connected to") from error
    writer.close()


def _unreachable(target: str, what: str) -> Unreachable:
    return Unreachable(
        f"The Temporal server at {target} {what}.",
        place=target,
        way_out=(
            "Start one on this machine with `python starter.py dev`, or set TEMPORAL_ADDRESS to yours; "
            "`python starter.py doctor` looks at each step."
        ),
    )


def ui_base(settings: Settings, address: str | None = None) -> str | None:
    """The address of the Temporal UI: the one that is set, else the dev server's habit of port + 1000.

    `address` is the server's, `host:port`. None if it is on another machine and nothing is set.
    """
    if settings.ui_url is not None:
        return settings.ui_url
    host, _, port = (address or DEFAULT_ADDRESS).rpartition(":")
    if host in ("localhost", "127.0.0.1", "[::1]") and port.isdigit():
        return f"http://{host}:{int(port) + 1000}"
    return None


def ui_url(base: str, namespace: str, workflow_id: str, run_id: str) -> str:
    """The page of a run in the Temporal UI that shows the cover sheet (tab User Metadata)."""
    parts = (quote(part, safe="") for part in (namespace, workflow_id, run_id))
    return "{}/namespaces/{}/workflows/{}/{}/user-metadata".format(base.rstrip("/"), *parts)
