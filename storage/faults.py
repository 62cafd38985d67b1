"""What a database can refuse, in one error with a code, a sentence and a way out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, StatementError, TimeoutError as PoolTimeout

from onboarding.errors import OnboardingError

BUSY_SECONDS = 5.0
"""How long a writer waits for another one: half of what an attempt of an activity has."""
_AGAIN, _UNAVAILABLE = 75, 69
_PASSING = frozenset({"database_busy", "database_full", "database_read_only", "database_lost"})
_BUSY_STATES = frozenset({"55P03", "40P01", "40001"})


class DatabaseUnavailable(OnboardingError):
    """The database cannot be opened, or did not answer.

    Raised by `open_database` and by every read and write. `code` is stable, `sentence` says what was
    found, `way_out` what to do; no value of a row is in either. At a door: print both and leave with
    `exit_code`. In an activity: nothing was half-written, so the attempt is simply repeated.
    """

    def __init__(self, code: str, sentence: str, way_out: str) -> None:
        self.code = code
        self.sentence = sentence
        self.way_out = way_out
        super().__init__(code, sentence, way_out)

    def __str__(self) -> str:
        return f"{self.sentence} {self.way_out}"

    @property
    def exit_code(self) -> int:
        """75 where the same again can succeed once the database has room, rights or rest; else 69."""
        return _AGAIN if self.code in _PASSING else _UNAVAILABLE


@contextmanager
def told(engine: Engine) -> Iterator[None]:
    """Turns what the driver raises into one error of ours.

    The driver's own error is left behind: PostgreSQL quotes the row that failed in it.
    """
    try:
        yield
    except PoolTimeout:
        raise _crowded(engine.url.database or "") from None
    except DBAPIError as error:
        if error.connection_invalidated:
            raise _lost(engine) from None
        raise _translated(engine, error.orig or error) from None
    except StatementError:
        raise ValueError("a value cannot be stored in its column") from None
    except engine.dialect.loaded_dbapi.Error as error:
        raise _translated(engine, error) from None


def not_a_database(name: str) -> DatabaseUnavailable:
    """The file is something else, or was damaged."""
    return DatabaseUnavailable(
        "not_a_database",
        f"The file {name!r} is not a readable SQLite database.",
        "Restore it from a backup, or name another file (ONBOARDING_DATABASE_URL).",
    )


def orphans(name: str) -> DatabaseUnavailable:
    """Somebody deleted a run by hand and left what belongs to it."""
    return DatabaseUnavailable(
        "database_orphans",
        f"The database {name!r} holds rows of a run that is not there, so its tables stay as they are.",
        "`python starter.py database check` counts them: restore a backup, or delete them, and try again.",
    )


def busy(name: str) -> DatabaseUnavailable:
    """Others wrote all the while."""
    return DatabaseUnavailable(
        "database_busy",
        f"The database {name!r} was held by other writers for {BUSY_SECONDS:.0f} seconds.",
        "Try again; if it stays so, look for a backup or a shell that keeps it open.",
    )


def _crowded(name: str) -> DatabaseUnavailable:
    return DatabaseUnavailable(
        "database_busy",
        f"All connections of this process to the database {name!r} were in use for {BUSY_SECONDS:.0f} seconds.",
        "Try again; if it stays so, the database answers too slowly for what is asked of it.",
    )


def _lost(engine: Engine) -> DatabaseUnavailable:
    return DatabaseUnavailable(
        "database_lost",
        f"The connection to the database {engine.url.database or ''!r} was lost; what was under way is written as a whole or not at all.",
        "Try again: a new connection is made. What is there already is not written twice.",
    )


def _translated(engine: Engine, error: BaseException) -> DatabaseUnavailable:
    words = str(error).lower()
    state = getattr(error, "sqlstate", None)
    name = engine.url.database or ""
    if state in _BUSY_STATES or "locked" in words or "lock timeout" in words:
        return busy(name)
    if "not a database" in words or "malformed" in words:
        return not_a_database(name)
    if "readonly" in words or "read-only" in words:
        return DatabaseUnavailable(
            "database_read_only",
            f"The database {name!r} can be read and not be written.",
            "Give this user the right to write to it, with SQLite to the file and its folder.",
        )
    if "disk is full" in words or "no space" in words or state == "53100":
        return DatabaseUnavailable(
            "database_full",
            f"There is no room for the database {name!r}.",
            "Make room on its disk and try again.",
        )
    if state == "42501":
        return DatabaseUnavailable(
            "database_forbidden",
            f"The user of the database {name!r} may not do what is needed there ({state}).",
            "Let it own the database, or name another user in ONBOARDING_DATABASE_URL.",
        )
    if "unable to open" in words or "connect" in words or "does not exist" in words:
        host = f" at {engine.url.host!r}" if engine.url.host else ""
        return DatabaseUnavailable(
            "database_unreachable",
            f"The database {name!r}{host} cannot be opened.",
            "Check ONBOARDING_DATABASE_URL, and that this user may open it.",
        )
    named = state or getattr(error, "sqlite_errorname", None) or type(error).__name__
    return DatabaseUnavailable(
        "database_failed",
        f"The database {name!r} failed ({named}).",
        "Try again; `python starter.py database check` looks at it.",
    )
