"""Text of a letter as another program may take it: one line where it expects one, no longer than it reads, nothing that steers it."""

from __future__ import annotations

MORE = "…"


def one_line(text: str, most: int) -> str:
    """Printable, without a line end, at most so many characters."""
    return cut(" ".join("".join(char if char.isprintable() else " " for char in text).split()), most)


def lines_of(text: str) -> str:
    """Lines as they are, without any other control character and without halves of characters."""
    whole = text.replace("\r\n", "\n").replace("\r", "\n")
    kept = "".join(char if char.isprintable() or char in "\n\t" else " " for char in whole)
    return kept.encode("utf-8", "replace").decode("utf-8")


def cut(text: str, most: int) -> str:
    """The beginning, with a mark where something was left out."""
    return text if len(text) <= most else text[: most - len(MORE)] + MORE


def cut_bytes(text: str, most: int) -> str:
    """The same, counted as UTF-8."""
    packed = text.encode()
    return text if len(packed) <= most else packed[: most - len(MORE.encode())].decode("utf-8", "ignore") + MORE


def pieces(text: str, most: int, pieces_at_most: int) -> list[str]:
    """The text in pieces of at most so many characters, cut at line ends where there are any; the last one says if there is more."""
    found: list[str] = []
    while text and len(found) < pieces_at_most:
        if len(text) <= most:
            found.append(text)
            return found
        at = text.rfind("\n", 0, most)
        at = at if at > 0 else most
        found.append(text[:at])
        text = text[at:].lstrip("\n")
    if text and found:
        found[-1] = cut(found[-1] + MORE, most)
    return found
