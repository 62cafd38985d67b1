"""The tool that writes migrations writes one that can be run."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from storage import schema
from storage.engine import connected, schema_of, upgrade
from tools import make_migration


def test_the_tool_writes_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the last migration the tables are ahead of the chain, and the tool brings the chain after them."""
    head = schema.head()
    folder = tmp_path / "migrations"
    shutil.copytree(schema.FOLDER, folder, ignore=shutil.ignore_patterns("__pycache__", f"r{head}_*"))
    monkeypatch.setattr(schema, "FOLDER", folder)
    schema.known.cache_clear()
    try:
        make_migration.main("What the tables have become.")
        schema.known.cache_clear()
        assert schema.head() == head
        (written,) = folder.glob(f"versions/r{head}_what_the_tables_have_become*.py")
        assert written.read_text().startswith('"""What the tables have become."""\n')
        assert "###" not in written.read_text()

        engine = connected(f"sqlite:///{tmp_path / 'rows.sqlite'}")
        upgrade(engine)
        assert schema_of(engine) == head
        engine.dispose()
    finally:
        monkeypatch.undo()
        schema.known.cache_clear()
