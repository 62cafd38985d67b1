"""Definition files, messages, orders and snapshots, mutated by chance: whatever comes, there is an answer, and soon.

`FUZZ_SECONDS=600` gives every target ten minutes; without it each has two. `FUZZ_SEED` repeats what failed.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.common import RawValue

from onboarding.engine import machine
from onboarding.engine.events import MessageReceived, MessageUnreadable
from onboarding.engine.order_text import read_order, unbearable, write_order
from onboarding.errors import StartRefused
from onboarding.messages import Received
from runtime import library
from tests.support import pace
from tests.support.builders import Run, a_finished_run, a_run
from tests.support.figures import Figure
from tests.support.hostile_files import FILES
from tests.support.language import HERE
from tests.support.language_cases import SMALL
from tests.support.malformed import a_form, all_of_them
from tests.support.shell import ROOT
from workflows.arguments import as_message

SECONDS = float(os.environ.get("FUZZ_SECONDS", "2"))
SEED = int(os.environ.get("FUZZ_SEED", "20261121"))
SLOWEST = 1.0
"""Seconds of computing for one input."""

pytestmark = pytest.mark.timeout(SECONDS * 4 + 120)

_BYTES = (
    b"\x00", b"\xff", b"\xed\xa0\x80", b"[", b"{", b"]" * 9, b'"', b"'", b"\\u", b"\\ud800", b"&a ", b"*a", b"!!x", b"<<: ", b"? ", b"- ", b"|", b">", b"%", b"\t",
    b"9" * 30, b"1e999", b"-0", b"null", b"true", b"~", b"{{", b"\r\n", b"---\n", b"\xef\xbb\xbf", b"\xe2\x80\xae", b"\n\n", b": ", b",",
)  # fmt: skip
_VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 2**53, 10**30, 1.5, 1e308, "", "x", "a" * 300, "\x00", "\ud800", "input.lead", "2026-02-30", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z",
    [], {}, [[]], {"x": {}}, ["x"] * 300, "3bd", "provider", "open", "done", "customer:champion",
)  # fmt: skip


def of_bytes(rng: Random, data: bytes) -> bytes:
    """A text with holes, splinters and pieces of itself."""
    for _ in range(rng.randint(1, 6)):
        at_, length = rng.randrange(len(data) + 1), rng.choice((0, 1, 2, 7, 40))
        part = rng.choice((rng.choice(_BYTES), bytes([rng.randrange(256)]), data[at_ // 2 : at_ // 2 + length]))
        data = data[:at_] + part + data[at_ + length :]
    return data


def of_data(rng: Random, data: Any) -> Any:
    """JSON with another value somewhere, a key less, or one that is there twice as another."""
    if isinstance(data, dict) and data and rng.random() < 0.9:
        name = rng.choice(list(data))
        if rng.random() < 0.1:
            return {key: value for key, value in data.items() if key != name}
        if rng.random() < 0.1:
            return {**data, rng.choice(list(data)) + "x": data[name]}
        return {**data, name: of_data(rng, data[name])}
    if isinstance(data, list) and data and rng.random() < 0.9:
        place = rng.randrange(len(data))
        if rng.random() < 0.2:
            return [*data, data[place]]
        return [*data[:place], of_data(rng, data[place]), *data[place + 1 :]]
    return rng.choice(_VALUES)


def definitions(rng: Random, made: list[bytes]) -> Callable[[], Any]:
    """The loader: every fault has a rule and a line."""
    content = of_bytes(rng, rng.choice(made))

    def read() -> None:
        faults = library.check_text(content, installation=HERE)
        assert all(fault.line >= 1 and fault.column >= 1 and fault.message for fault in faults)

    return read


def messages(rng: Random, run: Run) -> Callable[[], Any]:
    """The parser and the machine behind it: a verdict with a code; what is accepted can be written and read."""
    bad = rng.choice(_MESSAGES)
    data = bad.data
    if rng.random() < 0.5 and bad.content is not None:
        data = json.dumps(of_data(rng, bad.content)).encode("utf-8", "surrogatepass")
    else:
        data = of_bytes(rng, data[:5_000])
    argument = [RawValue(Payload(metadata={"encoding": b"json/plain"}, data=data))]

    def hear() -> None:
        heard = as_message(bad.name, argument, via="signal", fallback_id="f")
        readable = isinstance(heard, Received)
        event = (
            MessageReceived(at=run.now, received=heard) if readable else MessageUnreadable(at=run.now, refusal=heard)
        )
        decision = machine.apply(run.plan, run.state, event)
        assert decision.verdict is not None
        assert decision.verdict.code
        if not decision.verdict.refused:
            order = replace(run.plan.order, snapshot=decision.state)
            assert read_order(write_order(order)).snapshot == decision.state

    return hear


def orders(rng: Random, made: list[Any]) -> Callable[[], Any]:
    """A start order, with a snapshot or without: it is read or refused with places, and what is read can be written."""
    raw = of_data(rng, rng.choice(made))
    if rng.random() < 0.3:
        raw = of_data(rng, raw)

    def read() -> None:
        try:
            order = read_order(raw)
        except StartRefused as refused:
            if not all(fault.code and fault.sentence for fault in refused.faults):
                raise AssertionError("a fault without words") from refused
            return
        assert read_order(write_order(order)) == order
        unbearable(order)

    return read


_MESSAGES = all_of_them()


def fuzz(target: Callable[[Random], Callable[[], Any]]) -> tuple[int, float]:
    """How many inputs there was time for, and the slowest of them."""
    until, count, slowest = time.monotonic() + SECONDS, 0, 0.0
    while time.monotonic() < until:
        seed = SEED + count
        do = target(Random(seed))
        begun = time.thread_time()
        try:
            do()
        except Exception as error:
            raise AssertionError(
                f"FUZZ_SEED={seed} FUZZ_SECONDS=0.1 repeats it: {type(error).__name__}: {error}"
            ) from error
        spent = time.thread_time() - begun
        assert pace.within(spent, SLOWEST), f"FUZZ_SEED={seed}: {spent:.1f} s"
        count, slowest = count + 1, max(slowest, spent)
    return count, slowest


def _targets() -> dict[str, Callable[[Random], Callable[[], Any]]]:
    shipped = [path.read_bytes() for path in sorted((ROOT / "definitions").glob("*.yaml"))]
    small = [content for content, _ in FILES.values() if len(content) < 8_000]
    files = [SMALL.encode(), *shipped, *small]
    form = a_form()
    begun, over = a_run(), a_finished_run()
    written = [
        json.loads(write_order(replace(run.plan.order, snapshot=state)))
        for run, state in ((begun, None), (begun, begun.state), (over, over.state), (form, None))
    ]
    return {
        "definition loader": lambda rng: definitions(rng, files),
        "message parser": lambda rng: messages(rng, form),
        "order reader": lambda rng: orders(rng, written),
    }


@pytest.mark.parametrize("name", ["definition loader", "message parser", "order reader"])
def test_nothing_that_comes_by_chance_breaks_or_hangs(name: str, figure: Figure) -> None:
    """Bounded by time; the number that failed repeats it."""
    count, slowest = fuzz(_targets()[name])
    figure(f"S14: {name}: {count} inputs in {SECONDS:.0f} s, 0 crashes, slowest {slowest * 1_000:.0f} ms")

    assert count > 0
