"""Lists and inboxes over all runs: what they find, in which order, page by page while others write."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from sqlalchemy import Engine, delete

from onboarding.engine import records
from onboarding.engine.effects import WaitingRow, WriteRecords
from onboarding.reading import views
from storage.engine import writing
from storage.read_table import CursorInvalid, ReadTable
from storage.records import SqlRecordStore
from storage.run_list import SORTS
from storage.tables import ALL
from tests.support.builders import Run, a_run as a_run_of, an_order
from tests.support.known_runs import definition_of
from tests.support.records import a_run, a_stage, a_wait, an_item, at

NOW = at(30)


def keep(engine: Engine, name: str, *waiting: WaitingRow, **changes: Any) -> None:
    """A run with what waits in it; what else it holds may be named."""
    rows = {key: changes.pop(key) for key in ("items", "stages") if key in changes}
    SqlRecordStore(engine).write(
        WriteRecords(run=a_run(name, **changes), waiting=waiting, id=f"{name}-1", whole=True, **rows)
    )


def a_started_run() -> Run:
    """A run of the core in which one answer is asked for and reviewed."""
    return a_run_of(an_order(definition_of(1), inputs={"signed_at": "2026-11-30T08:00:00Z", "segment": "small"}))


def every_page(page: Callable[[str | None], dict[str, Any]]) -> list[dict[str, Any]]:
    """All rows, page by page; ends."""
    answer = page(None)
    found = answer["rows"]
    while answer["next_cursor"] is not None:
        assert answer["rows"]
        answer = page(answer["next_cursor"])
        found += answer["rows"]
    return found


class TestInbox:
    """What waits for somebody."""

    def test_the_most_urgent_comes_first_and_what_has_no_date_last(self, engine: Engine) -> None:
        """Over all runs, only theirs."""
        keep(engine, "a", a_wait("dana", due_at=at(9)), a_wait("erik", due_at=at(1)))
        keep(engine, "b", a_wait("dana", due_at=None), a_wait("dana", about="tax", item="tax", due_at=at(3)))
        keep(engine, "c", a_wait("erik"))
        reads = ReadTable(engine)

        assert [(row["run"], row["id"]) for row in reads.inbox("dana")["rows"]] == [
            ("b", "tax"), ("a", "company_details"), ("b", "company_details"),
        ]  # fmt: skip
        assert reads.inbox_total("dana") == 3
        assert reads.inbox("nobody") == {"rows": [], "next_cursor": None}

    def test_a_line_is_an_open_item_with_its_run(self, engine: Engine) -> None:
        """What only the item's row knows is taken from the round that waits."""
        item = an_item(round=2, opened_at=at(2), late=True, steps=3, owner="customer:champion")
        earlier = an_item(round=1, status="returned", steps=9)
        wait = a_wait("lars", round=2, role="lead", first=False, stands_for="dana", mark="at_risk", since=at(2))
        keep(engine, "a", wait, items=(earlier, item))
        (line,) = ReadTable(engine).inbox("lars")["rows"]

        assert line == {
            "run": "a", "id": "company_details", "stage": "intake", "kind": "request", "title": "Company details", "status": "open",
            "owner": "customer:champion", "side": "customer", "round": 2, "opened_at": "2026-11-02T10:00:00Z",
            "due_at": "2026-11-03T08:00:00Z", "answered_at": None, "closed_at": None, "late": True, "outcome": None, "steps": 3,
            "optional": False, "mark": "at_risk", "waits_for": "Waits for customer:champion to deliver legal name.",
            "stands_for": "dana", "who": "lars", "role": "lead", "first": False, "waiting_on": "customer",
            "since": "2026-11-02T10:00:00Z", "blocks": ["setup", "go_live"],
        }  # fmt: skip

    def test_a_line_blocks_what_is_not_done_yet(self, engine: Engine) -> None:
        """What came back is open again, whatever its first round was; what passed by time-out holds nobody up."""
        done = {"status": "done", "closed_at": at(1)}
        behind = (
            an_item("a", **done), an_item("b", round=1, **done), an_item("b", round=2), an_item("c", tacit=True), an_item("d", status="not_ready"),
            an_item("e", status="skipped"),
        )  # fmt: skip
        keep(engine, "r", a_wait("dana", blocks=("a", "b", "c", "d", "e", "f")), items=behind)

        assert ReadTable(engine).inbox("dana")["rows"][0]["blocks"] == ["b", "d", "f"]

    @pytest.mark.parametrize("kind", ["gate", "hold", "debt"])
    def test_what_is_no_item_is_told_by_its_kind(self, engine: Engine, kind: str) -> None:
        """With the fields of an item, as far as they say something."""
        keep(engine, "a", a_wait("dana", kind=kind, about="intake/facts.vat_id", item=None, status="waived", blocks=()))
        (line,) = ReadTable(engine).inbox("dana")["rows"]

        assert (line["kind"], line["id"], line["owner"], line["status"]) == (
            kind,
            "intake/facts.vat_id",
            "dana",
            "waived",
        )
        assert (line["late"], line["steps"], line["blocks"]) == (False, 0, [])

    def test_a_role_sees_each_thing_once_with_those_who_may_take_it(self, engine: Engine) -> None:
        """Whoever answers for it is named even where they have it through another role."""
        for run, first in (("a", "lead"), ("b", "head")):
            keep(
                engine, run, a_wait("zoe", role=first), a_wait("dana", role="lead", first=False), a_wait("ben", role="lead", first=False),
            )  # fmt: skip
        keep(engine, "c", a_wait("dana", role="success"))
        reads = ReadTable(engine)
        lines = reads.group_inbox("lead")["rows"]

        assert [(row["run"], row["who"], row["people"], row["first"]) for row in lines] == [
            ("a", "zoe", ["zoe", "ben", "dana"], True), ("b", "zoe", ["ben", "dana"], False),
        ]  # fmt: skip
        assert reads.group_total("lead") == 2
        assert reads.group_total("nobody") == 0

    def test_a_group_without_a_directory_is_found_by_its_own_name(self, engine: Engine) -> None:
        """It is the handle of whoever has what the group owns."""
        keep(engine, "a", a_wait("implementation", role="engineering"))
        reads = ReadTable(engine)

        assert [row["people"] for row in reads.group_inbox("implementation")["rows"]] == [["implementation"]]
        assert reads.group_total("implementation") == 1

    def test_a_line_says_what_the_run_itself_says(self, engine: Engine) -> None:
        """Asked for, under review (which its row calls the reviewer's) and come back."""
        run = a_started_run()
        answer = {"item": "details", "fields": {"legal_name": "Acme"}}
        steps = (
            {},
            {"name": "submit", "actor": "customer:champion", **answer},
            {"name": "decide", "item": "details", "outcome": "return", "comment": "No."},
        )
        statuses = []
        for n, step in enumerate(steps, start=1):
            if step:
                assert not run.say(**step).refused
            SqlRecordStore(engine).write(
                replace(records.whole(run.plan, run.state), id=f"b{n}", chain="first", decided_at=run.now)
            )
            for row in views.open_items(run.plan, run.state, run.now)["rows"]:
                (line,) = [one for one in ReadTable(engine).inbox(row["who"])["rows"] if one["id"] == row["id"]]
                both = [name for name in row if name in line and name != "owner"]
                statuses.append(line["status"])

                assert {name: line[name] for name in both} == {name: row[name] for name in both}
                assert line["owner"] == (row["who"] if row["status"] == "in_review" else row["owner"])
                assert set(row) - set(line) == {"answer", "assign_at"}
        assert statuses == ["open", "in_review", "returned"]

    def test_a_page_stays_right_while_others_write(self, engine: Engine) -> None:
        """What comes before the place is not missed twice, what goes away takes nothing with it."""
        for n in range(6):
            keep(engine, f"r{n}", a_wait("dana", due_at=at(n)))
        reads = ReadTable(engine)
        first = reads.inbox("dana", limit=3)
        keep(engine, "early", a_wait("dana", due_at=at(0.5)))
        keep(engine, "late", a_wait("dana", due_at=at(3.5)))
        with writing(engine) as connection:
            waiting = next(table for table in ALL if table.name == "waiting")
            connection.execute(delete(waiting).where(waiting.c.run == "r2"))
        second = reads.inbox("dana", limit=3, cursor=first["next_cursor"])

        assert [row["run"] for row in first["rows"]] == ["r0", "r1", "r2"]
        assert [row["run"] for row in second["rows"]] == ["r3", "late", "r4"]

    @pytest.mark.parametrize(
        ("known", "name", "group"),
        [
            (True, "dana", False), (True, "erik", False), (True, "ada", False), (False, "champion", False), (False, "dnaa", False),
            (True, "champion", True), (False, "erik", True),
        ],
    )  # fmt: skip
    def test_a_name_that_was_heard_is_told_from_one_that_never_was(
        self, engine: Engine, known: bool, name: str, group: bool
    ) -> None:
        """Whoever once had something is known, though nothing waits for them now."""
        keep(engine, "a", a_wait("dana"), items=(an_item(owner="ada"),), stages=(a_stage(owner="erik"),))

        assert known is ReadTable(engine).heard_of(name, group=group)


