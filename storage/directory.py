"""How to reach the people of a run, looked up when something is sent. No address stands in a run.

The door that starts a run keeps what the start input says about contacts and owners; a sender asks for
a handle. Forgetting a run's people leaves its records untouched.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, Engine, bindparam, delete, select

from onboarding.errors import RecordConflict
from storage.engine import reading, writing
from storage.standing import alone_with, is_erased
from storage.tables import PEOPLE
from storage.upserts import replacing


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """One person in one role of one run."""

    handle: str
    role: str
    address: str | None = None
    name: str | None = None
    zone: str | None = None
    language: str | None = None


class SqlDirectory:
    """The `people` table."""

    def __init__(self, engine: Engine) -> None:
        """The engine stays the caller's: it is not disposed here."""
        self._engine = engine

    def keep(self, run: str, contacts: Iterable[Contact]) -> tuple[Contact, ...]:
        """Adds those of whom nothing is known in this run yet; who that was. Whoever stands there stays as they are.

        Raises `DatabaseUnavailable`, and `RecordConflict` for a run that was erased.
        """
        with writing(self._engine) as connection:
            alone_with(connection, run)
            if is_erased(connection, run):
                raise RecordConflict("erasures", run)
            known = {one.handle for one in _all(connection, run)}
            added = tuple(one for one in contacts if one.handle not in known)
            _put(connection, run, added)
        return added

    def settle(self, run: str, contacts: Iterable[Contact], others: Iterable[str] = ()) -> None:
        """These and nobody else, but for `others`: handles of whom these say nothing. Of a run that was erased nobody.

        Raises `DatabaseUnavailable`.
        """
        wanted = set(contacts)
        staying = set(others) - {one.handle for one in wanted}
        if wanted == set(self.of(run)):
            return
        with writing(self._engine) as connection:
            alone_with(connection, run)
            if is_erased(connection, run):
                return
            stray = set(_all(connection, run)) - wanted
            _remove(connection, run, [one for one in stray if one.handle not in staying])
            _put(connection, run, wanted)

    def take_back(self, run: str, kept: Iterable[Contact], others: Iterable[str] = ()) -> None:
        """Removes those of `kept` who still stand there just so, but for the handles of `others`: those are somebody else's, too."""
        staying = set(others)
        with writing(self._engine) as connection:
            alone_with(connection, run)
            mine = set(_all(connection, run)) & set(kept)
            _remove(connection, run, [one for one in mine if one.handle not in staying])

    def of(self, run: str) -> tuple[Contact, ...]:
        """Everybody known in a run, by handle and role."""
        with reading(self._engine) as connection:
            return _all(connection, run)

    def known(self, run: str, handle: str) -> dict[str, Any] | None:
        """What was kept of a handle, over all its roles: `roles`, `mail`, `name`, `zone`, `language`; `None` when nobody said.

        Fulfils `integrations.directory.People`.
        """
        mine = [one for one in self.of(run) if one.handle == handle]
        if not mine:
            return None
        names = {"mail": "address", "name": "name", "zone": "zone", "language": "language"}
        first = {
            key: next((value for one in mine if (value := getattr(one, name))), None) for key, name in names.items()
        }
        return {"roles": [one.role for one in mine], **first}

    def forget(self, run: str) -> int:
        """Removes everybody of a run; how many rows there were."""
        with writing(self._engine) as connection:
            return connection.execute(delete(PEOPLE).where(PEOPLE.c.run == run)).rowcount


def _all(connection: Connection, run: str) -> tuple[Contact, ...]:
    return tuple(
        Contact(
            handle=row.handle, role=row.role, address=row.address, name=row.name, zone=row.zone, language=row.language
        )
        for row in connection.execute(_OF_RUN, {"its": run})
    )  # fmt: skip


_OF_RUN = select(PEOPLE).where(PEOPLE.c.run == bindparam("its")).order_by(PEOPLE.c.handle, PEOPLE.c.role)
"""Built once: every letter asks for its reader."""


def _put(connection: Connection, run: str, contacts: Iterable[Contact]) -> None:
    found = [{"run": run, **asdict(contact)} for contact in contacts]
    if found:
        connection.execute(replacing(connection.dialect.name, PEOPLE), found)


def _remove(connection: Connection, run: str, contacts: Iterable[Contact]) -> None:
    for one in contacts:
        this = PEOPLE.c.run == run, PEOPLE.c.handle == one.handle, PEOPLE.c.role == one.role
        connection.execute(delete(PEOPLE).where(*this))
