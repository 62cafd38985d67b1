"""A run's record made anew from its trail, and every place where rows say something else.

Rows are looked at as plain JSON, as an export gives them. Three things must agree: what the trail has told of every row, what the
definition says of items and stages, and what the numbers of the run add up to.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from onboarding.engine.chain import is_digest, said_by
from onboarding.engine.changes import COLUMNS, FINAL, plain
from onboarding.engine.flow import ACTIVE
from onboarding.engine.plan import Plan

Row = Mapping[str, Any]
Tables = Mapping[str, Sequence[Row]]
"""The rows of one run by table: `runs` has one, the others any number."""

_TABLES = {
    "item": ("items", "item", "round"), "stage": ("stages", "stage", "visit"), "milestone": ("milestones", "name"),
    "handoff": ("handoffs", "item", "n"), "promise": ("promises", "n"), "ledger": ("ledger", "n"), "run": ("runs",),
}  # fmt: skip
"""Where the rows of each kind are, and which columns make their key."""
_OF_RUN = ("definition", "version", "variant", "hash")
_SIDES = ("customer", "provider", "third_party", "hold", "off_hours")
_FIRST_VALUE = "first_value"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One value that stands twice and differently: in a row, and where it follows from. `source` says what that is.

    `column` is empty where a whole row is missing, on one side or the other.
    """

    where: str
    column: str
    source: str
    row: Any
    expected: Any


def rebuild(changes: Iterable[Any]) -> dict[str, dict[str, Any]]:
    """The record that a trail tells of, from the changes of its entries in their order: values by row and column."""
    record: dict[str, dict[str, Any]] = {}
    for told in changes:
        for key, values in told.items() if isinstance(told, Mapping) else ():
            if isinstance(values, Mapping):  # of a trail that somebody has changed anything may come; its chain tells
                record.setdefault(key, {}).update(values)
    # A milestone that is reached no more has lost its instant.
    return {key: values for key, values in record.items() if not key.startswith("milestone/") or values.get("at")}


def from_trail(tables: Tables) -> Iterator[Difference]:
    """Where rows differ from the record that the trail tells of."""
    record = rebuild(entry["changes"] for entry in tables["trail"])
    erased = bool(tables.get("erasures"))
    for kind, (table, *names) in _TABLES.items():
        stored = {"/".join((kind, *(str(row[name]) for name in names))): row for row in tables[table]}
        told = {key: values for key, values in record.items() if key.partition("/")[0] == kind}
        for key in dict.fromkeys((*told, *stored)):
            where = f"{table}{key.removeprefix(kind)}"
            if key not in stored:
                yield Difference(where=where, column="", source="trail", row=None, expected="a row")
            elif key not in told:
                yield Difference(where=where, column="", source="trail", row="a row", expected=None)
            else:
                final = {name: told[key][name] for name in FINAL if name in told[key]} if kind == "run" else {}
                said = {name: told[key].get(name) for name in COLUMNS[kind]} | final
                if kind == "promise" and _same_reason(stored[key]["reason"], said["reason"], erased=erased):
                    del said["reason"]
                yield from _unlike(where, "trail", stored[key], said)


def _same_reason(row: str, told: Any, *, erased: bool) -> bool:
    """Whether a promise has the reason that the trail tells of: in full, by its digest, or no more."""
    if erased and not row:
        return True
    return row == (told or "") or (is_digest(told) and said_by(row) == told)


def from_erasure(tables: Tables) -> Iterator[Difference]:
    """Where a text is gone from a run that nobody erased, or stands in one that was."""
    erased = bool(tables.get("erasures"))
    texts = {"trail": "sentence", "refused": "sentence", "promises": "reason"}
    for table, column in texts.items():
        for row in tables[table] if erased else ():
            if row[column]:
                yield Difference(
                    where=f"{table}/{row['n']}", column=column, source="erasures", row="a text", expected=None
                )
    for row in () if erased else tables["trail"]:
        if row.get("said"):
            yield Difference(
                where=f"trail/{row['n']}", column="sentence", source="erasures", row=None, expected="a text"
            )


