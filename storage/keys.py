"""The keys under which payloads of customers are encrypted: one active key for each customer, older ones that still open.

A data key is kept wrapped by a master key, and no master key is in the database: whoever has only one of the two reads nothing.
To destroy the keys of a customer is to erase what was ever encrypted for them, wherever it was copied to.

A customer whose keys were destroyed never gets another one. A worker that is late could otherwise bring back, under a new key,
what was erased; and a customer who returns is another customer, with another name.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from sqlalchemy import Connection, Engine, func, insert, select, text, update
from sqlalchemy.sql.elements import ColumnElement

from onboarding.errors import CustomerErased
from storage.engine import reading, writing
from storage.faults import DatabaseUnavailable, told
from storage.tables import KEYS

ACTIVE: Final = "active"
RETIRED: Final = "retired"
DESTROYED: Final = "destroyed"

KEY_BYTES: Final = 32
"""AES-256."""
AT_ONCE: Final = 500
"""Keys that are wrapped anew in one transaction, so that nobody waits long for it."""
_ID_BYTES, _MARK_BYTES = 8, 8


class Masters(Protocol):
    """What holds the master keys. Each method but the first raises where they cannot be read now."""

    def exists(self) -> bool:
        """Whether there are any."""

    def current(self) -> str:
        """The id of the master key that wraps."""

    def ids(self) -> tuple[str, ...]:
        """The ids of all of them."""

    def wrap(self, secret: bytes, about: bytes) -> tuple[str, bytes]:
        """The id of the current master key, and the secret under it, bound to what it is about."""

    def unwrap(self, master: str, wrapped: bytes, about: bytes) -> bytes:
        """The secret. Raises where this master key is not known, or what is wrapped is not what it should be."""

    def mark(self, about: bytes) -> bytes:
        """Bytes that only a holder of the current master key can make for this."""

    def marked(self, mark: bytes, about: bytes) -> bool:
        """Whether any of the master keys has made this mark for this."""


@dataclass(frozen=True, slots=True)
class DataKey:
    """A key that can be used. Its secret is in no text that is made of it."""

    id: str
    customer: str
    secret: bytes = field(repr=False)


class CustomerKeys:
    """The `customer_keys` table. Every method may be called in any thread; each raises `DatabaseUnavailable`."""

    def __init__(self, engine: Engine, masters: Masters) -> None:
        """The engine stays the caller's: it is not disposed here."""
        self._engine = engine
        self._masters = masters

    def is_on(self) -> bool:
        """Whether anything is encrypted here. Raises nothing."""
        return self._masters.exists()

    def active(self, customer: str) -> DataKey:
        """The key to encrypt with; the first to ask makes it, and whoever asks at the same time gets the same one.

        Raises `CustomerErased`.
        """
        with reading(self._engine) as connection:
            found = _newest(connection, customer)
        if found is None or found.state == RETIRED:
            found = self._make(customer)
        if found.state == DESTROYED:
            raise CustomerErased
        return self._opened(found)

    def find(self, key_id: str, customer: str) -> DataKey | None:
        """The key with this id, `None` where there is none for this customer, or none any more.

        Raises `DatabaseUnavailable` `key_row_missing` for an id that was made here and has no row: this is another database.
        """
        with reading(self._engine) as connection:
            found = connection.execute(select(KEYS).where(KEYS.c.id == key_id)).one_or_none()
        if found is not None:
            return self._opened(found) if found.customer == customer and found.state != DESTROYED else None
        if self._made_here(key_id, customer):
            raise DatabaseUnavailable(
                "key_row_missing",
                "The database lacks a key that this installation has made.",
                "Name the right one with ONBOARDING_DATABASE_URL, or restore a backup that is newer than the key.",
            )
        return None

    def count(self) -> list[dict[str, Any]]:
        """How many keys each master key wraps, by state; those that were destroyed are under no master key."""
        query = select(KEYS.c.master, KEYS.c.state, func.count().label("keys")).group_by(KEYS.c.master, KEYS.c.state)
        with reading(self._engine) as connection:
            return [dict(row) for row in connection.execute(query.order_by(KEYS.c.master, KEYS.c.state)).mappings()]

    def behind(self) -> bool:
        """Whether any key is under another master key than the current one: a rotation that has not come to its end."""
        with reading(self._engine) as connection:
            return connection.execute(select(KEYS.c.id).where(self._old()).limit(1)).first() is not None

    def rewrap(self) -> int:
        """Puts every key under the current master key and retires it, so that the next payload makes a new one; how many.

        What is under the current one already stays as it is: after a kill the same again does the rest. What is under a master
        key that is lost stays, too, and keeps no other key under an old one; `lost` counts it.
        """
        count, old = 0, self._old()
        while rows := self._some(old):
            count += len(rows)
        return count

    def lost(self) -> int:
        """How many keys that were not destroyed nobody can open, because their master key is not there."""
        unknown = KEYS.c.master.not_in(self._masters.ids()) & (KEYS.c.state != DESTROYED)
        with reading(self._engine) as connection:
            return connection.execute(select(func.count()).where(unknown)).scalar_one()

    def _old(self) -> ColumnElement[bool]:
        """Keys under a master key that is there and not the current one."""
        older = [one for one in self._masters.ids() if one != self._masters.current()]
        return KEYS.c.master.in_(older) & (KEYS.c.state != DESTROYED)

    def _some(self, old: ColumnElement[bool]) -> Sequence[Any]:
        with writing(self._engine) as connection:
            _alone(connection)
            rows = connection.execute(
                select(KEYS).where(old).order_by(KEYS.c.customer, KEYS.c.generation).limit(AT_ONCE)
            ).all()
            for row in rows:
                master, wrapped = self._masters.wrap(self._opened(row).secret, _about(row))
                same = (KEYS.c.customer == row.customer) & (KEYS.c.generation == row.generation)
                values = {
                    "master": master,
                    "wrapped": wrapped,
                    "state": RETIRED,
                    "retired_at": row.retired_at or _now(),
                }
                connection.execute(update(KEYS).where(same).values(values))
        return rows

    def _make(self, customer: str) -> Any:
        """A new key unless somebody was faster, or has destroyed them."""
        with writing(self._engine) as connection:
            _alone(connection)
            found = _newest(connection, customer)
            if found is not None and found.state != RETIRED:
                return found
            key_id = self._new_id(customer)
            row: dict[str, Any] = {
                "customer": customer, "generation": found.generation + 1 if found else 1, "id": key_id,
                "state": ACTIVE, "created_at": _now(), "retired_at": None, "destroyed_at": None,
            }  # fmt: skip
            row["master"], row["wrapped"] = self._masters.wrap(os.urandom(KEY_BYTES), _bound(customer, key_id))
            connection.execute(insert(KEYS).values(row))
            return _newest(connection, customer)

    def _opened(self, row: Any) -> DataKey:
        return DataKey(row.id, row.customer, self._masters.unwrap(row.master, row.wrapped, _about(row)))

    # A stranger can invent an id and cannot mark it: what is marked and unknown is no invention, but a database that is not ours.

    def _new_id(self, customer: str) -> str:
        chance = os.urandom(_ID_BYTES)
        return (chance + self._masters.mark(_bound(customer, chance.hex()))[:_MARK_BYTES]).hex()

    def _made_here(self, key_id: str, customer: str) -> bool:
        try:
            content = bytes.fromhex(key_id)
        except ValueError:
            return False
        about = _bound(customer, content[:_ID_BYTES].hex())
        return len(content) == _ID_BYTES + _MARK_BYTES and self._masters.marked(content[_ID_BYTES:], about)


