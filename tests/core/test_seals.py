"""A trail that travels: whatever is done to it on the way is found, with its place."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, strategies as st

from onboarding.engine import rules
from onboarding.engine.chain import beginning, content_of, digest_of, older_content_of
from onboarding.reading.seals import Sealer, Verified, verify
from tests.support.figures import Figure
from tests.support.records import a_trail

ACME, BOLT = "onboarding/acme/quick-start", "onboarding/bolt/quick-start"


def rows_of(run: str, count: int, version: int = rules.NAMES_CHAINS, **changes: Any) -> list[dict[str, Any]]:
    """A chained trail, as an export gives it."""
    rows, before = [], beginning(run, version)
    for n in range(1, count + 1):
        told = {f"item/tax_form/{n}": {"status": "open", "late": False, "steps": n}} if n % 2 else {}
        entry = replace(a_trail(n), changes=told, message_id=f"{run}-{n}", sentence=f"Sentence {n}.", **changes)
        content = content_of(entry)
        before = digest_of(before, content)
        of_run = {"run": run, "definition": "quick-start", "version": 3, "variant": "", "hash": "h" * 16}
        rows.append(
            {
                **of_run,
                **older_content_of(entry),
                "digest": before,
                "sentence": entry.sentence,
                "changes": entry.changes,
            }
        )
    return rows


def lines_of(*trails: list[dict[str, Any]]) -> list[bytes]:
    """The lines of an export of these trails."""
    return [f"{line}\n".encode() for line in Sealer().lines(row for rows in trails for row in rows)]


EXPORT = lines_of(rows_of(ACME, 5), rows_of(BOLT, 3))
"""Five entries and a seal, three entries and a seal, and the seal of both."""
HEAD = json.loads(EXPORT[5])["head"]
DIGEST = json.loads(EXPORT[-1])["digest"]


def codes(found: Verified) -> list[str]:
    """What is wrong, in order."""
    return [flaw.code for flaw in found.flaws]


def test_an_export_is_what_was_written() -> None:
    """Also an empty one; the digests are those that were told when it was made."""
    sealer = Sealer()
    found = verify([f"{line}\n".encode() for line in sealer.lines([*rows_of(ACME, 5), *rows_of(BOLT, 3)])])

    assert (found.flaws, found.runs, found.entries) == ([], 2, 8)
    assert found.digest == sealer.digest == DIGEST
    assert verify(lines_of()).flaws == []


@pytest.mark.parametrize("place", range(len(EXPORT)))
def test_any_line_that_is_left_out_is_found(place: int) -> None:
    """An entry, the seal of a run, the seal of all."""
    assert verify([*EXPORT[:place], *EXPORT[place + 1 :]]).flawed


def test_any_cut_is_found() -> None:
    """At every byte, down to the empty file."""
    whole = b"".join(EXPORT)

    unnoticed = [size for size in range(len(whole)) if not verify(whole[:size].splitlines(keepends=True)).flawed]
    assert unnoticed == []


@given(st.data())
def test_any_two_lines_that_change_places_are_found(data: st.DataObject) -> None:
    """Also two seals, and a seal with an entry."""
    one, other = data.draw(st.lists(st.sampled_from(range(len(EXPORT))), min_size=2, max_size=2, unique=True))
    lines = list(EXPORT)
    lines[one], lines[other] = lines[other], lines[one]

    assert verify(lines).flawed


def test_two_runs_that_change_places_are_found() -> None:
    """Each of them is whole; the seal of the export tells."""
    assert codes(verify([*EXPORT[6:10], *EXPORT[:6], EXPORT[-1]])) == ["wrong_end"]


@pytest.mark.parametrize("place", range(len(EXPORT)))
def test_any_field_of_any_line_that_is_changed_is_found_there(place: int) -> None:
    """Whatever it is changed to: another value of its kind, of another kind, nothing. What the chain covers is found in its very line."""
    row = json.loads(EXPORT[place])
    for name, value in row.items():
        for other in _others(value):
            if other == value and type(other) is type(value):
                continue
            changed = _dumped({**row, name: other})
            found = verify([*EXPORT[:place], changed, *EXPORT[place + 1 :]])
            assert found.flawed, (name, other)
            beside = name in ("run", "definition", "version", "variant", "hash")
            if "seal" not in row and not beside:
                assert found.flaws[0].line == place + 1, (name, other)


def _others(value: Any) -> list[Any]:
    match value:
        case str():
            return [f"{value} ", value.upper() if value.upper() != value else f"{value}x", "", None, 1, {}]
        case bool() | int():
            return [value + 1, -value, float(value), str(value), None, True]
        case dict():
            deeper = [{**value, "run": {"state": "closed"}}, {**value, "x": 1}, [], None]
            if not value:
                return deeper
            key = next(iter(value))
            return [*deeper, {}, {key: {**value[key], "steps": 99}}, {key: {**value[key], "late": 0}}]
    return ["x", 0, {}]


def _dumped(row: dict[str, Any]) -> bytes:
    return json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


@pytest.mark.parametrize("place", range(len(EXPORT) + 1))
@pytest.mark.parametrize("source", range(len(EXPORT)))
def test_any_line_that_stands_there_once_more_is_found(place: int, source: int) -> None:
    """A copy of another run's entry, of the same run's, of a seal."""
    assert verify([*EXPORT[:place], EXPORT[source], *EXPORT[place:]]).flawed


def test_an_entry_that_is_chained_well_and_put_in_is_found_by_the_seal() -> None:
    """Somebody who knows how digests are made has computed every later one anew, and not the seal."""
    forged = [line for line in lines_of(rows_of(ACME, 6)) if b'"seal"' not in line]
    found = verify([*forged, *EXPORT[5:]])

    assert codes(found) == ["wrong_end", "wrong_end"]
    assert found.flaws[0].line == 7


@pytest.mark.parametrize("count", [1, 4, 5, 6])
def test_what_is_sealed_anew_is_found_by_a_digest_that_was_kept(count: int) -> None:
    """Nothing inside a file can tell that: this is what keeping a digest elsewhere is for."""
    forged = lines_of(rows_of(ACME, count, actor="nobody"), rows_of(BOLT, 3))

    assert verify(forged).flaws == []
    assert codes(verify(forged, {HEAD: None})) == ["not_the_kept_one"]
    assert codes(verify(forged, {DIGEST: None})) == ["not_the_kept_one"]


def test_a_tail_that_was_cut_and_sealed_anew_is_found_by_the_head() -> None:
    """And a trail that has gone on since still holds the head that was kept."""
    assert codes(verify(lines_of(rows_of(ACME, 4)), {HEAD: None})) == ["not_the_kept_one"]
    grown = verify(lines_of(rows_of(ACME, 9)), {HEAD: ACME})

    assert (grown.flaws, grown.kept) == ([], {HEAD: f"entry 5 of {ACME}"})


def exchanged(version: int) -> list[bytes]:
    """Two trails, each under the name of the other, and sealed so."""
    true = [*rows_of(ACME, 5, version), *rows_of(BOLT, 3, version)]
    return lines_of([{**row, "run": {ACME: BOLT, BOLT: ACME}[row["run"]]} for row in true])


def test_the_trail_of_one_run_under_the_name_of_another_is_found() -> None:
    """The chain begins with the name of its run."""
    assert codes(verify(exchanged(rules.NAMES_CHAINS))) == ["changed", "changed"]


def test_an_older_trail_under_the_name_of_another_run_is_found_by_head_and_name() -> None:
    """A chain that began before names were in it does not know whose it is; it still holds."""
    true = lines_of(rows_of(ACME, 5, 1), rows_of(BOLT, 3, 1))
    head = json.loads(true[5])["head"]
    forged = exchanged(1)

    assert verify(true, {head: ACME}).flaws == []
    assert verify(forged, {head: None}).kept == {head: f"entry 5 of {BOLT}"}
    assert codes(verify(forged, {head: ACME})) == ["not_the_kept_one"]


def forged(kind: str) -> list[dict[str, Any]]:
    """What somebody has made of the trail of one run, knowing how rows are written and how digests are made."""
    rows = rows_of(ACME, 5)
    match kind:
        case "change":
            rows[2]["actor"] = "mallory"
        case "delete":
            rows = [{**row, "n": n} for n, row in enumerate([*rows[:2], *rows[3:]], 1)]
        case "swap":
            rows[1], rows[2] = {**rows[2], "n": 2}, {**rows[1], "n": 3}
        case "insert":
            rows = [{**row, "n": n} for n, row in enumerate([*rows[:3], rows[1], *rows[3:]], 1)]
        case "truncate tail":
            rows = rows[:4]
        case "re-chain":
            rows = rows_of(ACME, 5, actor="mallory")
        case "clock change":
            rows[2]["at"] = rows[3]["at"]
        case "copy of another run":
            rows = [{**row, "run": ACME} for row in rows_of(BOLT, 5)]
    return rows


EDITS = ("change", "delete", "swap", "insert", "truncate tail", "re-chain", "clock change", "copy of another run")
ONLY_BY_A_HEAD = ("truncate tail", "re-chain")
"""Nothing inside the file can tell these from what was written."""


def test_eight_edits_that_were_sealed_anew_are_found_by_what_the_papers_say(figure: Figure) -> None:
    """All of them with the head of the run kept elsewhere; six by the chain alone. What nobody touched passes."""
    alone = [kind for kind in EDITS if verify(lines_of(forged(kind))).flawed]
    found = [kind for kind in EDITS if verify(lines_of(forged(kind)), {HEAD: ACME}).flawed]
    figure(f"S11: {len(found)} of {len(EDITS)} edits detected with a kept head, {len(alone)} by the chain alone")

    assert found == list(EDITS)
    assert alone == [kind for kind in EDITS if kind not in ONLY_BY_A_HEAD]
    assert verify(lines_of(forged("nothing")), {HEAD: ACME}).flaws == []


def test_kept_digests_say_what_they_are_of() -> None:
    """Of the whole export, or of an entry."""
    assert verify(EXPORT, {DIGEST: None, HEAD: None}).kept == {DIGEST: "the whole export", HEAD: f"entry 5 of {ACME}"}


def test_the_heads_of_the_runs_that_are_asked_for_are_told() -> None:
    """So that they can be compared to rows."""
    assert verify(EXPORT, heads=[ACME, "none"]).heads == {ACME: (5, HEAD)}


@pytest.mark.parametrize(
    "line",
    [b"\n", b"[]\n", b"nonsense\n", b'{"seal":"other"}\n', b"\xff\n", b'{"a":1,"a":2}\n', b"[" * 100_000 + b"\n", b'{"seal":[]}\n', b"{}\n", b'{"seal":"run","run":"\\ud800"}\n', b'{"seal":"export","runs":"\\ud800"}\n', EXPORT[0].replace(b"mail", b"\\ud800")],
)  # fmt: skip
@pytest.mark.parametrize("place", [0, 3, len(EXPORT)])
def test_lines_of_nonsense_are_found_and_disturb_nobody(line: bytes, place: int) -> None:
    """Before, between and behind."""
    found = verify([*EXPORT[:place], line, *EXPORT[place:]])

    assert found.flaws[0].line == place + 1


def test_other_white_space_in_a_line_is_found() -> None:
    """A seal is of the lines as they are."""
    assert verify([*EXPORT[:2], EXPORT[2].replace(b'"n":', b'"n": '), *EXPORT[3:]]).flawed
    assert verify([*EXPORT[:5], EXPORT[5].replace(b'"entries":', b'"entries": '), *EXPORT[6:]]).flawed
    assert verify([line.replace(b"\n", b"\r\n") for line in EXPORT]).flawed


def test_of_many_flaws_a_hundred_are_told_and_all_are_counted() -> None:
    """A file that is something else altogether makes no endless answer."""
    found = verify([b"x\n"] * 1_000)

    assert (len(found.flaws), found.flawed) == (100, 1_001)
