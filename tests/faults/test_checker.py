"""The checker finds nothing where nothing was broken, and finds what is planted: without that a zero would mean nothing."""

from __future__ import annotations

import asyncio
import copy
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from random import Random

import pytest

from tests.support.faults.bench import bench
from tests.support.faults.checker import IN_HAND, Evidence, check, check_all
from tests.support.faults.loops import figures, judge, settle, talking
from tests.support.faults.oplog import Attempt, Operation, Told
from tests.support.faults.tiers import Tier

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
async def judged(tmp_path_factory: pytest.TempPathFactory, tier: Tier) -> Sequence[Evidence]:
    """Runs that were talked to for a few seconds beside two workers, and nothing was broken; the last was called off."""
    async with bench(tmp_path_factory.mktemp("clean")) as made:
        await asyncio.gather(made.work(), made.work())
        async with talking(made, tier.seed, 4):
            await asyncio.sleep(6)
            for (
                run
            ) in made.runs:  # so that there is a hook and a signal to look for, however little the others have said
                work = {"message_id": "the-work", "actor": "dana", "item": "work"}
                await made.log.send(made.client, made.log.new(run, "complete", work))
                note = {"message_id": "the-note", "actor": "dana", "text": "A signal."}
                await made.log.send(made.client, made.log.new(run, "note", note, "signal"))
        nothing = {"message_id": "the-refused", "actor": "dana", "item": "no_such_item"}
        await made.log.send(made.client, made.log.new(run, "complete", nothing, "signal"))
        end = {"message_id": "the-end", "actor": "lead", "reason": "They have chosen somebody else."}
        await made.log.send(made.client, made.log.new(run, "cancel", end))
        await settle(made, Random(tier.seed), time.monotonic())
        found = await judge(made, repeats=0)
        print(f"without faults: {figures(made)}, 0 broken promises, 0 repeats")
    return found


@pytest.fixture(scope="module")
def clean(judged: Sequence[Evidence]) -> Evidence:
    """The one of which there is most to tell."""
    return max(judged[:-1], key=lambda one: (bool(one.heard["hook"]), len(one.trail)))


def _taken(evidence: Evidence) -> Operation:
    return next(one for one in evidence.operations if one.told is Told.OK and one.via == "update")


def _lost(one: Evidence) -> Evidence:
    """A sender was told yes, and nothing is there."""
    operation = copy.deepcopy(_taken(one))
    operation.id = "never-arrived"
    return replace(one, operations=[*one.operations, operation])


def _double(one: Evidence) -> Evidence:
    """The same message is in the trail twice."""
    entry = next(entry for entry in one.trail if entry["message_id"] == _taken(one).id)
    return replace(one, trail=[*one.trail, {**entry, "n": len(one.trail) + 1}])


def _refused_and_done(one: Evidence) -> Evidence:
    """A sender was told no, and it was done all the same."""
    operation = _taken(one)
    attempt = Attempt(0.0, 1.0, Told.REFUSED, "rejected", "planted")
    others = [other for other in one.operations if other.id != operation.id]
    return replace(one, operations=[*others, replace(operation, attempts=[attempt])])


def _unheard(one: Evidence) -> Evidence:
    """A notice counts as sent, and nobody has heard it."""
    first = next(iter(one.heard["notice"]))
    return replace(
        one, heard={**one.heard, "notice": Counter({k: n for k, n in one.heard["notice"].items() if k != first})}
    )


def _extra(one: Evidence) -> Evidence:
    """The world has heard what nobody has decided."""
    return replace(one, heard={**one.heard, "notice": one.heard["notice"] + Counter({f"{one.order.run}/extra/1": 1})})


def _missing(one: Evidence) -> Evidence:
    """A notice was decided and never kept."""
    return replace(one, notices=dict(list(one.notices.items())[1:]))


def _uncalled(one: Evidence) -> Evidence:
    """A hook was asked for and never called."""
    return replace(one, heard={**one.heard, "hook": Counter()})


def _other_words(one: Evidence) -> Evidence:
    """An entry says something else than its message."""
    changed = {**one.trail[-1], "digest": "0" * 64}
    return replace(one, trail=[*one.trail[:-1], changed], own_trail=[*one.own_trail[:-1], changed])


