"""What is said on a connection that carries gRPC: enough of HTTP/2 to find a request by a word in it, and to know a reply."""

from __future__ import annotations

import zlib

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_HEAD = 9
_DATA = 0
_GZIPPED = 1
_PREFIX = 5
_ANY_HEADER = 31
"""zlib's own number for: gzip, with as much window as there may be."""


class Spoken:
    """One direction of a connection. What is no HTTP/2 is taken as it stands, chunk by chunk."""

    def __init__(self, *, from_client: bool) -> None:
        """A client begins with the preface; what a server says is told to be HTTP/2 by `frames`."""
        self._rest = b""
        self._begun = not from_client
        self.frames = False

    def hear(self, chunk: bytes) -> list[bytes]:
        """The messages that end in this chunk, unpacked."""
        if not self._begun:
            self._rest += chunk
            if len(self._rest) < len(PREFACE) and PREFACE.startswith(self._rest):
                return []
            self._begun = True
            chunk, self._rest = self._rest, b""
            self.frames = chunk.startswith(PREFACE)
            chunk = chunk.removeprefix(PREFACE)
        if not self.frames:
            return [chunk] if chunk else []
        self._rest += chunk
        found = []
        while len(self._rest) >= _HEAD:
            end = _HEAD + int.from_bytes(self._rest[:3])
            if len(self._rest) < end:
                break
            if self._rest[3] == _DATA and end > _HEAD:
                found.append(_unpacked(self._rest[_HEAD:end]))
            self._rest = self._rest[end:]
        return found

    def half_of(self, chunk: bytes) -> bytes:
        """The chunk up to the middle of the first message in it; of what is no HTTP/2, the first half."""
        at = -len(self._rest)
        whole = self._rest + chunk
        while self.frames and len(whole) >= _HEAD:
            length = int.from_bytes(whole[:3])
            if whole[3] == _DATA and length:
                return chunk[: max(0, at + _HEAD + length // 2)]
            at, whole = at + _HEAD + length, whole[_HEAD + length :]
        return chunk[: len(chunk) // 2]


def _unpacked(frame: bytes) -> bytes:
    """A message that stands in one frame, which all of ours do; another frame is left as it is."""
    if frame[0] != _GZIPPED:
        return frame
    try:
        return zlib.decompressobj(_ANY_HEADER).decompress(frame[_PREFIX:])
    except zlib.error:
        return frame
