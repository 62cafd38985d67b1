"""Example hooks, so that the shipped definitions run: they are honest, and call nobody.

Each does with its arguments what can be done without another system, and says in `note` what it left
out. Each says `ok` itself, because silence never approves. An installation registers its own under the
same name (`HookRegistry.register`, or an entry point of the group `onboarding.hooks`).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from stdnum.eu import vat
from stdnum.util import get_cc_module

from onboarding.errors import HookRefused
from onboarding.language.attachments import MEDIA_TYPES
from onboarding.ports import HookFunction

_SHA256 = re.compile(r"[0-9a-f]{64}")
_TYPE = re.compile(r"[a-z0-9]{1,10}|[a-z0-9.+-]{1,100}/[a-z0-9.+-]{1,100}")
_TABLES = frozenset(("csv", "zip", "xlsx", "json"))
_DOCUMENTS = frozenset(("pdf", "png", "jpg", "jpeg", "tiff"))
_RUNNABLE = frozenset(("exe", "bat", "cmd", "js", "msi", "ps1", "scr", "sh", "vbs"))
_RUNNABLE_MEDIA = frozenset((
    "application/javascript", "application/vnd.microsoft.portable-executable", "application/x-executable", "application/x-msdos-program",
    "application/x-msdownload", "application/x-msi", "application/x-sh", "application/x-shellscript", "text/javascript", "text/x-shellscript",
))  # fmt: skip
_ELSE = _RUNNABLE | {*MEDIA_TYPES, "bin", "dat", "eml", "htm", "html", "iso", "lnk", "log", "msg", "tmp", "url"}
"""Endings that say what a file is. Any other word after a dot may be part of a title: "Extract No. 5"."""
_VAT_WORDS = frozenset(("vat", "vatin", "ust", "ustid", "uid", "tva", "tax"))
_SHOWN = 60
"""Characters of a file's name in a sentence."""


