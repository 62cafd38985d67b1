"""The chain of the trail: every entry's digest covers its content and the digest before it, the first one the name of its run.

The content is what `trail` shows, instants as it shows them, so that an outsider can verify a run from the JSON alone.
"""

import hashlib
from collections.abc import Mapping
from datetime import UTC
from typing import Any

from onboarding.engine import rules
from onboarding.engine.state import TrailEntry
from onboarding.messages import canonical_json

_HEX = 64


def beginning(run: str, rules_version: int) -> str:
    """What the first entry of a run is chained to."""
    return (
        hashlib.sha256(run.encode("utf-8", "surrogatepass")).hexdigest() if rules_version >= rules.NAMES_CHAINS else ""
    )


def beginnings(run: str) -> tuple[str, ...]:
    """What the first entry may be chained to where nobody says how old the run is."""
    return beginning(run, rules.NAMES_CHAINS), beginning(run, rules.FIRST)


def digest_of(previous: str, content: Mapping[str, Any]) -> str:
    """The digest of an entry: SHA-256 of the digest before it and of its own canonical JSON."""
    return hashlib.sha256((previous + canonical_json(content)).encode("utf-8", "surrogatepass")).hexdigest()


def content_of(entry: TrailEntry) -> dict[str, Any]:
    """The part of an entry that its digest covers: its sentence by a digest, `said`, so that a reader may cut it.

    An entry without a sentence has no `said`, one that changed no row no `changes`.
    """
    told = {"said": said_by(entry.sentence)} if entry.sentence else {}
    return {**older_content_of(entry), **told}


def older_content_of(entry: TrailEntry) -> dict[str, Any]:
    """What digests covered before sentences were: entries of that time are as they were written if they have this one."""
    content = {
        "n": entry.n,
        "at": f"{entry.at.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat()}Z",
        "actor": entry.actor,
        "on_behalf_of": entry.on_behalf_of,
        "channel": entry.channel,
        "message": entry.message,
        "item": entry.item,
        "outcome": str(entry.outcome),
        "code": str(entry.code),
        "message_id": entry.message_id,
    }
    return {**content, "changes": entry.changes} if entry.changes else content


def told_reasons(entry: TrailEntry, said: str | None = None) -> bool:
    """Whether this first entry begins a run of the rules under which the reason of a promise stood in changes as it was."""
    return entry.n == 1 and follows(entry, beginning("", rules.FIRST), said)


def follows(entry: TrailEntry, previous: str, said: str | None = None, *, reasons: bool = False) -> bool:
    """Whether an entry has the digest of what it says and of the entry before it.

    `said` is the SHA-256 of a sentence that was erased. It counts only where none stands. What a reason was that a run told in full
    (`reasons`, see `told_reasons`) nobody knows any more: such an entry is taken as it stands, and only the next entry vouches for it.
    """
    if said is not None and entry.sentence:
        return False
    if reasons and said is not None and _lost_its_reason(entry.changes):
        return True
    content = content_of(entry) if said is None else {**older_content_of(entry), "said": said}
    return entry.digest in (digest_of(previous, content), digest_of(previous, older_content_of(entry)))


def said_by(sentence: str) -> str:
    """SHA-256 of a sentence."""
    return hashlib.sha256(sentence.encode("utf-8", "surrogatepass")).hexdigest()


def _lost_its_reason(changes: Mapping[str, Any]) -> bool:
    told = (values for key, values in changes.items() if key.startswith("promise/") and isinstance(values, Mapping))
    return any(is_erased(values.get("reason")) for values in told)


ERASED = "erased"


def without_text(reason: str) -> Any:
    """What stands in changes for a reason whose digest covers the text itself, once that was erased."""
    return {ERASED: said_by(reason)}


def is_erased(reason: Any) -> bool:
    """Whether that is what stands there."""
    return isinstance(reason, Mapping) and set(reason) == {ERASED}


def is_digest(reason: Any) -> bool:
    """Whether a reason is told by its SHA-256, as runs do that began with this release."""
    return isinstance(reason, str) and len(reason) == _HEX and all(char in "0123456789abcdef" for char in reason)