class TestList:
    """Runs, narrowed and in order."""

    @pytest.fixture
    def reads(self, engine: Engine) -> ReadTable:
        """Five runs that differ in everything that matters."""
        keep(
            engine,
            "late",
            a_wait(due_at=at(29)),
            a_wait("x", kind="gate", about="g", due_at=at(1)),
            due_at=at(40),
            health="at_risk",
        )
        keep(engine, "gated", a_wait("x", kind="gate", about="g", due_at=at(1)), promised_at=at(29), due_at=at(35))
        keep(engine, "live", promised_at=at(29), live_at=at(20), month="2026-10", started_at=at(-48), due_at=None)
        keep(engine, "held", a_wait(due_at=at(1)), state="on_hold", health="on_hold", promised_at=at(2))
        keep(engine, "read", a_wait(status="in_review", due_at=at(1)), wave="w-2", customer="zeta")
        keep(
            engine,
            "over",
            state="closed",
            health="stalled",
            closed_at=at(9),
            promised_at=at(2),
            due_at=None,
            waiting_since=None,
        )
        return ReadTable(engine)

    @pytest.mark.parametrize(
        ("filters", "expected"),
        [
            ({"overdue": NOW}, ["late"]),
            ({"at_risk": NOW}, ["gated", "held", "late"]),
            ({"at_risk": at(28)}, ["held", "late"]),
            ({"month": "2026-10"}, ["live"]),
            ({"since": at(0)}, ["gated", "held", "late", "over", "read"]),
            ({"until": at(0)}, ["live"]),
            ({"wave": ["w-2", "w-3"]}, ["read"]),
            ({"state": "running", "wave": ""}, ["gated", "late", "live"]),
        ],
    )  # fmt: skip
    def test_each_filter_finds_what_it_says(
        self, reads: ReadTable, filters: dict[str, Any], expected: list[str]
    ) -> None:
        """Nothing is due while a run is on hold, nothing is late that was answered, and nobody who is live is at risk."""
        assert [row["run"] for row in reads.runs(**filters)["rows"]] == expected
        assert reads.runs_total(**filters) == len(expected)

    def test_a_forecast_that_misses_the_promise_is_a_risk(self, engine: Engine, reads: ReadTable) -> None:
        """On hold, too: the customer waits for the same date."""
        for name, changes in (("slow", {}), ("paused", {"state": "on_hold"}), ("early", {"forecast_late_at": at(49)})):
            keep(engine, name, promised_at=at(50), **{"forecast_late_at": at(51)} | changes)

        assert [row["run"] for row in reads.runs(at_risk=NOW)["rows"]] == ["gated", "held", "late", "paused", "slow"]

    def test_a_promise_that_was_kept_is_no_risk(self, engine: Engine, reads: ReadTable) -> None:
        """It is about the first value: what comes after that has no date that was promised."""
        for name, changes in (("kept", {"on_time": True}), ("broken", {"on_time": False})):
            keep(engine, name, promised_at=at(1), forecast_late_at=at(99), first_value_at=at(0), **changes)

        assert [row["run"] for row in reads.runs(at_risk=NOW)["rows"]] == ["gated", "held", "late"]

    def test_the_review_of_a_hold_can_be_overdue(self, engine: Engine, reads: ReadTable) -> None:
        """It is the one thing that is due while everything else stands."""
        keep(
            engine,
            "forgotten",
            a_wait("dana", kind="hold", about="hold", due_at=at(5)),
            state="on_hold",
            health="on_hold",
        )

        assert [row["run"] for row in reads.runs(overdue=NOW)["rows"]] == ["forgotten", "late"]

    @pytest.mark.parametrize(
        ("sort", "expected"),
        [
            ("run", ["gated", "held", "late", "live", "over", "read"]),
            ("customer", ["gated", "held", "late", "live", "over", "read"]),
            ("due", ["gated", "late", "held", "read", "live", "over"]),
            ("promised", ["held", "over", "gated", "live", "late", "read"]),
            ("started", ["live", "gated", "held", "late", "over", "read"]),
            ("waiting", ["gated", "held", "late", "live", "read", "over"]),
        ],
    )  # fmt: skip
    def test_what_has_no_date_comes_last_both_ways_round(
        self, reads: ReadTable, sort: str, expected: list[str]
    ) -> None:
        """Reversed, too: nobody looks for what is not there."""
        there = {"due": 4, "promised": 4, "waiting": 5}.get(sort, 6)

        assert [row["run"] for row in every_page(lambda at: reads.runs(sort=sort, limit=2, cursor=at))] == expected
        assert [row["run"] for row in every_page(lambda at: reads.runs(sort=sort, reverse=True, limit=2, cursor=at))] == [
            *expected[:there][::-1], *expected[there:][::-1],
        ]  # fmt: skip

    def test_runs_are_counted_by_what_they_are(self, reads: ReadTable) -> None:
        """How a closed run does, or where it was, says nothing any more."""
        counts = {(row["by"], row["value"]): row["runs"] for row in reads.run_counts()}

        assert counts == {
            ("state", "running"): 4, ("state", "on_hold"): 1, ("state", "closed"): 1, ("health", "on_track"): 3,
            ("health", "at_risk"): 1, ("health", "on_hold"): 1, ("waiting_on", "customer"): 5, ("stage", "intake"): 5,
            ("definition", "quick-start"): 6,
        }  # fmt: skip
        assert {row["runs"] for row in reads.run_counts(health=["at_risk"])} == {1}

    @pytest.mark.parametrize(
        ("filters", "expected"),
        [
            ({"definition": ["quick-start"], "segment": "smb"}, None),
            ({"definition": ["quick-start", "quick-strat"]}, ("definition", "quick-strat")),
            ({"owner": "dana", "stage": "intkae"}, ("stage", "intkae")),
            ({"state": "nonsense", "ids": ["none"]}, None),
            ({"customer": "zeta", "month": "2031-01"}, ("month", "2031-01")),
        ],
    )
    def test_a_word_that_no_run_ever_had_is_found(
        self, reads: ReadTable, filters: dict[str, Any], expected: tuple[str, str] | None
    ) -> None:
        """Each word alone: beside a right one a wrong one would not be noticed."""
        assert reads.unknown_word(**filters) == expected

    def test_a_stage_in_which_nobody_is_now_is_known(self, engine: Engine) -> None:
        """An empty list is the right answer then."""
        keep(engine, "a", stages=(a_stage("go_live", status="not_ready"), a_stage("kickoff")))
        reads = ReadTable(engine)

        assert reads.unknown_word(stage="go_live") is None
        assert reads.runs(stage="go_live")["rows"] == []
        assert [row["run"] for row in reads.runs(stage="kickoff")["rows"]] == ["a"]
        assert reads.known_words("stage", "intkae", 10) == ["go_live", "intake", "kickoff"]

    def test_words_near_a_wrong_one_are_looked_at_however_many_there_are(self, engine: Engine) -> None:
        """Those before and those behind it in the alphabet."""
        for n in range(12):
            keep(engine, f"r{n}", customer=f"c-{n:02}")

        assert ReadTable(engine).known_words("customer", "c-06", 2) == ["c-04", "c-05", "c-06", "c-07"]

    def test_where_there_is_no_run_no_word_is_wrong(self, engine: Engine) -> None:
        """A new installation has nothing to compare with."""
        assert ReadTable(engine).unknown_word(definition="none") is None
        assert not ReadTable(engine).any_run()


