"""The nearest known name to a wrong one: every refusal that names an unknown thing offers it."""

from collections.abc import Iterable
from difflib import get_close_matches


def nearest_name(wrong: str, known: Iterable[str]) -> str | None:
    """The known name closest to `wrong`, or `None` when nothing is near."""
    found = get_close_matches(wrong[:100].lower(), sorted(known), n=1, cutoff=0.6)
    return found[0] if found else None


def nearest(wrong: str, known: Iterable[str]) -> str:
    """A half-sentence to append: `; did you mean 'intake'?` or nothing."""
    name = nearest_name(wrong, known)
    return f"; did you mean {name!r}?" if name else ""
