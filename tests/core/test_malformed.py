"""Malformed messages by the hundred, in the core: each refused with its code and place, at once, and its value never repeated."""

from __future__ import annotations

import json
import statistics
import time
from dataclasses import asdict

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.common import RawValue

from onboarding.engine import machine
from onboarding.engine.events import MessageReceived, MessageUnreadable
from onboarding.messages import Received
from tests.support import pace
from tests.support.figures import Figure
from tests.support.malformed import CANARY, Bad, a_form, all_of_them, by_hand
from workflows.arguments import as_message

pytestmark = pytest.mark.usefixtures("own_memory_only")

BADS = all_of_them()
WITHIN = 0.2
"""Seconds of computing from the bytes to the verdict."""


def told_keys(bad: Bad) -> bool:
    """Whether the canary is a name: names are told, cut and made harmless, and values never."""
    return bad.name == CANARY or bad.place.endswith(CANARY)


def test_each_is_refused_with_code_and_place_and_never_repeated(figure: Figure) -> None:
    """By signal, so that the refusal is also kept; nothing else of the run changes."""
    run, spent = a_form(), []
    before = run.state.items
    for n, bad in enumerate(BADS):
        argument = [RawValue(Payload(metadata={"encoding": b"json/plain"}, data=bad.data))]
        begun = time.process_time()
        heard = as_message(bad.name, argument, via="signal", fallback_id=f"f-{n}")
        received = isinstance(heard, Received)
        event = (
            MessageReceived(at=run.now, received=heard) if received else MessageUnreadable(at=run.now, refusal=heard)
        )
        decision = machine.apply(run.plan, run.state, event)
        spent.append(time.process_time() - begun)
        verdict = decision.verdict
        assert verdict is not None
        assert verdict.refused, bad
        assert verdict.code, bad
        assert verdict.sentence, bad
        places = [fault.place for fault in verdict.faults]
        assert not bad.place or any(place.startswith(bad.place) for place in places), (bad, places)
        said = json.dumps(asdict(verdict), default=str) + json.dumps(asdict(decision.state.refused[-1]), default=str)
        assert told_keys(bad) or CANARY.lower() not in said.lower(), (bad, said)
        assert "47114711" not in said, bad
        assert decision.state.refused_count == run.state.refused_count + 1
        run.state = decision.state
    figure(
        f"R10: {len(BADS)} distinct malformed messages, {len(BADS)} refused with code and place, 0 accepted;"
        f" {statistics.median(spent) * 1_000:.1f} ms p50, {max(spent) * 1_000:.0f} ms at most"
    )

    assert len(BADS) >= 300
    assert sum(1 for _ in by_hand()) >= 60
    assert pace.within(max(spent), WITHIN)
    assert run.state.items == before
    assert run.state.refused_count == len(BADS)
