"""The chain of the trail: every entry's digest covers its content and the digest before it.

The content is what `trail` shows, instants as it shows them, so that an outsider can verify a run from the JSON alone.
"""

import hashlib
from collections.abc import Mapping
from datetime import UTC
from typing import Any

from onboarding.engine.state import TrailEntry
from onboarding.messages import canonical_json


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


def follows(entry: TrailEntry, previous: str) -> bool:
    """Whether an entry has the digest of what it says and of the entry before it."""
    return any(entry.digest == digest_of(previous, content(entry)) for content in (content_of, older_content_of))


def said_by(sentence: str) -> str:
    """SHA-256 of a sentence."""
    return hashlib.sha256(sentence.encode("utf-8", "surrogatepass")).hexdigest()
