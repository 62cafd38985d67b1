"""Values from outside: what is taken, in which form it is kept, and what every fault is called."""

# ruff: noqa: SIM300 – tests put the expected value first

import pytest
from hypothesis import given, strategies as st

from onboarding.language.model import Field, FieldType, FileRule
from onboarding.language.values import check_fields, check_files, check_secret, check_value


def normalise(rule: Field, value: object) -> object:
    """The form in which a value is kept."""
    return check_fields((rule,), {rule.name: value})[0].get(rule.name, value)


KEPT = [
    ("string", "Lëgal\nname", "Lëgal\nname"),
    ("string", "  kept as written ", "  kept as written "),
    ("int", 3, 3),
    ("int", -(2**53) + 1, -(2**53) + 1),
    ("number", 3.5, 3.5),
    ("number", 3, 3),
    ("bool", False, False),
    ("date", "2028-02-29", "2028-02-29"),
    ("datetime", "2026-11-21T10:00:00Z", "2026-11-21T10:00:00Z"),
    ("datetime", "2026-11-21t10:00:00.75+01:00", "2026-11-21T09:00:00Z"),
    ("datetime", "2026-11-21 10:00-05:30", "2026-11-21T15:30:00Z"),
    ("email", " Ana@Customer.Example ", "Ana@customer.example"),
    ("email", "ana+x@customer.test", "ana+x@customer.test"),
    ("phone", "+49 (0)30 123-45.67", "+49301234567"),
    ("phone", "+1 (202) 555 0143", "+12025550143"),
    ("url", "HTTPS://Customer.Example:8443/A?b=C", "https://customer.example:8443/A?b=C"),
    ("url", "http://[2001:db8::1]/", "http://[2001:db8::1]/"),
    ("country", "de", "DE"),
    ("vat", "de 136 695 976", "DE136695976"),
    ("vat", "ATU57194903", "ATU57194903"),
    ("vat", "EL094259216", "EL094259216"),
    ("vat", "CHE-107.787.577 IVA", "CHE107787577IVA"),
    ("iban", "gr16 0110 1050 0000 1054 7023 795", "GR1601101050000010547023795"),
    ("list", ["a", 1, 2.5, True], ["a", 1, 2.5, True]),
    ("list", [], []),
]

REFUSED = [
    ("string", 3, "wrong_type"),
    ("string", True, "wrong_type"),
    ("string", ["a"], "wrong_type"),
    ("string", "x" * 4_001, "too_long"),
    ("string", "a\x00b", "control_characters"),
    ("string", "a\x85b", "control_characters"),
    ("string", "half \ud800", "control_characters"),
    ("int", True, "wrong_type"),
    ("int", 3.5, "wrong_type"),
    ("int", 3.0, "wrong_type"),
    ("int", "3", "wrong_type"),
    ("int", 2**53, "too_large"),
    ("int", -(2**53), "too_small"),
    ("number", False, "wrong_type"),
    ("number", float("nan"), "wrong_type"),
    ("number", float("inf"), "wrong_type"),
    ("number", 10**400, "too_large"),
    ("bool", 1, "wrong_type"),
    ("bool", "true", "wrong_type"),
    ("date", "2027-02-29", "wrong_form"),
    ("date", "20261121", "wrong_form"),
    ("date", "2026-W47-6", "wrong_form"),
    ("date", "\u0662026-11-21", "wrong_form"),
    ("date", 20261121, "wrong_type"),
    ("datetime", "2026-11-21T10:00:00", "no_offset"),
    ("datetime", "2026-11-21", "wrong_form"),
    ("datetime", "2026-11-21T24:00:00Z", "wrong_form"),
    ("datetime", "2026-11-21T10:00:00+25:00", "wrong_form"),
    ("datetime", "0001-01-01T00:00:00+14:00", "wrong_form"),
    ("email", "ana", "wrong_form"),
    ("email", "ana@localhost", "wrong_form"),
    ("email", "Ana <ana@customer.example>", "wrong_form"),
    ("email", "ana@@customer.example", "wrong_form"),
    ("phone", "030 1234567", "wrong_form"),
    ("phone", "+0301234567", "wrong_form"),
    ("phone", "+49301234567890123", "wrong_form"),
    ("phone", "+49 30 CALL-ME", "wrong_form"),
    ("url", "ftp://customer.example", "wrong_form"),
    ("url", "https://", "wrong_form"),
    ("url", "https://user:pw@customer.example", "wrong_form"),
    ("url", "https://customer.example/a b", "wrong_form"),
    ("url", "https://customer.example:99999", "wrong_form"),
    ("url", "javascript:alert(1)", "wrong_form"),
    ("country", "XX", "wrong_form"),
    ("country", "Germany", "wrong_form"),
    ("vat", "DE136695977", "wrong_form"),
    ("vat", "136695976", "wrong_form"),
    ("vat", "US123456789", "wrong_form"),
    ("iban", "GR1601101050000010547023796", "wrong_form"),
    ("iban", "GR16", "wrong_form"),
    ("list", "a", "wrong_type"),
    ("list", {"a": 1}, "wrong_type"),
    ("list", ["a"] * 201, "too_long"),
    ("contacts", [{"role": "a"}] * 201, "too_long"),
]

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def field(type_: str, **rules) -> Field:
    return Field(name="x", type=FieldType(type_), **rules)


