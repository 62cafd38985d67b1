"""How long lists, inboxes and reports take, against plain SQL on the same rows.

    python -m benchmarks.reads --short                  # 10,000 finished and 2,000 open runs, SQLite
    python -m benchmarks.reads                          # 100,000 and 10,000
    python -m benchmarks.reads --postgres postgresql://… # an empty database; `wheel` starts one for the moment

Asked are the functions that the command line asks, without the start of a process and without printing. Plain SQL is the least
that gives the same answer: written by hand, nothing made of what comes back. (Of a report it gives less: counts and means, for
which a database needs no order of values.) The ratio says what our reading costs beside that.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any

from sqlalchemy import Engine, bindparam, func, select, text

from benchmarks import generate
from benchmarks.world import NOW
from console import inbox, printing, runs, tables
from metrics import overall
from storage.chosen import Chosen
from storage.engine import open_database
from storage.read_table import ReadTable
from storage.reporting import Reporting
from storage.tables import RUNS, WAITING, UtcInstant

RESULTS = Path(__file__).parent / "results"
REPEATS = 15
SHORT = (10_000, 2_000)
_PAGE = 101


@dataclass(frozen=True, slots=True)
class Question:
    """One thing that is asked: through our functions, and in plain SQL, whose statements take `values`."""

    name: str
    ours: Callable[[], Any]
    plain: tuple[str, ...]
    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds of one question, of all repeats."""

    name: str
    ours: tuple[float, ...]
    plain: tuple[float, ...]

    def shape(self) -> dict[str, Any]:
        """For the file of results."""
        parts = {"ours": self.ours, "plain": self.plain}
        spread = {
            f"{name}_{word}_ms": round(of(times), 2)
            for name, times in parts.items()
            for word, of in (("median", median), ("least", min), ("most", max))
        }
        return {"question": self.name, **spread, "ratio": round(median(self.ours) / median(self.plain), 1)}


def questions(engine: Engine) -> list[Question]:
    """What is asked, about people and runs that are busy in this database."""
    table = ReadTable(engine)
    person, champion, owner = _busiest(engine, "person", "customer:"), "customer:champion", _busiest_owner(engine)
    return [
        Question(
            "report", lambda: _report(engine, ("definition",)),
            ("SELECT definition, count(*), avg(elapsed), avg(time_to_live) FROM runs GROUP BY definition", _STAGES), {},
        ),
        Question(
            "report --by owner --by month", lambda: _report(engine, ("owner", "month")),
            ("SELECT owner, month, count(*), avg(elapsed), avg(time_to_live) FROM runs GROUP BY owner, month", _STAGES), {},
        ),
        *_lists(table, owner),
        Question(
            "inbox PERSON", lambda: inbox.of_person(table, person),
            (_INBOX, "SELECT count(*) FROM waiting WHERE person = :word"), {"word": person},
        ),
        Question(
            "inbox customer:champion", lambda: inbox.of_person(table, champion),
            (_INBOX, "SELECT count(*) FROM waiting WHERE person = :word"), {"word": champion},
        ),
        Question(
            "inbox --group onboarding", lambda: inbox.of_group(table, "onboarding"),
            (
                _GROUP_INBOX,
                "SELECT count(*) FROM (SELECT DISTINCT run, kind, about FROM waiting WHERE role = :word) AS things",
            ),
            {"word": "onboarding"},
        ),
    ]  # fmt: skip


_STAGES = "SELECT definition, stage, count(entered_at), count(left_at) FROM stages GROUP BY definition, stage"
_INBOX = f"SELECT * FROM waiting WHERE person = :word ORDER BY due_at NULLS LAST, run, kind, about LIMIT {_PAGE}"

_GROUP_INBOX = (
    "SELECT run, kind, about, due_at FROM waiting WHERE role = :word GROUP BY run, kind, about, due_at "
    f"ORDER BY due_at NULLS LAST, run, kind, about LIMIT {_PAGE}"
)


