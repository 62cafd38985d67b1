"""Seats of a decision: how many more could speak is as many as can be seated together."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given, strategies as st

from onboarding.engine.seating import most_seated, seated

PEOPLE = ("a", "b", "c", "d", "e")
_SEATS = st.lists(st.lists(st.sampled_from(PEOPLE), max_size=4, unique=True).map(tuple), max_size=5).map(
    lambda all_may: tuple((f"role{n}", may) for n, may in enumerate(all_may))
)


@given(
    able=_SEATS,
    barred=st.lists(st.sampled_from(PEOPLE), unique=True),
    spoken=st.lists(st.sampled_from(PEOPLE), unique=True),
)
def test_as_many_more_may_speak_as_can_be_seated_together(
    able: tuple[tuple[str, tuple[str, ...]], ...], barred: list[str], spoken: list[str]
) -> None:
    """Against every choice of people; where those who have spoken have no seats together, nobody else may."""
    others = [one for one in PEOPLE if one not in barred and one not in spoken and any(one in may for _, may in able)]
    sizes = [
        size
        for size in range(len(others) + 1)
        for chosen in combinations(others, size)
        if seated(able, (*spoken, *chosen)) is not None
    ]

    assert most_seated(able, tuple(barred), tuple(spoken)) == max(sizes, default=0)
