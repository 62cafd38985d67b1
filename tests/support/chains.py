"""Turns of made-up runs whose trails are chained as the engine chains them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from onboarding.engine import rules
from onboarding.engine.chain import beginning, content_of, digest_of
from onboarding.engine.effects import WriteRecords
from tests.support.records import RUN, a_trail, a_turn


def chained_turns(count: int, run: str = RUN, **changes: Any) -> Iterator[WriteRecords]:
    """So many turns of a run. `changes` are of every entry of the trail."""
    before = beginning(run, rules.NAMES_CHAINS)
    for n in range(1, count + 1):
        entry = a_trail(n, message_id=f"{run}-{n}", **changes)
        before = digest_of(before, content_of(entry))
        yield a_turn(n, run, trail=(replace(entry, digest=before),))
