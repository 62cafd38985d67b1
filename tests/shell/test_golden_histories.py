"""What releases have recorded is carried on by this build; and a build that has changed is found out."""

from __future__ import annotations

import gzip
import hashlib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from console.check_replay import read_history
from console.replaying import Replayed, checking
from onboarding import limits
from onboarding.engine import rules
from runtime.connection import plugin
from tests.support.recorded import FOLDER, SUMS
from workflows import behaviour

RELEASES = sorted(path for path in FOLDER.iterdir() if path.is_dir())


def recorded(release: Path) -> list[Path]:
    """The histories of a release, by name."""
    return sorted(release.glob("*.json.gz"))


async def replayed(paths: list[Path]) -> list[Replayed]:
    """What this build makes of them."""
    async with checking(plugin()) as check:
        return [await check.of(read_history(path)) for path in paths]


@pytest.mark.timeout(300)
async def test_every_recorded_history_replays_against_this_build() -> None:
    """Of every release, every kind of run: the same commands in the same order."""
    paths = [path for release in RELEASES for path in recorded(release)]
    found = await replayed(paths)

    well = [one for one in found if one.verdict == "replays"]
    print(f"R4: {len(well)} of {len(found)} recorded histories of {len(RELEASES)} releases replay")
    assert [one for one in found if one.verdict != "replays"] == []
    for release in RELEASES:
        assert len(recorded(release)) >= 3, release.name


def _no_alarm(state: Any) -> None:
    """A run that never looks at the clock."""


@pytest.mark.parametrize(
    ("module", "name", "other", "story"),
    [
        (behaviour, "alarm_at", _no_alarm, "whole-quick-start-1"),
        (rules, "KEEPS_INSTANTS", rules.NEWEST + 1, "poisoned-1"),
        (rules, "COUNTS_APART", rules.NEWEST + 1, "asked-0-1"),
        (limits, "EVENTS_PER_RUN", limits.EVENTS_PER_RUN // 2, "long-chain-1"),
    ],
    ids=["a removed timer", "another command", "other numbers", "an end at another place"],
)
async def test_a_build_that_commands_otherwise_is_found_out(
    monkeypatch: pytest.MonkeyPatch, module: Any, name: str, other: Any, story: str
) -> None:
    """The negative control: the same history, the workflow changed in one place, and the event at which they part."""
    monkeypatch.setattr(module, name, other)

    (found,) = await replayed([FOLDER / "0.1.0" / f"{story}.json.gz"])

    assert found.verdict == "breaks", found
    assert found.event
    assert found.kind
    assert "TMPRL1100" in found.why


async def test_a_build_whose_workflow_fails_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK's replayer calls a history well whose workflow task fails; a real run would stand still in it."""
    monkeypatch.setattr(rules, "NEWEST", rules.FIRST)

    found, other = await replayed(
        [FOLDER / "0.1.0" / f"{name}-1.json.gz" for name in ("long-chain", "rules-1-quick-start")]
    )

    assert (found.verdict, found.event is not None) == ("breaks", True)
    assert "rules_unknown" in found.why
    assert other.verdict == "replays", "what broke before it is not its fault"


async def test_rows_may_hold_more_than_when_they_were_recorded() -> None:
    """A batch's id is the digest of its content, and the next release may put more into it: what the store said then counts."""
    history = read_history(FOLDER / "0.1.0" / "whole-reference-1.json.gz")
    changed = 0
    for event in history.events:
        if not event.HasField("marker_recorded_event_attributes"):
            continue
        for payload in event.marker_recorded_event_attributes.details["result"].payloads:
            payload.data = b'"another digest"'
            changed += 1

    async with checking(plugin()) as check:
        found = await check.of(history)

    assert changed > 10
    assert found.verdict == "replays", found


@pytest.mark.parametrize("release", RELEASES, ids=lambda path: path.name)
def test_a_recorded_history_is_never_changed(release: Path) -> None:
    """Each has the digest that was written beside it when it was recorded, and none came or went."""
    written = dict(reversed(line.split("  ")) for line in (release / SUMS).read_text(encoding="utf-8").splitlines())

    assert {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in recorded(release)} == written


def test_recorded_histories_tell_of_no_machine() -> None:
    """Who recorded them where is nobody's business, and would differ each time."""
    found: Counter[str] = Counter()
    for release in RELEASES:
        for path in recorded(release):
            text = gzip.decompress(path.read_bytes()).decode()
            found["all"] += 1
            found["paths"] += '.py\\", line' in text or "/site-packages/" in text
            found["machines"] += "@" in text
            found["identities"] += '"identity":"' in text.replace('"identity":"recorded"', "")

    assert found["all"] >= 3
    assert (found["paths"], found["machines"], found["identities"]) == (0, 0, 0)