def from_definition(plan: Plan, tables: Tables) -> Iterator[Difference]:
    """Where rows describe their item or stage in other words than the definition that the run was started with."""
    definition = plan.definition
    of_run = {
        "customer": plan.order.customer, "definition": definition.id, "version": definition.version, "variant": definition.variant,
        "hash": definition.hash,
    }  # fmt: skip
    for row in tables["runs"]:
        yield from _unlike("runs", "definition", row, {**of_run, "forget_at": _forget_at(plan, row["closed_at"])})
    for row in tables["stages"]:
        where, stage = f"stages/{row['stage']}/{row['visit']}", plan.stages.get(row["stage"])
        said = None if stage is None else {
            "title": stage.title, "milestone": stage.milestone, "place": list(plan.stages).index(stage.id),
        }  # fmt: skip
        yield from _described(where, row, said)
    for row in tables["items"]:
        where, item = f"items/{row['item']}/{row['round']}", plan.items.get(row["item"])
        about: dict[str, Any] | None = None if item is None else {
            "stage": item.stage, "kind": item.kind, "title": item.title, "asked": item.side, "clock": item.clock,
            "optional": item.optional, "blocks": list(plan.dependents[item.id]),
        }  # fmt: skip
        yield from _described(where, row, about)


def from_sums(tables: Tables) -> Iterator[Difference]:
    """Where the run's own numbers are not those that its rows add up to, or rows are of another run's definition."""
    (run,) = tables["runs"]
    yield from _unlike("runs", "rows", run, _numbers(run, tables))
    if run["on_time"] is True and _live(run, tables) is None:
        yield Difference(where="runs", column="on_time", source="rows", row=True, expected=None)
    for name, rows in tables.items():
        for row in rows:
            if name not in ("runs", "notices", "erasures"):
                yield from _unlike(_place(name, row), "runs", row, {column: run[column] for column in _OF_RUN})
    yield from _refused(run, [row["n"] for row in tables["refused"]])
    yield from _waiting(run, tables)


def _refused(run: Row, numbers: Sequence[int]) -> Iterator[Difference]:
    """Refused signals are numbered without a hole, and the run knows how many there were."""
    last = max(numbers, default=0)
    yield from _unlike("runs", "rows", run, {"refused": last})
    for n in sorted(set(range(1, last + 1)) - set(numbers)):
        yield Difference(where=f"refused/{n}", column="", source="runs", row=None, expected="a row")


def _waiting(run: Row, tables: Tables) -> Iterator[Difference]:
    """Every item that somebody has waits for exactly one person first, and nothing waits in a closed run."""
    present = (
        {}
        if run["state"] == "closed" or tables.get("erasures")
        else {row["item"]: row for row in _latest(tables) if row["status"] in ACTIVE}
    )
    found = [row for row in tables["waiting"] if row["kind"] == "item"]
    for row in tables["waiting"]:
        item = present.get(row["about"]) if row["kind"] == "item" else None
        if item is not None:
            same = ("stage", "item", "round", "title", "status", "side", "due_at", "mark", "blocks")
            yield from _unlike(_place("waiting", row), "items", row, {name: item[name] for name in same})
        elif row["kind"] == "item" or run["state"] == "closed":
            yield Difference(where=_place("waiting", row), column="", source="items", row="a row", expected=None)
    for name, item in present.items():
        first = [row["person"] for row in found if row["about"] == name and row["first"]]
        if first != [item["owner"]]:
            yield Difference(
                where=f"waiting/item/{name}", column="first", source="items", row=first, expected=item["owner"]
            )


def _latest(tables: Tables) -> list[Row]:
    """Items in their last round."""
    return list({row["item"]: row for row in sorted(tables["items"], key=lambda row: row["round"])}.values())


