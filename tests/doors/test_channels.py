"""What the doors say of the file of channels: `doctor` every fault with its line, a worker nothing but those."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

from runtime.settings import ROOT
from tests.support.calls import Door
from tests.support.mail_server import PASSWORD, USER, mail_server

BROKEN = "channels:\n  mail: {kind: mail, host: a.example, form: a@b.example}\nroutes:\n  - {to: [chat]}\n"


def rows(door: Door, *arguments: str, **more: str) -> list[dict[str, str]]:
    """What doctor looked at."""
    found: list[dict[str, str]] = door("doctor", "-o", "json", *arguments, **more).data["rows"]
    return found


def test_doctor_tells_every_fault_with_its_line_and_what_is_there_otherwise(door: Door, tmp_path: Path) -> None:
    """One line each; no file is no fault."""
    file = tmp_path / "channels.yaml"
    none = [row for row in rows(door) if row["name"] == "channels"]
    file.write_text(BROKEN)
    broken = [row for row in rows(door, ONBOARDING_CHANNELS=str(file)) if row["name"] == "channels"]
    file.write_text(BROKEN.replace("form:", "from:").replace("chat", "mail"))
    well = [row for row in rows(door, ONBOARDING_CHANNELS=str(file)) if row["name"] == "channels"]

    assert [row["level"] for row in none] == ["ok"]
    assert [row["level"] for row in broken] == ["fail", "fail"]
    assert all(f"{file}:2:" in row["sentence"] for row in broken)
    assert [(row["level"], "mail (mail)" in row["sentence"]) for row in well] == [("ok", True)]


def test_a_worker_does_not_begin_with_a_broken_file(tmp_path: Path) -> None:
    """65, every fault on stderr, and no traceback."""
    file = tmp_path / "channels.yaml"
    file.write_text(BROKEN)
    ended = subprocess.run(
        [sys.executable, str(ROOT / "worker.py")], env={"ONBOARDING_CHANNELS": str(file)}, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert (ended.returncode, ended.stdout) == (65, "")
    assert (
        f"{file}:2:39: error: 'form' is no keyword of channels.mail; did you mean 'from'? [unknown_key]" in ended.stderr
    )
    assert "Traceback" not in ended.stderr


async def test_doctor_says_hello_to_every_channel_and_sends_nothing(door: Door, tmp_path: Path) -> None:
    """One that answers and one that does not, each in its line; the secret is in neither."""
    async with mail_server() as server:
        file = tmp_path / "channels.yaml"
        there = f"kind: mail, host: localhost, port: {server.port}, from: a@b.example, security: none, plain: true"
        file.write_text(
            "inside: [127.0.0.0/8, '::1/128']\nchannels:\n"
            f"  good: {{{there}}}\n  bad: {{{there}, user: {USER}, password: {{env: SMTP_PASSWORD}}}}\n"
        )
        more = {"ONBOARDING_CHANNELS": str(file), "SMTP_PASSWORD": f"not-{PASSWORD}"}
        answer = await asyncio.to_thread(lambda: door("doctor", "--channels", "-o", "json", **more))

    assert [(row["name"], row["level"]) for row in answer.data["rows"]] == [("good", "ok"), ("bad", "fail")]
    assert "login_refused" in answer.data["rows"][1]["sentence"]
    assert answer.code == 69
    assert server.mails == []
    assert PASSWORD not in answer.out + answer.err
