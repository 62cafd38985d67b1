"""Which one of the workers on a database does what only one at a time shall do. The others wait until it is gone.

The lock is the database's own sort: a lock on a file beside an SQLite database, an advisory lock of a PostgreSQL session. Both end with
their process, whatever it died of, so there is no lease to run out and no clock to compare.
"""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import IO

from sqlalchemy import Connection, Engine, text

from storage.faults import DatabaseUnavailable, told

_KEY = 7_203_114
"""Of the advisory lock: any number that nobody else in this database uses."""


class Leading:
    """`lead()` says whether this process is the one; asked again and again, it stays so until it dies or loses the database."""

    def __init__(self, engine: Engine) -> None:
        """The engine stays the caller's. A PostgreSQL gives one of its connections for as long as this process leads."""
        self._engine = engine
        self._file: IO[bytes] | None = None
        self._session: Connection | None = None

    def lead(self) -> bool:
        """Whether this process leads now; takes the lead where nobody has it, and never waits. Raises `DatabaseUnavailable`."""
        return self._by_session() if self._engine.dialect.name == "postgresql" else self._by_file()

    def close(self) -> None:
        """Gives the lead up; a process that ends need not."""
        if self._file is not None:
            self._file.close()
        if self._session is not None:
            self._session.invalidate()
            self._session.close()
        self._file = self._session = None

    def _by_file(self) -> bool:
        if self._file is not None:
            return True
        name = str(self._engine.url.database).removeprefix("file:").partition("?")[0]
        try:
            file = Path(f"{name}-releasing").open("ab")  # noqa: SIM115 - for life
        except OSError as error:
            raise DatabaseUnavailable(
                "database_read_only",
                f"No file can be made beside the database {name!r}: {error.strerror}.",
                "Give this user the right to write to its folder.",
            ) from None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return False
        self._file = file
        return True

    def _by_session(self) -> bool:
        with told(self._engine):
            if self._session is not None:
                try:
                    self._session.execute(text("select 1"))
                    return True
                except Exception:
                    # The lock went with its session; somebody else may have it by now.
                    self.close()
            session = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            if session.execute(text("select pg_try_advisory_lock(:key)"), {"key": _KEY}).scalar():
                self._session = session
                return True
            session.close()
            return False
