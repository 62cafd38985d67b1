"""How to reach the people of a run: kept before it starts, since its first notices leave at once, and taken back where it does not start.

Note [Two starts of one name]
    Of two starts with other inputs that run side by side, both may keep their people before the server refuses one. Whoever is refused
    takes back what is theirs, and whoever has started looks once more that exactly their people stand there. Only where one of
    them dies just then may somebody stand there too much or with the other's address; the same start again mends that.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from console import ground

if TYPE_CHECKING:
    from console.ordering import Prepared
    from storage.directory import Contact


def keep(prepared: Prepared) -> tuple[Contact, ...]:
    """Stores them, outside of the run; who stood there before."""
    from storage.directory import SqlDirectory

    with ground.database() as engine:
        return SqlDirectory(engine).keep(prepared.order.run, _contacts(prepared))


def settle(prepared: Prepared) -> None:
    """For a run that was started: these and nobody else, whoever tried to start it before or beside."""
    from storage.directory import SqlDirectory

    with ground.database() as engine:
        SqlDirectory(engine).settle(prepared.order.run, _contacts(prepared))


def take_back(prepared: Prepared, before: Iterable[Contact], others: Iterable[str] = ()) -> None:
    """For a start that was refused: leaves who stood there `before`, and the handles of `others`, who have a run of this name."""
    from storage.directory import SqlDirectory

    with ground.database() as engine:
        SqlDirectory(engine).take_back(prepared.order.run, _contacts(prepared), before, others)


def handles_of(order: dict[str, Any]) -> set[str]:
    """Everybody of a start order as a history holds it."""
    people, contacts = order.get("people"), order.get("customer_contacts")
    by_role = people.values() if isinstance(people, dict) else ()
    return {one for many in (*by_role, contacts) if isinstance(many, list) for one in many}


def _contacts(prepared: Prepared) -> list[Contact]:
    from storage.directory import Contact

    return [
        Contact(
            handle=one.handle, role=one.role, address=one.email, name=one.name, zone=one.tz, language=one.language
        )
        for one in prepared.people
    ]  # fmt: skip
