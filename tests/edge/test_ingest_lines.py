"""Lines of a file of messages: what each says or why it says nothing, however they are broken; and verdicts that outlive a kill."""

from __future__ import annotations

import io
import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

import pytest

from console import lines
from console.finding import Kept, Wanted, completed, fits
from console.leaving import Misused
from console.lines import Broken, Said
from console.verdict_file import VerdictFile

GOOD = {"name": "note", "run": "c-1/quick-start", "message": {"message_id": "m-1", "actor": "dana", "text": "x"}}
EVENT = {
    "specversion": "1.0", "type": "esign.completed", "id": "e-1", "source": "https://esign.example", "data": {"reference": "c-1"},
    "time": "2026-11-21T10:00:00Z", "subject": "envelope",
}  # fmt: skip


def read(content: bytes, actor: str | None = None) -> list[Said | Broken]:
    """All lines of a file."""
    return list(lines.read(io.BytesIO(content), actor))


def line(value: Any) -> bytes:
    """One line."""
    return json.dumps(value).encode() + b"\n"


def without(value: dict[str, Any], *keys: str) -> dict[str, Any]:
    """The same without these keys."""
    return {key: one for key, one in value.items() if key not in keys}


SECRET = "Geheimnis-4711"
BROKEN: dict[str, tuple[bytes, str, int]] = {
    "no JSON": (f'{{"name": {SECRET}}}'.encode(), "not_json", 10),
    "half of it": (b'{"name": "note"', "not_json", 16),
    "two of them": (line(GOOD).strip() + line(GOOD), "not_json", len(line(GOOD))),
    "NUL in a text": (b'{"name": "no\x00te"}', "not_json", 13),
    "NUL alone": (b"\x00", "not_json", 1),
    "a mark in the middle": (b"\xef\xbb\xbf" + line(GOOD), "not_json", 1),
    "not UTF-8": (b'{"name": "\xc3\xa9\xff"}', "not_utf8", 12),
    "no number": (b'{"name": NaN}', "not_json", 1),
    "a number without end": (b'{"name": ' + b"9" * 5_000 + b"}", "not_json", 1),
    "a number beyond all, in a message without an id": (b'{"name": "happen", "run": "a/b", "message": {"data": {"x": 1e999}}}', "not_json", 1),
    "one below all, as what is matched": (b'{"name": "note", "match": {"seats": -1e999}, "message": {}}', "not_json", 1),
    "one in an event": (b'{"specversion": "1.0", "type": "t", "id": "e", "source": "s", "data": {"n": [1E400]}}', "not_json", 1),
    "nested": (b"[" * 100_000, "nested_too_deep", 1),
    "a list": (b"[]", "not_an_object", 1),
    "a key twice": (b'{"name": "note", "run": "a/b", "message": {"text": "x", "text": "y"}}', "key_twice", 1),
    "an unknown key": (line({**GOOD, "runn": SECRET}), "unknown_field", 1),
    "no name": (line(without(GOOD, "name")), "required", 1),
    "a name that is none": (line({**GOOD, "name": "notte"}), "unknown_message", 1),
    "neither run nor match": (line(without(GOOD, "run")), "one_of", 1),
    "run and match": (line({**GOOD, "match": {"customer_id": "c-1"}}), "one_of", 1),
    "run is a number": (line({**GOOD, "run": 5}), "wrong_type", 1),
    "match is empty": (line({**without(GOOD, "run"), "match": {}}), "wrong_type", 1),
    "message is a text": (line({**GOOD, "message": SECRET}), "wrong_type", 1),
    "another version": (line({**EVENT, "specversion": "0.3"}), "not_a_choice", 1),
    "an event without id": (line(without(EVENT, "id")), "required", 1),
    "an event without source": (line(without(EVENT, "source")), "required", 1),
    "an event of bytes": (line({**without(EVENT, "data"), "data_base64": "AAAA"}), "wrong_type", 1),
    "an event that carries a list": (line({**EVENT, "data": [SECRET]}), "wrong_type", 1),
    "too long": (line({**GOOD, "message": {"text": "x" * lines.MOST_BYTES}}), "message_too_large", lines.MOST_BYTES + 1),
}  # fmt: skip


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_line_is_told_with_its_place_and_the_next_one_is_read(kind: str) -> None:
    """Nothing of what it held is repeated."""
    content, code, column = BROKEN[kind]
    first, broken, last = read(line(GOOD) + content.rstrip(b"\n") + b"\n" + line(GOOD))

    assert isinstance(broken, Broken)
    assert (broken.line, broken.code, broken.column) == (2, code, column)
    assert SECRET not in str(broken)
    assert isinstance(first, Said)
    assert isinstance(last, Said)
    assert (first.line, last.line) == (1, 3)