RUN_STATES = st.fixed_dictionaries(
    {
        "due_at": st.none() | st.integers(0, 4).map(at),
        "promised_at": st.none() | st.integers(0, 4).map(at),
        "started_at": st.integers(0, 4).map(at),
        "waiting_since": st.none() | st.integers(0, 4).map(at),
        "customer": st.sampled_from(["c-1", "c-2", "C-2", "ü", "a b"]),
    }
)
COLUMN = {
    "due": "due_at",
    "promised": "promised_at",
    "started": "started_at",
    "waiting": "waiting_since",
    "customer": "customer",
}


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    runs=st.lists(RUN_STATES, max_size=9), sort=st.sampled_from(SORTS), reverse=st.booleans(), limit=st.integers(1, 4)
)  # fmt: skip
def test_following_the_pages_shows_every_run_once_in_order(
    engine: Engine, runs: list[dict[str, Any]], sort: str, reverse: bool, limit: int
) -> None:
    """Under each order, both ways, in pages of any size, wherever dates are missing or equal."""
    with writing(engine) as connection:
        for table in (table for table in reversed(ALL) if table.name != "about"):
            connection.execute(delete(table))
    for n, run in enumerate(runs):
        keep(engine, f"r{n}", **run)
    reads = ReadTable(engine)
    pages = every_page(lambda at: reads.runs(sort=sort, reverse=reverse, limit=limit, cursor=at))
    whole = reads.runs(sort=sort, reverse=reverse, limit=100)["rows"]
    values = [row.get(COLUMN.get(sort, "run")) for row in pages]
    there = [value for value in values if value is not None]

    assert pages == whole
    assert sorted(row["run"] for row in pages) == [f"r{n}" for n in range(len(runs))]
    assert values == there + [None] * (len(values) - len(there))
    if sort != "customer":  # each database has its own idea of the order of letters
        assert there == sorted(there, reverse=reverse)


