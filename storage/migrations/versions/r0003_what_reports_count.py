"""What reports count: the numbers of a run, milestones, handoffs, promises, faults, and what waits for whom.

Rows of before get what can be known of them: the definition of their run, times from instants and ledger, an inbox from open
items. What was never recorded (promises, handoffs, silence, what changed) stays empty; an open run writes it from its next turn on.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_OF_RUN = ("definition", "version", "variant", "hash")
_SECONDS = ("customer", "provider", "third_party", "hold", "off_hours")
_EPOCH = "1970-01-01 00:00:00"


def _of_run() -> list[sa.Column[Any]]:
    return [
        sa.Column("run", sa.String(), nullable=False),
        sa.Column("definition", sa.String(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("variant", sa.String(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
    ]


def upgrade() -> None:
    """From the schema before to this one; run by Alembic."""
    _new_tables()
    _new_columns()
    connection = op.get_bind()
    for table in ("items", "stages", "ledger", "trail", "refused"):
        known = ", ".join(f"{name} = (SELECT {name} FROM runs WHERE runs.run = {table}.run)" for name in _OF_RUN)
        connection.execute(sa.text(f"UPDATE {table} SET {known}"))
    connection.execute(sa.text("UPDATE items SET asked = side"))
    connection.execute(sa.text("UPDATE runs SET counted_from = coalesce(signed_at, started_at)"))
    _numbers(connection)
    _inbox(connection)
    _indexes()


def _indexes() -> None:
    """What lists and reports look at, each in one index; the states of runs stand in one of them."""
    standing = (
        "state", "health", "waiting_on", "stage", "outcome", "definition", "owner", "segment", "wave", "month", "due_at",
        "promised_at", "waiting_since", "started_at", "live_at", "first_value_at", "on_time",
            "forecast_late_at", "customer", "run",
    )  # fmt: skip
    by_time = (
        "definition", "version", "variant", "stage", "visit", "entered_at", "left_at", "target_at", "run", "place",
    )  # fmt: skip
    op.drop_index("ix_runs_state", "runs")
    op.create_index("runs_by_customer", "runs", ["customer", "run"])
    op.create_index("runs_standing", "runs", list(standing))
    op.create_index("stages_by_time", "stages", list(by_time))
    for name, columns, where in (
        ("stages_open", ["stage", "owner", "run"], sa.text("status = 'open'")),
        ("stages_again", ["run", "stage"], sa.text("visit > 1")),
    ):
        op.create_index(name, "stages", columns, sqlite_where=where, postgresql_where=where)
    for whose in ("person", "role"):
        op.create_index(f"waiting_by_{whose}", "waiting", [whose, "due_at", "run", "kind", "about"])
    op.create_index("waiting_by_date", "waiting", ["due_at", "status", "kind", "run"])


def _new_tables() -> None:
    op.create_table(
        "faults",
        *_of_run(),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("item", sa.String(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("k", sa.Integer(), nullable=False),
        sa.Column("place", sa.String(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["run"], ["runs.run"]),
        sa.PrimaryKeyConstraint("run", "source", "item", "n", "k"),
    )
    op.create_table(
        "handoffs",
        *_of_run(),
        sa.Column("item", sa.String(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("giver", sa.String(), nullable=False),
        sa.Column("receiver", sa.String(), nullable=False),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("accepted", sa.Boolean(), nullable=True),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.Column("seconds", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["run"], ["runs.run"]),
        sa.PrimaryKeyConstraint("run", "item", "n"),
    )
    op.create_table(
        "milestones",
        *_of_run(),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seconds", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["run"], ["runs.run"]),
        sa.PrimaryKeyConstraint("run", "name"),
    )
    op.create_table(
        "promises",
        *_of_run(),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("to", sa.String(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("cause", sa.String(), nullable=False),
        sa.Column("side", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["run"], ["runs.run"]),
        sa.PrimaryKeyConstraint("run", "n"),
    )
    op.create_table(
        "waiting",
        *_of_run(),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("about", sa.String(), nullable=False),
        sa.Column("person", sa.String(), nullable=False),
        sa.Column("stage", sa.String(), nullable=False),
        sa.Column("item", sa.String(), nullable=True),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("first", sa.Boolean(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("side", sa.String(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("waits_for", sa.String(), nullable=False),
        sa.Column("stands_for", sa.String(), nullable=True),
        sa.Column("mark", sa.String(), nullable=True),
        sa.Column("blocks", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["run"], ["runs.run"]),
        sa.PrimaryKeyConstraint("run", "kind", "about", "person"),
    )


def _new_columns() -> None:
    """With a default each, so that no table is made anew: SQLite would take away what refers to it."""
    text, number, big, instant = sa.String(), sa.Integer(), sa.BigInteger(), sa.DateTime(timezone=True)
    for table in ("items", "ledger", "refused", "stages", "trail"):
        for name in _OF_RUN:
            _add(table, name, big if name == "version" else text, "0" if name == "version" else "")
    for table, name, kind, default in (
        ("items", "asked", text, ""), ("items", "clock", text, "calendar"), ("items", "promised_at", instant, None),
        ("items", "mark", text, None), ("items", "stands_for", text, None), ("ledger", "clock", text, "calendar"),
        ("notices", "side", text, None), ("refused", "item", text, None), ("stages", "place", number, "0"),
        ("stages", "milestone", text, None), ("trail", "changes", sa.JSON(), "{}"),
        ("runs", "counted_from", instant, _EPOCH), ("runs", "month", text, ""), ("runs", "first_promised_at", instant, None),
        ("runs", "owed_at", instant, None), ("runs", "on_time", sa.Boolean(), None), ("runs", "first_value_at", instant, None),
        ("runs", "live_at", instant, None), ("runs", "time_to_first_value", big, None), ("runs", "time_to_live", big, None),
        ("runs", "elapsed", big, None), *(("runs", f"{side}_seconds", big, "0") for side in _SECONDS),
        ("runs", "handoff_seconds", big, "0"), ("runs", "longest_silence", big, "0"), ("runs", "rounds", number, "0"),
        ("runs", "requests", number, "0"), ("runs", "first_pass", number, "0"), ("runs", "customer_due", number, "0"),
        ("runs", "customer_on_time", number, "0"), ("runs", "forecast_at", instant, None),
        ("runs", "forecast_late_at", instant, None), ("runs", "forecast_runs", number, None), ("runs", "forecast_item", text, None),
    ):  # fmt: skip
        _add(table, name, kind, default)


def _add(table: str, name: str, kind: Any, default: str | None) -> None:
    op.add_column(table, sa.Column(name, kind, nullable=default is None, server_default=default))


def _numbers(connection: sa.Connection) -> None:
    """What follows for each run from its instants, its ledger and its items."""
    instants = [sa.column(name, sa.DateTime(timezone=True)) for name in ("counted_from", "started_at", "closed_at")]
    texts: list[sa.ColumnClause[Any]] = [sa.column(name) for name in ("run", *_OF_RUN)]
    runs = sa.table(
        "runs",
        *texts,
        sa.column("outcome"),
        sa.column("metrics", sa.JSON()),
        sa.column("milestones", sa.JSON()),
        *instants,
    )
    sides = {row.run: row for row in connection.execute(sa.text(_SIDES))}
    judged = {row.run: row for row in connection.execute(sa.text(_JUDGED))}
    for row in connection.execute(sa.select(runs)).all():
        since, reached = _utc(row.counted_from), row.milestones or {}
        first = datetime.fromisoformat(reached["first_value"]) if "first_value" in reached else None
        live_at, found, counts = _live_at(row, since), sides.get(row.run), judged.get(row.run)
        values: dict[str, Any] = {
            "month": f"{since:%Y-%m}",
            "first_value_at": first,
            "time_to_first_value": _seconds(since, first),
            "live_at": live_at,
            "time_to_live": _seconds(since, live_at),
            "elapsed": _seconds(_utc(row.started_at), _utc(row.closed_at) if row.closed_at else None),
        }
        values |= {f"{side}_seconds": int(getattr(found, side) or 0) if found else 0 for side in _SECONDS}
        for name in ("requests", "first_pass", "customer_due", "customer_on_time"):
            values[name] = int(getattr(counts, name) or 0) if counts else 0
        table = sa.table("runs", sa.column("run"), *(_column(name) for name in values))
        connection.execute(sa.update(table).where(table.c.run == row.run).values(_stored(connection, values)))
        for name, at in reached.items():
            reached_at = datetime.fromisoformat(at)
            given = {"run": row.run, "name": name, "at": reached_at, "seconds": _seconds(since, reached_at)}
            milestones = sa.table("milestones", *(_column(one) for one in ("run", *_OF_RUN, "name", "at", "seconds")))
            given |= {one: getattr(row, one) for one in _OF_RUN}
            connection.execute(sa.insert(milestones).values(_stored(connection, given)))


def _live_at(row: Any, since: datetime) -> datetime | None:
    """As the definition's own metric says where it has one, else the end of a run that went live."""
    metrics = row.metrics or {}
    if "time_to_live" in metrics:
        to_live = metrics["time_to_live"]
        return None if to_live is None else since + timedelta(seconds=to_live)
    return _utc(row.closed_at) if row.outcome == "live" and row.closed_at else None