def _report(engine: Engine, by: tuple[str, ...]) -> Any:
    groups, stages = Reporting(engine).read(by, Chosen(), NOW)
    return overall.report(groups, stages, NOW)


def _lists(table: ReadTable, owner: str) -> Iterator[Question]:
    def asked(
        name: str,
        where: str,
        values: dict[str, Any] | None = None,
        order: str = "run",
        *,
        sort: str = "run",
        **filters: Any,
    ) -> Question:
        plain = (
            f"SELECT * FROM runs WHERE {where} ORDER BY {order} LIMIT {_PAGE}",
            f"SELECT count(*) FROM runs WHERE {where}",
        )
        return Question(name, lambda: runs.listed(table, filters, sort), plain, values or {})

    now = {"now": NOW}
    yield asked("list", "1 = 1")
    yield asked("list --state running", "state = 'running'", state=["running"])
    yield asked(
        "list --state running --sort due",
        "state = 'running'",
        None,
        "due_at NULLS LAST, run",
        sort="due",
        state=["running"],
    )
    yield asked("list --sort waiting", "1 = 1", None, "waiting_since NULLS LAST, run", sort="waiting")
    yield asked("list --health at_risk", "health = 'at_risk'", health=["at_risk"])
    yield asked("list --owner PERSON", "owner = :owner", {"owner": owner}, owner=[owner])
    yield asked(
        "list --stage intake --state running",
        "stage = 'intake' AND state = 'running'",
        stage=["intake"],
        state=["running"],
    )
    yield asked("list --customer KEY", "customer = :key", {"key": "c-000011"}, customer=["c-000011"])
    yield asked("list --definition --month", "definition = 'b2b-standard' AND month = '2026-10'", definition=["b2b-standard"], month=["2026-10"])  # fmt: skip
    yield asked(
        "list --overdue",
        "state <> 'on_hold' AND run IN (SELECT run FROM waiting WHERE due_at < :now)",
        now,
        overdue=NOW,
    )
    yield asked(
        "list --at-risk",
        "closed_at IS NULL AND (health IN ('at_risk', 'stalled', 'escalated') OR promised_at < :now)",
        now,
        at_risk=NOW,
    )
    middle = _middle(table)
    yield Question(
        "list --state running --sort due, middle page", lambda: runs.listed(table, {"state": ["running"]}, "due", False, middle),
        (f"SELECT * FROM runs WHERE state = 'running' ORDER BY due_at NULLS LAST, run LIMIT {_PAGE} OFFSET 4500",), {},
    )  # fmt: skip
    yield Question(
        "list --count", lambda: runs.counted(table, {}),
        ("SELECT state, health, waiting_on, stage, outcome, definition, count(*) FROM runs GROUP BY 1, 2, 3, 4, 5, 6",), {},
    )  # fmt: skip


def _middle(table: ReadTable) -> str | None:
    most = table.runs_total(state="running") // 2
    cursor: str | None = table.runs(state="running", sort="due", limit=max(most, 1))["next_cursor"]
    return cursor


def _busiest(engine: Engine, column: str, but: str) -> str:
    """The word of the table `waiting` with the most rows."""
    word = WAITING.c[column]
    query = select(word).where(~word.startswith(but)).group_by(word).order_by(func.count().desc(), word).limit(1)
    with engine.connect() as connection:
        return str(connection.execute(query).scalar_one())


def _busiest_owner(engine: Engine) -> str:
    query = select(RUNS.c.owner).group_by(RUNS.c.owner).order_by(func.count().desc(), RUNS.c.owner).limit(1)
    with engine.connect() as connection:
        return str(connection.execute(query).scalar_one())


def measure(engine: Engine, question: Question, repeats: int) -> Timing:
    """Asks again and again, in turn, so that whatever else the machine does meets both."""
    statements = [_statement(one, question.values) for one in question.plain]

    def plain() -> None:
        with engine.connect() as connection:
            for one in statements:
                connection.execute(
                    one, {name: value for name, value in question.values.items() if f":{name}" in str(one)}
                ).all()

    question.ours()
    plain()
    times = [(_milliseconds(question.ours), _milliseconds(plain)) for _ in range(repeats)]
    ours, theirs = zip(*times, strict=True)
    return Timing(question.name, tuple(ours), tuple(theirs))


