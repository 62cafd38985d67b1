"""Fixtures of the shell tests."""

from tests.support.floor import customer, floor

__all__ = ["customer", "floor"]