_SIDES = """
SELECT run,
  sum(CASE WHEN side = 'customer' THEN working_seconds ELSE 0 END) AS customer,
  sum(CASE WHEN side = 'provider' THEN working_seconds ELSE 0 END) AS provider,
  sum(CASE WHEN side = 'third_party' THEN working_seconds ELSE 0 END) AS third_party,
  sum(CASE WHEN side = 'hold' THEN seconds ELSE 0 END) AS hold,
  sum(CASE WHEN side = 'hold' THEN 0 ELSE seconds - working_seconds END) AS off_hours
FROM ledger GROUP BY run
"""
_JUDGED = """
SELECT run,
  sum(CASE WHEN kind = 'request' AND side = 'customer' AND status = 'done' AND round = latest THEN 1 ELSE 0 END) AS requests,
  sum(CASE WHEN kind = 'request' AND side = 'customer' AND status = 'done' AND round = latest AND round = 1 THEN 1 ELSE 0 END) AS first_pass,
  sum(CASE WHEN side = 'customer' AND due_at IS NOT NULL AND (answered_at IS NOT NULL OR status = 'done' OR late) THEN 1 ELSE 0 END)
    AS customer_due,
  sum(CASE WHEN side = 'customer' AND due_at IS NOT NULL AND (answered_at IS NOT NULL OR status = 'done') AND NOT late THEN 1 ELSE 0 END)
    AS customer_on_time
FROM (SELECT items.*, max(round) OVER (PARTITION BY run, item) AS latest FROM items) AS told GROUP BY run
"""