def _statement(words: str, values: dict[str, Any]) -> Any:
    found = text(words)
    return found.bindparams(bindparam("now", type_=UtcInstant)) if "now" in values and ":now" in words else found


def _milliseconds(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1_000


def run(engine: Engine, repeats: int = REPEATS) -> list[Timing]:
    """Every question, timed."""
    return [measure(engine, question, repeats) for question in questions(engine)]


def show(title: str, timings: Sequence[Timing]) -> None:
    """The table for people."""
    rows = [one.shape() for one in timings]
    lines = [
        {
            "question": row["question"], "ours": f"{row['ours_median_ms']:.1f}", "ratio": row["ratio"],
            "spread": f"{row['ours_least_ms']:.1f} to {row['ours_most_ms']:.1f}", "plain": f"{row['plain_median_ms']:.1f}",
        }
        for row in rows
    ]  # fmt: skip
    columns = {
        "question": "question",
        "ours": "ms",
        "spread": "least to most",
        "plain": "plain SQL, ms",
        "ratio": "ratio",
    }
    printing.console().print(tables.grid(lines, columns, title))


def keep(name: str, engine: Engine, runs_there: int, timings: Sequence[Timing]) -> Path:
    """Writes the results for whoever compares them later."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}-{runs_there}.json"
    version = ".".join(str(part) for part in getattr(engine.dialect, "server_version_info", None) or ())
    about = {"database": name, "version": version, "runs": runs_there, "python": platform.python_version()}
    path.write_text(json.dumps(about | {"questions": [one.shape() for one in timings]}, indent=2) + "\n")
    return path


@contextmanager
def _databases(postgres: str | None, folder: Path) -> Iterator[list[tuple[str, str]]]:
    """Name and address of each database that is asked."""
    found = [("sqlite", f"sqlite:///{folder / 'made-up.sqlite'}")]
    if postgres != "wheel":
        yield [*found, *([("postgresql", postgres)] if postgres else [])]
        return
    # The tests know how to start one; their types are not checked, so it is no import.
    server = import_module("tests.support.postgresql").PostgresServer()
    try:
        yield [*found, ("postgresql", server.empty())]
    finally:
        server.stop()


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    words = argparse.ArgumentParser(
        prog="python -m benchmarks.reads", description="Time lists, inboxes and reports over made-up runs."
    )
    words.add_argument("--short", action="store_true", help=f"{SHORT[0]:,} finished and {SHORT[1]:,} open runs")
    words.add_argument("--finished", type=int, default=generate.FINISHED, help="closed runs")
    words.add_argument("--open", type=int, default=generate.OPEN, help="open runs")
    words.add_argument(
        "--postgres",
        metavar="URL",
        help="an empty PostgreSQL database; `wheel` starts one for the moment, as the tests do",
    )
    words.add_argument("--repeats", type=int, default=REPEATS)
    chosen = words.parse_args(arguments)
    finished, still_open = SHORT if chosen.short else (chosen.finished, chosen.open)
    with tempfile.TemporaryDirectory() as folder, _databases(chosen.postgres, Path(folder)) as databases:
        for name, address in databases:
            _time(name, address, finished, still_open, chosen.repeats)
    return 0


def _time(name: str, address: str, finished: int, still_open: int, repeats: int) -> None:
    engine = open_database(address)
    print(f"{name}: making up {finished:,} finished and {still_open:,} open runs …", file=sys.stderr, flush=True)
    generate.fill(engine, finished, still_open)
    timings = run(engine, repeats)
    show(f"{name}, {finished:,} finished and {still_open:,} open runs", timings)
    print(f"written to {keep(name, engine, finished + still_open, timings)}", file=sys.stderr)
    engine.dispose()


if __name__ == "__main__":
    sys.exit(main())
