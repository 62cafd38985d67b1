"""R1: twenty thousand runs by chance in a world that fails, and not one broken invariant (see tests/support/sequences.py).

Every change of every run is written as JSON and read back before the next event; all cores of the machine share the work.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from concurrent.futures import ProcessPoolExecutor

import pytest

from tests.support.figures import Figure
from tests.support.sequences import Figures, play, play_all

SEQUENCES = 200_000 if os.environ.get("LAWS") == "thorough" else 20_000
TOGETHER = 250
"""Sequences that a process plays before it tells: few enough that all cores are done at about the same time."""
SEED = os.environ.get("SEED")

pytestmark = pytest.mark.timeout(3_600)


@pytest.mark.skipif(SEED is not None, reason="SEED plays one sequence, see below")
def test_twenty_thousand_sequences_in_a_failing_world_break_nothing(figure: Figure) -> None:
    """Losses, repeats, reordering, missed alarms, crashes, and a restore wherever a run has changed: every sender and every row
    tells the story of the run."""
    begun, figures, broken = time.monotonic(), Figures(), []
    chunks = [range(first, first + TOGETHER) for first in range(0, SEQUENCES, TOGETHER)]
    # Forked processes would share locks with threads that the server's tests have started.
    with ProcessPoolExecutor(os.cpu_count(), mp_context=multiprocessing.get_context("spawn")) as processes:
        for some, failed in processes.map(play_all, chunks):
            figures.add(some)
            broken += failed
    spent = time.monotonic() - begun
    figure(f"{figures.told} in {spent:.1f} s ({figures.events / spent:,.0f} events a second), {len(broken)} broken")

    assert not broken, f"{again(broken[0][0])}\n{broken[0][1]}\nand {len(broken) - 1} more: {broken[1:20]}"
    assert figures.sequences == SEQUENCES
    assert all(vars(figures).values()), "something that should go wrong never did"


def again(seed: int) -> str:
    """The command that plays one sequence once more."""
    return f"seed {seed} breaks something: SEED={seed} pytest tests/core/test_sequences.py"


@pytest.mark.parametrize("seed", [SEED or "7"])
def test_one_number_tells_a_whole_sequence(seed: str) -> None:
    """What a failure prints can be played again, alone, with everything in sight."""
    assert play(int(seed)) == play(int(seed))