def provision_tenant(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Makes up a tenant and provides `tenant_id`: always the same one for a run, so a retry makes no second one."""
    run = str(arguments.get("run", ""))
    tenant = "t-" + hashlib.sha256(run.encode("utf-8", "replace")).hexdigest()[:12]
    return {"ok": True, "provides": {"tenant_id": tenant}, "note": "Example: no tenant was made."}


def import_export(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Says that data is imported; imports nothing. Facts about the tenant are left alone."""
    return {"ok": True, "note": "Example: nothing was imported."}


def configure_sso(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Says that single sign-on is configured; configures nothing."""
    return {"ok": True, "note": "Example: no identity provider was touched."}


def enable_production(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Says that production is switched on; switches nothing."""
    return {"ok": True, "note": "Example: nothing was switched on."}


def check_vat_id(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Checks form and check digits of a VAT id by the rules of its country; asks no register.

    It looks at the fields that it is given (`with:`): at the only one, or at those whose names speak of VAT
    or tax (`vat_id`, `vat_number`). Where it cannot tell which, a person looks at the answer. A country
    whose rules are not known passes with a note: this check must not invent faults.
    """
    given = arguments.get("fields") or {}
    numbers = given if len(given) == 1 else {name: given[name] for name in given if _VAT_WORDS & set(name.split("_"))}
    if not numbers:
        raise HookRefused("nothing_to_check", "No field was given whose name speaks of VAT: name it in `with`.")
    known, faults = True, []
    for name, number in numbers.items():
        code, sentence = _vat_fault(name, number)
        known = known and code != "not_known"
        if sentence:
            faults.append((f"/fields/{name}", code, sentence))
    if known:
        return _answer(faults, "Form and check digits are right; no register was asked.")
    return _answer(faults, "The rules of this country are not known: not checked.")


def scan_file(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Checks what a reference says of its file: type, hash, size, name; never opens it and finds no virus."""
    faults = []
    for place, named, file in _files(arguments):
        announced = _announced(file)
        if _ending(file) in _RUNNABLE:
            faults.append((f"{place}/name", "type_not_allowed", f"{named} is named as a program: send a document or a table instead."))  # fmt: skip
        elif announced in _RUNNABLE or announced in _RUNNABLE_MEDIA:
            faults.append((f"{place}/type", "type_not_allowed", f"{named} is announced as a program: send a document or a table instead."))  # fmt: skip
        elif not _TYPE.fullmatch(announced):
            faults.append((f"{place}/type", "type_not_allowed", f"{named} has no readable type: announce it as pdf or application/pdf, for instance."))  # fmt: skip
        if not _SHA256.fullmatch(str(file.get("sha256", ""))):
            faults.append((f"{place}/sha256", "not_a_hash", f"{named} came without its SHA-256: give it as 64 digits in lower-case hexadecimal."))  # fmt: skip
        size = file.get("bytes")
        if not isinstance(size, int) or isinstance(size, bool) or size <= 0:
            faults.append((f"{place}/bytes", "empty_file", f"{named} is empty, or its size is missing: send it again with its size in bytes."))  # fmt: skip
    return _answer(faults, "References were checked; no file was opened.")


def profile_export(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Says how much an export holds, from its references. It is advice: use it with `blocks: false`."""
    files = _files(arguments)
    faults = [
        (f"{place}/{where}", "not_a_table", f"{named} {what}: an export is easiest to import as CSV.")
        for place, named, file in files
        for where, what in _other_than(file, _TABLES, "table")
    ]
    size = sum(file["bytes"] for _, _, file in files if isinstance(file.get("bytes"), int))
    return _answer(faults, f"Files: {len(files)}; bytes: {size}; no file was opened.")


def verify_documents(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Checks that documents are documents and that none was given twice; reads none of them."""
    faults = []
    seen: dict[str, tuple[str, str]] = {}
    for place, named, file in _files(arguments):
        for where, what in _other_than(file, _DOCUMENTS, "document"):
            faults.append((f"{place}/{where}", "not_a_document", f"{named} {what}: send a PDF or a picture, named so."))
        digest = str(file.get("sha256", ""))
        first, named_first = seen.setdefault(digest, (place, named))
        if first != place:
            sentence = f"{named} has the same content as f{named_first[1:]}: send each document once."
            faults.append((place, "given_twice", sentence))
    return _answer(faults, "References were checked; no document was read.")


EXAMPLES: dict[str, HookFunction] = {
    function.__name__: function
    for function in (
        provision_tenant, import_export, configure_sso, enable_production,
        check_vat_id, scan_file, profile_export, verify_documents,
    )
}  # fmt: skip
"""By the name that definitions use."""


def _vat_fault(field: str, given: Any) -> tuple[str, str]:
    """Code and sentence of what is wrong with a VAT id; no sentence where nothing is, or nothing can be said."""
    number = re.sub(r"[\s.-]", "", given).upper() if isinstance(given, str) else ""
    country = number[:2].lower().replace("el", "gr")
    if not number[:2].isascii() or not number[:2].isalpha() or len(number) < 4:
        return "not_a_vat_id", f"{field} is no VAT id: write it with its country first, such as DE or FR."
    rules = vat if country in vat.MEMBER_STATES else get_cc_module(country, "vat")
    if rules is None:
        return "not_known", ""
    # Outside the Union some countries count the prefix as part of the number and some do not.
    if rules.is_valid(number) or (rules is not vat and rules.is_valid(number[2:])):
        return "", ""
    return "not_a_vat_id", f"{field} is no VAT id of its country: compare its digits with one of your invoices."


def _files(arguments: Mapping[str, Any]) -> list[tuple[str, str, Mapping[str, Any]]]:
    """The place, the name in a sentence, and the reference of each file."""
    given = enumerate(arguments.get("files") or ())
    return [(f"/files/{n}", _named(n, file), file) for n, file in given if isinstance(file, Mapping)]


def _named(n: int, file: Mapping[str, Any]) -> str:
    name = "".join(char for char in str(file.get("name") or "") if char.isprintable())
    if not name:
        return f"File {n + 1}"
    return f"File {n + 1} ({name if len(name) <= _SHOWN else name[: _SHOWN - 1] + '…'})"


def _announced(file: Mapping[str, Any]) -> str:
    return str(file.get("type", "")).split(";")[0].strip().lower()


def _ending(file: Mapping[str, Any]) -> str:
    name = str(file.get("name") or "")
    return name.rpartition(".")[2].strip().lower() if "." in name else ""


def _other_than(file: Mapping[str, Any], wanted: frozenset[str], what: str) -> list[tuple[str, str]]:
    """Where a file shows that it is none of these kinds, and how; once, though type and name may both be wrong.

    A media type means the endings that intake takes it for; where it means none, the name of the file tells.
    """
    announced, ending = _announced(file), _ending(file)
    kinds = {announced} if "/" not in announced else {end for end, media in MEDIA_TYPES.items() if announced in media}
    if not wanted & (kinds or {ending}):
        return [("type", f"is not announced as a {what}")]
    if ending in _ELSE - wanted:
        return [("name", f"is not named as a {what}")]
    return []


def _answer(faults: list[tuple[str, str, str]], note: str) -> dict[str, Any]:
    told = [{"place": place, "code": code, "sentence": text} for place, code, text in faults]
    return {"ok": not told, "faults": told, "note": note}