@pytest.mark.parametrize(
    "content", [line(GOOD), b"\xef\xbb\xbf" + line(GOOD), line(GOOD).replace(b"\n", b"\r\n"), line(GOOD).strip()]
)
def test_a_file_of_any_editor_is_read(content: bytes) -> None:
    """With a mark at its beginning, with the line ends of Windows, without a last line end."""
    assert read(content) == [Said(line=1, name="note", run="c-1/quick-start", content=GOOD["message"])]  # type: ignore[arg-type]


def test_blank_lines_say_nothing() -> None:
    """And are counted."""
    (one,) = read(b"\n  \r\n\n" + line(GOOD))

    assert one.line == 4


def test_an_id_is_made_of_the_line_and_its_number() -> None:
    """The same file brings the same ids; another line, or the same one elsewhere, another one."""
    plain = line({**GOOD, "message": {"text": "x"}})
    other = line({**GOOD, "message": {"text": "y"}})
    first, second, third = (cast(Said, one).message_id for one in read(plain + plain + other))

    assert [cast(Said, one).message_id for one in read(plain + plain + other)] == [first, second, third]
    assert len({first, second, third}) == 3
    assert len(first) <= 128


def test_an_event_as_a_webhook_brings_it_is_a_message() -> None:
    """Its type is the event, its id the key of deduplication, its payload says about whom it is."""
    (said,) = read(line(EVENT), None)

    assert isinstance(said, Said)
    assert said.name == "happen"
    assert said.content == {
        "message_id": "e-1", "actor": "integration:cloudevents", "event": "esign.completed", "data": {"reference": "c-1"},
        "sent_at": "2026-11-21T10:00:00Z",
    }  # fmt: skip
    assert said.wanted == Wanted(event="esign.completed", data={"reference": "c-1"}, by_payload=True)


def test_who_speaks_is_said_once_for_all_lines() -> None:
    """A line that names somebody keeps its own."""
    named, nameless = read(line(GOOD) + line({**GOOD, "message": {"text": "x"}}), "integration:crm")

    assert (cast(Said, named).content["actor"], cast(Said, nameless).content["actor"]) == ("dana", "integration:crm")


class Endless(io.RawIOBase):
    """A file of many lines, made while it is read."""

    def __init__(self, line: bytes, count: int) -> None:
        self.left = self.parts(line, count)

    @staticmethod
    def parts(line: bytes, count: int) -> Iterator[bytes]:
        """One after the other."""
        for _ in range(count):
            yield line

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, into: Any) -> int:
        """The next part."""
        part = next(self.left, b"")
        into[: len(part)] = part
        return len(part)


def test_a_line_of_a_hundred_megabytes_takes_no_room() -> None:
    """It is passed over, and the one behind it is read."""
    stream = io.BufferedReader(Endless(b"x" * 4_096, 25_000), 4_096)
    tracemalloc.start()
    (one,) = lines.read(cast(BinaryIO, stream))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert isinstance(one, Broken)
    assert one.code == "message_too_large"
    assert most < 8 * lines.MOST_BYTES, f"{most} bytes for one line of 100 MB"


# Which runs are meant -------------------------------------------------------------------------------------------------

KEPT = Kept(
    customer="c-1", inputs={"seats": 5, "vip": True}, rules={"paid": ("payment", {"customer_id": "payload.who.id", "seats": "payload.n"})}
)  # fmt: skip


