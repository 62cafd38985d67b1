"""The payload codec: what it closes only its own run opens, whatever it is given it answers, and what is away is no answer."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.common import RawValue
from temporalio.converter import ActivitySerializationContext, DataConverter, WorkflowSerializationContext
from temporalio.exceptions import ApplicationError

from onboarding.clear import Clear
from onboarding.errors import CustomerErased, PayloadUndecodable
from onboarding.messages import OutcomeWord, Verdict
from runtime.codec import CLEAR, ENCODING, KEY_ID, RUN, UNDECODABLE, NoRun, PayloadEncryption, marker
from runtime.converting import converter
from runtime.key_cache import LIFE, LONGEST, KeyCache
from storage.faults import DatabaseUnavailable
from tests.support.keys import MemoryKeys, a_cache
from workflows.address import workflow_id
from workflows.arguments import UNDECODABLE as CODE, Unreadable, is_locked, read

ACME, BOLT = workflow_id("acme", "quick-start"), workflow_id("bolt", "quick-start")
AWAY = DatabaseUnavailable("database_lost", "The connection was lost.", "Try again.")
SECRET = "DE89 3704 0044 0532 0130 00"


def of(run: str) -> WorkflowSerializationContext:
    """What the SDK says of a payload."""
    return WorkflowSerializationContext(namespace="default", workflow_id=run)


def a_codec(run: str | None = ACME, keys: KeyCache | None = None) -> PayloadEncryption:
    """A codec, for one run or for all."""
    return PayloadEncryption(keys or a_cache()[0], run)


def json_payload(text: str = SECRET) -> Payload:
    """What somebody sends."""
    return Payload(metadata={"encoding": b"json/plain", "messageType": b"x"}, data=f'"{text}"'.encode())


async def closed(codec: PayloadEncryption, payload: Payload) -> Payload:
    """One payload, encoded."""
    (found,) = await codec.encode([payload])
    return found


async def opened(codec: PayloadEncryption, payload: Payload) -> Payload:
    """One payload, decoded."""
    (found,) = await codec.decode([payload])
    return found


@settings(max_examples=300, deadline=None)
@given(metadata=st.dictionaries(st.text(max_size=20), st.binary(max_size=40), max_size=4), data=st.binary(max_size=300))
async def test_what_is_encoded_comes_back_as_it_was(metadata: dict[str, bytes], data: bytes) -> None:
    """Whatever its metadata and content are; and nothing of it can be seen."""
    codec, given_one = a_codec(), Payload(metadata=metadata, data=data)
    if CLEAR in metadata:
        return

    hidden = await closed(codec, given_one)
    assert await opened(codec, hidden) == given_one
    assert hidden.metadata["encoding"] == ENCODING
    if len(data) > 5:
        assert data not in hidden.data


ENCODINGS = st.sampled_from([ENCODING, UNDECODABLE, b"json/plain", b"", b"\xff"]) | st.binary(max_size=20)
NAMES = st.sampled_from([ACME.encode(), BOLT.encode(), b"onboarding/acme", b"\xff\xfe", b""]) | st.binary(max_size=30)
KEY_IDS = st.sampled_from([b"k-1", b"k-2", b"k-99", b"\xff", b""]) | st.binary(max_size=30)


@settings(max_examples=1_000, deadline=None)
@given(
    metadata=st.fixed_dictionaries({}, optional={"encoding": ENCODINGS, RUN: NAMES, KEY_ID: KEY_IDS, "x": st.binary()}),
    data=st.binary(max_size=200),
    run=st.sampled_from([ACME, BOLT, None, "not-a-run", ""]),
)
async def test_decode_never_raises(metadata: dict[str, bytes], data: bytes, run: str | None) -> None:
    """Anything in, a payload out: as it came where it is not encrypted, else a marker. D4."""
    keys, source, _ = a_cache()
    source.active("acme")
    payload = Payload(metadata=metadata, data=data)

    found = await opened(a_codec(run, keys), payload)
    if metadata.get("encoding") in (ENCODING, UNDECODABLE):
        assert found in (marker(), marker(ours=True))
    else:
        assert found == payload


@settings(max_examples=300, deadline=None)
@given(place=st.integers(0, 10_000), bit=st.integers(0, 7), cut=st.booleans())
async def test_what_was_changed_or_cut_is_a_marker(place: int, bit: int, cut: bool) -> None:
    """One bit is enough, wherever it is."""
    codec = a_codec()
    hidden = await closed(codec, json_payload())
    place %= len(hidden.data)
    tampered = bytearray(hidden.data)
    tampered[place] ^= 1 << bit
    hidden.data = hidden.data[:place] if cut else bytes(tampered)

    assert await opened(codec, hidden) == marker()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (RUN, BOLT.encode()), (RUN, workflow_id("acme", "another").encode()), (RUN, b""), (KEY_ID, b"k-2"), (KEY_ID, b"k-99"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("context", [True, False])
async def test_metadata_that_was_changed_opens_nothing(name: str, value: bytes, context: bool) -> None:
    """Run and key are bound to the content, and not only written beside it."""
    keys, source, _ = a_cache()
    hidden = await closed(a_codec(ACME, keys), json_payload())
    source.rotate("acme")
    hidden.metadata[name] = value

    assert (await opened(a_codec(ACME if context else None, keys), hidden)).metadata["encoding"] == UNDECODABLE


async def test_a_payload_of_another_run_is_refused_and_without_a_run_all_can_be_read() -> None:
    """Somebody who copies an encrypted message into another run sends rubbish; UI and releaser need no context."""
    keys = a_cache()[0]
    hidden = await closed(a_codec(ACME, keys), json_payload())
    for other in (BOLT, workflow_id("acme", "another"), "x"):
        assert await opened(a_codec(other, keys), hidden) == marker()

    assert await opened(a_codec(None, keys), hidden) == json_payload()


async def test_the_same_twice_is_encoded_differently() -> None:
    """Nobody sees that two customers, or two messages, say the same."""
    codec = a_codec()
    first, second = await codec.encode([json_payload(), json_payload()])

    assert first.data[:12] != second.data[:12]
    assert first.data != second.data


async def test_what_is_made_to_be_read_stays_clear_without_its_mark() -> None:
    """Summaries, verdicts, and the cover sheet, which is the answer of the SDK to the UI; a plain text with the same words does not."""
    converted = converter(a_cache()[0]).with_context(of(ACME))
    (summary,) = await converted.encode([Clear("Next date: Mon 23 Nov 2026")])
    (sheet,) = await converted.encode([WorkflowMetadata(current_details="# Kick-off")])
    (plain,) = await converted.encode(["Next date: Mon 23 Nov 2026"])
    said = Verdict(outcome=OutcomeWord.ACCEPTED, code="noted", sentence="The note is kept.", message_id="m-1")
    (verdict,) = await converted.encode([said])

    assert (b"The note is kept." in verdict.data, CLEAR in verdict.metadata) == (True, False)
    assert summary == Payload(metadata={"encoding": b"json/plain"}, data=b'"Next date: Mon 23 Nov 2026"')
    assert b"Kick-off" in sheet.data
    assert plain.metadata["encoding"] == ENCODING


async def test_without_keys_nothing_is_encrypted_and_with_the_first_key_everything() -> None:
    """In the same process: whoever makes the first key need not start the workers anew."""
    keys, source, _ = a_cache()
    source.on = False
    codec = a_codec(ACME, keys)
    before = await closed(codec, json_payload())
    assert before == json_payload()
    source.on = True

    after = await closed(codec, json_payload())
    assert after.metadata["encoding"] == ENCODING
    assert await codec.decode([before, after]) == [json_payload(), json_payload()]
    assert await opened(PayloadEncryption(None, ACME), after) == marker(ours=True)


@pytest.mark.parametrize("run", [None, "", "another-workflow", "onboarding/acme"])
async def test_nothing_is_encrypted_for_nobody(run: str | None) -> None:
    """Rather no payload than one under a key that belongs to no customer, or in clear."""
    with pytest.raises(NoRun):
        await closed(a_codec(run), json_payload())


async def test_an_older_key_still_opens() -> None:
    """Rotation in the middle of a run."""
    keys, source, clock = a_cache()
    codec = a_codec(ACME, keys)
    before = await closed(codec, json_payload())
    source.rotate("acme")
    clock.now += LIFE + 1
    after = await closed(codec, json_payload())

    assert before.metadata[KEY_ID] != after.metadata[KEY_ID]
    assert await codec.decode([before, after]) == [json_payload(), json_payload()]


async def test_a_destroyed_key_is_forgotten_within_seconds() -> None:
    """Also by a process that has it in memory; from then on nothing is encrypted for this customer either."""
    keys, source, clock = a_cache()
    codec = a_codec(ACME, keys)
    hidden = await closed(codec, json_payload())
    source.destroyed.add("acme")
    clock.now += LIFE + 1

    assert await opened(codec, hidden) == marker(ours=True)
    with pytest.raises(CustomerErased):
        await closed(codec, json_payload())
    source.away = AWAY
    clock.now += 1
    assert await opened(codec, hidden) == marker(ours=True)


async def test_keys_that_are_away_are_no_marker() -> None:
    """A run that took "cannot look now" for "cannot be read" would be spoilt: it is raised, and the task is tried again."""
    keys, source, _ = a_cache()
    hidden = await closed(a_codec(ACME, keys), json_payload())
    unknowing = KeyCache(source)
    source.away = AWAY
    with pytest.raises(DatabaseUnavailable):
        await opened(a_codec(ACME, unknowing), hidden)
    with pytest.raises(DatabaseUnavailable):
        await closed(a_codec(ACME, unknowing), json_payload())
    source.away = None

    assert await opened(a_codec(ACME, unknowing), hidden) == json_payload()


async def test_a_key_in_memory_serves_while_the_database_is_away_and_not_for_ever() -> None:
    """Open runs go on; who erases meanwhile waits at most ten minutes."""
    keys, source, clock = a_cache()
    codec = a_codec(ACME, keys)
    hidden = await closed(codec, json_payload())
    assert await opened(codec, hidden) == json_payload()
    source.away = AWAY
    asked = source.asked
    for _ in range(100):
        clock.now += (LONGEST - 10) / 100
        assert await opened(codec, await closed(codec, json_payload())) == json_payload()
    assert source.asked - asked <= 2 * 100

    clock.now += 20
    with pytest.raises(DatabaseUnavailable):
        await opened(codec, hidden)


async def test_a_trouble_that_passes_at_once_is_not_noticed() -> None:
    """It is asked again before a task fails."""
    keys, source, _ = a_cache()
    hidden = await closed(a_codec(ACME, keys), json_payload())
    source.away = AWAY
    real = source.find
    tries: list[int] = []

    def find(key_id: str, customer: str) -> Any:
        tries.append(1)
        if len(tries) == 2:
            source.away = None
        return real(key_id, customer)

    source.find = find  # type: ignore[method-assign]
    assert await opened(a_codec(ACME, KeyCache(source)), hidden) == json_payload()
    assert len(tries) == 2


async def test_many_payloads_ask_once() -> None:
    """Ten thousand payloads of one customer are no load for the database."""
    keys, source, _ = a_cache()
    codec = a_codec(ACME, keys)
    hidden = await codec.encode([json_payload()] * 200)
    await codec.decode(hidden)

    assert source.asked == 1


async def test_only_what_was_encrypted_for_this_run_may_be_opened_by_others() -> None:
    """A start order of that sort waits for them; any other is refused, and so is one that only says so of itself."""
    keys, _, _ = a_cache()
    hidden = await closed(a_codec(ACME, keys), json_payload())
    codec = PayloadEncryption(None, ACME)
    forged = [marker(ours=True), Payload(metadata={"encoding": ENCODING}, data=b"x" * 40)]

    assert is_locked(read(RawValue(await opened(codec, hidden))))
    assert not is_locked(read(RawValue(await opened(a_codec(BOLT, keys), hidden))))
    assert [is_locked(read(RawValue(await opened(codec, one)))) for one in forged] == [False, False]


async def test_a_marker_is_a_reason_for_a_raw_reader_and_an_error_for_every_other() -> None:
    """Handlers of a run read raw values; nobody else takes a marker for a value."""
    found = read(RawValue(marker()))
    assert isinstance(found, Unreadable)
    assert found.code == CODE == "payload_undecodable"

    converted = converter(a_cache()[0])
    assert converted.payload_converter.from_payloads([marker()], [RawValue])[0].payload == marker()
    for hints in (None, [str], [dict]):
        with pytest.raises(PayloadUndecodable):
            converted.payload_converter.from_payloads([marker()], hints)  # type: ignore[arg-type]


async def test_activities_of_a_run_share_its_keys() -> None:
    """What a run hands to an activity is opened by the worker that has it."""
    converted = converter(a_cache()[0])
    activity = ActivitySerializationContext(
        namespace="default", activity_id="1", activity_type="x", activity_task_queue="q", workflow_id=ACME,
        workflow_type="OnboardingRun", is_local=True,
    )  # fmt: skip
    payloads = await converted.with_context(activity).encode([{"note": SECRET}])

    assert SECRET.encode() not in payloads[0].SerializeToString()
    assert await converted.with_context(of(ACME)).decode(payloads) == [{"note": SECRET}]


async def failure_of(converted: DataConverter, error: BaseException) -> Failure:
    """As it would stand in a history."""
    found = Failure()
    await converted.encode_failure(error, found)
    return found


async def test_what_failures_say_is_hidden_but_for_our_own_sentences() -> None:
    """A `Refused` is read in the UI by senders; its details hold the verdict and are encrypted. D10."""
    keys, source, _ = a_cache()
    converted = converter(keys).with_context(of(ACME))
    refusal = ApplicationError("unknown_item: There is no such item.", {"item": SECRET}, type="Refused")
    refusal.__cause__ = ValueError(f"bad {SECRET}")
    found = await failure_of(converted, refusal)

    assert found.message == "unknown_item: There is no such item."
    assert not found.stack_trace
    assert found.cause.message == "Encoded failure"
    assert SECRET.encode() not in found.SerializeToString()
    back = await converted.decode_failure(found)
    assert isinstance(back, ApplicationError)
    assert back.details == ({"item": SECRET},)
    assert SECRET in str(back.__cause__)

    source.on = False
    assert SECRET in (await failure_of(converted, ValueError(f"bad {SECRET}"))).message


async def test_a_failure_that_is_passed_on_is_hidden_again() -> None:
    """A workflow that raises what its activity raised."""
    converted = converter(a_cache()[0]).with_context(of(ACME))
    once = await failure_of(converted, ApplicationError(f"bad {SECRET}", type="x"))
    twice = await failure_of(converted, await converted.decode_failure(once))

    assert SECRET.encode() not in twice.SerializeToString()
    assert SECRET in str(await converted.decode_failure(twice))


def test_a_key_is_in_no_text() -> None:
    """Nothing that prints a codec prints a secret."""
    source = MemoryKeys()
    key = source.active("acme")

    for text in (repr(key), repr(PayloadEncryption(KeyCache(source), ACME)), str(KeyCache(source).__dict__)):
        assert repr(key.secret)[2:-1] not in text
        assert base64.b64encode(key.secret).decode() not in text
