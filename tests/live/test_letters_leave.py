"""From a run to a mailbox: a worker with channels brings what a run has to say to people, by mail and by a chat, once each.

Also where its start was killed, refused or done twice.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from sqlalchemy import select
from temporalio.client import Client
from werkzeug import Request, Response

from runtime.devserver import DevServer
from storage.engine import open_database, reading
from storage.tables import PEOPLE
from tests.support.calls import Answer, Door
from tests.support.doors import environment_of, worker_process
from tests.support.mail_server import mail_server

pytestmark = pytest.mark.live

DATA = Path(__file__).parent / "data"
PATIENCE = 40.0


async def until(said: Callable[[], bool], what: str) -> None:
    """Polls with a deadline."""
    began = time.monotonic()
    while not said():
        assert time.monotonic() - began < PATIENCE, what
        await asyncio.sleep(0.1)


def channels(folder: Path, port: int, room: str) -> Path:
    """A mail server and a room of a chat, both on this machine; people of our side want the room."""
    file = folder / "channels.yaml"
    (folder / "room").write_text(room)
    (folder / "room").chmod(0o600)
    file.write_text(f"""
inside: [127.0.0.0/8, "::1/128"]
channels:
  mail: {{kind: mail, host: localhost, port: {port}, security: none, plain: true, from: "Onboarding <onboarding@firm.example>"}}
  room: {{kind: slack, url: {{file: room}}, allow: [localhost], plain: true}}
routes:
  - {{side: provider, to: [room, mail]}}
  - {{to: [mail]}}
