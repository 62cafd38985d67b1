"""Rounds: in each every contender does the same, in another order, so that whatever else the machine does meets all alike.

A figure is the median of all rounds with the least and the most; a ratio to the reference is the median of the ratios of the rounds.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks.engine import contenders, crowds, scenarios
from benchmarks.engine.contenders import Contender
from benchmarks.engine.processes import Stand, a_stand

Figures = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is done. `warm` runs come before and do not count; `runs` with 16 messages in flight, `single_runs` with one.

    After so many `minutes` no further round begins.
    """

    warm: int
    runs: int
    single_runs: int
    open: int
    answers: int
    herd: int
    recover: int
    repeats: int
    minutes: float


SHORT: Final = Sizes(warm=4, runs=16, single_runs=6, open=32, answers=20, herd=32, recover=16, repeats=5, minutes=2)
FULL: Final = Sizes(
    warm=16, runs=128, single_runs=20, open=2_000, answers=200, herd=1_000, recover=200, repeats=5, minutes=22
)
MANY: Final = 16
"""Messages in flight at once, one of each run."""


@dataclass(slots=True)
class Results:
    """By scenario and contender the figures of each round; what failed; how many rounds there were."""

    rounds: dict[str, dict[str, list[Figures]]] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)
    count: int = 0

    def add(self, contender: str, measured: Mapping[str, Figures]) -> None:
        """What one contender did in one round."""
        for scenario, figures in measured.items():
            self.rounds.setdefault(scenario, {}).setdefault(contender, []).append(figures)

    def shape(self) -> dict[str, dict[str, dict[str, Any]]]:
        """By scenario, contender and figure: median, least, most, all values, and the ratio to the reference."""
        return {
            scenario: {name: _figures(rounds, found.get(contenders.REFERENCE, [])) for name, rounds in found.items()}
            for scenario, found in self.rounds.items()
        }


def _figures(rounds: Sequence[Figures], reference: Sequence[Figures]) -> dict[str, Any]:
    return {key: _figure([one[key] for one in rounds], [one[key] for one in reference]) for key in rounds[0]}


def _figure(values: Sequence[float], reference: Sequence[float]) -> dict[str, Any]:
    pairs = [ours / theirs for ours, theirs in zip(values, reference, strict=False) if theirs > 0]
    ratio = {"ratio": median(pairs), "ratio_least": min(pairs), "ratio_most": max(pairs)} if pairs else {}
    return {"median": median(values), "least": min(values), "most": max(values), "values": list(values), **ratio}


async def _load(contender: Contender, stand: Stand, sizes: Sizes) -> dict[str, Figures]:
    await scenarios.load(contender, stand, runs=sizes.warm, at_once=4, mark="warm")
    single = await scenarios.load(contender, stand, runs=sizes.single_runs, at_once=1) if sizes.single_runs else None
    many = await scenarios.load(contender, stand, runs=sizes.runs, at_once=MANY)
    return {**({"load, 1 message in flight": single} if single else {}), f"load, {MANY} messages in flight": many}


async def _open(contender: Contender, stand: Stand, sizes: Sizes) -> dict[str, Figures]:
    return {"open": await crowds.open_runs(contender, stand, count=sizes.open, answers=sizes.answers, warm=sizes.warm)}


async def _herd(contender: Contender, stand: Stand, sizes: Sizes) -> dict[str, Figures]:
    return {"herd": await crowds.herd(contender, stand, count=sizes.herd, warm=sizes.warm)}


async def _recover(contender: Contender, stand: Stand, sizes: Sizes) -> dict[str, Figures]:
    return {"recover": await crowds.recover(contender, stand, count=sizes.recover)}


GROUPS: Final[Mapping[str, Callable[[Contender, Stand, Sizes], Awaitable[dict[str, Figures]]]]] = {
    "load": _load,
    "open": _open,
    "herd": _herd,
    "recover": _recover,
}
"""What is measured on one server and one worker, by the name that the command line knows."""


async def measure(name: str, group: str, sizes: Sizes) -> dict[str, Figures]:
    """One contender, on a server and a worker of its own, which are gone afterwards."""
    contender = contenders.contender(name)
    contender.prepare()
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        async with a_stand(Path(folder), contender.start_of) as stand:
            say(f"{group}, {name}: worker is process {stand.worker}, server {stand.server.pid}")
            return await GROUPS[group](contender, stand, sizes)


async def repeat(plan: Mapping[str, Sequence[str]], sizes: Sizes, once: Sequence[str] = ()) -> Results:
    """Rounds of the groups with their contenders. Those of `once` are measured in the first round only, because they take long."""
    results, began = Results(), time.monotonic()
    took: dict[str, float] = {}
    for number in range(sizes.repeats):
        for group, names in plan.items():
            left = sizes.minutes * 60 - (time.monotonic() - began)
            if number and (group in once or left < took[group]):
                continue
            from_here = time.monotonic()
            await _round(group, [*names[number % len(names) :], *names[: number % len(names)]], sizes, results)
            took[group] = time.monotonic() - from_here
            results.count = number + 1
    return results


async def _round(group: str, names: Sequence[str], sizes: Sizes, results: Results) -> None:
    """All contenders or, where one fails, none: a ratio needs both of a round."""
    measured = {}
    for name in names:
        try:
            measured[name] = await measure(name, group, sizes)
        except Exception as error:  # told at the end: the figures of the others are worth having
            results.failed.append(f"{group}, {name}: {type(error).__name__}: {error}"[:500])
            say(results.failed[-1])
            return
    for name, figures in measured.items():
        results.add(name, figures)


def say(words: str) -> None:
    """Progress, beside the figures."""
    print(words, file=sys.stderr, flush=True)
