"""How to reach the people of a run, looked up when something is sent. No address stands in a run.

The door that starts a run keeps what the start input says about contacts and owners; a sender asks for
a handle. Forgetting a run's people leaves its records untouched.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Engine, delete, select

from storage.engine import reading, writing
from storage.tables import PEOPLE
from storage.upserts import insert


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

    def keep(self, run: str, contacts: Iterable[Contact]) -> None:
        """Stores contacts; a person in a role that is known is replaced. Raises `DatabaseUnavailable`."""
        found = [{"run": run, **asdict(contact)} for contact in contacts]
        if not found:
            return
        with writing(self._engine) as connection:
            statement = insert(connection, PEOPLE)
            changed = {name: statement.excluded[name] for name in ("address", "name", "zone", "language")}
            keys = ["run", "handle", "role"]
            connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=changed), found)

    def of(self, run: str) -> tuple[Contact, ...]:
        """Everybody known in a run, by handle and role."""
        query = select(PEOPLE).where(PEOPLE.c.run == run).order_by(PEOPLE.c.handle, PEOPLE.c.role)
        with reading(self._engine) as connection:
            found = connection.execute(query).all()
        return tuple(
            Contact(
                handle=row.handle, role=row.role, address=row.address, name=row.name, zone=row.zone, language=row.language
            )
            for row in found
        )  # fmt: skip

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