def codes(faults) -> list[str]:
    return [fault.code for fault in faults]


@pytest.mark.parametrize(("type_", "given", "kept"), KEPT)
def test_a_good_value_is_kept_in_one_form(type_, given, kept) -> None:
    """Two spellings of one value become the same JSON."""
    assert () == check_value(field(type_), given)
    assert kept == normalise(field(type_), given)


@pytest.mark.parametrize(("type_", "given", "kept"), KEPT)
def test_the_kept_form_is_its_own_form(type_, given, kept) -> None:
    """A stored value can be checked again, as a replay does."""
    assert kept == normalise(field(type_), kept)


@pytest.mark.parametrize(("type_", "given", "code"), REFUSED)
def test_a_bad_value_is_refused_with_a_stable_code(type_, given, code) -> None:
    """The code belongs to the contract; programs rely on it."""
    assert [code] == codes(check_value(field(type_), given))


@pytest.mark.parametrize("type_", [one for one in FieldType if one is not FieldType.STRING])
def test_a_fault_never_tells_the_value(type_) -> None:
    """Faults travel to logs and screens; what the customer wrote stays where it is."""
    faults = check_value(Field(name="x", type=type_, values=("smb",)), "hunter2 \t hunter2")

    assert [] != [*faults]
    assert not any("hunter2" in fault.sentence for fault in faults)


@pytest.mark.parametrize(
    ("rule", "given", "expected"),
    [
        (field("int", min=3), 3, []),
        (field("int", min=3), 2, ["too_small"]),
        (field("number", max=1.5), 1.6, ["too_large"]),
        (field("string", min=2, max=3), "ab", []),
        (field("string", min=2), "a", ["too_short"]),
        (field("string", max=3), "abcd", ["too_long"]),
        (field("list", min=1), [], ["too_short"]),
        (field("list", max=1), [1, 2], ["too_long"]),
        (field("contacts", min=1), [], ["too_short"]),
        (field("enum", values=("smb", "mid")), "mid", []),
        (field("enum", values=("smb", "mid")), "MID", ["not_a_choice"]),
        (field("enum", values=("smb", "mid")), 1, ["wrong_type"]),
        (field("string", pattern="b"), "abc", []),
        (field("string", pattern="^b"), "abc", ["wrong_form"]),
        (field("string", pattern="^[A-Z]{2}$", max=2), "abc", ["too_long", "wrong_form"]),
    ],
)
def test_bounds_choices_and_patterns_hold(rule, given, expected) -> None:
    """Bounds are amounts for numbers and lengths for texts and lists; a pattern finds its text anywhere."""
    assert expected == codes(check_value(rule, given))


