"""Durations and positions: what a definition may write, and what may be compared."""

import pytest
from hypothesis import given, strategies as st
from pydantic import TypeAdapter

from onboarding.language.units import (
    MAX_AMOUNT,
    Duration,
    Offset,
    Share,
    Unit,
    comparable,
    longer,
    parse_duration,
    parse_offset,
)

durations = st.sampled_from(Unit).flatmap(
    lambda unit: st.builds(Duration, st.integers(1, MAX_AMOUNT[unit]), st.just(unit))
)
offsets = st.just(Offset(0)) | st.builds(Offset, st.sampled_from([-1, 1]), durations)
shares = st.builds(Share, st.integers(1, 100))


@pytest.mark.parametrize(
    ("text", "amount", "unit"),
    [
        ("3bd", 3, Unit.BUSINESS_DAY),
        ("4bh", 4, Unit.BUSINESS_HOUR),
        ("2d", 2, Unit.DAY),
        ("6h", 6, Unit.HOUR),
        ("30m", 30, Unit.MINUTE),
        ("10s", 10, Unit.SECOND),
        ("2600bd", 2_600, Unit.BUSINESS_DAY),
        ("20000bh", 20_000, Unit.BUSINESS_HOUR),
        ("3650d", 3_650, Unit.DAY),
        ("87600h", 87_600, Unit.HOUR),
        ("5256000m", 5_256_000, Unit.MINUTE),
        ("315360000s", 315_360_000, Unit.SECOND),
    ],
)
def test_a_whole_number_and_one_unit_are_a_duration(text: str, amount: int, unit: Unit) -> None:
    """Every unit is read, up to and including its maximum."""
    assert Duration(amount, unit) == parse_duration(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", "3", "bd", "0bd", "03bd", "-3bd", "+3bd", "1.5d", "1d12h", "3 bd", " 3bd", "3bd "),
        *("3bd\n", "3BD", "3w", "3days", "P3D", "٣bd", "３d", "1_000s", "1e3s"),
    ],
)
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    """Fractions, sums, blanks, zero, signs and foreign digits are no durations."""
    with pytest.raises(ValueError) as refused:
        parse_duration(text)

    assert str(refused.value).startswith("expected a duration like 3bd")
    assert str(refused.value).endswith(f"found {text!r}.")


@pytest.mark.parametrize("unit", list(Unit))
def test_one_more_than_the_maximum_names_the_maximum(unit: Unit) -> None:
    """The sentence says how much would have been fine."""
    most = MAX_AMOUNT[unit]

    with pytest.raises(ValueError) as refused:
        parse_duration(f"{most + 1}{unit}")

    assert f"expected at most {most:,}{unit}, found '{most + 1}{unit}'." == str(refused.value)


def test_a_number_of_many_thousand_digits_is_too_long_and_not_quoted_in_full() -> None:
    """Neither the reader of integers nor the reader of the sentence has to swallow it."""
    with pytest.raises(ValueError) as refused:
        parse_duration("9" * 10_000 + "s")

    assert "expected at most 315,360,000s" in str(refused.value)
    assert len(str(refused.value)) < 120


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("due", Offset(0, None)),
        ("+2bd", Offset(1, Duration(2, Unit.BUSINESS_DAY))),
        ("-1bd", Offset(-1, Duration(1, Unit.BUSINESS_DAY))),
        ("+30s", Offset(1, Duration(30, Unit.SECOND))),
        ("1%", Share(1)),
        ("60%", Share(60)),
        ("100%", Share(100)),
    ],
)
def test_a_position_is_due_an_offset_or_a_share(text: str, position: Offset | Share) -> None:
    """The three spellings of a reminder or ladder step."""
    assert position == parse_offset(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Due",
        "2bd",
        "0%",
        "101%",
        "060%",
        "60 %",
        "+60%",
        "-due",
        "+",
        "-",
        "+-1bd",
        "60.5%",
        "%",
    ],
)
def test_another_position_is_refused(text: str) -> None:
    """A bare duration has no direction, and a share ends at 100 %."""
    with pytest.raises(ValueError, match=r"^expected "):
        parse_offset(text)


@given(durations)
def test_a_duration_is_written_as_it_is_read(duration: Duration) -> None:
    """Reading and writing are inverse."""
    assert duration == parse_duration(str(duration))


@given(offsets | shares)
def test_a_position_is_written_as_it_is_read(position: Offset | Share) -> None:
    """Reading and writing are inverse."""
    assert position == parse_offset(str(position))


@given(durations, offsets | shares)
def test_values_survive_the_journey_as_json(duration: Duration, position: Offset | Share) -> None:
    """A compiled definition travels as JSON and comes back equal, units as units."""
    in_json, position_in_json = TypeAdapter(Duration), TypeAdapter[Offset | Share](Offset | Share)

    back = in_json.validate_json(in_json.dump_json(duration))

    assert (duration, Unit) == (back, type(back.unit))
    assert position == position_in_json.validate_json(position_in_json.dump_json(position))


@given(st.text(alphabet="0123456789bdhms+-% \n٣due", max_size=12))
def test_any_text_gives_a_value_or_a_value_error(text: str) -> None:
    """No text brings another exception, and none is read loosely."""
    try:
        position = parse_offset(text)
    except ValueError as refused:
        sentence = str(refused)
    else:
        sentence = f"{position}."

    assert sentence == f"{text}." or sentence.startswith("expected ")
    assert sentence.endswith(".")


@pytest.mark.parametrize(
    ("a", "b", "answer"),
    [
        ("3bd", "2bd", True),
        ("2bd", "3bd", False),
        ("2bd", "2bd", False),
        ("1d", "23h", True),
        ("24h", "1d", False),
        ("61s", "1m", True),
        ("1bd", "24h", None),
        ("24h", "1bd", None),
        ("1bd", "8bh", None),
        ("8bh", "1bd", None),
        ("9bh", "8bh", True),
    ],
)
def test_only_like_is_compared_with_like(a: str, b: str, answer: bool | None) -> None:
    """Business days, business hours and wall clock are three measures."""
    first, second = parse_duration(a), parse_duration(b)

    assert answer is longer(first, second)
    assert (answer is not None) is comparable(first, second)


@pytest.mark.parametrize(("text", "seconds"), [("2d", 172_800), ("6h", 21_600), ("30m", 1_800), ("10s", 10)])
def test_wall_clock_has_a_length(text: str, seconds: int) -> None:
    """Wall-clock units are so many seconds everywhere."""
    duration = parse_duration(text)

    assert ("wall", False, seconds) == (duration.family, duration.is_business, duration.seconds)


@pytest.mark.parametrize("text", ["3bd", "4bh"])
def test_business_time_has_no_length_of_its_own(text: str) -> None:
    """Only a calendar can measure it, so asking is an error."""
    duration = parse_duration(text)

    assert duration.is_business
    assert duration.family == "business"
    with pytest.raises(ValueError, match="only a calendar"):
        _ = duration.seconds
