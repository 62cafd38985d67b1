"""The master keys: a small file beside the program, in no database, from which every other key is opened.

One of them is the current one, which closes; the others still open. A newer one may wait in the file until every machine has
it: only `rotated` makes it current. The file is read again when it has changed, so that a process need not be started anew.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import fcntl
import hashlib
import hmac
import json
import os
import stat
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from runtime.errors import KeysUnavailable, SettingsInvalid
from runtime.files import Unreadable, read_at_most
from runtime.sealing import KEY_BYTES, seal, unseal

FORMAT: Final = 1
MOST_BYTES: Final = 64 * 1024
"""Room for hundreds of master keys; whoever has more has another file in hand."""
PRODUCTION: Final = "production"
"""The name of an installation that refuses to run without keys."""
_OTHERS: Final = 0o077


@dataclass(frozen=True, slots=True)
class MasterKey:
    """One master key. Its secret is in no text that is made of it."""

    id: str
    created_at: str
    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeyFile:
    """What stands in the file: the keys, oldest first, and which one closes."""

    current: str
    keys: tuple[MasterKey, ...]

    @property
    def waiting(self) -> MasterKey | None:
        """The newest key, where it is newer than the current one."""
        return self.keys[-1] if self.keys[-1].id != self.current else None

    def find(self, master: str) -> MasterKey | None:
        """The key with this id."""
        return next((one for one in self.keys if one.id == master), None)


class MasterFile:
    """Fulfils `storage.keys.Masters` from the file, which is looked at each time and read when it has changed."""

    def __init__(self, path: Path) -> None:
        """The file need not be there yet."""
        self.path = path
        self._lock = threading.Lock()
        self._read: tuple[tuple[int, int, int], KeyFile] | None = None
        self._seen = False

    def exists(self) -> bool:
        """Whether anything is encrypted here. Raises nothing: a file that cannot be read is there.

        So is one that was there before: a process whose file goes away waits for it, and sends nothing in clear instead.
        """
        try:
            self._seen = self._seen or self.path.exists()
        except OSError:
            return True
        return self._seen

    def read(self) -> KeyFile:
        """What the file says. Raises `KeysUnavailable`."""
        with self._lock:
            try:
                found = self.path.stat()
            except OSError as error:
                self._read = None
                raise _unreadable(self.path, error.strerror or "it cannot be looked at") from None
            version = (found.st_mtime_ns, found.st_ino, found.st_size)
            if self._read is None or self._read[0] != version:
                self._read = version, read_keys(self.path)
            return self._read[1]

    def current(self) -> str:
        """The id of the master key that closes. Raises `KeysUnavailable`."""
        return self.read().current

    def ids(self) -> tuple[str, ...]:
        """The ids of all master keys, oldest first. Raises `KeysUnavailable`."""
        return tuple(one.id for one in self.read().keys)

    def wrap(self, secret: bytes, about: bytes) -> tuple[str, bytes]:
        """The id of the current master key, and the secret under it. Raises `KeysUnavailable`."""
        keys = self.read()
        return keys.current, seal(self._known(keys.current).secret, secret, about)

    def unwrap(self, master: str, wrapped: bytes, about: bytes) -> bytes:
        """The secret. Raises `KeysUnavailable` for a master key that is not in the file, and for what it did not close so."""
        secret = unseal(self._known(master).secret, wrapped, about)
        if secret is None:
            raise KeysUnavailable(
                f"A key of a customer cannot be opened with the master key {master!r}: one of the two was changed.",
                place=str(self.path),
                way_out="Restore the key file that belongs to this database.",
                code="key_not_opened",
            )
        return secret

    def mark(self, about: bytes) -> bytes:
        """What only a holder of the current master key can say of this. Raises `KeysUnavailable`."""
        return _mark(self._known(self.current()), about)

    def marked(self, mark: bytes, about: bytes) -> bool:
        """Whether a holder of any of the keys has said this; not where there is no key. Raises `KeysUnavailable`."""
        keys = self.read().keys if self.exists() else ()
        return len(mark) >= 8 and any(hmac.compare_digest(_mark(one, about)[: len(mark)], mark) for one in keys)

    def _known(self, master: str) -> MasterKey:
        found = self.read().find(master)
        if found is None:
            raise KeysUnavailable(
                f"The key file has no master key {master!r}.",
                place=str(self.path),
                way_out="Copy the key file of the machine on which `python starter.py keys` was used last to this one.",
                code="master_key_missing",
            )
        return found

    # What only the command `keys` does.

    def add(self) -> MasterKey:
        """Makes a master key: the current one of a new file, else one that waits. Raises `KeysUnavailable`."""
        now = datetime.now(UTC).replace(microsecond=0)
        new = MasterKey(f"m-{now:%Y%m%d}-{os.urandom(4).hex()}", now.isoformat(), os.urandom(KEY_BYTES))
        with self._alone():
            if self.exists():
                keys = self.read()
                self._write(KeyFile(keys.current, (*keys.keys, new)))
            else:
                self._write(KeyFile(new.id, (new,)))
        return new

    def rotated(self) -> KeyFile:
        """Makes the key that waits the current one. Raises `KeysUnavailable`, also where none waits."""
        with self._alone():
            return self._rotated()

    def _rotated(self) -> KeyFile:
        keys = self.read()
        if keys.waiting is None:
            raise KeysUnavailable(
                "No newer master key waits in the key file.",
                place=str(self.path),
                way_out="`python starter.py keys new` makes one; copy the file to every machine, then rotate.",
                code="no_waiting_key",
            )
        found = KeyFile(keys.waiting.id, keys.keys)
        self._write(found)
        return found

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Two commands at once must not write over the key of one another."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            folder = os.open(self.path.parent, os.O_RDONLY)
        except OSError as error:
            raise _unwritten(self.path, error) from None
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    def _write(self, keys: KeyFile) -> None:
        """Whole or not at all, on the disk when it returns, and never readable by anybody else in between."""
        content = {
            "format": FORMAT,
            "current": keys.current,
            "keys": [
                {"id": one.id, "created_at": one.created_at, "secret": base64.b64encode(one.secret).decode()}
                for one in keys.keys
            ],
        }
        beside = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        try:
            with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
                json.dump(content, file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self.path)
            folder = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            with contextlib.suppress(OSError):
                beside.unlink(missing_ok=True)
            raise _unwritten(self.path, error) from None


def demand(file: MasterFile, environment: str, used: Callable[[], bool]) -> None:
    """Raises where something would leave in clear that must not, and where the key file cannot be used.

    `used` says whether anything was ever encrypted here; it is asked only where there is no key file. Raises `SettingsInvalid`,
    `KeysUnavailable`.
    """
    if file.exists():
        file.read()
    elif environment.casefold() == PRODUCTION:
        raise SettingsInvalid(
            f"There is no key file {str(file.path)!r}, and in production everything that people say is encrypted.",
            place="ONBOARDING_KEYS",
            way_out="Make one with `python starter.py keys new`, copy it to every machine, and keep a copy apart from the database.",
            code="keys_required",
        )
    elif used():
        raise KeysUnavailable(
            f"There is no key file {str(file.path)!r}, and the database holds keys that only such a file opens.",
            place=str(file.path),
            way_out="Name the file with ONBOARDING_KEYS, or copy it to this machine. A new one would not open what is there.",
            code="keys_missing",
        )


def read_keys(path: Path) -> KeyFile:
    """What a key file says. Raises `KeysUnavailable`, in words that hold nothing of it."""
    try:
        found = path.stat()
        content = read_at_most(path, MOST_BYTES + 1)
    except Unreadable as reason:
        raise _unreadable(path, str(reason)) from None
    except OSError as error:
        raise _unreadable(path, error.strerror or "it cannot be looked at") from None
    if stat.S_IMODE(found.st_mode) & _OTHERS and not _mounted(found):
        raise KeysUnavailable(
            f"The key file {str(path)!r} can be read by others.",
            place=str(path),
            way_out=f"Make it yours alone: chmod 600 {str(path)!r}. If somebody may have read it, rotate the keys.",
            code="keys_exposed",
        )
    try:
        if len(content) > MOST_BYTES:
            raise ValueError
        return _parsed(json.loads(content))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, binascii.Error):
        raise KeysUnavailable(
            f"The key file {str(path)!r} is not one that `python starter.py keys new` has written.",
            place=str(path),
            way_out="Restore it from the copy that you keep. Without it nothing that was encrypted can be read.",
            code="keys_damaged",
        ) from None


def _mounted(found: os.stat_result) -> bool:
    """Whether a file is there as containers are given their secrets: to be read, by a group that this process is in, and written by nobody."""
    mounted = stat.S_IMODE(found.st_mode) in (0o440, 0o040)
    return mounted and found.st_uid in (0, os.geteuid()) and found.st_gid in (os.getegid(), *os.getgroups())


def _parsed(content: Any) -> KeyFile:
    if content["format"] != FORMAT:
        raise ValueError
    keys = tuple(
        MasterKey(str(one["id"]), str(one["created_at"]), base64.b64decode(one["secret"], validate=True))
        for one in content["keys"]
    )
    found = KeyFile(content["current"], keys)
    if found.find(found.current) is None or any(len(one.secret) != KEY_BYTES for one in keys):
        raise ValueError
    return found


def _mark(key: MasterKey, about: bytes) -> bytes:
    return hmac.new(key.secret, b"mark" + about, hashlib.sha256).digest()


def _unwritten(path: Path, error: OSError) -> KeysUnavailable:
    return KeysUnavailable(
        f"The key file {str(path)!r} cannot be written: {error.strerror}.",
        place=str(path),
        way_out="Name another place with ONBOARDING_KEYS, or give this user the right to write there.",
        code="keys_not_written",
    )


def _unreadable(path: Path, reason: str) -> KeysUnavailable:
    return KeysUnavailable(
        f"The key file {str(path)!r} cannot be read: {reason}.",
        place=str(path),
        way_out="Name it with ONBOARDING_KEYS; `python starter.py keys new` makes the first one of an installation.",
        code="keys_unreadable",
    )
