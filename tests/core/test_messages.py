"""Reading messages: any shape in, a message or a refusal out, and no value of the sender in any sentence."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from onboarding import limits
from onboarding.messages import BY_NAME, OutcomeWord, Received, Refusal, canonical_json
from onboarding.parsing import content_digest, parse

BASE: dict[str, Any] = {"message_id": "m1", "actor": "dana"}
FILE: dict[str, Any] = {"uri": "s3://a", "sha256": "a" * 64, "type": "pdf", "bytes": 10, "name": "a.pdf"}
VALID: dict[str, dict[str, Any]] = {
    "submit": {"item": "details", "fields": {"a": 1}, "files": [FILE], "draft": True},
    "decide": {"item": "go", "outcome": "yes", "comment": "fine", "answer": "0123abcd"},
    "complete": {"item": "pack", "provides": {"scope": "all"}, "comment": "fine"},
    "happen": {"event": "esign.completed", "data": {"reference": "c-1"}},
    "hold": {"reason": "budget", "side": "customer", "review_at": "2026-12-01T09:00:00+01:00"},
    "resume": {"reason": "signed"},
    "extend": {"item": "details", "due": "2026-12-01T09:00:00Z", "reason": "ill"},
    "set_calendar": {
        "calendar": "customer",
        "zone": {"name": "Europe/Madrid", "transitions": [[0, 3_600], [1_774_746_000, 7_200]]},
        "week": "mon-thu",
        "hours": ["09:00-13:00", "16:00-19:00"],
        "holidays": ["2026-12-25"],
        "reason": "they moved",
    },
    "reassign": {"role": "lead", "to": "eve", "until": "2026-12-01T09:00:00Z", "reason": "away"},
    "absence": {
        "person": "dana",
        "since": "2026-12-01T09:00:00Z",
        "until": "2026-12-08T09:00:00Z",
        "to": "eve",
        "reason": "ill",
    },
    "waive": {"condition": "facts.vat_id", "reason": "trust", "expires": "2026-12-01T09:00:00Z"},
    "reopen": {"items": ["details"], "reason": "wrong"},
    "promise": {"due": "2026-12-01T00:00:00Z", "reason": "agreed on the phone", "side": "customer"},
    "note": {"text": "hello\nthere"},
    "cancel": {"reason": "lost", "outcome": "lost"},
}
SECRET = "DE89370400440532013000"


def refused(name: str, raw: Any, via: str = "update") -> Refusal:
    """The refusal of a message that must not be readable."""
    found = parse(name, raw, via=via, fallback_id="update-7")  # type: ignore[arg-type]
    assert isinstance(found, Refusal), found
    return found


def deep(levels: int) -> Any:
    """A list in a list in a list."""
    found: Any = []
    for _ in range(levels):
        found = [found]
    return found


@pytest.mark.parametrize("name", BY_NAME)
def test_every_message_is_read(name: str) -> None:
    """All of them, with every field of their own and of all."""
    extra = {"on_behalf_of": "customer:admin", "sent_at": "2026-11-21T10:00:00.5Z", "channel": "mail"}
    found = parse(name, {**BASE, **VALID[name], **extra}, via="update", fallback_id="x")

    assert isinstance(found, Received)
    assert (name, "m1", "dana") == (found.name, found.message.message_id, found.message.actor)
    assert found.message.sent_at.isoformat() == "2026-11-21T10:00:00+00:00"  # type: ignore[union-attr]


@pytest.mark.parametrize("name", BY_NAME)
@pytest.mark.parametrize("raw", [None, [], "text", 7, 1.5, True, [[]], b"\x00", float("nan")])
def test_what_is_no_object_is_no_message(name: str, raw: Any) -> None:
    """Anything but one JSON object is told so."""
    assert refused(name, raw).faults[0].code == "not_an_object"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"text": float("nan")}, "not_json"),
        ({"text": float("inf")}, "not_json"),
        ({"text": 10**5_000}, "not_json"),
        ({"text": b"bytes"}, "not_json"),
        ({"text": deep(100_000)}, "nested_too_deep"),
        ({"text": deep(500)}, "nested_too_deep"),
        ({"text": "\ud800"}, "control_characters"),
        ({"\udfff": 1}, "control_characters"),
        ({"text": "a\x00b"}, "control_characters"),
        ({"text": "\x1b[31m"}, "control_characters"),
        ({"text": 5}, "wrong_type"),
        ({"text": "x" * 4_001}, "too_long"),
        ({"text": None}, "wrong_type"),
        ({"extra": 1}, "unknown_field"),
        ({"actor": None}, "required"),
        ({"actor": 7}, "wrong_type"),
        ({"actor": "dana@provider.example"}, "mail_address"),
        ({"actor": "two words"}, "not_a_handle"),
        ({"actor": ""}, "not_a_handle"),
        ({"actor": "customer:"}, "not_a_handle"),
        ({"actor": "admin:dana"}, "not_a_handle"),
        ({"actor": "a" * 64}, "not_a_handle"),
        ({"actor": "a" * 500}, "too_long"),
        ({"on_behalf_of": "x@y.example"}, "mail_address"),
        ({"message_id": ""}, "too_short"),
        ({"message_id": "x" * 129}, "too_long"),
        ({"message_id": 5}, "wrong_type"),
        ({"message_id": "a\x07"}, "control_characters"),
        ({"sent_at": "2026-11-21T10:00:00"}, "no_offset"),
        ({"sent_at": 1_700_000_000}, "not_an_instant"),
        ({"sent_at": "1700000000"}, "not_an_instant"),
        ({"sent_at": "2026-02-30T10:00:00Z"}, "not_an_instant"),
        ({"sent_at": "2016-12-31T23:59:60Z"}, "not_an_instant"),
        ({"sent_at": "9999-12-31T23:59:59-14:00"}, "not_an_instant"),
        ({"sent_at": "0001-01-01T00:00:00+14:00"}, "not_an_instant"),
        ({"sent_at": "tomorrow"}, "not_an_instant"),
        ({"channel": ""}, "too_short"),
    ],
)
def test_a_note_with_a_fault_is_refused_with_its_code(changes: dict[str, Any], code: str) -> None:
    """The shape rules that every message shares."""
    found = refused("note", {**BASE, "text": "hello", **changes})

    assert (OutcomeWord.REJECTED, code) == (found.outcome, found.faults[0].code)


@pytest.mark.parametrize(
    ("name", "changes", "place", "code"),
    [
        ("submit", {"item": ""}, "/item", "too_short"),
        ("submit", {"fields": []}, "/fields", "wrong_type"),
        ("submit", {"draft": "yes"}, "/draft", "wrong_type"),
        ("submit", {"draft": 1}, "/draft", "wrong_type"),
        ("submit", {"files": {}}, "/files", "wrong_type"),
        ("submit", {"files": ["a.pdf"]}, "/files/0", "wrong_type"),
        ("submit", {"files": [{**FILE, "sha256": "A" * 64}]}, "/files/0/sha256", "wrong_form"),
        ("submit", {"files": [{**FILE, "bytes": 0}]}, "/files/0/bytes", "too_small"),
        ("submit", {"files": [{**FILE, "bytes": True}]}, "/files/0/bytes", "wrong_type"),
        ("submit", {"files": [{**FILE, "bytes": 2**60}]}, "/files/0/bytes", "too_large"),
        ("submit", {"files": [{**FILE, "path": "x"}]}, "/files/0/path", "unknown_field"),
        ("submit", {"fields": {"k" * 300: 1}}, "/fields/" + "k" * 64, "too_long"),
        ("decide", {"outcome": None}, "/outcome", "wrong_type"),
        ("happen", {"data": "x"}, "/data", "wrong_type"),
        ("hold", {"side": "nobody"}, "/side", "not_a_choice"),
        ("hold", {"review_at": 5}, "/review_at", "not_an_instant"),
        ("extend", {"due": None}, "/due", "not_an_instant"),
        ("reassign", {"to": "e@x.example"}, "/to", "mail_address"),
        ("reopen", {"items": []}, "/items", "too_short"),
        ("reopen", {"items": "details"}, "/items", "wrong_type"),
        ("reopen", {"items": ["x"] * 201}, "/items", "too_long"),
        ("cancel", {"outcome": "live"}, "/outcome", "not_a_choice"),
        ("note", {"a/b~c": 1}, "/a~1b~0c", "unknown_field"),
    ],
)
def test_a_fault_names_its_place(name: str, changes: dict[str, Any], place: str, code: str) -> None:
    """JSON pointers into the message, so that a form can mark the field."""
    fault = refused(name, {**BASE, **VALID[name], **changes}).faults[0]

    assert (place, code) == (fault.place, fault.code)


def test_every_fault_is_told_at_once_and_not_more_than_fit() -> None:
    """One try tells everything."""
    found = refused("submit", {"actor": "a b", "item": 5, "fields": 7, "message_id": "x", "z": 1})
    many = refused("note", {**BASE, "text": "x", **{f"k{n}": n for n in range(500)}})

    assert {"/actor", "/item", "/fields", "/z"} == {fault.place for fault in found.faults}
    assert len(many.faults) == limits.FAULTS_TOLD


@pytest.mark.parametrize("name", BY_NAME)
def test_no_sentence_repeats_what_was_sent(name: str) -> None:
    """A value in every field and of every type: codes and places go to logs, values never."""
    fields = BY_NAME[name].model_fields
    for value in (SECRET, [SECRET], {"x": SECRET}, f"{SECRET}@x.example", f"{SECRET}\x00", SECRET * 300, 4_711_4_711):
        raw = {"message_id": "m1", **dict.fromkeys(fields, value)}
        found = parse(name, {**raw, "message_id": "m1"}, via="signal", fallback_id="x")
        for fault in found.faults if isinstance(found, Refusal) else ():
            assert SECRET not in fault.sentence
            assert SECRET not in fault.code
            assert "47114711" not in fault.sentence
            assert "pydantic" not in fault.sentence
            assert "Input should" not in fault.sentence


@pytest.mark.parametrize(("size", "fits"), [(limits.MESSAGE_BYTES, True), (limits.MESSAGE_BYTES + 1, False)])
def test_a_message_has_64_kib_and_not_a_byte_more(size: int, fits: bool) -> None:
    """Bytes of the canonical JSON of the whole argument."""
    raw = {**BASE, "event": "e", "data": {"x": "ä"}}
    raw["data"]["x"] += "y" * (size - len(canonical_json(raw).encode()))
    found = parse("happen", raw, via="update", fallback_id="x")

    assert size == len(canonical_json(raw).encode())
    assert fits is isinstance(found, Received)
    assert fits or OutcomeWord.TOO_LARGE is found.outcome  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "spelling", ["dana", "Dana", "DANA", " dana ", "ｄａｎａ", "\u00a0dana", "ᴰana".replace("ᴰ", "D"), "dana\n"]
)
def test_one_person_has_one_spelling(spelling: str) -> None:
    """Unicode NFKC, trimmed, lower case."""
    found = parse("note", {**BASE, "actor": spelling, "text": "x"}, via="update", fallback_id="x")

    assert isinstance(found, Received)
    assert found.message.actor == "dana"


@pytest.mark.parametrize("name", ["sumbit", "", "SUBMIT", "x" * 10_000, "a\x00\nb", "__class__"])
def test_an_unknown_name_is_told_the_nearest(name: str) -> None:
    """The name itself is repeated short and harmless."""
    found = refused(name, BASE)

    assert (found.outcome, found.faults[0].code) == (OutcomeWord.UNKNOWN, "unknown_message")
    assert len(found.name) <= limits.NAME_LENGTH
    assert found.name.isprintable()
    if name == "sumbit":
        assert found.faults[0].sentence == "There is no message of this name; did you mean 'submit'?"


def test_ids_and_actors_are_required_of_updates_and_made_up_for_signals() -> None:
    """A signal typed by hand has neither; it is booked to nobody, and its id shows that it was made up."""
    update = parse("note", {"actor": "dana", "text": "x"}, via="update", fallback_id="u-1")
    signal = parse("note", {"text": "x"}, via="signal", fallback_id="s-1")

    assert isinstance(update, Received)
    assert isinstance(signal, Received)
    assert (update.message.message_id, update.marked) == ("u-1", ())
    assert (signal.message.message_id, signal.message.actor) == ("generated:s-1", "unverified")
    assert signal.marked == ("generated_id", "unverified")


@pytest.mark.parametrize(
    ("given", "told"), [("m-5", "m-5"), ("x" * 129, "u"), (5, "u"), ("a\x00", "u"), (None, "u"), ("\ud800", "u")]
)
def test_a_refusal_keeps_the_id_where_it_can(given: Any, told: str) -> None:
    """Whoever sent it must find the answer."""
    assert told == parse("note", {"message_id": given, "actor": 5}, via="update", fallback_id="u").message_id  # type: ignore[union-attr]


def test_the_digest_is_of_the_content_and_not_of_its_spelling_in_json() -> None:
    """Sorted keys, no white space, without the id; name and values count."""
    one = content_digest("note", {"text": "x", "actor": "dana", "message_id": "1"})

    assert one == content_digest("note", {"message_id": "2", "actor": "dana", "text": "x"})
    assert one != content_digest("note", {"actor": "dana", "text": "y"})
    assert one != content_digest("cancel", {"text": "x", "actor": "dana"})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from([SECRET, "dana", "2026-01-01T00:00:00Z"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8) | st.sampled_from(["item", "actor", "fields"]), inner, max_size=6),
    max_leaves=20,
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.sampled_from([*BY_NAME, "x"]), JSON, st.sampled_from(["update", "signal"]))
def test_anything_is_read_or_refused(name: str, raw: Any, via: str) -> None:
    """Never an exception, and every refusal has a code, a sentence and an id."""
    found = parse(name, raw, via=via, fallback_id="f")  # type: ignore[arg-type]

    if isinstance(found, Refusal):
        assert all(fault.code and fault.sentence for fault in found.faults)
        assert found.message_id
        json.dumps([fault.sentence for fault in found.faults]).encode()
