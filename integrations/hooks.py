"""The registry of hooks and checks that definitions may name.

A hook gets `{"run", "customer", "item", "facts": {…}, "fields": {…}, "files": […]}` and answers
`{"ok", "provides", "faults", "note"}`. `ok` must be there: silence never approves. False with faults sends a
request back to whoever answered it; `provides` are facts. The others are optional. It is tried again after any exception but `HookRefused`, so
whatever it does outside must be harmless to repeat; the key in `run` is the same for every attempt. `LATER` instead of an answer says
that the work goes on elsewhere, see docs/hooks.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Any

from integrations.examples import EXAMPLES
from onboarding.errors import HookRefused
from onboarding.hook_terms import HookTerms
from onboarding.ports import LATER, HookFunction, Later

__all__ = ["GROUP", "LATER", "HookRegistry", "Later"]

GROUP = "onboarding.hooks"
"""The entry point group under which an installed package offers hooks: name of the hook = function."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_ANSWER: dict[str, type] = {"ok": bool, "provides": Mapping, "faults": list, "note": str}
_FAULT = ("place", "code", "sentence")


class HookRegistry:
    """Fulfils `onboarding.ports.HookRunner`. Starts with the examples unless told otherwise."""

    def __init__(self, hooks: Mapping[str, HookFunction] | None = None) -> None:
        """`hooks` replaces the examples of the shipped definitions."""
        self._hooks: dict[str, HookFunction] = {}
        self._terms: dict[str, HookTerms] = {}
        for name, function in (EXAMPLES if hooks is None else hooks).items():
            self.register(name, function)

    def register(self, name: str, function: HookFunction, *, replace: bool = False) -> None:
        """Adds a hook. Raises `ValueError` for a name no definition could use, or one that is taken."""
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name of a hook: lower case, digits, underscores")
        if name in self._hooks and not replace:
            raise ValueError(f"{name!r} is registered already: say replace=True to replace it")
        self._hooks[name] = function

    def register_installed(self, group: str = GROUP) -> tuple[str, ...]:
        """Adds the hooks of installed packages, replacing examples of the same name; their names.

        Raises whatever a package raises when it is imported: a hook that is missing must be seen at the
        start of a worker and not in the middle of a run.
        """
        found = sorted(entry_points(group=group), key=lambda point: point.name)
        for point in found:
            self.register(point.name, point.load(), replace=True)
        return tuple(point.name for point in found)

    @property
    def names(self) -> tuple[str, ...]:
        """The registered names, in order."""
        return tuple(sorted(self._hooks))

    def limit(self, name: str, terms: HookTerms) -> None:
        """Says how many calls of a hook may be made."""
        self._terms[name] = terms

    def terms(self, name: str) -> HookTerms:
        """The limits of a hook."""
        return self._terms.get(name) or HookTerms()

    def run(self, name: str, arguments: Mapping[str, Any], key: str) -> Mapping[str, Any] | Later:
        """Calls a hook, with `key` among its arguments, and completes its answer.

        Raises `HookRefused` for a name that is not registered or an answer of another form; whatever
        the hook itself raises may be tried again.
        """
        function = self._hooks.get(name)
        if function is None:
            raise HookRefused("unknown_hook", "No hook of this name is registered here.")
        answer = function({**arguments, "key": key})
        return answer if isinstance(answer, Later) else _checked(answer)

    def poll(self, name: str, address: str, key: str) -> Mapping[str, Any] | Later:
        """Asks a hook that has begun something elsewhere how far it is."""
        ask = getattr(self._hooks.get(name), "poll", None)
        if ask is None:
            raise HookRefused("unknown_hook", "No hook of this name can be asked here how far it is.")
        answer = ask(address, key)
        return answer if isinstance(answer, Later) else _checked(answer)

    @staticmethod
    def checked(answer: Any) -> Mapping[str, Any]:
        """An answer that came from elsewhere, with every field."""
        return _checked(answer)


def _checked(answer: Any) -> dict[str, Any]:
    """The answer with every field. The sentences of refusals name fields, never what stands in them."""
    if not isinstance(answer, Mapping):
        raise HookRefused("hook_answer_invalid", "The hook answered something else than an object.")
    if "ok" not in answer:
        raise HookRefused("hook_answer_invalid", "The hook did not say `ok`: true or false; silence is no yes.")
    complete: dict[str, Any] = {"provides": {}, "faults": [], "note": ""} | dict(answer)
    for field, value in complete.items():
        if not isinstance(value, _ANSWER.get(field, ())):
            known = ", ".join(_ANSWER)
            raise HookRefused("hook_answer_invalid", f"A hook answers {known}, each of its own type.")
    for fault in complete["faults"]:
        if not isinstance(fault, Mapping) or any(not isinstance(fault.get(part), str) for part in _FAULT):
            raise HookRefused(
                "hook_answer_invalid", "Each fault of a hook has a place, a code and a sentence."
            )  # fmt: skip
    return complete
