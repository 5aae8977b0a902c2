"""Where an uploaded file waits while its request is read: in memory, and beyond a megabyte on disk, sealed.

Flask would write it to the disk in clear as soon as it is large. Here each piece is sealed with a key that only this request
knows and that ends with it.
"""

import os
import tempfile
from typing import IO

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from flask import Request

PIECE = 1 << 20
_TAG = 16  # bytes that AES-GCM adds to a piece


class SealedSpool:
    """A file that is written once from its start to its end, then read likewise. `seek(0)` is what lies between."""

    def __init__(self) -> None:
        self._cipher = AESGCM(os.urandom(32))
        self._disk: IO[bytes] | None = None
        self._buffer = bytearray()
        self._ready = bytearray()
        self._pieces = 0
        self._next = 0

    def write(self, data: bytes) -> int:
        self._buffer += data
        while len(self._buffer) > PIECE:
            if self._disk is None:
                self._disk = tempfile.TemporaryFile()  # noqa: SIM115  # it lives as long as the request, which closes it
            self._disk.write(self._cipher.encrypt(self._nonce(self._pieces), bytes(self._buffer[:PIECE]), None))
            del self._buffer[:PIECE]
            self._pieces += 1
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """To the start, once, after everything was written. Raises OSError for any other place."""
        if offset or whence != os.SEEK_SET or self._next:
            raise OSError("an upload is read once, from its start")
        if self._disk is not None:
            self._disk.seek(0)
        return 0

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes, as a file gives them; nothing at the end."""
        while self._next < self._pieces and (size < 0 or len(self._ready) < size):
            assert self._disk is not None
            self._ready += self._cipher.decrypt(self._nonce(self._next), self._disk.read(PIECE + _TAG), None)
            self._next += 1
        if self._next == self._pieces:
            self._ready += self._buffer
            self._buffer.clear()
        data = bytes(self._ready if size < 0 else self._ready[:size])
        del self._ready[: len(data)]
        return data

    def close(self) -> None:
        self._buffer.clear()
        if self._disk is not None:
            self._disk.close()

    def _nonce(self, number: int) -> bytes:
        # The key is new, and each of its pieces has its own number.
        return number.to_bytes(12)


class UploadRequest(Request):
    """A request whose files are spooled sealed."""

    def _get_file_stream(
        self,
        total_content_length: int | None,
        content_type: str | None,
        filename: str | None = None,
        content_length: int | None = None,
    ) -> IO[bytes]:
        return SealedSpool()  # type: ignore[return-value]  # all of a file that werkzeug and the import use
