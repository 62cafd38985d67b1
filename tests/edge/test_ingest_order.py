"""One pass over a file: the order of each customer, how much is on its way at once, and when it is over. The runs are made up."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from console import ingesting
from console.ingesting import Ingest, Sender
from console.leaving import Misused
from console.lines import Said
from console.verdict_file import VerdictFile
from onboarding.errors import CustomerErased


class Runs:
    """Answers after a moment, and keeps what was asked of it. `mute` customers never answer."""

    def __init__(self, mute: tuple[str, ...] = ()) -> None:
        self.mute = mute
        self.heard: list[tuple[str, int]] = []
        self.now: Counter[str] = Counter()
        self.most = self.most_of_one = 0
        self.trouble: Exception | None = None

    async def customer(self, said: Said) -> str:
        """Whose line it is."""
        return str(said.run)

    async def say(self, said: Said) -> dict[str, Any]:
        """One verdict."""
        customer = str(said.run)
        self.heard.append((customer, said.line))
        self.now[customer] += 1
        self.most = max(self.most, self.now.total())
        self.most_of_one = max(self.most_of_one, self.now[customer])
        await asyncio.sleep(0.003)
        self.now[customer] -= 1
        if self.trouble is not None:
            raise self.trouble
        outcome = "retry_later" if customer in self.mute else "accepted"
        return {"run": customer, "outcome": outcome, "code": "c", "sentence": "s"}


class Counted:
    """Lines, and how many of them were read."""

    def __init__(self, customers: int, count: int) -> None:
        self.customers, self.count, self.read = customers, count, 0

    def __iter__(self) -> Iterator[Said]:
        for n in range(1, self.count + 1):
            self.read = n
            yield Said(line=n, name="note", content={"message_id": f"m-{n}"}, run=f"c-{n % self.customers}")


async def passed(runs: Runs, lines: Counted, kept: VerdictFile | None, at_once: int = 4) -> int:
    """One pass; its exit code."""
    return await Ingest(cast(Sender, runs), kept, at_once).all(iter(lines))


def told(path: Path) -> list[dict[str, Any]]:
    """The verdicts in a file."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


async def test_each_customer_hears_its_lines_in_their_order_and_others_do_not_wait(tmp_path: Path) -> None:
    """One line of a customer at a time, as many customers as was said, and never more of the file than that takes."""
    runs, lines, kept = Runs(), Counted(7, 500), VerdictFile(tmp_path / "verdicts")
    code = await passed(runs, lines, kept)
    kept.close()

    assert code == 0
    assert (runs.most, runs.most_of_one) == (4, 1)
    for n in range(7):
        heard = [line for customer, line in runs.heard if customer == f"c-{n}"]
        assert heard == sorted(heard)
    assert sorted(line for _, line in runs.heard) == list(range(1, 501))
    assert len(told(tmp_path / "verdicts")) == 500


async def test_nothing_overtakes_a_line_without_a_verdict_and_the_next_pass_begins_there(tmp_path: Path) -> None:
    """Lines of other customers are sent; of this one no more in this pass, and all of them in the next."""
    kept = VerdictFile(tmp_path / "verdicts")
    runs = Runs(mute=("c-3",))
    code = await passed(runs, Counted(7, 100), kept)
    kept.close()
    first = told(tmp_path / "verdicts")
    assert code == 75
    assert [one for one in runs.heard if one[0] == "c-3"] == [("c-3", 3)]
    assert {one["code"] for one in first if one["outcome"] == "retry_later" and one["line"] > 3} == {
        "behind_unanswered"
    }

    kept, again = VerdictFile(tmp_path / "verdicts"), Runs()
    code = await passed(again, Counted(7, 100), kept)
    kept.close()

    assert code == 0
    assert again.heard == [("c-3", line) for line in range(3, 101, 7)]


async def test_where_nobody_answers_the_rest_is_not_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A server that is away for an hour does not keep a command for a million lines times a minute."""
    lines, kept = Counted(1_000, 1_000), VerdictFile(tmp_path / "verdicts")
    code = await passed(Runs(mute=tuple(f"c-{n}" for n in range(1_000))), lines, kept)
    kept.close()

    assert code == 75
    assert lines.read < 100
    assert "the rest was not read" in capsys.readouterr().err
    assert all(one["outcome"] == "retry_later" for one in told(tmp_path / "verdicts"))


async def test_what_no_repetition_helps_ends_the_command(tmp_path: Path) -> None:
    """A server that refuses this client, a fault of ours: it is raised, and no line is called refused for it."""
    runs, kept = Runs(), VerdictFile(tmp_path / "verdicts")
    runs.trouble = RuntimeError("no")
    with pytest.raises(RuntimeError):
        await passed(runs, Counted(7, 1_000), kept)
    kept.close()

    assert {one["outcome"] for one in told(tmp_path / "verdicts")} <= {"retry_later"}


async def test_a_file_whose_lines_have_moved_is_not_said_again(tmp_path: Path) -> None:
    """Ids that are made of a line and its number would be others; a line that was refused may be mended where it stands."""
    path = tmp_path / "verdicts"

    def line(number: int, text: str, message_id: str | None = None) -> Said:
        id = message_id or f"line-{number}-{text}"
        return Said(line=number, name="note", content={"message_id": id}, run=text, numbered=message_id is None)

    async def again(*lines: Said) -> list[str]:
        runs, kept = Runs(), VerdictFile(path)
        try:
            await Ingest(cast(Sender, runs), kept, 4).all(iter(lines))
        finally:
            kept.close()
        return sorted(run for run, _ in runs.heard)

    assert await again(line(1, "a"), line(2, "b", "own")) == ["a", "b"]
    with path.open("a") as verdicts:
        verdicts.write('{"line":3,"message_id":"line-3-c","run":"c","outcome":"rejected","code":"c","sentence":"s"}\n')

    with pytest.raises(Misused, match="Line 1 is another one"):
        await again(line(1, "new"), line(2, "a"))
    assert await again(line(1, "a"), line(2, "d", "other"), line(3, "mended"), line(4, "e")) == ["d", "e", "mended"]


async def test_what_concerns_one_line_alone_ends_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """An erased customer, to whom nothing can be encrypted any more, and a name that no server could be asked for."""

    async def erased(*_: Any) -> dict[str, Any]:
        raise CustomerErased

    monkeypatch.setattr(ingesting, "say", erased)
    message = {"message_id": "m-1", "actor": "lena", "text": "x"}
    sender = Sender(cast(Any, None))

    gone = await sender.say(Said(line=1, name="note", content=message, run="c-1/x"))
    assert (gone["outcome"], gone["code"], gone["message_id"]) == ("closed", "customer_erased", "m-1")
    half = await sender.say(Said(line=2, name="note", content=message, run="c-\udcff/x"))
    assert (half["outcome"], half["code"]) == ("unknown", "unknown_run")