def holds_keys(engine: Engine) -> bool:
    """Whether a payload may ever have been encrypted here. Raises `DatabaseUnavailable`."""
    with reading(engine) as connection:
        return connection.execute(select(KEYS.c.state).where(KEYS.c.state != DESTROYED).limit(1)).first() is not None


def destroy(engine: Engine, customer: str) -> int:
    """Destroys every key of a customer, for ever and on the disk; how many. The second time it finds nothing to do.

    A customer without a key gets a row that says so, and so never gets one. Processes that have a key in memory forget it
    within seconds, see `runtime/key_cache.py`. Raises `DatabaseUnavailable`, and then has destroyed all or none.
    """
    at = _now()
    with writing(engine) as connection:
        if engine.dialect.name == "sqlite":
            connection.execute(text("PRAGMA secure_delete = ON"))
        _alone(connection)
        known = connection.execute(select(KEYS.c.state).where(KEYS.c.customer == customer)).scalars().all()
        gone = {"wrapped": b"", "master": "", "state": DESTROYED, "destroyed_at": at}
        theirs = (KEYS.c.customer == customer) & (KEYS.c.state != DESTROYED)
        count = connection.execute(update(KEYS).where(theirs).values(gone)).rowcount
        if not known:
            row = {
                "customer": customer,
                "generation": 0,
                "id": os.urandom(_ID_BYTES).hex(),
                "created_at": at,
                "retired_at": None,
            }
            connection.execute(insert(KEYS).values(row | gone))
    _sweep(engine)
    return count


def _sweep(engine: Engine) -> None:
    """Takes what was overwritten off the disk as far as a client can. Copies that were made before are the backups' matter."""
    with (
        suppress(DatabaseUnavailable),
        told(engine),
        engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection,
    ):
        if engine.dialect.name == "postgresql":
            connection.execute(text("VACUUM customer_keys"))
        else:
            driver: Any = connection.connection.driver_connection
            driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _newest(connection: Connection, customer: str) -> Any:
    """The last key of a customer, which alone can be active; one that was destroyed comes before all others."""
    query = select(KEYS).where(KEYS.c.customer == customer)
    return connection.execute(
        query.order_by((KEYS.c.state == DESTROYED).desc(), KEYS.c.generation.desc()).limit(1)
    ).first()


def _alone(connection: Connection) -> None:
    """From here on nobody else makes, wraps or destroys a key; everybody can read them. SQLite has one writer anyhow."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("LOCK TABLE customer_keys IN SHARE ROW EXCLUSIVE MODE"))


def _about(row: Any) -> bytes:
    return _bound(row.customer, row.id)


def _bound(*words: str) -> bytes:
    """Words in an order that no other words have."""
    return b"".join(len(content).to_bytes(4, "big") + content for content in (word.encode() for word in words))


def _now() -> datetime:
    return datetime.now(UTC)