def _numbers(run: Row, tables: Tables) -> dict[str, Any]:
    """What follows from rows. Of what is still going on nothing is said that depends on the present instant."""
    since = run["signed_at"] or run["started_at"]
    reached = {row["name"]: row["at"] for row in tables["milestones"]}
    done = [
        row for row in _latest(tables) if (row["kind"], row["asked"], row["status"]) == ("request", "customer", "done")
    ]
    judged = [row for row in tables["items"] if _is_judged(row)]
    found: dict[str, Any] = {
        "counted_from": since, "month": since[:7], "milestones": reached, "first_value": _FIRST_VALUE in reached,
        "first_value_at": reached.get(_FIRST_VALUE), "time_to_first_value": _between(since, reached.get(_FIRST_VALUE)),
        "time_to_live": _between(since, run["live_at"]), "elapsed": _between(run["started_at"], run["closed_at"]),
        "requests": len(done), "first_pass": sum(row["round"] == 1 for row in done),
        "customer_due": len(judged), "customer_on_time": sum(not row["late"] for row in judged),
        **{f"{side}_seconds": spent for side, spent in _by_side(tables["ledger"]).items()},
    }  # fmt: skip
    if run["closed_at"] is not None:
        found["handoff_seconds"] = sum(row["seconds"] or 0 for row in tables["handoffs"])
    live = _live(run, tables)
    if run["owed_at"] is None:
        found["on_time"] = None
    elif live is not None or run["closed_at"] is not None:
        found["on_time"] = live is not None and live <= run["owed_at"]
    return found


def _is_judged(row: Row) -> bool:
    """Whether a round of an item counts for the customer's punctuality."""
    came = row["answered_at"] is not None or row["status"] == "done" or row["late"]
    return row["asked"] == "customer" and row["due_at"] is not None and came


def _live(run: Row, tables: Tables) -> Any:
    """When the customer went live: at the first value where a stage has that milestone, else with the last stage."""
    if any(row["milestone"] == _FIRST_VALUE for row in tables["stages"]):
        return next((row["at"] for row in tables["milestones"] if row["name"] == _FIRST_VALUE), None)
    return run["closed_at"] if run["outcome"] == "live" else None


def _by_side(ledger: Sequence[Row]) -> dict[str, int]:
    sums = dict.fromkeys(_SIDES, 0)
    for row in ledger:
        working = row["seconds"] if row["side"] in ("hold", "off_hours") else row["working_seconds"]
        if row["side"] in sums:
            sums[row["side"]] += working
        sums["off_hours"] += row["seconds"] - working
    return sums


def _forget_at(plan: Plan, closed_at: str | None) -> str | None:
    keep = plan.definition.keep_facts
    if keep is None or closed_at is None:
        return None
    return str(plain(datetime.fromisoformat(closed_at) + timedelta(seconds=keep.seconds)))


def _between(since: str, to: str | None) -> int | None:
    if to is None:
        return None
    return int((datetime.fromisoformat(to) - datetime.fromisoformat(since)).total_seconds())


def _described(where: str, row: Row, said: Mapping[str, Any] | None) -> Iterator[Difference]:
    if said is None:
        yield Difference(where=where, column="", source="definition", row="a row", expected=None)
    else:
        yield from _unlike(where, "definition", row, said)


def _unlike(where: str, source: str, row: Row, said: Mapping[str, Any]) -> Iterator[Difference]:
    """Every column that is not as said; what was never told is empty, 0 or false."""
    for name, value in said.items():
        if (row[name] or None) != (value or None):
            yield Difference(where=where, column=name, source=source, row=row[name], expected=value)


def _place(table: str, row: Row) -> str:
    keys = {name: names for name, *names in _TABLES.values()}
    names = keys.get(table) or {"waiting": ("kind", "about", "person"), "faults": ("source", "item", "n", "k")}.get(
        table, ("n",)
    )
    return "/".join((table, *(str(row[name]) for name in names)))