def _unsent(one: Evidence) -> Evidence:
    """Something is in the trail that nobody has sent."""
    return replace(one, operations=[other for other in one.operations if other.id != _taken(one).id])


def _behind(one: Evidence) -> Evidence:
    """Rows that end before the run does."""
    return replace(one, trail=one.trail[:-1])


def _unjudged(one: Evidence) -> Evidence:
    """A signal that the server took, and that is nowhere."""
    signal = next(other for other in one.operations if other.via == "signal" and other.told is Told.OK)
    return replace(one, operations=[*one.operations, replace(signal, id="vanished")])


def _other_state(one: Evidence) -> Evidence:
    """The run is in another state than its trail leads to."""
    return replace(one, status={**one.status, "state_hash": "0" * 64})


@pytest.mark.parametrize(
    ("plant", "words"),
    [
        (_lost, "was accepted and is lost"),
        (_double, "is effective 2 times"),
        (_refused_and_done, "was refused and is effective"),
        (_unheard, "the world has not heard it"),
        (_extra, "heard by the world, and nobody has decided it"),
        (_missing, "is not in the outbox"),
        (_uncalled, "never called"),
        (_other_words, "another story"),
        (_unsent, "nobody has sent it"),
        (_behind, "its rows end with"),
        (_unjudged, "never judged"),
        (_other_state, "another state"),
    ],
)
def test_what_is_planted_is_found(clean: Evidence, plant: Callable[[Evidence], Evidence], words: str) -> None:
    """A negative control for each thing the checker looks at."""
    assert check(clean) == []
    assert any(words in one for one in check(plant(clean))), check(plant(clean))


def test_a_run_that_was_called_off_is_told_to_its_end_with_all_that_it_had_refused(judged: Sequence[Evidence]) -> None:
    """Its last entry tells how many signals were refused: one row less, and it is another story."""
    called_off = judged[-1]
    fewer = replace(called_off, refused=called_off.refused[1:])

    assert called_off.status["state"] == "closed"
    assert check(called_off) == []
    assert any("signals were refused until its end" in one for one in check(fewer)), check(fewer)


def test_a_repeat_is_found_where_no_fault_explains_it(clean: Evidence) -> None:
    """One fault explains one."""
    key = next(iter(clean.heard["notice"]))
    twice = _again(clean, {key: [1, 2]})

    assert check_all([twice], repeats=1) == []
    assert len(check_all([twice], repeats=0)) == 1


def test_a_fault_lets_one_process_forget_no_more_letters_than_one_channel_takes_at_once(clean: Evidence) -> None:
    """One letter more, or two processes, is one fault too few; so is the same letter once more."""
    key = next(iter(clean.heard["notice"]))
    many = {f"letter-{n}": [1, 2] for n in range(IN_HAND)}

    assert len(check_all([_again(clean, {key: [1, 2, 3]})], repeats=1)) == 1
    assert check_all([_again(clean, {key: [1, 2, 3]})], repeats=2) == []
    before = len(check_all([_again(clean, many)], repeats=0))
    assert len(check_all([_again(clean, many)], repeats=1)) == before - 1
    assert len(check_all([_again(clean, {**many, key: [1, 2]})], repeats=9)) == before
    assert len(check_all([_again(clean, {**many, key: [3, 2]})], repeats=1)) == before


def test_no_fault_explains_a_letter_that_one_process_brings_twice_or_that_nobody_has_claimed_again(
    clean: Evidence,
) -> None:
    """It remembers what it could not mark; and who sends without a claim shares it with another one."""
    key = next(iter(clean.heard["notice"]))

    assert len(check_all([_again(clean, {key: [1, 1]})], repeats=9)) == 1
    assert len(check_all([replace(_again(clean, {key: [1, 2]}), tries={**clean.tries, key: 1})], repeats=9)) == 1


def _again(clean: Evidence, brought: Mapping[str, Sequence[int]]) -> Evidence:
    """These letters were heard from these processes."""
    times = {key: len(by) for key, by in brought.items()}
    notices = Counter({**clean.heard["notice"], **times})
    return replace(
        clean,
        heard={**clean.heard, "notice": notices},
        tries={**clean.tries, **times},
        brought={**clean.brought, **brought},
    )
