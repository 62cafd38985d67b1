"""Whole onboarding runs of this project beside workflows written by hand for the same process.

python -m benchmarks.engine                    # short, a few minutes
python -m benchmarks.engine --full             # at most about 25 minutes
python -m benchmarks.engine --only load --contenders ours --repeats 1 --runs 60     # for a profiler: says the ids of the processes
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace

from benchmarks.engine import contenders, written
from benchmarks.engine.repeated import FULL, GROUPS, SHORT, Sizes, repeat, say
from runtime.temporal_cli import find_cli

BASE = (contenders.LOCAL, contenders.ACTIVITIES, contenders.OURS)
PAIR = (contenders.LOCAL, contenders.OURS)
"""Where a task is an activity or a local one makes no difference: nobody has come that far."""


def main(arguments: list[str] | None = None) -> int:
    """The command line. 1 where something failed."""
    chosen = _words().parse_args(arguments)
    sizes = _sizes(chosen)
    groups = chosen.only or list(GROUPS)
    plan = {group: _contenders(chosen, group) for group in groups}
    began = written.moment()
    results = asyncio.run(repeat(plan, sizes, ("open",) if chosen.full and len(plan) > 1 else ()))
    about = {
        "machine": written.machine(f"server {asyncio.run(find_cli()).server}"), "began": began, "ended": written.moment(), "sizes": asdict(sizes),
    }  # fmt: skip
    print(written.tables(results))
    if results.rounds:
        kept = written.keep(chosen.name or ("engine-full" if chosen.full else "engine-short"), about, results)
        say("written to " + " and ".join(str(path) for path in kept))
    for failure in results.failed:
        say(f"failed: {failure}")
    return 1 if results.failed else 0


def _words() -> argparse.ArgumentParser:
    words = argparse.ArgumentParser(
        prog="python -m benchmarks.engine", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    words.add_argument("--full", action="store_true", help="more and larger, with every contender")
    words.add_argument("--only", action="append", choices=list(GROUPS), help="this group; may be repeated")
    words.add_argument("--contenders", type=_names, metavar="A,B", help=f"of {', '.join(contenders.ALL)}")
    words.add_argument("--repeats", type=int, help="rounds at most")
    words.add_argument("--minutes", type=float, help="after which no further round begins")
    words.add_argument("--runs", type=int, help="runs of `load` with 16 messages in flight")
    words.add_argument("--single-runs", type=int, help="runs of `load` with one message in flight; 0 leaves it out")
    words.add_argument("--open", type=int, metavar="N", help="open runs, up to 10,000")
    words.add_argument("--herd", type=int, metavar="N", help="deadlines at one instant")
    words.add_argument("--recover", type=int, metavar="N", help="open runs when the worker is killed")
    words.add_argument("--name", help="of the files of results, without its ending")
    return words


def _names(text: str) -> Sequence[str]:
    names = text.split(",")
    if not set(names) <= set(contenders.ALL):
        raise argparse.ArgumentTypeError(f"known are {', '.join(contenders.ALL)}")
    return names


def _sizes(chosen: argparse.Namespace) -> Sizes:
    given = {name: getattr(chosen, name) for name in ("repeats", "minutes", "runs", "single_runs", "open", "herd", "recover")}  # fmt: skip
    return replace(
        FULL if chosen.full else SHORT, **{name: value for name, value in given.items() if value is not None}
    )


def _contenders(chosen: argparse.Namespace, group: str) -> Sequence[str]:
    if chosen.contenders is not None:
        return chosen.contenders  # type: ignore[no-any-return]  # of `_names`
    if group != "load":
        return PAIR
    return contenders.ALL if chosen.full else BASE


if __name__ == "__main__":
    sys.exit(main())