def test_a_hostile_text_costs_a_pattern_no_time() -> None:
    """The pattern that ruins a backtracking engine is answered at once."""
    assert ["wrong_form"] == codes(check_value(field("string", pattern="^(a+)+$"), "a" * 3_999 + "b"))


def test_a_wrong_choice_names_the_nearest_one() -> None:
    """The sentence offers a known choice, never the wrong word."""
    (fault,) = check_value(field("enum", values=("enterprise", "mid")), "enterprize")

    assert "; did you mean 'enterprise'?" == fault.sentence.removeprefix("Expected one of enterprise, mid")


def test_faults_in_lists_and_contacts_have_their_place() -> None:
    """Places are JSON pointers relative to the value."""
    contacts = [
        {"role": "champion", "email": "ana@customer.example", "name": "Ana", "tz": "Europe/Berlin"},
        {"role": "Admin", "email": "nobody", "tz": "/etc/passwd", "handle": "a b", "phone": "1"},
        "somebody",
    ]

    assert [("/1", "wrong_type"), ("/2", "control_characters")] == places(
        check_value(field("list"), ["a", None, "\x01"])
    )
    assert [
        ("/1/email", "wrong_form"),
        ("/1/name", "required"),
        ("/1/phone", "unknown_field"),
        ("/1/role", "wrong_form"),
        ("/1/tz", "wrong_form"),
        ("/1/handle", "wrong_form"),
        ("/2", "wrong_type"),
    ] == places(check_value(field("contacts"), contacts))


@pytest.mark.parametrize("language", ["de", "pt-BR", "nds", "zh-Hant"])
def test_a_contact_may_say_its_language(language: str) -> None:
    """As browsers and mails write it; anything else is a fault and not a guess."""
    contact = {"role": "champion", "email": "ana@customer.example", "name": "Ana"}

    assert () == check_value(field("contacts"), [{**contact, "language": language}])
    for other in ("German", "DE", "../de", "de_DE", "d"):
        assert [("/0/language", "wrong_form")] == places(
            check_value(field("contacts"), [{**contact, "language": other}])
        )


def places(faults) -> list[tuple[str, str]]:
    return [(fault.place, fault.code) for fault in faults]


def test_all_fields_are_checked_at_once() -> None:
    """One call tells everything: missing, wrong, unknown with the nearest name; what is good is returned."""
    fields = (
        Field(name="legal_name", type=FieldType.STRING, required=True),
        Field(name="vat_id", type=FieldType.VAT, required=True),
        Field(name="country", type=FieldType.COUNTRY),
        Field(name="size", type=FieldType.INT, default=1),
    )

    values, faults = check_fields(fields, {"vat_id": "x", "country": "fr", "legal_nam": "A", "a/b~c": 1})

    assert {"country": "FR", "size": 1} == values
    assert [
        ("/fields/legal_name", "required"),
        ("/fields/vat_id", "wrong_form"),
        ("/fields/legal_nam", "unknown_field"),
        ("/fields/a~1b~0c", "unknown_field"),
    ] == places(faults)
    assert "legal_name" in faults[2].sentence


@pytest.mark.parametrize("nothing", [None, "", " \n"])
def test_nothing_is_no_answer(nothing) -> None:
    """A blank text or null does not fulfil a required field, and an optional one stays unknown."""
    fields = (Field(name="a", type=FieldType.STRING, required=True), Field(name="b", type=FieldType.DATE))

    values, faults = check_fields(fields, {"a": nothing, "b": nothing})

    assert {} == values
    assert [("/fields/a", "required")] == places(faults)


