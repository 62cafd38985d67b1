"""What the loops of faults have tried in all, goal by goal: `tests/faults/counts.json`, and the lines of `make faults-report`.

A zero proves little by itself: with no failure in n independent trials, the true share of failures is below 3/n with 95 % certainty
(the rule of three). So trials are added up over all sessions, and the bound is shown beside the zero.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.support.faults.tiers import Tier

FILE = Path(__file__).resolve().parents[2] / "faults" / "counts.json"


@dataclass
class Count:
    """All trials of one goal. The last failure has a seed, and a command that repeats it."""

    what: str
    """What one trial is, in the plural: `kills of a worker`."""
    trials: int = 0
    failures: int = 0
    sessions: int = 0
    last_failure_seed: int | None = None
    repeat: str | None = None

    @property
    def bound(self) -> str:
        """What the trials say of the true share of failures."""
        if not self.trials:
            return "nothing tried yet"
        if self.failures:
            return f"{self.failures / self.trials:.2%} failed"
        return f"below {3 / self.trials:.3%}"


@dataclass
class Trials:
    """The trials of one test, counted while it runs: add to `done` whatever has been tried, before it is looked at."""

    goal: str
    what: str
    seed: int
    command: str
    done: int = 0


@contextmanager
def counted(goal: str, what: str, tier: Tier, test: str, file: Path = FILE) -> Iterator[Trials]:
    """Counts the trials of a block; an exception that leaves it is a failure and says the command that repeats it.

    `goal` is the id of the goal, `test` the id of the test as pytest takes it.
    """
    trials = Trials(goal, what, tier.seed, tier.command(test))
    try:
        yield trials
    except BaseException as failure:
        failure.add_note(f"{goal} failed after {trials.done} {what}, seed {tier.seed}. To repeat it: {trials.command}")
        _add(trials, tier, file, failed=isinstance(failure, Exception))
        raise
    _add(trials, tier, file, failed=False)


def read_counts(file: Path = FILE) -> dict[str, Count]:
    """All goals that were counted, in the order of their numbers."""
    found = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    return {goal: Count(**found[goal]) for goal in sorted(found, key=_number)}


def report(file: Path = FILE) -> str:
    """One line for each goal: trials, failures, and what that says."""
    lines = [f"{'goal':<6}{'trials':>8}{'failed':>8}  {'true share of failures':<24}what was tried"]
    for goal, count in read_counts(file).items():
        lines.append(f"{goal:<6}{count.trials:>8}{count.failures:>8}  {count.bound:<24}{count.what}")
        if count.repeat:
            lines.append(f"{'':<6}last failure: {count.repeat}")
    if len(lines) == 1:
        lines.append("Nothing was counted yet: `make faults` does.")
    return "\n".join(
        [*lines, "", "Where nothing failed, the share is below 3/n with 95 % certainty (the rule of three)."]
    )


def _add(trials: Trials, tier: Tier, file: Path, *, failed: bool) -> None:
    if not tier.counts or not (trials.done or failed):
        return
    with _alone(file):
        counts = read_counts(file)
        count = counts.setdefault(trials.goal, Count(trials.what))
        count.what = trials.what
        count.trials += trials.done
        count.failures += failed
        count.sessions += 1
        if failed:
            count.last_failure_seed, count.repeat = trials.seed, trials.command
        text = json.dumps({goal: asdict(counts[goal]) for goal in sorted(counts, key=_number)}, indent=2)
        beside = file.with_suffix(".new")
        beside.write_text(text + "\n", encoding="utf-8")
        os.replace(beside, file)


@contextmanager
def _alone(file: Path) -> Iterator[None]:
    """Two sessions may count at once."""
    with file.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _number(goal: str) -> tuple[str, int]:
    letters = goal.rstrip("0123456789")
    return letters, int(goal[len(letters) :] or 0)


if __name__ == "__main__":
    print(report())
