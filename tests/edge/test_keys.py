"""Keys of customers, and the file of the master keys: made once, opened by whoever has both, destroyed for ever."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Engine, select, update
from temporalio.api.common.v1 import Payload

from onboarding.errors import CustomerErased
from runtime.codec import ENCODING, KEY_ID, NoRun, PayloadEncryption, marker
from runtime.errors import KeysUnavailable
from runtime.key_cache import KeyCache
from runtime.masters import MasterFile, read_keys
from storage.engine import DatabaseUnavailable, open_database, reading, writing
from storage.keys import CustomerKeys, destroy, holds_keys
from storage.tables import KEYS


@pytest.fixture
def masters(tmp_path: Path) -> MasterFile:
    """A key file with one master key."""
    file = MasterFile(tmp_path / "secret" / "keys.json")
    file.add()
    return file


@pytest.fixture
def keys(engine: Engine, masters: MasterFile) -> CustomerKeys:
    """The keys of an empty database."""
    return CustomerKeys(engine, masters)


def test_the_first_who_asks_makes_the_key_and_all_others_get_it(keys: CustomerKeys) -> None:
    """A key of its own for each customer, found again by its id."""
    first = keys.active("acme")

    assert keys.active("acme") == first
    assert keys.find(first.id, "acme") == first
    assert keys.active("bolt").secret != first.secret
    assert len(first.secret) == 32


def test_two_who_ask_at_once_get_one_key(url: str, engine: Engine, masters: MasterFile) -> None:
    """Eight connections, ten customers: one row for each customer, and everybody holds what it says."""
    engines = [open_database(url) for _ in range(8)]
    together = threading.Barrier(len(engines))

    def ask(own: Engine) -> list[bytes]:
        mine = CustomerKeys(own, masters)
        together.wait(10)
        return [mine.active(f"c-{n}").secret for n in range(10)]

    with ThreadPoolExecutor(len(engines)) as pool:
        told = list(pool.map(ask, engines))
    for own in engines:
        own.dispose()

    assert all(one == told[0] for one in told)
    with reading(engine) as connection:
        assert len(connection.execute(select(KEYS)).all()) == 10


def test_the_database_alone_opens_nothing(engine: Engine, keys: CustomerKeys, masters: MasterFile) -> None:
    """What stands there is wrapped, for one row only: put into another row it does not open."""
    secret = keys.active("acme").secret
    other = keys.active("bolt").id
    with writing(engine) as connection:
        wrapped = connection.execute(select(KEYS.c.wrapped).where(KEYS.c.customer == "acme")).scalar_one()
        connection.execute(update(KEYS).where(KEYS.c.customer == "bolt").values(wrapped=wrapped))

    assert secret not in wrapped
    with pytest.raises(KeysUnavailable) as refused:
        keys.find(other, "bolt")
    assert refused.value.code == "key_not_opened"


def test_a_key_opens_for_its_own_customer_only(keys: CustomerKeys) -> None:
    """Somebody who writes another name beside an id gets nothing."""
    assert keys.find(keys.active("acme").id, "bolt") is None


@pytest.mark.parametrize("key_id", ["", "zz", "00" * 16, "00" * 8, "ä", "a" * 5_000])
def test_an_invented_id_is_no_key(keys: CustomerKeys, key_id: str) -> None:
    """It is told from one that was made here and whose row is elsewhere."""
    keys.active("acme")

    assert keys.find(key_id, "acme") is None


async def test_no_id_that_a_stranger_writes_keeps_a_run_waiting(keys: CustomerKeys) -> None:
    """Whatever the database would say to it: an error here would stop the run that got it."""
    cache = KeyCache(keys)
    codec = PayloadEncryption(cache, "onboarding/acme/standard")
    (closed,) = await codec.encode([Payload(metadata={"encoding": b"json/plain"}, data=b"1")])
    nobodys = (b"\0", closed.metadata[KEY_ID] + b"\0", "ä".encode(), b"", b" ", b"a" * 1_000_000)
    for key_id, shown in [*((one, marker()) for one in nobodys), (b"00" * 16, marker(ours=True))]:
        invented = Payload()
        invented.CopyFrom(closed)
        invented.metadata[KEY_ID] = key_id

        assert await codec.decode([invented]) == [shown]
    with pytest.raises(NoRun):
        await PayloadEncryption(cache, "onboarding/a\0b/standard").encode([closed])


async def test_nothing_leaves_in_clear_when_the_file_goes_away(keys: CustomerKeys, masters: MasterFile) -> None:
    """A volume that is gone for a while: what is in memory serves, whoever needs more waits, and all goes on when it is back."""
    codec = PayloadEncryption(KeyCache(keys), "onboarding/acme/standard")
    other = PayloadEncryption(KeyCache(keys), "onboarding/bolt/standard")
    plain = Payload(metadata={"encoding": b"json/plain"}, data=b"1")
    before = await codec.encode([plain])
    aside = masters.path.rename(masters.path.with_name("aside"))

    assert (await codec.encode([plain]))[0].metadata["encoding"] == ENCODING
    with pytest.raises(KeysUnavailable):
        await other.encode([plain])
    aside.rename(masters.path)
    assert (await other.encode([plain]))[0].metadata["encoding"] == ENCODING
    assert await codec.decode(before) == [plain]


def test_an_id_that_was_made_here_and_has_no_row_means_another_database(
    keys: CustomerKeys, masters: MasterFile, tmp_path: Path
) -> None:
    """A worker with the wrong database must not take what was accepted for rubbish."""
    mine = keys.active("acme")
    elsewhere = open_database(f"sqlite:///{tmp_path / 'other.sqlite'}")

    with pytest.raises(DatabaseUnavailable) as refused:
        CustomerKeys(elsewhere, masters).find(mine.id, "acme")
    assert refused.value.code == "key_row_missing"
    assert CustomerKeys(elsewhere, masters).find(mine.id, "bolt") is None
    elsewhere.dispose()


def test_rotation_puts_every_key_under_the_new_master_and_gives_customers_a_new_one(
    engine: Engine, keys: CustomerKeys, masters: MasterFile
) -> None:
    """What was encrypted before still opens, in this process and in one that has read the file before."""
    earlier = MasterFile(masters.path)
    before = CustomerKeys(engine, earlier).active("acme")
    masters.add()
    assert masters.rotated().current == masters.read().keys[-1].id

    assert keys.rewrap() == 1
    assert keys.rewrap() == 0
    after = keys.active("acme")
    assert after.id != before.id
    for one in (keys, CustomerKeys(engine, earlier)):
        assert one.find(before.id, "acme") == before
        assert one.active("acme") == after
    assert keys.count() == [
        {"master": masters.current(), "state": "active", "keys": 1},
        {"master": masters.current(), "state": "retired", "keys": 1},
    ]


def test_a_key_under_a_lost_master_keeps_no_other_from_being_rotated(
    engine: Engine, keys: CustomerKeys, masters: MasterFile, tmp_path: Path
) -> None:
    """It is counted and left; the file that has its master may come back."""
    elsewhere = MasterFile(tmp_path / "lost.json")
    elsewhere.add()
    gone = CustomerKeys(engine, elsewhere).active("a-lost")
    held = keys.active("b")
    masters.add()
    masters.rotated()
    assert keys.behind()

    assert keys.rewrap() == 1
    assert keys.lost() == 1
    assert not keys.behind()
    assert keys.find(held.id, "b") == held
    assert CustomerKeys(engine, elsewhere).find(gone.id, "a-lost") == gone


def test_many_keys_are_wrapped_anew_in_parts(
    engine: Engine, keys: CustomerKeys, masters: MasterFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that nobody who needs a key waits for all of them."""
    monkeypatch.setattr("storage.keys.AT_ONCE", 3)
    held = [keys.active(f"c-{n}") for n in range(8)]
    masters.add()
    masters.rotated()

    assert keys.rewrap() == 8
    assert [keys.find(one.id, one.customer) for one in held] == held