def made(*content: Any) -> str:
    """A cursor of this content."""
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        "", "-1", "zzz", "x" * 9_000, "²", "onboarding/c-1/quick-start", made(), made("due"), made("due", "x", "r"), made("due", 3, "r"),
        made("due", "2026-11-02T08:00:00", "r"), made("due", "2026-11-02T08:00:00+00:00", None), made("due", None, "a\x00b"),
        made("due", None, "\ud800"), made("run", "r"), made("due-", None, "r"), made("due", None, ["r"]), made("due", None, "r", "more"),
        made("due", "0001-01-01T00:00:00+23:00", "r"), made("due", "9999-12-31T23:59:59-23:00", "r"),
        base64.urlsafe_b64encode(b"[" * 5_000).decode(), base64.urlsafe_b64encode(b'{"a": 1}').decode(),
    ],
)  # fmt: skip
def test_a_made_up_cursor_is_refused(engine: Engine, cursor: str) -> None:
    """Not a page of something else, and no traceback of the driver. One of another order is made up, too."""
    reads = ReadTable(engine)
    with pytest.raises(CursorInvalid):
        reads.runs(sort="due", cursor=cursor)
    with pytest.raises(CursorInvalid):
        reads.inbox("dana", cursor=cursor)
    with pytest.raises(CursorInvalid):
        reads.group_inbox("lead", cursor=cursor)
