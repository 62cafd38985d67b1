"""`keys`, `codec-server`, and what `doctor` says of keys: names and counts, and never what a key is."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from runtime.devserver import _free_ports
from tests.support.calls import Door
from tests.support.keys import ring_of
from tests.support.shell import ROOT

TOKEN = "a-token-of-forty-characters-and-no-less"


def secrets_of(folder: Path) -> list[str]:
    """What no command may show."""
    return [one["secret"] for one in json.loads((folder / "keys.json").read_text())["keys"]]


async def test_keys_are_made_rotated_and_listed(door: Door, tmp_path: Path) -> None:
    """The first is used at once, the second waits; rotation puts all customers under it, and a second one has nothing to do."""
    made = door("keys", "new", "-o", "json")
    key = await ring_of(tmp_path).active("acme")
    waiting = door("keys", "new", "-o", "json")
    listed = door("keys", "list", "-o", "json")
    table = door("keys", "list", "-o", "table")
    rotated = door("keys", "rotate", "-o", "json")
    again = door("keys", "rotate", "-o", "json")
    after = door("keys", "list", "-o", "json")

    assert [made.code, waiting.code, listed.code, table.code, rotated.code] == [0] * 5
    assert (made.data["current"], waiting.data["current"]) == (True, False)
    assert [(row["state"], row["active"]) for row in listed.data["rows"]] == [("current", 1), ("waiting", 0)]
    assert rotated.data == {"master": waiting.data["master"], "rewrapped": 1, "lost": 0}
    assert (again.code, "keys new" in again.err) == (69, True)
    assert [(row["state"], row["active"], row["retired"]) for row in after.data["rows"]] == [
        ("old", 0, 0),
        ("current", 0, 1),
    ]
    fresh = await ring_of(tmp_path).active("acme")
    assert fresh.id != key.id
    said = "".join(one.out + one.err for one in (made, waiting, listed, table, rotated, again, after))
    assert not [secret for secret in secrets_of(tmp_path) if secret in said]
    assert (tmp_path / "keys.json").stat().st_mode & 0o777 == 0o600


async def test_a_rotation_that_was_killed_is_brought_to_its_end(door: Door, tmp_path: Path) -> None:
    """The file was written and the rows were not: the same command again does the rest, and makes no other key current."""
    door("keys", "new")
    await ring_of(tmp_path).active("acme")
    waits = door("keys", "new", "-o", "json").data["master"]
    content = json.loads((tmp_path / "keys.json").read_text())
    (tmp_path / "keys.json").write_text(json.dumps({**content, "current": waits}))
    done = door("keys", "rotate", "-o", "json")

    assert (done.code, done.data) == (0, {"master": waits, "rewrapped": 1, "lost": 0})


def test_without_a_file_the_list_says_that_nothing_is_encrypted(door: Door) -> None:
    """No error: it is how every installation begins."""
    answer = door("keys", "list", "-o", "json")

    assert (answer.code, answer.data["rows"]) == (0, [])
    assert "keys new" in answer.err


def test_a_file_that_others_can_read_is_refused(door: Door, tmp_path: Path) -> None:
    """By every command that would use it, with what to do."""
    door("keys", "new")
    (tmp_path / "keys.json").chmod(0o644)

    for command in (("keys", "list"), ("keys", "new"), ("keys", "rotate"), ("codec-server",)):
        answer = door(*command)
        assert answer.code == 69
        assert "chmod 600" in answer.err


@pytest.mark.parametrize(
    "words",
    [("keys",), ("keys", "old"), ("codec-server", "--listen", "x"), ("codec-server", "--listen", "0.0.0.0:99999")],
)
def test_what_cannot_be_asked_is_64(door: Door, words: tuple[str, ...]) -> None:
    """With a sentence."""
    answer = door(*words)

    assert answer.code == 64
    assert answer.err.strip()


def test_a_server_for_other_machines_needs_a_token_that_somebody_has_set(door: Door) -> None:
    """One that is printed on a terminal is for this machine."""
    door("keys", "new")

    assert door("codec-server", "--listen", "0.0.0.0:8234").code == 64
    assert door("codec-server", ONBOARDING_CODEC_TOKEN="short").code == 64


def test_doctor_has_a_line_for_keys(door: Door, tmp_path: Path) -> None:
    """A warning without, the current one with, a failure where the file is not the one."""

    def keys(**more: str) -> dict[str, Any]:
        return next(row for row in door("doctor", "-o", "json", **more).data["rows"] if row["name"] == "keys")

    assert keys()["level"] == "warn"
    assert keys(ONBOARDING_ENVIRONMENT="production")["level"] == "fail"
    master = door("keys", "new", "-o", "json").data["master"]
    good = keys(ONBOARDING_ENVIRONMENT="production")
    assert (good["level"], master in good["sentence"]) == ("ok", True)
    (tmp_path / "keys.json").chmod(0o604)
    assert keys()["level"] == "fail"


async def test_the_codec_server_answers_on_this_machine_to_whoever_has_its_token(door: Door, tmp_path: Path) -> None:
    """Started as a process: it says where it listens, shows what is encrypted, and ends when it is told to."""
    from temporalio.api.common.v1 import Payload

    from runtime.codec import PayloadEncryption

    door("keys", "new")
    run = "onboarding/acme/quick-start"
    plain = Payload(metadata={"encoding": b"json/plain"}, data=b'"canary"')
    (hidden,) = await PayloadEncryption(ring_of(tmp_path), run).encode([plain])
    body = json.dumps({"payloads": [{"metadata": {k: base64.b64encode(v).decode() for k, v in hidden.metadata.items()}, "data": base64.b64encode(hidden.data).decode()}]}).encode()  # fmt: skip
    (port,) = _free_ports(1)
    words = tmp_path / "codec.log"
    with words.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "starter.py"), "codec-server", "--listen", f"127.0.0.1:{port}"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, cwd=tmp_path,
            env={**door.environment, "ONBOARDING_CODEC_TOKEN": TOKEN, "ONBOARDING_LOG_LEVEL": "DEBUG", "PYTHONPATH": os.environ.get("PYTHONPATH", "")},
        )  # fmt: skip
    try:
        status, text = asked(f"http://127.0.0.1:{port}/token/{TOKEN}/decode", body)
        assert (status, json.loads(text)["payloads"][0]["data"]) == (200, base64.b64encode(b'"canary"').decode())
        assert asked(f"http://127.0.0.1:{port}/decode", body)[0] == 401
        taken = door("codec-server", "--listen", f"127.0.0.1:{port}")
        assert (taken.code, "Nothing can listen" in taken.err) == (69, True)
    finally:
        process.terminate()
    assert process.wait(20) == 0
    said = words.read_text()
    assert f"http://127.0.0.1:{port}" in said
    assert TOKEN not in said
    assert "canary" not in said


def asked(url: str, body: bytes) -> tuple[int, str]:
    """One question, as soon as somebody listens."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    until = time.monotonic() + 30
    while True:
        try:
            with opener.open(
                urllib.request.Request(url, body, {"Content-Type": "application/json"}), timeout=10
            ) as heard:
                return heard.status, heard.read().decode()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read().decode()
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
