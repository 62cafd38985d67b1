"""Texts with a form of their own: one reader each, from what was typed to the one way it is kept.

A reader gives the normal form, or `None` when the text is not of this form. It never looks anything up: no name server, no
clock, no table that a library renews.

Note [Same answer for ever]
    A replay applies accepted messages again, months later and with newer libraries. What was a good value then must be one
    now, so forms are checked by structure and check digits, and every table that would change stands here, in our words:
    countries and the issuers of VAT numbers. That is also why a phone number is checked as E.164 and no more: the tables of
    the phone libraries change monthly. IBANs are checked without the list of their lengths by country.
"""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

from email_validator import EmailNotValidError, validate_email
from stdnum.exceptions import ValidationError as NumberInvalid
from stdnum.iso7064 import mod_97_10
from stdnum.util import get_cc_module

from onboarding.language.model import FieldType

URL_LENGTH = 2_000

_COUNTRIES = """
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC CD
    CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF
    GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN
    KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA
    NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI
    SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI
    VN VU WF WS YE YT ZA ZM ZW
"""
COUNTRIES = frozenset(_COUNTRIES.split())
"""ISO 3166-1 alpha-2, as of 2026."""

_VAT_ISSUERS = "AT BE BG CH CY CZ DE DK EE ES FI FR GB GR HR HU IE IT LT LU LV MT NL NO PL PT RO SE SI SK"
# All at once and now: a module that is first loaded while a run replays would be a different run.
_VAT: dict[str, Any] = {issuer: get_cc_module(issuer.lower(), "vat") for issuer in _VAT_ISSUERS.split()}
_VAT |= {"EL": _VAT["GR"], "XI": _VAT["GB"]}

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = r"(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,9})?)?"
_DATETIME = re.compile(rf"([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}})[Tt ]({_TIME})([Zz]|[+-][0-9]{{2}}:[0-9]{{2}})?")
_PHONE = re.compile(r"\+[1-9][0-9]{6,14}")
_PHONE_GAPS = re.compile(r"\(0\)|[\s\u00a0().\-\u2010\u2011\u2013/]")
_URL = re.compile(r"(?i:(https?)://)(\[[0-9A-Fa-f:.]+\]|[^\s/?#@:\\\[\]]+)(:[0-9]{1,5})?([/?#][^\s]*)?")
_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}")
_SECRET = re.compile(r"([a-z][a-z0-9+.-]{1,30}):[^\s@]*[^\s@:/]")
# `data:` carries the value itself; the others are no place that anybody could look into.
_NO_VAULT = ("data", "javascript", "mailto", "about", "blob")


def read_date(text: str) -> str | None:
    """`2026-11-21`, a day that exists."""
    if not _DATE.fullmatch(text):
        return None
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        return None


def has_no_offset(text: str) -> bool:
    """Whether this is a date and time that lacks nothing but its offset."""
    found = _DATETIME.fullmatch(text)
    return found is not None and found.group(3) is None


def read_datetime(text: str) -> str | None:
    """An instant with offset, kept in UTC and whole seconds: `2026-11-21T10:00:00Z`."""
    found = _DATETIME.fullmatch(text)
    if found is None or found.group(3) is None:
        return None
    day, time, offset = found.groups()
    # Only a part of what standard and library allow is passed on: later Pythons read more than today's.
    seconds = time.split(".")[0]
    try:
        instant = datetime.fromisoformat(f"{day}T{seconds}{offset.upper().replace('Z', '+00:00')}")
        return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")
    except (ValueError, OverflowError):
        return None


def read_email(text: str) -> str | None:
    """A mail address by its structure; the domain in lower case, and no question to any name server."""
    try:
        found = validate_email(
            text,
            allow_smtputf8=True,
            allow_quoted_local=False,
            allow_domain_literal=False,
            allow_display_name=False,
            check_deliverability=False,
            globally_deliverable=False,
            test_environment=True,
        )
    except (EmailNotValidError, ValueError):
        return None
    return found.normalized if "." in found.domain.strip(".") else None


def read_phone(text: str) -> str | None:
    """E.164: `+` and 7 to 15 digits; see Note [Same answer for ever]. A `(0)` is not dialled from abroad, so it goes."""
    number = _PHONE_GAPS.sub("", text)
    return number if _PHONE.fullmatch(number) else None


def read_url(text: str) -> str | None:
    """An http or https address with a host and without a user name; scheme and host in lower case."""
    found = _URL.fullmatch(text)
    if found is None or len(text) > URL_LENGTH:
        return None
    scheme, host, port, rest = found.groups()
    labels = host.rstrip(".").split(".")
    if not host.startswith("[") and not all(label and label.strip("-") == label for label in labels):
        return None
    if port is not None and int(port[1:]) > 65_535:
        return None
    return f"{scheme.lower()}://{host.lower()}{port or ''}{rest or ''}"


def read_country(text: str) -> str | None:
    """An ISO 3166 alpha-2 code, in capitals."""
    code = text.upper()
    return code if code in COUNTRIES else None


def read_vat(text: str) -> str | None:
    """A European VAT number with its country prefix and right check digits, without gaps."""
    prefix = text[:2].upper()
    issuer = _VAT.get(prefix)
    if issuer is None or not text.isascii():
        return None
    try:
        number = str(issuer.validate(text.upper()))
    except (NumberInvalid, ValueError):
        return None
    return number if number.startswith(prefix) else prefix + number


def read_iban(text: str) -> str | None:
    """An IBAN with right check digits, without gaps."""
    number = re.sub(r"[\s\u00a0.-]", "", text).upper()
    if not _IBAN.fullmatch(number) or not mod_97_10.is_valid(number[4:] + number[:4]):
        return None
    return number


def read_secret(text: str) -> str | None:
    """`<scheme>:<path>`, a reference into a vault; never something that could hold the secret itself."""
    found = _SECRET.fullmatch(text)
    return text if found and found.group(1) not in _NO_VAULT else None


READERS: dict[FieldType, tuple[Callable[[str], str | None], str]] = {
    FieldType.DATE: (read_date, "a date that exists, written like 2026-11-21"),
    FieldType.DATETIME: (read_datetime, "an instant with offset, written like 2026-11-21T10:00:00Z"),
    FieldType.EMAIL: (read_email, "a mail address like ana@customer.example"),
    FieldType.PHONE: (read_phone, "a phone number with country code, written like +49 30 1234567"),
    FieldType.URL: (read_url, "an address that begins with http:// or https:// and names a host"),
    FieldType.COUNTRY: (read_country, "a country as two letters (ISO 3166), such as DE"),
    FieldType.VAT: (read_vat, "a European VAT number with its country prefix and right check digits"),
    FieldType.IBAN: (read_iban, "an IBAN with right check digits"),
}
"""How each text type is read, and what a sentence says was expected."""