def test_a_master_key_that_this_machine_lacks_is_no_verdict_on_the_payload(
    engine: Engine, masters: MasterFile, tmp_path: Path
) -> None:
    """It is an error that can be mended, with the way out; once the file is there the same question has its answer."""
    stale = tmp_path / "stale.json"
    stale.write_bytes(masters.path.read_bytes())
    stale.chmod(0o600)
    masters.add()
    masters.rotated()
    made = CustomerKeys(engine, masters).active("acme")
    behind = CustomerKeys(engine, MasterFile(stale))

    with pytest.raises(KeysUnavailable) as refused:
        behind.find(made.id, "acme")
    assert refused.value.code == "master_key_missing"
    stale.write_bytes(masters.path.read_bytes())
    assert behind.find(made.id, "acme") == made


def test_a_customer_whose_keys_are_destroyed_has_none_for_ever(engine: Engine, keys: CustomerKeys) -> None:
    """Every generation goes, the second time finds nothing, and nobody can make another one."""
    kept, gone = keys.active("bolt"), keys.active("acme")

    assert holds_keys(engine)
    assert destroy(engine, "acme") == 1
    assert destroy(engine, "acme") == 0
    assert keys.find(gone.id, "acme") is None
    with pytest.raises(CustomerErased):
        keys.active("acme")
    assert keys.find(kept.id, "bolt") == kept
    with reading(engine) as connection:
        (row,) = connection.execute(select(KEYS).where(KEYS.c.customer == "acme")).all()
    assert (row.wrapped, row.master, row.state) == (b"", "", "destroyed")
    destroy(engine, "bolt")
    assert not holds_keys(engine)


