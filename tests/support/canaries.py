"""Values that nobody else uses, one of each kind, and the search for them in whatever is left behind."""

from __future__ import annotations

import base64
import gzip
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

CANARIES: Mapping[str, str] = {
    "name of a person": "Zephyrine Quillfeather",
    "mail address": "zephyrine.canary@quillfeather.example",
    "telephone number": "+493091827364",
    "bank account": "DE89370400440532013000",
    "number for VAT": "DE136695976",
    "street": "Larkspur Lane 4711, Wolkenheim",
    "name of a company": "Gloxinia Canary Kontor GmbH",
    "web address": "https://intranet.gloxinia-canary.example/people",
    "name of a file": "payroll-of-quillfeather.pdf",
    "place of a file": "vault://gloxinia/9f1c-canary/contract",
    "comment on an answer": "canary-comment: her signature is missing",
    "comment on a task": "canary-remark: she prefers mornings",
    "note": "canary-note: please call the canary at noon",
    "reason of a hold": "canary-hold: she is in hospital",
    "reason of a new date": "canary-extend: a death in the family",
    "reason of a waiver": "canary-waive: the boss knows her brother",
    "reason of a return": "canary-reopen: wrong birthday",
    "reason of another owner": "canary-reassign: they do not get on",
    "reason of a promise": "canary-promise: their lawyer asked",
    "reason of an end": "canary-cancel: insolvent since May",
    "fact": "canary-fact: salaries of 14 people",
    "content of an event": "canary-event: paid by her mother",
    "value that is refused": "canary-refused: not an address at all",
    "content of a signal that is none": "canary-signal: passport C01X00T47",
    "words of a failing hook": "canary-hook: cannot reach mrs quillfeather",
    "words of a failing check": "canary-check: row 7 names a patient",
}


def forms_of(value: str) -> Iterator[bytes]:
    """The bytes in which a value may stand somewhere: as text, in JSON, and in base64 wherever it begins."""
    content = value.encode()
    yield content
    yield value.replace("/", "\\/").encode()
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + content)
        # The first and last characters depend on the neighbours.
        yield encoded[4 if shift else 0 : -4]


_FORMS = {kind: tuple(dict.fromkeys(form.lower() for form in forms_of(value))) for kind, value in CANARIES.items()}


def found_in(content: bytes | str) -> set[str]:
    """The kinds of canaries that are in it, also where it is packed."""
    raw = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    return {
        kind
        for one in (raw, *_unpacked(raw))
        for kind, forms in _FORMS.items()
        if any(form in one.lower() for form in forms)
    }


def found_in_files(paths: Iterable[Path]) -> set[str]:
    """The same for files."""
    return {kind for path in paths for kind in found_in(path.read_bytes())}


def _unpacked(content: bytes) -> Iterator[bytes]:
    for unpack in (gzip.decompress, zlib.decompress):
        try:
            yield unpack(content)
        except (OSError, EOFError, zlib.error):
            continue
