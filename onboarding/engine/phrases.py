"""Pieces of sentences: short texts, lists of words, instants."""

from collections.abc import Sequence
from datetime import UTC, datetime

from onboarding.limits import TITLE_LENGTH


def spoken(at: datetime) -> str:
    """An instant inside a sentence; it says its zone."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def cut(text: str, length: int = TITLE_LENGTH) -> str:
    """A text of at most `length` characters; what was cut off is shown by an ellipsis."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


def listed(words: Sequence[str], most: int = 5) -> str:
    """`a, b and c`, with the number of those left out."""
    kept = list(words[:most])
    if len(words) > most:
        kept.append(f"{len(words) - most} more")
    if len(kept) < 2:
        return "".join(kept)
    return f"{', '.join(kept[:-1])} and {kept[-1]}"