def _inbox(connection: sa.Connection) -> None:
    """The open items of open runs wait for whoever has them; the next turn of a run says the rest."""
    connection.execute(
        sa.text(
            "INSERT INTO waiting (run, definition, version, variant, hash, kind, about, person, stage, item, round, role, first, title,"
            " status, side, since, due_at, waits_for, blocks)"
            " SELECT items.run, items.definition, items.version, items.variant, items.hash, 'item', item, items.owner, items.stage, item,"
            " round, items.owner, :yes, title, status, side, opened_at, items.due_at, '', blocks"
            " FROM items JOIN runs ON runs.run = items.run"
            " WHERE runs.state <> 'closed' AND status IN ('open', 'answered', 'in_review', 'returned')"
            " AND round = (SELECT max(round) FROM items AS newer WHERE newer.run = items.run AND newer.item = items.item)"
        ).bindparams(yes=True)
    )


def _column(name: str) -> sa.ColumnClause[Any]:
    return sa.column(name, sa.DateTime(timezone=True)) if name == "at" or name.endswith("_at") else sa.column(name)


def _stored(connection: sa.Connection, values: dict[str, Any]) -> dict[str, Any]:
    """As the tables keep instants: in UTC, and in SQLite without saying so."""
    return {
        name: value.astimezone(UTC).replace(tzinfo=None if connection.dialect.name == "sqlite" else UTC)
        if isinstance(value, datetime)
        else value
        for name, value in values.items()
    }


def _utc(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _seconds(start: datetime, end: datetime | None) -> int | None:
    return None if end is None else round((end - start).total_seconds())
