"""What the edge must provide. Activities know these protocols; only the doors know who fulfils them."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from onboarding.engine.effects import Notice, WriteRecords


class RecordStore(Protocol):
    """Keeps the rows of runs. Writing is idempotent by natural key: the same content again is success."""

    def write(self, records: WriteRecords) -> None:
        """Writes all rows of one turn in one transaction.

        Raises `RecordConflict` when a written-once row (trail, ledger) exists with other content; any other error may be
        tried again.
        """


class Notifier(Protocol):
    """Brings a notice to a person, once for each key."""

    def deliver(self, notice: Notice) -> None:
        """Delivers, or does nothing when this key was delivered before."""

    def withdraw(self, key: str) -> bool:
        """Takes back a notice that has not left; `True` when nobody will read it."""


HookFunction = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""Arguments in, result out: `{"ok": bool, "provides": {...}, "faults": [{"place", "code", "sentence"}]}`; `ok` may be left out."""


class HookRunner(Protocol):
    """Runs registered hooks and checks by name."""

    @property
    def names(self) -> tuple[str, ...]:
        """The registered names, in order."""

    def run(self, name: str, arguments: Mapping[str, Any], key: str) -> Mapping[str, Any]:
        """Calls the hook. Raises `HookRefused` for an answer that no retry will change; any other error may be tried again."""
