"""How to reach the people of a run: kept before it starts, since its first notices leave at once, and taken back where it does not start.

Note [Two starts of one name]
    Of two starts with other inputs that run side by side, both may keep their people before the server refuses one. To keep only adds
    people of whom nothing is known yet, so whoever does not start the run changes nobody's address, however they end. Only who has
    started it replaces: exactly their people stand there then. Whoever is refused takes back whom they have added; who does not hear
    whether they are is told by the same start again, and takes back then whom the run does not name.
    Between the begin of a run and that replacing, a first letter may go to an address that somebody else gave for a run of just this
    name, also in a start that died long before; or it waits, where one that is refused has just taken back whom both had named. Where
    the start dies there, too, or the other one is refused only afterwards and for a reason of its own (such as its rights), that stays
    until the same start again, which replaces anew.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from console import ground

if TYPE_CHECKING:
    from console.ordering import Prepared
    from storage.directory import Contact


def keep(prepared: Prepared) -> tuple[Contact, ...]:
    """Stores those of whom nothing is known yet, outside of the run; who that was. `RecordConflict` where it was erased."""
    from storage.directory import SqlDirectory

    with ground.database() as engine:
        return SqlDirectory(engine).keep(prepared.order.run, contacts_of(prepared))


def settle(prepared: Prepared, others: Iterable[str] = ()) -> None:
    """For a run that was started: these and nobody else, whoever tried to start it before or beside.

    Where it was started long ago, `others` are its handles: who has left a group since still holds their role in it.
    """
    from storage.directory import SqlDirectory

    with ground.database() as engine:
        SqlDirectory(engine).settle(prepared.order.run, contacts_of(prepared), others)


def take_back(prepared: Prepared, kept: Iterable[Contact], others: Iterable[str] = ()) -> None:
    """For a start that was refused: whom it has `kept` goes, but for the handles of `others`, who have a run of this name."""
    from storage.directory import SqlDirectory

    with ground.database() as engine:
        SqlDirectory(engine).take_back(prepared.order.run, kept, others)


def handles_of(order: dict[str, Any]) -> set[str]:
    """Everybody of a start order as a history holds it; also whatever else its inputs say, since some of them name people."""
    people, contacts, inputs = (order.get(name) for name in ("people", "customer_contacts", "inputs"))
    lists = (*(people.values() if isinstance(people, dict) else ()), contacts)
    named = inputs.values() if isinstance(inputs, dict) else ()
    return {
        one
        for one in (*named, *(one for many in lists if isinstance(many, list) for one in many))
        if isinstance(one, str)
    }


def contacts_of(prepared: Prepared) -> list[Contact]:
    """Its people as they are kept."""
    from storage.directory import Contact

    return [
        Contact(
            handle=one.handle, role=one.role, address=one.email, name=one.name, zone=one.tz, language=one.language
        )
        for one in prepared.people
    ]  # fmt: skip