@pytest.mark.parametrize(
    ("wanted", "yes"),
    [
        (Wanted(match={"customer_id": "c-1"}), True),
        (Wanted(match={"customer_id": "c-2"}), False),
        (Wanted(match={"customer_id": "c-1"}, event="paid"), True),
        (Wanted(match={"customer_id": "c-1"}, event="other"), False),
        (Wanted(match={"seats": 5}, event="paid"), True),
        (Wanted(match={"seats": "5"}, event="paid"), False),
        (Wanted(match={"seats": "5"}, event="paid", typed=False), True),
        (Wanted(match={"vip": True}, event="paid"), False),
        (Wanted(match={"seats": 5}), False),
        (Wanted(event="paid", data={"who": {"id": "c-1"}, "n": 5}, by_payload=True), True),
        (Wanted(event="paid", data={"who": {"id": "c-1"}}, by_payload=True), False),
        (Wanted(event="paid", data={"who": {"id": "c-1"}, "n": 6}, by_payload=True), False),
    ],
)
def test_a_run_is_meant_when_all_that_was_said_fits(wanted: Wanted, yes: bool) -> None:
    """By its customer, and by what its definition matches the event by; by nothing else."""
    assert fits(KEPT, wanted) is yes


def test_a_message_says_what_it_was_matched_by() -> None:
    """Where the definition of its run looks for it; what the sender said there stays."""
    wanted = Wanted(match={"customer_id": "c-1", "seats": "5"}, event="paid", typed=False)

    assert completed({"event": "paid"}, wanted, KEPT)["data"] == {"who": {"id": "c-1"}, "n": 5}
    assert completed({"event": "paid", "data": {"n": 6}}, wanted, KEPT)["data"] == {"who": {"id": "c-1"}, "n": 6}
    assert completed({"event": "paid"}, wanted, None) == {"event": "paid"}


# Verdicts -------------------------------------------------------------------------------------------------------------


def verdict(line: int, message_id: str | None = "m", outcome: str = "accepted") -> dict[str, Any]:
    """One, as it is written."""
    return {"line": line, "message_id": message_id, "outcome": outcome, "code": "c", "sentence": "s"}


def test_what_is_final_stays_so_and_what_was_cut_off_is_written_anew(tmp_path: Path) -> None:
    """A killed process leaves half a line; the next one begins there."""
    path = tmp_path / "verdicts"
    first = VerdictFile(path)
    for one in (verdict(1), verdict(2, outcome="retry_later"), verdict(3, None, "rejected"), verdict(5_000)):
        first.write(one)
    first.close()
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"line": 4, "mess')

    again = VerdictFile(path)
    assert [again.has(n, "m") for n in (1, 2, 3, 4, 5_000, 9_999)] == [True, False, False, False, True, False]
    assert (again.has(3, None), again.has(1, "other")) == (True, False)
    assert again.worst == 20
    again.write(verdict(2))
    again.close()

    assert path.read_bytes() == whole + json.dumps(verdict(2), separators=(",", ":")).encode() + b"\n"


def test_a_verdict_with_many_long_faults_is_read_again_and_none_behind_it_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "verdicts"
    fault = {"place": "/" + "ü" * 199, "code": "wrong_type", "sentence": "語" * 500}
    first = VerdictFile(path)
    first.write(verdict(1, outcome="rejected") | {"faults": [fault] * 50})
    first.write(verdict(2))
    first.write(verdict(50_000_001))
    first.close()
    size = path.stat().st_size

    again = VerdictFile(path)
    assert (again.has(1, "m"), again.has(2, "m"), again.has(50_000_001, "m")) == (True, True, False)
    again.close()
    assert path.stat().st_size == size


def test_two_processes_do_not_write_one_file(tmp_path: Path) -> None:
    """The second is told so."""
    first = VerdictFile(tmp_path / "verdicts")
    with pytest.raises(Misused, match="Another process"):
        VerdictFile(tmp_path / "verdicts")
    first.close()

    VerdictFile(tmp_path / "verdicts").close()


@pytest.mark.parametrize(
    "content",
    [
        b"a letter\n",
        b"{}\n",
        b'{"line": 0, "message_id": "m", "outcome": "accepted"}\n',
        b'{"line": 99999999999, "message_id": "m", "outcome": "x"}\n',
        b"x" * 70_000,
    ],
)
def test_a_file_that_holds_something_else_is_left_alone(tmp_path: Path, content: bytes) -> None:
    """Somebody has named the wrong one."""
    path = tmp_path / "verdicts"
    path.write_bytes(content)
    with pytest.raises(Misused, match="no file of verdicts"):
        VerdictFile(path)

    assert path.read_bytes() == content
