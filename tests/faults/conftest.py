"""Fixtures of the loops of faults: how long they are, what they are drawn from, and where their trials are added up."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from tests.support.faults.counts import Trials, counted
from tests.support.faults.tiers import USUAL_SEED, Tier

Counting = Callable[[str, str], AbstractContextManager[Trials]]


@pytest.fixture(scope="session")
def tier(request: pytest.FixtureRequest) -> Tier:
    """`--tier C` (default), `F` or `R`; `--seed` repeats a session. Longer tiers draw a new seed each time."""
    name, seed = request.config.getoption("--tier"), request.config.getoption("--seed")
    if seed is None:
        seed = USUAL_SEED if name == "C" else secrets.randbelow(10**9)
    return Tier(name, seed)


@pytest.fixture
def counting(tier: Tier, request: pytest.FixtureRequest) -> Counting:
    """`with counting("R5", "kills of a worker") as trials: trials.done += 1`: what was tried is added up, see counts.py."""
    return lambda goal, what: counted(goal, what, tier, request.node.nodeid)