def test_a_customer_who_never_had_a_key_gets_none_after_erasure(engine: Engine, keys: CustomerKeys) -> None:
    """A message that is late must not begin anew what was erased."""
    assert destroy(engine, "acme") == 0
    with pytest.raises(CustomerErased):
        keys.active("acme")


def test_rotation_does_not_bring_back_what_was_destroyed(
    engine: Engine, keys: CustomerKeys, masters: MasterFile
) -> None:
    """It has nothing that could be wrapped anew."""
    gone = keys.active("acme")
    destroy(engine, "acme")
    masters.add()
    masters.rotated()

    assert keys.rewrap() == 0
    assert keys.find(gone.id, "acme") is None


def test_a_destroyed_key_is_not_left_in_the_file_of_the_database(sqlite_url: str, masters: MasterFile) -> None:
    """Neither in a page that is free now nor in what was written ahead."""
    engine = open_database(sqlite_url)
    keys = CustomerKeys(engine, masters)
    keys.active("bolt")
    keys.active("acme")
    with reading(engine) as connection:
        wrapped = connection.execute(select(KEYS.c.wrapped).where(KEYS.c.customer == "acme")).scalar_one()
    path = Path(str(engine.url.database))
    assert any(wrapped in file.read_bytes() for file in path.parent.glob("rows.sqlite*"))

    destroy(engine, "acme")

    assert not any(wrapped in file.read_bytes() for file in path.parent.glob("rows.sqlite*"))
    engine.dispose()


def test_no_secret_is_in_any_text(keys: CustomerKeys, masters: MasterFile) -> None:
    """Who prints a key, or an error about one, shows its name."""
    made, master = keys.active("acme"), masters.read().keys[0]

    for text in (repr(made), str(made), repr(master), repr(masters.read()), f"{made}"):
        assert repr(made.secret)[2:-1] not in text
        assert repr(master.secret)[2:-1] not in text
        assert "secret" not in text


def test_the_key_file_is_the_owners_alone(masters: MasterFile) -> None:
    """It is written so, and refused where others may read it."""
    assert masters.path.stat().st_mode & 0o777 == 0o600

    for mode in (0o640, 0o604, 0o660, 0o644):
        masters.path.chmod(mode)
        with pytest.raises(KeysUnavailable) as refused:
            MasterFile(masters.path).read()
        assert refused.value.code == "keys_exposed"


