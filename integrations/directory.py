"""How people are reached, asked when a letter leaves: what a hook says, then the installation's file, then what a run was started with.

Each of them is a mapping: `name`, `language`, `zone`, `roles`, `channels`, and an address by the sort of channel (`mail`, `slack`,
...). What the one before leaves out is taken from the next, so that a file may add a chat to whom the start input gave a mail.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from integrations.letters import Postponed, Reader
from onboarding.errors import HookRefused
from onboarding.ports import HookRunner, Later

SORTS: Final = ("mail", "slack", "phone", "teams", "webhook")
"""The sorts of addresses that channels use."""
REMEMBERED_FOR: Final = 300.0
"""Seconds for which the answer of a hook counts."""
REMEMBERED: Final = 10_000
"""Answers of a hook that are kept at once, the oldest going first."""
MOST_TEXT: Final = 500

Details = Mapping[str, Any]
_log = logging.getLogger("directory")


class People(Protocol):
    """The people of runs. `storage.directory.SqlDirectory` fulfils it."""

    def known(self, run: str, handle: str) -> Details | None:
        """What was kept of a handle at the start of a run, or `None`."""


class LayeredDirectory:
    """Fulfils `integrations.letters.Directory`."""

    def __init__(
        self,
        people: People,
        listed: Mapping[str, Details] | None = None,
        hook: Callable[[str, str], Details | None] | None = None,
    ) -> None:
        """`listed` are the people of the installation's file, by handle."""
        self._people = people
        self._listed = dict(listed or {})
        self._hook = hook

    def reader(self, run: str, handle: str) -> Reader | None:
        """Who that is, or `None` when nobody knows. Raises `Postponed` where the hook does not answer, and what the rows raise."""
        asked = self._hook(run, handle) if self._hook is not None else None
        found = [one for one in (asked, self._listed.get(handle), self._people.known(run, handle)) if one]
        return (
            _reader(handle, {key: value for one in reversed(found) for key, value in one.items() if value})
            if found
            else None
        )


class AskedDirectory:
    """A registered hook as the directory: it is given `{run, handle}` and `provides` the details; `ok: false` leaves it to the others."""

    def __init__(self, hooks: HookRunner, name: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._hooks = hooks
        self._name = name
        self._clock = clock
        self._lock = threading.Lock()
        self._answers: OrderedDict[tuple[str, str], tuple[float, Details | None]] = OrderedDict()

    def __call__(self, run: str, handle: str) -> Details | None:
        """The details, at most five minutes old. Raises `Postponed("directory_hook")`: an answer may come later."""
        with self._lock:
            at, answer = self._answers.get((run, handle), (-REMEMBERED_FOR, None))
            if self._clock() - at < REMEMBERED_FOR:
                return answer
        answer = self._ask(run, handle)
        with self._lock:
            self._answers[run, handle] = (self._clock(), answer)
            self._answers.move_to_end((run, handle))
            while len(self._answers) > REMEMBERED:
                self._answers.popitem(last=False)
        return answer

    def _ask(self, run: str, handle: str) -> Details | None:
        try:
            answer = self._hooks.run(self._name, {"run": run, "handle": handle}, f"{run}/directory/{handle}")
        except Exception as error:
            # Nobody knows what a hook of somebody else raises, and its words may hold an address.
            code = error.code if isinstance(error, HookRefused) else type(error).__name__
            _log.warning("directory_hook_failed", extra={"run_key": run, "code": code})
            raise Postponed("directory_hook") from None
        if isinstance(answer, Later):  # whoever is written to now must be known now
            _log.warning("directory_hook_failed", extra={"run_key": run, "code": "hook_answers_later"})
            raise Postponed("directory_hook")
        return answer["provides"] if answer["ok"] else None


def _reader(handle: str, details: Details) -> Reader:
    return Reader(
        handle=handle,
        name=_text(details.get("name")),
        side=_text(details.get("side")),
        roles=_words(details.get("roles")),
        language=_text(details.get("language")),
        zone=_text(details.get("zone")),
        addresses={sort: _text(details[sort]) for sort in SORTS if _text(details.get(sort))},
        channels=_words(details.get("channels")),
    )


def _text(value: Any) -> str:
    """Hooks answer what they like: what is no text of reasonable length is nothing."""
    return value.strip() if isinstance(value, str) and len(value) <= MOST_TEXT else ""


def _words(value: Any) -> tuple[str, ...]:
    return tuple(one for one in value if _text(one))[:20] if isinstance(value, list | tuple) else ()