answer: {{customer: "Answer by the page that you know."}}
""")
    return file


async def test_a_run_reaches_a_mailbox_and_a_room_once_each(
    client: Client, dev_server: DevServer, tmp_path: Path, customer: str, httpserver: HTTPServer
) -> None:
    """The customer hears by mail, with how to answer; our side reads the room; no address is in the log."""
    posted: list[dict[str, object]] = []

    def take(request: Request) -> Response:
        posted.append(json.loads(request.get_data()))
        return Response("ok")

    httpserver.expect_request("/room").respond_with_handler(take)
    queue = f"letters-{customer}"
    async with mail_server() as server:
        settings = {"ONBOARDING_CHANNELS": str(channels(tmp_path, server.port, httpserver.url_for("/room")))}
        door = Door(tmp_path, **environment_of(dev_server.address, tmp_path, queue, **settings))

        async def call(*words: str | Path) -> Answer:
            return await asyncio.to_thread(door, *words)

        async with worker_process(client, dev_server.address, tmp_path, queue, **settings) as worker:
            started = await call(
                "start", DATA / "every-message.yaml", "--customer", customer, "--input", DATA / "every-message.input.yaml", "--actor", "lena"
            )  # fmt: skip
            assert started.code == 0, started.err
            run = f"{customer}/every-message"
            await until(lambda: bool(server.mails), worker.words())
            submitted = await call(
                "submit", run, "papers", "--fields", '{"name": "N", "count": 2}', "--actor", "customer:owner"
            )
            assert submitted.code == 0, submitted.err
            await until(lambda: len(server.mails) >= 2, worker.words())
            assert (await call("cancel", run, "--reason", "r", "--outcome", "lost", "--actor", "lena")).code == 0
            outbox = (await call("outbox", run, "-o", "json")).data["rows"]
            assert await worker.stop() == 0

    identities = [mail["Message-ID"] for mail in server.mails]
    first = server.mails[0].get_body(("plain",))
    assert first is not None
    assert {to for _, (to,) in server.envelopes} == {"owner@customer.example"}
    assert "Answer by the page that you know." in first.get_content()
    assert "Papers" in first.get_content()
    assert len(identities) == len(set(identities))
    assert {row["sent_by"] for row in outbox if row["state"] == "sent"} <= {"mail", "room"}
    assert all("http" not in json.dumps(one["blocks"]) for one in posted)
    assert "owner@customer.example" not in worker.words()
    print(
        f"from run to mailbox: {len(server.mails)} mails, {len(posted)} messages in a room, {len(set(identities))} identities"
    )


def addresses(door: Door, customer: str) -> set[str]:
    """Where whoever is kept of a customer is reached."""
    engine = open_database(door.environment["ONBOARDING_DATABASE_URL"])
    with reading(engine) as connection:
        of_customer = PEOPLE.c.run.startswith(f"onboarding/{customer}/")
        found = connection.execute(select(PEOPLE.c.address).where(of_customer, PEOPLE.c.address.is_not(None)))
        kept = set(found.scalars())
    engine.dispose()
    return kept


async def test_a_run_whose_start_was_killed_reaches_its_people(
    client: Client, dev_server: DevServer, tmp_path: Path, customer: str
) -> None:
    """Nobody starts it again: its first letters leave all the same."""
    queue = f"killed-{customer}"
    async with mail_server() as server:
        settings = {"ONBOARDING_CHANNELS": str(channels(tmp_path, server.port, "http://localhost:1/room"))}
        door = Door(tmp_path, **environment_of(dev_server.address, tmp_path, queue, **settings))
        words = (
            "start",
            DATA / "every-message.yaml",
            "--customer",
            customer,
            "--input",
            DATA / "every-message.input.yaml",
        )
        async with worker_process(client, dev_server.address, tmp_path, queue, **settings) as worker:
            killed = await asyncio.to_thread(door, *words, FAULT="start.after_run:kill:1")
            await until(lambda: bool(server.mails), worker.words())
            assert "notice_failed" not in worker.words()

    assert killed.code == -signal.SIGKILL
    assert [to for _, (to,) in server.envelopes] == ["owner@customer.example"]


async def test_a_start_that_is_refused_changes_nothing_of_how_people_are_reached(
    client: Client, dev_server: DevServer, tmp_path: Path, customer: str
) -> None:
    """Neither one that comes later nor one that was under way; and the same start again brings back who is missing."""
    door = Door(tmp_path, **environment_of(dev_server.address, tmp_path, f"refused-{customer}"))
    other = tmp_path / "other.yaml"
    other.write_text(
        "contacts:\n  - {role: owner, email: olga@wrong.example, name: Olga}\n  - {role: helper, email: hal@wrong.example, name: Hal}\n"
    )
    words = ("start", DATA / "every-message.yaml", "--customer", customer, "-o", "json", "--input")
    late = asyncio.create_task(
        asyncio.to_thread(
            door, *words, other, FAULT="start.before_run:pause-6000:1"
        )  # it has looked, and found nothing
    )
    await until(lambda: addresses(door, customer) == {"olga@wrong.example", "hal@wrong.example"}, "its people are kept")
    first = await asyncio.to_thread(door, *words, DATA / "every-message.input.yaml")
    refused = [await late, await asyncio.to_thread(door, *words, other)]
    kept = addresses(door, customer)
    with closing(sqlite3.connect(tmp_path / "rows.sqlite")) as rows, rows:
        rows.execute("DELETE FROM people")
    again = await asyncio.to_thread(door, *words, DATA / "every-message.input.yaml")

    assert (first.code, first.data["created"]) == (0, True)
    assert [(one.code, one.data["code"]) for one in refused] == [(21, "already_started")] * 2
    assert (again.code, again.data["created"]) == (0, False)
    assert kept == addresses(door, customer) == {"owner@customer.example"}


async def start_that_died(server: DevServer, folder: Path, customer: str) -> tuple[Door, tuple[str | Path, ...]]:
    """The door after a start that was killed when its people were kept and its run had not begun; and the words of that start."""
    door = Door(folder, **environment_of(server.address, folder, f"stray-{customer}"))
    words = ("start", DATA / "every-message.yaml", "--customer", customer, "--input", DATA / "every-message.input.yaml")
    await asyncio.to_thread(door, *words, FAULT="start.before_run:kill:1")
    return door, words


async def test_what_a_start_leaves_that_was_killed_before_it_began_can_be_erased(
    client: Client, dev_server: DevServer, tmp_path: Path, customer: str
) -> None:
    """There is no run and no row of one, only people."""
    door, words = await start_that_died(dev_server, tmp_path, customer)
    before = addresses(door, customer)
    erased = await asyncio.to_thread(door, "erase", customer, "-o", "json")
    again = await asyncio.to_thread(door, *words)

    assert before == {"owner@customer.example"}
    assert (erased.code, erased.data["runs"], erased.data["people"] > 0, addresses(door, customer)) == (
        0,
        1,
        True,
        set(),
    )
    assert again.code == 22


async def test_people_who_came_after_an_erasure_are_erased_with_the_next(
    client: Client, dev_server: DevServer, tmp_path: Path, customer: str
) -> None:
    """Of a start that an earlier release let go on."""
    door, _ = await start_that_died(dev_server, tmp_path, customer)
    with closing(sqlite3.connect(tmp_path / "rows.sqlite")) as rows, rows:
        late = rows.execute("SELECT * FROM people").fetchall()
        await asyncio.to_thread(door, "erase", customer)
        rows.executemany(f"INSERT INTO people VALUES ({', '.join('?' * len(late[0]))})", late)
    erased = await asyncio.to_thread(door, "erase", customer, "-o", "json")
    again = await asyncio.to_thread(door, "erase", customer, "-o", "json")

    assert (erased.code, erased.data["already"], erased.data["people"], addresses(door, customer)) == (
        0,
        False,
        len(late),
        set(),
    )
    assert (again.code, again.data["already"]) == (0, True)
