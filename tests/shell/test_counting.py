"""How the activities of a run are numbered: in a way that does not depend on how many batches its rows were written in."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from onboarding.engine import rules
from tests.support.activations import Activated
from tests.support.shell import an_order
from workflows.counting import APART

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)


def begun(version: int) -> tuple[list[Any], list[Any]]:
    """The local activities and the others of a run with these rules, in which a hook was called among other things."""
    run = Activated(replace(an_order("short", customer="c-counting"), rules_version=version), AT)
    run.update("note", {"message_id": "m-1", "actor": "dana", "text": "x"})
    run.update("complete", {"message_id": "m-2", "actor": "dana", "item": "first"})
    run.hook(f"{run.state.run}/call/1/hook", None)
    commands = [command for handed in run.activated for command in handed.done.successful.commands]
    local = [one.schedule_local_activity for one in commands if one.HasField("schedule_local_activity")]
    return local, [one.schedule_activity for one in commands if one.HasField("schedule_activity")]


def test_what_writes_rows_is_counted_by_itself() -> None:
    """Another release of the SDK that counts otherwise is seen here."""
    local, others = begun(rules.COUNTS_APART)

    assert [one.seq for one in local] == [APART + n for n in range(1, len(local) + 1)]
    assert len(local) >= 3
    assert [(one.seq, one.activity_id) for one in others] == [(n, str(n)) for n in range(1, len(others) + 1)]
    assert others


@pytest.mark.parametrize("version", range(rules.FIRST, rules.COUNTS_APART))
def test_a_run_of_earlier_rules_counts_as_it_did(version: int) -> None:
    """Its history holds these numbers."""
    local, others = begun(version)

    both = sorted([one.seq for one in local] + [one.seq for one in others])
    assert both == list(range(1, len(both) + 1))
