"""Example hooks, so that the shipped definitions run: they are honest, and call nobody.

Each does with its arguments what can be done without another system, and says in `note` what it left
out. An installation registers its own under the same name (`HookRegistry.register`, or an entry point
of the group `onboarding.hooks`).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from stdnum.eu import vat
from stdnum.util import get_cc_module

from onboarding.ports import HookFunction

_SHA256 = re.compile(r"[0-9a-f]{64}")
_TYPE = re.compile(r"[a-z0-9]{1,10}")
_TABLES = ("csv", "zip", "xlsx", "json")
_DOCUMENTS = ("pdf", "png", "jpg", "jpeg", "tiff")
_RUNNABLE = ("exe", "bat", "cmd", "js", "msi", "ps1", "scr", "sh", "vbs")


def provision_tenant(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Makes up a tenant and provides `tenant_id`: always the same one for a run, so a retry makes no second one."""
    run = str(arguments.get("run", ""))
    tenant = "t-" + hashlib.sha256(run.encode("utf-8", "replace")).hexdigest()[:12]
    return {"provides": {"tenant_id": tenant}, "note": "Example: no tenant was made."}


def import_export(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Counts the files it would import; imports nothing. Facts about the tenant are left alone."""
    count = len(_files(arguments))
    return {"note": f"Example: nothing was imported; {count} files were named."}


def configure_sso(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Says that single sign-on is configured; configures nothing."""
    return {"note": "Example: no identity provider was touched."}


def enable_production(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Says that production is switched on; switches nothing."""
    return {"note": "Example: nothing was switched on."}


def check_vat_id(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Checks form and check digits of the field `vat_id` by the rules of its country; asks no register.

    A country whose rules are not known passes with a note: this check must not invent faults.
    """
    given = arguments.get("fields", {}).get("vat_id")
    number = given.replace(" ", "").upper() if isinstance(given, str) else ""
    country = number[:2].lower().replace("el", "gr")
    if not number[:2].isascii() or not number[:2].isalpha() or len(number) < 4:
        return _fault("/fields/vat_id", "not_a_vat_id", "A VAT id begins with its country, such as DE or FR.")  # fmt: skip
    rules = vat if country in vat.MEMBER_STATES else get_cc_module(country, "vat")
    if rules is None:
        return {"note": "The rules of this country are not known: not checked."}
    # Outside the Union some countries count the prefix as part of the number and some do not.
    if not (rules.is_valid(number) or (rules is not vat and rules.is_valid(number[2:]))):
        return _fault("/fields/vat_id", "not_a_vat_id", "This is no VAT id of its country: check its digits.")
    return {"note": "Form and check digits are right; no register was asked."}


def scan_file(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Checks what a reference says of its file: type, hash, size, name; never opens it and finds no virus."""
    faults = []
    for place, file in _files(arguments):
        kind = str(file.get("type", "")).lower()
        suffix = str(file.get("name") or "").rpartition(".")[2].lower()
        if not _TYPE.fullmatch(kind) or kind in _RUNNABLE or suffix in _RUNNABLE:
            faults.append((f"{place}/type", "type_not_allowed", "Files of this type are not taken."))
        if not _SHA256.fullmatch(str(file.get("sha256", ""))):
            faults.append((f"{place}/sha256", "not_a_hash", "The hash is 64 digits in lower-case hexadecimal."))
        size = file.get("bytes")
        if not isinstance(size, int) or isinstance(size, bool) or size <= 0:
            faults.append((f"{place}/bytes", "empty_file", "The file is empty, or its size is missing."))  # fmt: skip
    return _answer(faults, "References were checked; no file was opened.")


def profile_export(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Says how much an export holds, from its references; advisory, so it only ever warns."""
    files = _files(arguments)
    faults = [
        (f"{place}/type", "not_a_table", "An export is easier to import as CSV.")
        for place, file in files
        if str(file.get("type", "")).lower() not in _TABLES
    ]
    size = sum(file["bytes"] for _, file in files if isinstance(file.get("bytes"), int))
    return _answer(faults, f"{len(files)} files, {size} bytes; no file was opened.")


def verify_documents(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Checks that documents are documents and that none was given twice; reads none of them."""
    faults = []
    seen: dict[str, str] = {}
    for place, file in _files(arguments):
        if str(file.get("type", "")).lower() not in _DOCUMENTS:
            faults.append((f"{place}/type", "not_a_document", "A document is a PDF or a picture."))
        digest = str(file.get("sha256", ""))
        if seen.setdefault(digest, place) != place:
            faults.append((place, "given_twice", "The same document was given twice."))
    return _answer(faults, "References were checked; no document was read.")


EXAMPLES: dict[str, HookFunction] = {
    function.__name__: function
    for function in (
        provision_tenant, import_export, configure_sso, enable_production,
        check_vat_id, scan_file, profile_export, verify_documents,
    )
}  # fmt: skip
"""By the name that definitions use."""


def _files(arguments: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    given = enumerate(arguments.get("files") or ())
    return [(f"/files/{n}", file) for n, file in given if isinstance(file, Mapping)]


def _answer(faults: list[tuple[str, str, str]], note: str) -> dict[str, Any]:
    told = [{"place": place, "code": code, "sentence": text} for place, code, text in faults]
    return {"ok": not told, "faults": told, "note": note}


def _fault(place: str, code: str, sentence: str) -> dict[str, Any]:
    return _answer([(place, code, sentence)], "")
