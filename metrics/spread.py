"""How times are spread: percentiles of what is over, and of everything where some of it still lasts. Pure.

Note [What still lasts]
    A run that waits has a time, too, and nobody knows yet which: leaving it out hides the slow ones, counting its time so far
    makes them look quick. The product-limit estimator takes it as what it is, a time that is at least so long: E. L. Kaplan and
    P. Meier, Nonparametric estimation from incomplete observations, Journal of the American Statistical Association 53 (1958),
    457-481. Each end leaves of what lasted until then the share (at risk - ended) / at risk; whatever broke off at an instant was
    at risk until then, ends of the same instant included. A percentile is the earliest end at which no more than the rest still
    last: of what never broke off that is one of the values, not a mean of two. It is unknown as long as more than the rest last.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from onboarding.percentile import percentile

PERCENTS = {"median": 50, "p80": 80, "p90": 90}
"""What is told of a spread."""
_EXACT = 1e-9
"""Shares nearer to each other than this are the same: products of fractions are not exact."""


def spread(values: Sequence[int]) -> dict[str, Any]:
    """How many values there are, their median, and what 80 and 90 of 100 stay within."""
    ordered = sorted(values)
    return {"n": len(ordered), **{name: percentile(ordered, percent) for name, percent in PERCENTS.items()}}


def with_open(ended: Sequence[int], lasting: Sequence[int], broken_off: Sequence[int]) -> dict[str, Any]:
    """The spread of times of which some have ended, some still last and some broke off, see Note [What still lasts]."""
    times = survival(ended, [*lasting, *broken_off], tuple(PERCENTS.values()))
    counts = {"n": len(ended) + len(lasting) + len(broken_off), "reached": len(ended), "open": len(lasting)}
    return {**counts, "ended": len(broken_off), **dict(zip(PERCENTS, times, strict=True))}


def survival(ended: Sequence[int], censored: Sequence[int], percents: Sequence[int]) -> list[int | None]:
    """Percentiles, in ascending order, of times of which the censored ones are known to be at least so long."""
    ends, breaks = sorted(ended), sorted(censored)
    found: list[int | None] = []
    share, done = 1.0, 0
    # Between two breaks the product telescopes, so that only the breaks are walked through, not each end.
    for place, until in enumerate([*breaks, math.inf]):
        reached = bisect_right(ends, until)
        at_risk = len(ends) - done + len(breaks) - place
        while len(found) < len(percents):
            rest = 1 - percents[len(found)] / 100
            needed = max(math.ceil(at_risk * (1 - rest / share - _EXACT)), 1)
            if done + needed > reached:
                break
            found.append(ends[done + needed - 1])
        if len(found) == len(percents):
            return found
        if reached > done:
            share *= (at_risk - (reached - done)) / at_risk
        done = reached
    return [*found, *[None] * (len(percents) - len(found))]
