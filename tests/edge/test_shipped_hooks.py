"""Hooks that do the work: the file of the documentation against a server of our own, and files that are read and compared."""

# ruff: noqa: SIM300 – tests put the expected value first

from __future__ import annotations

import hashlib
import ipaddress
import json
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from console.hooks_here import hooks_here
from integrations.egress import Egress
from integrations.hooks import HookRegistry
from integrations.shipped_hooks import FileScan, is_a
from onboarding.errors import HookPutOff, HookRefused
from onboarding.hook_terms import FetchTerms
from onboarding.ports import Later
from tests.support.records import RUN
from tests.support.shell import ROOT

EXAMPLE = ROOT / "docs" / "examples" / "hooks.yaml"
TOKENS = ("TENANTS_TOKEN", "IDENTITY_TOKEN", "VAT_TOKEN", "FILES_TOKEN")
HERE = Egress((ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128")))
PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<<>>\nendobj\n"
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(20)
JPG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + bytes(20)
ZIP = b"PK\x03\x04\x14\x00\x00\x00\x08\x00" + bytes(40)
EXE = b"MZ\x90\x00\x03\x00\x00\x00\x04\x00" + bytes(60)
ELF = b"\x7fELF\x02\x01\x01" + bytes(60)
CSV = b"name,amount\nNordlys,3\n"
SCRIPT = b"#!/bin/sh\nrm -rf /\n"


@pytest.fixture
def hooks(httpserver: HTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HookRegistry:
    """The example file, with the test's own server in the place of every host."""
    for name in TOKENS:
        monkeypatch.setenv(name, f"Bearer {name.lower()}")
    text = EXAMPLE.read_text(encoding="utf-8")
    for host in ("tenants", "import", "identity", "vat", "files"):
        text = text.replace(f"https://{host}.example.com", httpserver.url_for("").rstrip("/"))
        text = text.replace(f"allow: [{host}.example.com]", f"allow: [{httpserver.host}]\n    plain: true")
    path = tmp_path / "hooks.yaml"
    path.write_text("inside: [127.0.0.0/8, '::1/128']\n" + text, encoding="utf-8")
    return hooks_here(path)


def ask(hooks: HookRegistry, name: str, **arguments: Any) -> Any:
    """What a hook answers."""
    given = {"run": RUN, "customer": "acme", "item": "x", "facts": {}, "fields": {}, "files": []}
    return hooks.run(name, {**given, **arguments}, f"{RUN}/{name}/1/hook")


def test_the_example_of_the_documentation_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it stands there, once its secrets are set."""
    for name in TOKENS:
        monkeypatch.setenv(name, "Bearer x")

    assert {"remove_tenant", "import_export", "scan_file"} <= set(hooks_here(EXAMPLE).names)


def test_a_tenant_is_made_once_for_a_run_and_removed(hooks: HookRegistry, httpserver: HTTPServer) -> None:
    """The other side knows a repetition by its key; the fact leads the undo to what was made."""
    made: dict[str, str] = {}

    def make(request: Request) -> Response:
        assert "Bearer tenants_token" == request.headers["Authorization"]
        found = made.setdefault(request.headers["Idempotency-Key"], f"t-{len(made)}")
        return Response(json.dumps({"tenant": {"id": found}}), 201)

    def remove(request: Request) -> Response:
        gone = [key for key, tenant in made.items() if tenant == request.json["tenant"]]  # type: ignore[index]
        made.pop(gone[0])
        return Response("", 204)

    httpserver.expect_request("/v1/tenants", method="POST").respond_with_handler(make)
    httpserver.expect_request("/v1/tenants/remove", method="POST").respond_with_handler(remove)

    told = [ask(hooks, "provision_tenant", facts={"company": "Nordlys"})["provides"] for _ in range(2)]
    assert [{"tenant_id": "t-0"}] * 2 == told
    assert ask(hooks, "remove_tenant", facts=told[0])["ok"] is True
    assert {} == made


def test_data_is_imported_while_somebody_asks_how_far_it_is(hooks: HookRegistry, httpserver: HTTPServer) -> None:
    """202 with an address, 202 with a number, 200."""
    httpserver.expect_ordered_request("/v1/jobs", method="POST").respond_with_json(
        {"status_url": "/v1/jobs/1"}, status=202
    )
    httpserver.expect_ordered_request("/v1/jobs/1").respond_with_json({"percent": 40}, status=202)
    httpserver.expect_ordered_request("/v1/jobs/1").respond_with_json({"ok": True, "note": "3,000 rows"})

    first = ask(hooks, "import_export")
    assert isinstance(first, Later)
    second = hooks.poll("import_export", first.poll, "k")
    assert isinstance(second, Later)
    assert ("40", 30, 28_800) == (second.progress, first.every, first.within)
    assert hooks.poll("import_export", first.poll, "k") == {
        "ok": True,
        "provides": {},
        "faults": [],
        "note": "3,000 rows",
    }


def test_single_sign_on_is_configured(hooks: HookRegistry, httpserver: HTTPServer) -> None:
    """With PUT, so that a repetition changes nothing; a connection that is not active is no yes."""
    httpserver.expect_ordered_request("/v1/connections", method="PUT").respond_with_json({"active": False})
    httpserver.expect_ordered_request("/v1/connections", method="PUT").respond_with_json({"active": True})

    assert [False, True] == [ask(hooks, "configure_sso")["ok"] for _ in range(2)]


def test_a_vat_id_is_asked_of_the_register(hooks: HookRegistry, httpserver: HTTPServer) -> None:
    """One that it does not know goes back with the sentence of the file; when it is away, it is asked again."""
    known = {"DE136695976": True}
    httpserver.expect_request("/v1/validate").respond_with_handler(
        lambda request: Response(
            json.dumps({"valid": known[request.json["id"]]}) if request.json["id"] in known else '{"valid": false}'
        )
    )

    assert ask(hooks, "check_vat_id", fields={"vat_id": "DE136695976"})["ok"] is True
    no = ask(hooks, "check_vat_id", fields={"vat_id": "DE000000000"})
    assert (False, ["/fields/vat_id"], ["not_registered"]) == (
        no["ok"], [one["place"] for one in no["faults"]], [one["code"] for one in no["faults"]]
    )  # fmt: skip
    httpserver.clear()
    httpserver.expect_request("/v1/validate").respond_with_data("", status=503)
    with pytest.raises(HookPutOff):
        ask(hooks, "check_vat_id", fields={"vat_id": "DE136695976"})


def a_file(url: str, content: bytes, **changes: Any) -> dict[str, Any]:
    """A reference that says the truth, unless told otherwise."""
    true = {
        "uri": url,
        "sha256": hashlib.sha256(content).hexdigest(),
        "type": "pdf",
        "bytes": len(content),
        "name": "a.pdf",
    }
    return {**true, **changes}


def test_files_are_read_and_compared_with_what_was_said_of_them(hooks: HookRegistry, httpserver: HTTPServer) -> None:
    """Each that is other than announced goes back, at its place; the name never counts."""
    for path, content in (("/good", PDF), ("/program", EXE), ("/script", SCRIPT), ("/table", CSV)):
        httpserver.expect_request(path).respond_with_data(content)
    url = httpserver.url_for
    files = [
        a_file(url("/good"), PDF, name="setup.exe"),
        a_file(url("/program"), EXE, name="invoice.pdf"),
        a_file(url("/good"), PDF, sha256="0" * 64),
        a_file(url("/good"), PDF, bytes=1),
        a_file(url("/gone"), PDF),
        a_file(url("/table"), CSV, type="text/csv"),
        a_file(url("/script"), SCRIPT, type="csv", name="data.csv"),
    ]
    httpserver.expect_request("/gone").respond_with_data("", status=404)

    told = ask(hooks, "scan_file", files=files)

    assert told["ok"] is False
    assert [("/files/1/type", "other_type"), ("/files/2/sha256", "other_content"), ("/files/3/bytes", "other_size"),
            ("/files/4/uri", "file_missing"), ("/files/6/type", "other_type")] == [(one["place"], one["code"]) for one in told["faults"]]  # fmt: skip
    assert ask(hooks, "scan_file", files=[files[0], files[5]])["ok"] is True


@pytest.mark.parametrize(
    ("uri", "code"),
    [
        ("s3://bucket/a.pdf", "scheme_not_allowed"),
        ("file:///etc/passwd", "scheme_not_allowed"),
        ("https://elsewhere.example/a.pdf", "host_not_allowed"),
        ("http://169.254.169.254/latest", "host_not_allowed"),
        ("no address", "bad_url"),
    ],
)
def test_a_file_that_is_kept_elsewhere_is_no_yes_and_nobody_is_asked(
    hooks: HookRegistry, httpserver: HTTPServer, uri: str, code: str
) -> None:
    """A person looks at it: the customer cannot mend what this installation reads."""
    with pytest.raises(HookRefused) as no:
        ask(hooks, "scan_file", files=[a_file(uri, PDF)])

    assert code == no.value.code
    assert [] == httpserver.log


def test_a_file_that_is_too_large_is_left_in_the_middle(httpserver: HTTPServer) -> None:
    """Whatever was said of its size."""
    httpserver.expect_request("/large").respond_with_handler(lambda _: Response(b"x" * 65_536 for _ in range(1_000)))
    terms = FetchTerms(allow=(httpserver.host,), plain=True, most_bytes=1_000_000)

    told = FileScan(terms, HERE)({"files": [a_file(httpserver.url_for("/large"), PDF)]})

    assert ["file_too_large"] == [one["code"] for one in told["faults"]]


def test_without_files_nothing_is_a_yes() -> None:
    """Silence never approves."""
    with pytest.raises(HookRefused) as no:
        FileScan(FetchTerms(allow=("files.example",)), HERE)({"files": []})

    assert "nothing_to_check" == no.value.code


CONTENTS = {"pdf": PDF, "png": PNG, "jpg": JPG, "zip": ZIP, "docx": ZIP, "csv": CSV, "txt": CSV, "json": b'{"a": 1}'}


@pytest.mark.parametrize("announced", sorted(CONTENTS))
def test_a_file_is_what_its_first_bytes_say(announced: str) -> None:
    """Each is taken as what it is, and neither a program nor a script is any of them."""
    assert is_a(announced, CONTENTS[announced])
    for content in (EXE, ELF, SCRIPT, b""):
        assert not is_a(announced, content)
    for other in ("pdf", "png", "jpg"):
        assert is_a(other, CONTENTS[announced]) is (other == announced)


@pytest.mark.parametrize("content", [PDF, PNG, CSV])
def test_where_nothing_was_announced_any_known_type_will_do(content: bytes) -> None:
    """And a program is none."""
    assert is_a("application/octet-stream", content)
    assert not is_a("application/octet-stream", EXE)
    assert not is_a("application/x-unheard-of", content)
