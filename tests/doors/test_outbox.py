"""`outbox` as commands: list, show, resend, drop, from rows alone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from console import outbox
from console.leaving import Misused
from onboarding.ports import Sent
from storage.engine import open_database
from storage.notices import SqlNoticeStore
from storage.records import SqlRecordStore
from tests.support.calls import Door
from tests.support.records import RUN, a_notice, a_turn

LEASE = timedelta(seconds=60)


@pytest.fixture
def full(door: Door) -> Door:
    """A run with a notice that failed, one that left and one that waits for its reader's hours."""
    engine = open_database(door.environment["ONBOARDING_DATABASE_URL"])
    SqlRecordStore(engine).write(a_turn(1))
    store = SqlNoticeStore(engine)
    for key in ("k/failed", "k/sent"):
        store.keep(a_notice(key, to=key))
    for one in store.claim(9, datetime.now(UTC), LEASE):
        if one.notice.key == "k/failed":
            store.fail(one, "address_refused", datetime.now(UTC))
        else:
            store.mark_sent(Sent(one.notice.key, "mail", datetime.now(UTC)))
    store.keep(a_notice("k/waits", to="somebody", not_before=datetime(2999, 1, 1, tzinfo=UTC)))
    engine.dispose()
    return door


def states(door: Door, *words: str) -> dict[str, str]:
    """What a list shows."""
    return {line["key"]: line["state"] for line in door("outbox", *words, "-o", "json").data["rows"]}


def test_the_list_is_the_outbox_with_or_without_its_name(full: Door) -> None:
    """Of all runs, of one, and of one state."""
    everything = {"k/failed": "failed", "k/sent": "sent", "k/waits": "pending"}
    assert states(full) == states(full, "list") == states(full, RUN) == states(full, "list", RUN) == everything
    assert states(full, "--state", "failed") == {"k/failed": "failed"}
    assert "address_refused" in full("outbox", "-o", "table").out


def test_a_failed_notice_is_shown_resent_and_dropped(full: Door) -> None:
    """Each with its verdict; one that was dropped is not resent."""
    shown = full("outbox", "show", "k/failed", "-o", "json")
    assert (shown.code, shown.data["state"], shown.data["code"]) == (0, "failed", "address_refused")
    resent = full("outbox", "resend", "k/failed", "-o", "json")
    assert (resent.code, resent.data["rows"][0]["code"]) == (0, "resent")
    dropped = full("outbox", "drop", "k/failed", "--reason", "Told by phone.", "-o", "json")
    assert (dropped.code, dropped.data["rows"][0]["code"]) == (0, "dropped")

    again = full("outbox", "resend", "k/failed", "-o", "json")
    assert (again.code, again.data["rows"][0]["code"]) == (21, "withdrawn")


def test_all_that_failed_is_resent_by_one_word(full: Door) -> None:
    """Of a run, and then there is no more."""
    assert full("outbox", "resend", "--failed", "--run", RUN, "-o", "json").data["rows"][0]["key"] == "k/failed"

    nothing = full("outbox", "resend", "--failed", "-o", "json")
    assert (nothing.code, nothing.data["rows"]) == (0, [])
    assert "No notice has failed." in nothing.err


def test_however_much_failed_is_done_in_transactions_of_a_bounded_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is left out; only what is named key by key has a limit."""
    monkeypatch.setattr(outbox, "MOST", 2)
    monkeypatch.setattr(outbox.printing, "show", lambda *_, **__: None)
    done: list[list[str]] = []

    def do(_: Any, keys: Sequence[str]) -> list[dict[str, Any]]:
        done.append(list(keys))
        return [{"outcome": "accepted"} for _ in keys]

    assert outbox._tell(cast("Any", None), ["a", "b", "a", "c"], do, "") == 0
    assert done == [["a", "b"], ["c"]]
    with pytest.raises(Misused):
        outbox._few(["a", "b", "c"])


def test_doctor_counts_what_reached_nobody(full: Door) -> None:
    """Until it is resent or dropped."""

    def line() -> tuple[str, str]:
        return next(
            (row["level"], row["sentence"])
            for row in full("doctor", "-o", "json").data["rows"]
            if row["name"] == "notices"
        )

    level, sentence = line()
    assert level == "warn"
    assert sentence.startswith("1 notices of 1 runs have reached nobody since ")
    assert "(address_refused)" in sentence
    full("outbox", "drop", "k/failed", "--reason", "Told by phone.")
    assert line() == ("ok", "Nothing has failed for good.")


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("show", "nothing"), 23, "No notice has the key 'nothing'"), (("resend", "nothing"), 23, "No notice has this key"),
        (("resend",), 64, "Name their keys, or say --failed."), (("resend", "k/failed", "--failed"), 64, "Name their keys"),
        (("resend", "k/failed", "--run", RUN), 64, "--run narrows --failed"), (("drop", "k/failed"), 64, "--reason"),
        (("drop", "k/failed", "--reason", " "), 64, "one line of 1 to 500"), (("drop", "k/sent", "--reason", "x"), 21, "It has left"),
        (("resend", "k/sent", "k/failed"), 21, "already_sent"), (("list", "nobody/nothing"), 23, "No run"),
        (("--state", "lost"), 64, "lost"), (("resend", "--failed", "--run", "nobody/nothing"), 23, "No run"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_says_why(full: Door, words: tuple[str, ...], code: int, says: str) -> None:
    """By a code, a sentence and the exit code of the contract."""
    answer = full("outbox", *words)

    assert answer.code == code
    assert says in answer.out + answer.err
