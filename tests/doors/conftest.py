"""Fixtures of the door tests: the command line, where no server is."""

from pathlib import Path

import pytest

from tests.support.calls import Door


@pytest.fixture
def door(tmp_path: Path) -> Door:
    """The command line with a fresh database; nothing listens at its Temporal address."""
    return Door(tmp_path)
