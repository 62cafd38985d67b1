"""What the reads of a report are made of: instants as seconds, and many values in one text."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Join, Text, case, cast, func
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.expression import FunctionElement

from storage.tables import RUNS

Line = dict[str, Any]
"""What is known of one group, by name."""
SIDES = ("customer", "provider", "third_party", "hold", "off_hours")
"""Whose a second may be, as `booking.SIDES`, which is slow to load: of each there is a column `<side>_seconds`."""
CLOSED_RUN = RUNS.c.state == "closed"


class Epoch(FunctionElement[int]):
    """An instant as whole seconds since 1970, which every database counts in its own words."""

    inherit_cache = True
    type = BigInteger()


@compiles(Epoch)
def _epoch(element: Epoch, compiler: SQLCompiler, **options: Any) -> str:
    # Not EXTRACT: that counts in decimals, which takes twice as long.
    return f"CAST(date_part('epoch', {compiler.process(element.clauses, **options)}) AS BIGINT)"


@compiles(Epoch, "sqlite")
def _epoch_of_sqlite(element: Epoch, compiler: SQLCompiler, **options: Any) -> str:
    inner = compiler.process(element.clauses, **options)
    if compiler.dialect.dbapi.sqlite_version_info >= (3, 38):  # type: ignore[union-attr]
        return f"unixepoch({inner})"
    return f"CAST(strftime('%s', {inner}) AS INTEGER)"


class RunByRun(Join):
    """Runs with their stages, in this order. SQLite would begin with an index of stages, and jump about among the runs."""

    inherit_cache = True


@compiles(RunByRun, "sqlite")
def _run_by_run(element: RunByRun, compiler: SQLCompiler, **options: Any) -> str:
    told = compiler.visit_join(element, **options)  # type: ignore[no-untyped-call]
    return str(told).replace(" JOIN ", " CROSS JOIN ", 1)


def count_of(condition: ColumnElement[bool]) -> ColumnElement[int]:
    """How many rows of a group fulfil a condition."""
    return func.count(case((condition, 1)))


def values_of(value: ColumnElement[Any], where: ColumnElement[bool] | None = None) -> ColumnElement[str]:
    """Every value that is known, one after the other in one text."""
    one = cast(value, Text)
    return func.aggregate_strings(one if where is None else case((where, one)), ",")


def whole(told: str | None) -> list[Any]:
    """What `values_of` has put together: whole numbers, or JSON objects."""
    return list(json.loads(f"[{told}]")) if told else []
