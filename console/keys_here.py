"""The keys of this installation as a command needs them: nothing is opened before something is to be encrypted or decoded."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from onboarding.errors import OnboardingError
from runtime.masters import MasterFile, demand

if TYPE_CHECKING:
    from runtime.key_cache import Key, KeyCache
    from runtime.settings import Settings
    from storage.keys import CustomerKeys


class KeysOnDemand:
    """Fulfils `runtime.key_cache.KeySource`; the database is opened by the first question and stays open for this process."""

    def __init__(self, settings: Settings) -> None:
        self._masters = MasterFile(settings.keys)
        self._url = settings.database_url
        self._lock = threading.Lock()
        self._opened: CustomerKeys | None = None

    def is_on(self) -> bool:
        """Whether anything is encrypted here."""
        return self._masters.exists()

    def active(self, customer: str) -> Key:
        """The key to encrypt with. Raises `CustomerErased`, `DatabaseUnavailable`, `KeysUnavailable`."""
        return self._keys().active(customer)

    def find(self, key_id: str, customer: str) -> Key | None:
        """The key of a payload. Raises `DatabaseUnavailable`, `KeysUnavailable`."""
        return self._keys().find(key_id, customer)

    def _keys(self) -> CustomerKeys:
        from storage.engine import open_database
        from storage.keys import CustomerKeys

        with self._lock:
            if self._opened is None:
                self._opened = CustomerKeys(open_database(self._url), self._masters)
            return self._opened


def cache_of(settings: Settings) -> KeyCache:
    """The keys that a client of these settings brings."""
    from runtime.key_cache import KeyCache

    return KeyCache(KeysOnDemand(settings))


def demand_keys(settings: Settings) -> None:
    """Raises where something would leave in clear that must not. Without a key file a database that cannot be asked is no reason."""

    def used() -> bool:
        try:
            return _used(settings)
        except OnboardingError:
            return False

    demand(MasterFile(settings.keys), settings.environment, used)


def demand_unused(settings: Settings, file: MasterFile) -> None:
    """Raises `KeysUnavailable` where the database holds keys of a file that is not here: a new one would open none of them.

    Raises `DatabaseUnavailable` where nobody can say that now.
    """
    demand(file, "", lambda: _used(settings))


def _used(settings: Settings) -> bool:
    from storage.engine import connected, file_of, schema_of
    from storage.keys import holds_keys
    from storage.schema import head

    file = file_of(settings.database_url)
    if file is not None and not file.exists():
        return False
    engine = connected(settings.database_url)
    try:
        return schema_of(engine) == head() and holds_keys(engine)
    finally:
        engine.dispose()