def test_a_draft_may_leave_things_out() -> None:
    """Parts are checked as they come; what is missing is no fault yet, and no default fills it."""
    fields = (
        Field(name="a", type=FieldType.STRING, required=True),
        Field(name="b", type=FieldType.INT, required=True),
        Field(name="c", type=FieldType.INT, default=1),
    )

    assert ({}, [("/fields/b", "wrong_type")]) == _both(check_fields(fields, {"b": "x"}, partial=True))


def _both(result):
    return result[0], places(result[1])


def a_file(name="a.pdf", type_="application/pdf", size=1_000, digest="a") -> dict:
    return {"uri": f"s3://x/{name}", "sha256": digest * 64, "type": type_, "bytes": size, "name": name}


@pytest.mark.parametrize(
    ("rule", "files", "expected"),
    [
        (FileRule(min=1), [a_file()], []),
        (FileRule(min=2), [a_file()], [("/files", "too_few_files")]),
        (FileRule(max=1), [a_file(), a_file(digest="b")], [("/files", "too_many_files")]),
        (FileRule(), [a_file(), a_file(name="b.pdf")], [("/files/1/sha256", "same_file_twice")]),
        (FileRule(max_mb=1), [a_file(size=1_000_000)], []),
        (FileRule(max_mb=1), [a_file(size=1_000_001)], [("/files/0/bytes", "file_too_large")]),
        (FileRule(types=("pdf",)), [a_file(type_="pdf")], []),
        (FileRule(types=("pdf",)), [a_file(name="A.PDF", type_="Application/PDF; x=y")], []),
        (FileRule(types=("pdf",)), [a_file(name="certificate of 2026")], []),
        (FileRule(types=("pdf",)), [a_file(type_="application/octet-stream")], []),
        (
            FileRule(types=("pdf",)),
            [a_file(type_="application/octet-stream", name="a")],
            [("/files/0/type", "wrong_file_type")],
        ),
        (FileRule(types=("pdf",)), [a_file(type_="image/png")], [("/files/0/type", "wrong_file_type")]),
        (FileRule(types=("pdf",)), [a_file(name="a.zip")], [("/files/0/type", "wrong_file_type")]),
        (FileRule(types=("pdf", "jpg")), [a_file(name="a.jpeg", type_="image/jpeg")], []),
        (FileRule(types=("csv",)), [a_file(name="a.csv", type_="application/vnd.ms-excel")], []),
        (FileRule(types=("dwg",)), [a_file(name="a.dwg", type_="dwg")], []),
    ],
)
def test_files_are_counted_typed_measured_and_told_apart(rule, files, expected) -> None:
    """Only references are looked at; every fault of every file is told."""
    assert expected == places(check_files(rule, files))


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"reference": "vault:kv/customers/c-1042"}, []),
        ({"reference": "op://onboarding/c-1042/erp"}, []),
        ({}, [("/fields/reference", "required")]),
        ({"reference": "hunter2"}, [("/fields/reference", "wrong_form")]),
        ({"reference": "data:text/plain,hunter2"}, [("/fields/reference", "wrong_form")]),
        ({"reference": "https://user:hunter2@vault.example/x"}, [("/fields/reference", "wrong_form")]),
        ({"reference": 7}, [("/fields/reference", "wrong_type")]),
        ({"reference": "vault:x", "password": "hunter2"}, [("/fields/password", "unknown_field")]),
    ],
)
def test_a_secret_is_named_and_never_sent(fields, expected) -> None:
    """The answer is a place in a vault; anything that could be the secret is refused and not repeated."""
    faults = check_secret(fields)

    assert expected == places(faults)
    assert not any("hunter2" in fault.sentence for fault in faults)


@given(st.sampled_from(list(FieldType)), ANYTHING)
def test_no_value_breaks_a_check(type_, value) -> None:
    """Anything in: either faults, or a kept form that is kept as it is when checked again."""
    rule = Field(name="x", type=type_, values=("a",), pattern="a*" if type_ is FieldType.STRING else None)

    if not check_value(rule, value):
        assert normalise(rule, normalise(rule, value)) == normalise(rule, value)
