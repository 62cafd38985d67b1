"""What the tests of the edge share: every database that we support, new for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from storage.engine import open_database
from storage.memory import MemoryStore
from storage.notices import SqlNoticeStore
from storage.read_table import ReadTable
from storage.records import SqlRecordStore
from tests.support import certificates as throw_away
from tests.support.certificates import Certificates
from tests.support.house import House
from tests.support.stores import SqlStore

DATABASES = ("sqlite", "postgresql")


def url_of(request: pytest.FixtureRequest, kind: str) -> str:
    """A database of this test alone: a file that does not exist yet, or tables without a row."""
    if kind == "postgresql":
        return str(request.getfixturevalue("postgres_url"))
    return sqlite_file(request.getfixturevalue("tmp_path"))


def sqlite_file(folder: Path) -> str:
    """A file that does not exist yet, in a folder that does not either."""
    return f"sqlite:///{folder / 'deep' / 'rows.sqlite'}"


@pytest.fixture(params=DATABASES)
def url(request: pytest.FixtureRequest) -> str:
    """Each database in turn."""
    return url_of(request, request.param)


@pytest.fixture(params=DATABASES)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Each database in turn, before anybody has made a table."""
    return str(request.getfixturevalue("postgres").empty()) if request.param == "postgresql" else sqlite_file(tmp_path)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """What only a file can get wrong."""
    return sqlite_file(tmp_path)


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    """An open database."""
    engine = open_database(url)
    yield engine
    engine.dispose()


@pytest.fixture(params=["memory", *DATABASES])
def store(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Each store in turn."""
    if request.param == "memory":
        yield MemoryStore()
        return
    engine = open_database(url_of(request, request.param))
    yield SqlStore(engine)
    engine.dispose()


@pytest.fixture(params=["memory", *DATABASES])
def house(request: pytest.FixtureRequest) -> Iterator[House]:
    """The same edge on each store in turn."""
    if request.param == "memory":
        store = MemoryStore()
        yield House(store, store, store)
        return
    engine = open_database(url_of(request, request.param))
    yield House(SqlRecordStore(engine), SqlNoticeStore(engine), ReadTable(engine))
    engine.dispose()


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Of a server called `localhost`."""
    return throw_away.make(tmp_path_factory.mktemp("certificates"))
