"""What the loops know of a run does not depend on the moment at which they look."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.support.faults.bench import bench
from tests.support.faults.checker import check_all
from tests.support.faults.senders import kills_order
from tests.support.figures import Figure

pytestmark = pytest.mark.live

RUNS = 8


async def test_whoever_looks_while_a_date_passes_finds_what_is_true(tmp_path: Path, figure: Figure) -> None:
    """`hurry` is due two seconds after the start: at rest, overdue and told in between, and each look finds one of them whole."""
    wrong: list[str] = []
    looks = 0
    async with bench(tmp_path) as house:
        await house.work()
        for n in range(RUNS):
            house.runs.clear()
            await house.start(kills_order(f"look{n}"))
            ends = time.monotonic() + 3
            while time.monotonic() < ends:
                await house.rest()
                wrong += check_all(await house.evidence(), repeats=0)
                looks += 1

        assert wrong == []
    figure(f"{looks} looks at {RUNS} runs while a date passed")
