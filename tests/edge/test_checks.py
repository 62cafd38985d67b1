"""What a check must say, whoever runs the hooks of an installation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.hooks import HookActivities
from tests.support.records import a_hook


@dataclass
class Says:
    """A runner of hooks of somebody else's, with one answer."""

    answer: Mapping[str, Any]
    names = ("provision_tenant",)

    def run(self, name: str, arguments: Mapping[str, Any], key: str) -> Mapping[str, Any]:
        """As a hook runner."""
        return self.answer


def ask(answer: Mapping[str, Any], check: int | None) -> Any:
    """One attempt at a hook or check with this answer."""
    return ActivityEnvironment().run(HookActivities(Says(answer)).run_hook, a_hook(check=check))


@pytest.mark.parametrize("answer", [{}, {"note": "fine"}, {"ok": None}, {"ok": 1}, {"ok": "true"}])
def test_a_check_that_does_not_say_ok_has_failed(answer: dict[str, Any]) -> None:
    """Silence never approves; no repetition changes it, so a person looks at the answer."""
    with pytest.raises(ApplicationError) as failed:
        ask(answer, check=0)

    assert (failed.value.type, failed.value.non_retryable) == ("hook_answer_invalid", True)


@pytest.mark.parametrize("ok", [True, False])
def test_a_check_that_says_ok_is_heard(ok: bool) -> None:
    """Yes and no alike."""
    assert ask({"ok": ok}, check=0) == {"ok": ok}
