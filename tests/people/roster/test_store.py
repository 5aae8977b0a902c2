"""The file in the database: sealed, whole, read at any place, and gone when it is done with."""

import io
import os
import random
from hashlib import sha256

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from outreach.access.sealing import Sealed
from outreach.db import new_id
from outreach.people.roster import store
from outreach.people.roster.imports import RosterChunk, RosterImport
from outreach.people.roster.problems import FileFault, RosterError
from tests.factories import make_incident
from tests.people.roster.conftest import AS_OF

LIMIT = 10_000_000


def make_import(session: Session) -> RosterImport:
    record = RosterImport(
        id=new_id(), incident_id=make_incident(session).id, as_of=AS_OF, file_format="csv", file_size=0, file_digest="", mapping={}
    )  # fmt: skip
    session.add(record)
    session.flush()
    return record


class Trickle(io.RawIOBase):
    """A stream that gives a few bytes at a time, as a socket does."""

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self._stream = io.BytesIO(content)

    def read(self, size: int = -1) -> bytes:
        return self._stream.read(min(size, 70_000))


@pytest.mark.parametrize("size", [1, store.CHUNK_BYTES, store.CHUNK_BYTES + 1, 3 * store.CHUNK_BYTES - 5])
def test_a_file_comes_out_as_it_went_in(session: Session, size: int) -> None:
    content = os.urandom(size)
    record = make_import(session)
    kept = store.keep(session, record.id, Trickle(content), limit=LIMIT)  # type: ignore[arg-type]  # reads like a file
    assert (kept.size, kept.digest) == (size, sha256(content).hexdigest())
    assert session.scalar(sa.select(sa.func.count()).select_from(RosterChunk)) == -(-size // store.CHUNK_BYTES)
    assert store.open_file(session, record.id, size).read() == content


def test_any_part_of_a_file_can_be_read_in_any_order(session: Session) -> None:
    content = os.urandom(2 * store.CHUNK_BYTES + 100)
    record = make_import(session)
    store.keep(session, record.id, io.BytesIO(content), limit=LIMIT)
    stream = store.open_file(session, record.id, len(content))
    chance = random.Random(1)
    for _ in range(50):
        at, length = chance.randrange(len(content) + 50), chance.randrange(200_000)
        stream.seek(at)
        assert stream.read(length) == content[at : at + length]
        assert stream.tell() == max(at, min(at + length, len(content)))
    assert stream.seek(-10, io.SEEK_END) == len(content) - 10
    assert stream.read() == content[-10:]


def test_what_is_stored_shows_nothing_of_the_file(session: Session) -> None:
    record = make_import(session)
    store.keep(session, record.id, io.BytesIO(b"Zzyzxcanary," * 5_000), limit=LIMIT)
    (sealed,) = session.scalars(sa.select(RosterChunk.content_sealed))
    assert b"Zzyzx" not in sealed


def test_a_file_over_the_limit_is_refused_while_it_is_read(session: Session) -> None:
    stream = io.BytesIO(bytes(3 * store.CHUNK_BYTES))
    with pytest.raises(RosterError) as caught:
        store.keep(session, make_import(session).id, stream, limit=store.CHUNK_BYTES)
    assert caught.value.code is FileFault.FILE_TOO_LARGE
    assert stream.tell() <= 2 * store.CHUNK_BYTES


def test_a_forgotten_file_never_opens_again_though_its_pieces_come_back(session: Session) -> None:
    record = make_import(session)
    store.keep(session, record.id, io.BytesIO(b"a,b\n1,2\n"), limit=LIMIT)
    (piece,) = session.execute(sa.select(RosterChunk.__table__)).mappings().all()
    store.forget(session, record.id)
    store.forget(session, record.id)
    assert session.scalar(sa.select(sa.func.count()).select_from(RosterChunk)) == 0
    session.execute(sa.insert(RosterChunk).values(**piece))
    with pytest.raises(Sealed):
        store.open_file(session, record.id, 8).read()


def test_a_piece_moved_to_another_import_does_not_open(session: Session) -> None:
    first, second = make_import(session), make_import(session)
    for record in (first, second):
        store.keep(session, record.id, io.BytesIO(b"a,b\n1,2\n"), limit=LIMIT)
    session.execute(sa.delete(RosterChunk).where(RosterChunk.import_id == second.id))
    session.execute(sa.update(RosterChunk).where(RosterChunk.import_id == first.id).values(import_id=second.id))
    with pytest.raises(Sealed):
        store.open_file(session, second.id, 8).read()
