"""The file of hooks at every door, and `hook list`, `finish`, `fail` where no server is."""

# ruff: noqa: SIM300 – tests put the expected value first

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from onboarding.ports import WaitingHook
from storage.engine import open_database
from storage.hook_waits import SqlHookWaits
from tests.support.calls import Door
from tests.support.shell import ROOT

WRONG = "hooks:\n  make_tenant:\n    url: https://tenants.example/v1\n    allow: [other.example]\n"
GOOD = WRONG.replace("other.example", "tenants.example")
NAMES_IT = (ROOT / "tests" / "data" / "hooks.yaml").read_text().replace("undo: enable_production", "undo: make_tenant")
NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
WAITS = WaitingHook(
    key="onboarding/acme/hooks/tenant/1/hook", run="onboarding/acme/hooks", hook="provision_tenant", about="tenant", token=b"t",
    activity="1", execution="e", since=NOW, ends_at=NOW + timedelta(hours=1), progress="40",
)  # fmt: skip


def test_a_fault_of_the_file_is_told_with_its_line_by_doctor_and_by_the_worker(door: Door, tmp_path: Path) -> None:
    """The worker does not start: 65, and the same sentence."""
    (tmp_path / "hooks.yaml").write_text(WRONG)
    named = {"ONBOARDING_HOOKS": "hooks.yaml"}
    told = [row for row in door("doctor", "-o", "json", **named).data["rows"] if row["name"] == "hooks"]
    worker = subprocess.run(
        [sys.executable, str(ROOT / "worker.py")],
        env={**door.environment, **named}, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert ["fail"] == [row["level"] for row in told]
    for words in (told[0]["sentence"], worker.stderr):
        assert "hooks.yaml:3:10: error: 'tenants.example' is not among the hosts of `allow`" in words
        assert "[host_not_allowed]" in words
    assert (65, "") == (worker.returncode, worker.stdout)
    assert "Traceback" not in worker.stderr


def test_check_knows_the_hooks_of_the_file(door: Door, tmp_path: Path) -> None:
    """Also as an undo; without the file the name is unknown, with its line, and with a faulty file that is told."""
    (tmp_path / "definition.yaml").write_text(NAMES_IT)
    (tmp_path / "hooks.yaml").write_text(GOOD)
    (tmp_path / "wrong.yaml").write_text(WRONG)

    assert 0 == door("check", "definition.yaml", ONBOARDING_HOOKS="hooks.yaml").code
    unknown = door("check", "definition.yaml", "-o", "table")
    assert 65 == unknown.code
    assert "definition.yaml:23:15" in unknown.out
    assert "unknown_activity" in unknown.out
    faulty = door("check", "definition.yaml", "-o", "json", ONBOARDING_HOOKS="wrong.yaml")
    assert (65, "host_not_allowed") == (faulty.code, faulty.data["faults"][0]["code"])


def test_what_waits_is_listed_without_a_server(door: Door, tmp_path: Path) -> None:
    """Since when and how far; never the token of the server."""
    assert [] == door("hook", "list", "-o", "json").data["rows"]
    assert "No hook waits" in door("hook", "list", "-o", "table").out
    engine = open_database(door.environment["ONBOARDING_DATABASE_URL"])
    waits = SqlHookWaits(engine)
    waits.keep(WAITS)
    waits.keep(
        replace(WAITS, key="onboarding/b/hooks/tenant/1/hook", run="onboarding/b/hooks", poll="https://x.example/7")
    )
    engine.dispose()

    rows = door("hook", "list", "-o", "json").data["rows"]

    assert [
        (WAITS.key, "40", "2026-11-23T09:00:00Z", False),
        ("onboarding/b/hooks/tenant/1/hook", "40", "2026-11-23T09:00:00Z", True),
    ] == [(one["key"], one["progress"], one["since"], one["polled"]) for one in rows]
    assert "token" not in rows[0]
    assert [WAITS.key] == [one["key"] for one in door("hook", "list", "acme/hooks", "-o", "json").data["rows"]]


def test_what_cannot_be_brought_is_told_by_its_code(door: Door) -> None:
    """A wrong key with the nearest one, an answer that is none, JSON that is none, a server that is not there."""
    engine = open_database(door.environment["ONBOARDING_DATABASE_URL"])
    SqlHookWaits(engine).keep(WAITS)
    engine.dispose()

    unknown = door("hook", "finish", WAITS.key + "x", "--answer", '{"ok": true}', "-o", "json")
    assert (23, "unknown_hook_call") == (unknown.code, unknown.data["code"])
    assert WAITS.key in unknown.data["sentence"]
    for answer in ('{"provides": {}}', "[]", '{"ok": "yes"}', '{"ok": true, "faults": [1]}'):
        assert 20 == door("hook", "finish", WAITS.key, "--answer", answer, "-o", "json").code
    assert 64 == door("hook", "finish", WAITS.key, "--answer", "{").code
    assert 69 == door("hook", "finish", WAITS.key, "--answer", '{"ok": true}').code
    assert 69 == door("hook", "fail", WAITS.key, "--reason", "no licence").code
    assert 64 == door("hook", "fail", WAITS.key).code
