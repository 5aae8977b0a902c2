"""The roster file itself, sealed in pieces in the database until the import is done with it; it is on no disk in clear."""

import hashlib
import io
from dataclasses import dataclass
from typing import BinaryIO
from uuid import UUID

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from outreach.access.sealing import DataKey, create_key, erase, key_for
from outreach.db import new_id
from outreach.people.roster.imports import RosterChunk
from outreach.people.roster.problems import FileFault, RosterError

CHUNK_BYTES = 1 << 20
_CONTENT = "roster_chunk.content"


@dataclass(frozen=True, slots=True)
class Kept:
    """What was kept: its size in bytes, and its SHA-256 in hexadecimal."""

    size: int
    digest: str


def keep(session: Session, import_id: UUID, stream: BinaryIO, *, limit: int) -> Kept:
    """Seal the stream from where it stands, in constant memory, under a new key of the import.

    Raises RosterError as soon as there are more than `limit` bytes; the caller rolls back.
    """
    key = create_key(session, import_id)
    session.flush()
    digest = hashlib.sha256()
    size = position = 0
    while content := _full(stream, CHUNK_BYTES):
        size += len(content)
        if size > limit:
            raise RosterError(FileFault.FILE_TOO_LARGE, size=size, limit=limit)
        digest.update(content)
        chunk_id = new_id()
        sealed = key.seal_bytes(_CONTENT, chunk_id, content)
        session.execute(insert(RosterChunk).values(id=chunk_id, import_id=import_id, position=position, content_sealed=sealed))
        position += 1
    return Kept(size, digest.hexdigest())


def open_file(session: Session, import_id: UUID, size: int) -> BinaryIO:
    """The file as a stream that opens one chunk at a time, with this session.

    Raises Sealed when the file was forgotten.
    """
    return io.BufferedReader(_SealedFile(session, import_id, size, key_for(session, import_id)), 1 << 16)


def forget(session: Session, import_id: UUID) -> None:
    """Delete the file and its key: copies of it in backups can never be opened again. Safe to repeat."""
    session.execute(delete(RosterChunk).where(RosterChunk.import_id == import_id))
    erase(session, import_id)


def _full(stream: BinaryIO, size: int) -> bytes:
    """As many bytes as asked for, though the stream gives fewer at a time, unless it ends."""
    pieces = []
    while size and (piece := stream.read(size)):
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


class _SealedFile(io.RawIOBase):
    """Reads and seeks over the chunks. The last one opened is kept: reading is mostly forward."""

    def __init__(self, session: Session, import_id: UUID, size: int, key: DataKey) -> None:
        super().__init__()
        self._session = session
        self._import_id = import_id
        self._size = size
        self._key = key
        self._at = 0
        self._position = -1
        self._chunk = b""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, start + offset)
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: object) -> int:
        target = memoryview(buffer).cast("B")  # type: ignore[arg-type]  # typeshed gives RawIOBase's buffer no common type
        if self._at >= self._size:
            return 0
        position, offset = divmod(self._at, CHUNK_BYTES)
        if position != self._position:
            wanted = select(RosterChunk.id, RosterChunk.content_sealed).where(
                RosterChunk.import_id == self._import_id, RosterChunk.position == position
            )
            chunk_id, sealed = self._session.execute(wanted).one()
            self._chunk = self._key.open_bytes(_CONTENT, chunk_id, sealed)
            self._position = position
        piece = self._chunk[offset : offset + len(target)]
        target[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)