def test_a_key_file_that_a_container_was_given_is_read(masters: MasterFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody can write it, and of all groups only one of this process can read it. Of another group or owner it is refused."""
    masters.path.chmod(0o440)
    found = masters.path.stat()
    assert MasterFile(masters.path).current() == masters.current()

    for uid, gid in ((os.geteuid() + 1, found.st_gid), (found.st_uid, 987_654)):
        other = os.stat_result((found.st_mode, *found[1:4], uid, gid, *found[6:]))
        with monkeypatch.context() as patched:
            patched.setattr(Path, "stat", lambda self, other=other, **_: other)
            with pytest.raises(KeysUnavailable) as refused:
                read_keys(masters.path)
        assert refused.value.code == "keys_exposed"
    masters.path.chmod(0o444)
    with pytest.raises(KeysUnavailable):
        MasterFile(masters.path).read()


@pytest.mark.parametrize(
    "content",
    [
        "", "[]", "null", "{}", '{"format": 1, "current": "m", "keys": []}', '{"format": 2, "current": "m", "keys": []}', "\x00",
        '{"format": 1, "current": "m", "keys": [{"id": "m", "created_at": "x", "secret": "AAAA"}]}',
        '{"format": 1, "current": "m", "keys": [{"id": "m", "created_at": "x", "secret": "ä"}]}',
        '{"format": 1, "current": "m", "keys": [7]}', "[" * 60_000, "7" * 70_000,
    ],
)  # fmt: skip
def test_a_file_that_is_no_key_file_is_refused_in_a_sentence(tmp_path: Path, content: str) -> None:
    """Whatever stands in it, none of it is in the sentence."""
    path = tmp_path / "keys.json"
    path.write_text(content, encoding="utf-8")
    path.chmod(0o600)

    with pytest.raises(KeysUnavailable) as refused:
        MasterFile(path).read()
    assert refused.value.code == "keys_damaged"


def test_no_file_is_told_from_one_that_cannot_be_read(tmp_path: Path) -> None:
    """Only where nothing is there is nothing encrypted."""
    missing, folder = MasterFile(tmp_path / "none.json"), MasterFile(tmp_path)

    assert not missing.exists()
    assert folder.exists()
    for one in (missing, folder):
        with pytest.raises(KeysUnavailable) as refused:
            one.read()
        assert refused.value.code == "keys_unreadable"


def test_a_second_master_key_waits_until_it_is_made_the_current_one(masters: MasterFile) -> None:
    """So that the file can be copied to every machine before anything is closed with it."""
    first = masters.current()
    with pytest.raises(KeysUnavailable) as refused:
        masters.rotated()
    assert refused.value.code == "no_waiting_key"
    second = masters.add()

    assert masters.current() == first
    assert masters.read().waiting == second
    assert masters.rotated().current == second.id
    assert masters.read().waiting is None
    assert [one["id"] for one in json.loads(masters.path.read_text())["keys"]] == [first, second.id]


def test_two_commands_at_once_lose_no_key(tmp_path: Path) -> None:
    """The second one finds the file of the first, and adds to it."""
    path = tmp_path / "new" / "keys.json"
    with ThreadPoolExecutor(8) as pool:
        made = {key.id for key in pool.map(lambda _: MasterFile(path).add(), range(8))}

    assert {one.id for one in MasterFile(path).read().keys} == made


def test_a_key_file_that_cannot_be_written_stays_as_it_was(
    masters: MasterFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whole or not at all, and nothing is left beside it."""
    before = masters.path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(KeysUnavailable) as refused:
        masters.add()
    assert refused.value.code == "keys_not_written"
    assert masters.path.read_bytes() == before
    assert [one.name for one in masters.path.parent.iterdir()] == ["keys.json"]


def test_a_process_that_holds_the_file_open_does_not_stop_destruction(sqlite_url: str, masters: MasterFile) -> None:
    """A reader in the middle of a look keeps the log from being emptied, and not the key from being destroyed."""
    engine = open_database(sqlite_url)
    keys = CustomerKeys(engine, masters)
    gone = keys.active("acme")
    reader = sqlite3.connect(str(engine.url.database))
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM customer_keys").fetchone()

    assert destroy(engine, "acme") == 1
    assert keys.find(gone.id, "acme") is None
    reader.close()
    engine.dispose()
