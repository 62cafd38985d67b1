"""Hooks that come with this program and work: an installation names one with `use:` in its file of hooks.

`scan_files` reads the files of an answer where they are, and compares them with what was said of them: the SHA-256, the size, and what
their first bytes say they are. A name tells nothing, for anybody can give a program the name of a document.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import puremagic

from integrations.answers import pause_of
from integrations.http_hooks import Outside, sentence_of
from integrations.letters import NotTaken, Postponed
from onboarding.errors import HookPutOff, HookRefused
from onboarding.hook_terms import FetchTerms
from onboarding.language.attachments import MEDIA_TYPES

_SAYS_NOTHING = ("application/octet-stream", "binary/octet-stream", "")
_TEXTS = frozenset(("csv", "txt", "json", "xml", "svg"))
_MISSING = (403, 404, 410)
_PLACES_WITH_US = ("bad_url", "scheme_not_allowed", "host_not_allowed")
"""References that lead where this installation reads nothing: nobody outside can mend that."""


class FileScan:
    """Looks into the files of an answer. Its faults go back to whoever sent them."""

    def __init__(self, terms: FetchTerms, outside: Outside) -> None:
        """`terms` say from which hosts files are read, and how large one may be."""
        self._terms = terms
        self._outside = outside

    def __call__(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Raises `HookRefused` where a reference leads to a place that is not read, `HookPutOff` where it cannot be read now."""
        files = [file for file in arguments.get("files") or () if isinstance(file, Mapping)]
        if not files:
            raise HookRefused("nothing_to_check", "The answer has no files.")
        faults = [fault for n, file in enumerate(files) for fault in self._faults(n, file)]
        return {"ok": not faults, "faults": faults, "note": f"{len(files)} files were read and compared."}

    def _faults(self, n: int, file: Mapping[str, Any]) -> Iterator[dict[str, str]]:
        content = self._read(str(file.get("uri", "")))
        if isinstance(content, str):
            yield _fault(n, "uri", content, _WORDS[content])
            return
        if hashlib.sha256(content).hexdigest() != str(file.get("sha256", "")).lower():
            yield _fault(n, "sha256", "other_content", _WORDS["other_content"])
        if len(content) != file.get("bytes"):
            yield _fault(n, "bytes", "other_size", _WORDS["other_size"])
        if not is_a(str(file.get("type", "")), content):
            yield _fault(n, "type", "other_type", _WORDS["other_type"])

    def _read(self, uri: str) -> bytes | str:
        """The content of a file, or a code of what is wrong with it."""
        terms = self._terms
        asking = self._outside.request(
            "GET", uri, headers=terms.headers, content=b"", allow=terms.allow, plain=terms.plain, seconds=terms.seconds,
            most_bytes=terms.most_bytes,
        )  # fmt: skip
        try:
            got = asyncio.run(asking)
        except Postponed as why:
            raise HookPutOff(why.code, sentence_of(why.code), why.after) from None
        except NotTaken as why:
            if why.code == "answer_too_large":
                return "file_too_large"
            said = (
                "A file is kept where this installation reads none."
                if why.code in _PLACES_WITH_US
                else sentence_of(why.code)
            )
            raise HookRefused(why.code, said) from None
        if got.status in _MISSING:
            return "file_missing"
        if got.status != 200:
            code = f"http_{got.status}"
            if got.status in (408, 425, 429) or got.status >= 500:
                raise HookPutOff(code, sentence_of(code), pause_of(got))
            raise HookRefused(code, sentence_of(code))
        return got.body


_WORDS: Mapping[str, str] = {
    "file_missing": "is not where it was said to be: send it again.",
    "file_too_large": "is larger than may be read: send a smaller one.",
    "other_content": "is another file than the one that was announced: its checksum differs. Send it again.",
    "other_size": "has another size than was announced: send it again.",
    "other_type": "is not of the type that was announced: send a document of that type.",
}


def is_a(announced: str, content: bytes) -> bool:
    """Whether the first bytes of a file say that it is what it was announced as; where nothing was announced: any type that we know."""
    media = announced.split(";")[0].strip().lower()
    wanted = {
        end: kinds for end, kinds in MEDIA_TYPES.items() if media == end or media in kinds or media in _SAYS_NOTHING
    }
    if not content or not wanted:
        return False
    try:
        found = puremagic.magic_string(content)
    except (puremagic.PureError, ValueError, IndexError):
        found = []
    endings = {str(one.extension).lstrip(".").lower() for one in found}
    told = {str(one.mime_type).lower() for one in found}
    if any(end in endings or told & set(kinds) for end, kinds in wanted.items() if end not in _TEXTS):
        return True
    return bool(_TEXTS & set(wanted)) and _is_text(content)


def _is_text(content: bytes) -> bool:
    """Text that is no program: a script names who is to run it in its first two characters."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    return not text.startswith("#!") and not any(ord(char) < 32 and char not in "\t\r\n\f" for char in text)


def _fault(n: int, part: str, code: str, sentence: str) -> dict[str, str]:
    return {"place": f"/files/{n}/{part}", "code": code, "sentence": f"File {n + 1} {sentence}"}
