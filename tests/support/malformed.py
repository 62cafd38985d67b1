"""Hundreds of malformed messages, each with a canary in it: made by hand, and made of every field of every message and every type of a form."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, get_args, get_origin

from onboarding import limits
from onboarding.language.model import Field, FieldType, FileRule
from onboarding.messages import KINDS, Message
from tests.support.builders import Run, a_definition, a_run, an_order

CANARY = "Zaunkoenig4711"
_BASE = {"message_id": "m-1", "actor": "customer:champion"}


@dataclass(frozen=True)
class Bad:
    """One message, as the bytes of its argument, and where its first fault must lie."""

    name: str
    data: bytes
    place: str

    @property
    def content(self) -> dict[str, Any] | None:
        """What a door may be given that takes JSON objects; `None` where the bytes are none."""
        try:
            found = json.loads(self.data)
        except (ValueError, RecursionError):
            return None
        return found if isinstance(found, dict) else None


TYPED = (
    *(
        Field(name=f"a_{kind}", type=kind, required=True, values=("yes", "no") if kind is FieldType.ENUM else ())
        for kind in FieldType
    ),
    Field(name="short", type=FieldType.STRING, required=True, max=10),
    Field(name="code", type=FieldType.STRING, required=True, pattern="^[A-Z]{3}$"),
    Field(name="many", type=FieldType.INT, required=True, min=1, max=5),
)


def a_form() -> Run:
    """A run whose first request asks for a value of every type, and whose second asks for two files."""
    definition = a_definition()
    rule = FileRule(min=2, max=3, types=("pdf",), max_mb=1)
    items = tuple(
        replace(one, fields=TYPED) if one.id == "details" else replace(one, files=rule) if one.id == "papers" else one
        for one in definition.items
    )
    return a_run(an_order(replace(definition, items=items)))


def all_of_them() -> tuple[Bad, ...]:
    """Each once."""
    found = [*by_hand(), *of_messages(), *of_forms()]
    return tuple({(one.name, one.data): one for one in found}.values())


def _json(name: str, place: str, **content: Any) -> Bad:
    return Bad(name, json.dumps({**_BASE, **content}).encode(), place)


def by_hand() -> Iterator[Bad]:
    """What people and programs have sent to somebody."""
    quoted = CANARY.encode()
    shapes = (
        b"", b"null", b"true", b"0", b"-1.5", b'"' + quoted + b'"', b"[]", b'["' + quoted + b'"]', b'[{"text": "' + quoted + b'"}]', quoted,
        b'{"text": "' + quoted, b'{"text": "' + quoted + b'",}', b"{'text': '" + quoted + b"'}", b'{text: "' + quoted + b'"}',
        b'{"text": "' + quoted + b'"} {}', b'{"text": NaN, "x": "' + quoted + b'"}', b'{"text": Infinity}', b'{"text": 1e9999}', b'{"text": 0x10}',
        b'{"text": 010}', b'{"text": ' + b"9" * 5_000 + b"}", b'{"text": "\xff' + quoted + b'"}', b"\xef\xbb\xbf{}", b"\xff\xfe{\x00}\x00",
        b"\x00", b'{"text": "a\nb' + quoted + b'"}', b"[" * 50_000, b'{"a": ' * 50_000, b'{"text": "' + quoted + b'", "text": "b"}',
        b'{"actor": "dana", "x": {"' + quoted + b'": 1, "' + quoted + b'": 2}}', b'{"text": "' + quoted * 6_000 + b'"}',
        b" " * (8 * limits.MESSAGE_BYTES + 1), b'{"text": "<' + quoted + b'>"', b"%PDF-1.7 " + quoted, b"PK\x03\x04" + quoted, b"text=" + quoted,
        b"---\ntext: " + quoted, b"<note>" + quoted + b"</note>", b'"{\\"text\\": \\"' + quoted + b'\\"}"', b"\x1f\x8b\x08" + quoted,
        b'{"text": "\\ud800' + quoted + b'"}', b'{"text": "\\u0000' + quoted + b'"}', b'{"\\ud800": "' + quoted + b'"}',
    )  # fmt: skip
    for data in shapes:
        yield Bad("note", data, "/text" if b"\\u0000" in data else "")
    deep: Any = CANARY
    for _ in range(limits.MESSAGE_LEVELS + 2):
        deep = [deep]
    yield _json("happen", "", event="product.used", data={"x": deep})
    yield Bad("sumbit", json.dumps({**_BASE, "item": CANARY}).encode(), "")
    yield Bad(CANARY, json.dumps(_BASE).encode(), "")
    for place, actor in (
        ("/actor", f"{CANARY}@x.example"), ("/actor", f"{CANARY} x"), ("/actor", f"x:{CANARY}"), ("/actor", ""), ("/actor", CANARY * 40),
        ("/actor", f"{CANARY}\u202e"), ("/actor", f"{CANARY}\x00"),
    ):  # fmt: skip
        yield _json("note", place, actor=actor, text="x")
    for sent in (
        f"{CANARY}", "2026-11-21", "2026-11-21T10:00", "2026-02-30T10:00:00Z", "2016-12-31T23:59:60Z", "9999-12-31T23:59:59-14:00", "1795305707",
        "2026-11-21T25:00:00Z", "2026-11-21T10:00:00+99:99", "٢٠٢٦-11-21T10:00:00Z", "",
    ):  # fmt: skip
        yield _json("note", "/sent_at", text="x", sent_at=sent)


def of_messages() -> Iterator[Bad]:
    """Every field of every message with values of other types."""
    for kind in KINDS:
        good = {name: _fitting(kind, name) for name, field in kind.model_fields.items() if field.is_required()}
        for name in kind.model_fields:
            for wrong in _wrong(kind, name):
                yield Bad(kind.name, json.dumps({**good, **_BASE, name: wrong}).encode(), f"/{name}")
        for name in good:
            if name not in _BASE:
                rest = {key: value for key, value in good.items() if key != name}
                yield Bad(kind.name, json.dumps({**rest, **_BASE, "channel": CANARY}).encode(), f"/{name}")
        yield Bad(kind.name, json.dumps({**good, **_BASE, "colour": CANARY}).encode(), "/colour")


def _kind_of(kind: type[Message], name: str) -> str:
    annotation = kind.model_fields[name].annotation
    inner = [one for one in (annotation, *get_args(annotation)) if get_origin(one) in (dict, tuple)]
    if inner:
        return "object" if get_origin(inner[0]) is dict else "list"
    return "bool" if annotation is bool else "object" if name == "zone" else "text"


def _fitting(kind: type[Message], name: str) -> Any:
    if name in ("due", "since", "until"):
        return "2027-01-01T00:00:00Z"
    return {"list": ["x"], "object": {}, "bool": True}.get(_kind_of(kind, name), "x")


def _wrong(kind: type[Message], name: str) -> Iterator[Any]:
    match _kind_of(kind, name):
        case "text":
            yield from ({"x": CANARY}, [[CANARY]], f"{CANARY}\x07", 47_114_711)
        case "object":
            yield from ([CANARY], CANARY, 47_114_711)
        case "list":
            yield from ({"x": CANARY}, [[CANARY]], 47_114_711)
        case _:
            yield from (CANARY, [CANARY], 1)


def of_forms() -> Iterator[Bad]:
    """Every type of a form with values that do not fit it, and files that do not."""
    wrong: dict[FieldType, tuple[Any, ...]] = {
        kind: ({"x": CANARY}, [[CANARY]], f"{CANARY}\x00", CANARY * 400) for kind in FieldType
    }
    for kind in (FieldType.INT, FieldType.NUMBER, FieldType.BOOL):
        wrong[kind] += (CANARY, "1", 10**4_000)
    for kind in (
        FieldType.DATE, FieldType.DATETIME, FieldType.EMAIL, FieldType.PHONE, FieldType.URL, FieldType.COUNTRY, FieldType.VAT, FieldType.IBAN,
        FieldType.ENUM,
    ):  # fmt: skip
        wrong[kind] += (f"{CANARY}!", True, 4_711)
    wrong[FieldType.LIST] += (CANARY, [{"x": CANARY}], [CANARY] * 300, [None])
    wrong[FieldType.CONTACTS] += (
        CANARY,
        [{"role": "champion", "email": CANARY, "name": "x"}],
        [{"role": CANARY}],
        [{}] * 300,
    )
    for kind, values in wrong.items():
        for value in values:
            yield _json("submit", f"/fields/a_{kind}", item="details", fields={f"a_{kind}": value}, draft=True)
    for name, value in (("short", CANARY), ("code", CANARY), ("many", 4_711), ("many", 0), (CANARY, 1)):
        yield _json("submit", f"/fields/{name}", item="details", fields={name: value}, draft=True)
    file = {"uri": "vault:1", "sha256": "a" * 64, "type": "pdf", "bytes": 10, "name": "a.pdf"}
    for files, place in (
        ([file, {**file, "sha256": CANARY}], "/files/1/sha256"), ([file, {**file, "bytes": -1}], "/files/1/bytes"),
        ([file, {**file, "bytes": 10**30}], "/files/1/bytes"), ([file, {**file, CANARY: 1}], f"/files/1/{CANARY}"),
        ([file, {**file, "name": f"{CANARY}\x00"}], "/files/1/name"), ([file, file], "/files/1/sha256"),
        ([file, {**file, "sha256": "b" * 64, "type": CANARY}], "/files/1/type"), ([file], "/files"),
        ([file, {**file, "sha256": "b" * 64, "bytes": 5_000_000}], "/files/1/bytes"), ([CANARY], "/files/0"), ([{}] * 700, "/files"),
        ([file, {**file, "uri": CANARY * 200}], "/files/1/uri"),
    ):  # fmt: skip
        yield _json("submit", place, item="papers", files=files)
