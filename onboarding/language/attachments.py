"""Files of an answer against the rule of its request. Only references are seen here: no byte of a file is read."""

from collections.abc import Mapping, Sequence
from typing import Any

from onboarding.language.model import FileRule
from onboarding.messages import MessageFault

MEGABYTE = 1_000_000

MEDIA_TYPES: dict[str, tuple[str, ...]] = {
    "pdf": ("application/pdf",),
    "png": ("image/png",),
    "jpg": ("image/jpeg",),
    "jpeg": ("image/jpeg",),
    "gif": ("image/gif",),
    "webp": ("image/webp",),
    "tiff": ("image/tiff",),
    "svg": ("image/svg+xml",),
    # Spreadsheet programs announce a CSV file as one of theirs, mail programs as plain text.
    "csv": ("text/csv", "application/csv", "text/plain", "application/vnd.ms-excel"),
    "txt": ("text/plain",),
    "json": ("application/json",),
    "xml": ("application/xml", "text/xml"),
    "zip": ("application/zip", "application/x-zip-compressed"),
    "gz": ("application/gzip", "application/x-gzip"),
    "doc": ("application/msword",),
    "docx": ("application/vnd.openxmlformats-officedocument.wordprocessingml.document",),
    "xls": ("application/vnd.ms-excel",),
    "xlsx": ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",),
    "pptx": ("application/vnd.openxmlformats-officedocument.presentationml.presentation",),
    "odt": ("application/vnd.oasis.opendocument.text",),
    "ods": ("application/vnd.oasis.opendocument.spreadsheet",),
}
"""What a type of a definition is called by those who send files. Fixed, so that a replay decides the same."""

_SAYS_NOTHING = ("application/octet-stream", "binary/octet-stream", "")
_SAME = {"jpeg": "jpg", "tif": "tiff"}


def check_files(rule: FileRule, files: Sequence[Mapping[str, Any]]) -> tuple[MessageFault, ...]:
    """Every fault of the files of one answer: how many, of which types, how large, the same one twice."""
    found: list[MessageFault] = []
    if len(files) < rule.min:
        found.append(_fault("/files", "too_few_files", f"Expected at least {_files(rule.min)}."))
    if rule.max is not None and len(files) > rule.max:
        found.append(_fault("/files", "too_many_files", f"Expected at most {_files(rule.max)}."))
    seen: dict[str, int] = {}
    for index, file in enumerate(files):
        place = f"/files/{index}"
        if rule.types and not _fits(rule.types, str(file["type"]), str(file["name"])):
            sentence = f"Expected a file of type {' or '.join(rule.types)}, with a name that ends so."
            found.append(_fault(f"{place}/type", "wrong_file_type", sentence))
        if rule.max_mb is not None and file["bytes"] > rule.max_mb * MEGABYTE:
            found.append(_fault(f"{place}/bytes", "file_too_large", f"Expected at most {rule.max_mb} MB in one file."))
        first = seen.setdefault(str(file["sha256"]), index)
        if first != index:
            sentence = f"This is the same content as file {first + 1}; send each file once."
            found.append(_fault(f"{place}/sha256", "same_file_twice", sentence))
    return tuple(found)


def _fits(types: Sequence[str], announced: str, name: str) -> bool:
    """Announced as an allowed type, and not named as something else; a general announcement leaves it to the name."""
    media = announced.split(";")[0].strip().lower()
    ending = _ending(name)
    for wanted in types:
        short = wanted.lower()
        announces = media in (short, *MEDIA_TYPES.get(short, ())) or media in _SAYS_NOTHING
        if "/" in short:
            if media == short:
                return True
        elif announces and (_is(ending, short) or (ending not in MEDIA_TYPES and media not in _SAYS_NOTHING)):
            return True
    return False


def _is(ending: str, wanted: str) -> bool:
    return _SAME.get(ending, ending) == _SAME.get(wanted, wanted)


def _ending(name: str) -> str:
    return name.rpartition(".")[2].strip().lower() if "." in name else ""


def _files(amount: int) -> str:
    return "one file" if amount == 1 else f"{amount} files"


def _fault(place: str, code: str, sentence: str) -> MessageFault:
    return MessageFault(place=place, code=code, sentence=sentence)
