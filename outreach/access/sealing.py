"""Sealing identifying columns, in the application, so that the database never holds them in clear.

    key ring ── wraps ──> data key, one per subject (a person, a contact point, ...) ── seals ──> fields

A sealed field is bound to its table, its column and its row by the additional data of AES-256-GCM: moved anywhere else, it does
not open. Deleting a subject's data key erases every field of that subject for good, wherever copies of them lie.

A blind index is a keyed hash (HMAC-SHA-256) that finds an equal value without showing it. Only a phone number, an e-mail address,
a postal address, an A-number, and an attorney's EOIR ID and bar number have one; a name, a birth date or a country has too few
values to hide behind a hash.
"""

import base64
import hashlib
import hmac
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import LargeBinary, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from outreach.db import Base

FORMAT = b"\x01"
INDEXED = ("phone", "email", "address", "a_number", "eoir_id", "bar", "row")
NONCE = 12  # bytes, drawn at random: far below 2**32 fields per key, the bound of NIST SP 800-38D.


class Sealed(Exception):
    """A field could not be opened: it was moved, altered, or its key is gone (the subject was erased)."""


class KeyRingMissing(Exception):
    """The key ring is not where the settings say, or is not readable."""


class KeyRing(Protocol):
    """What wraps data keys and holds the index keys. A KMS implements this; `FileKeyRing` is for development.

    `context` is authenticated with the wrapped key, so that one subject's key cannot be given to another.
    """

    @property
    def version(self) -> int:
        """The version that `wrap` uses now; older versions still unwrap."""

    def wrap(self, key: bytes, context: bytes) -> bytes: ...

    def unwrap(self, version: int, wrapped: bytes, context: bytes) -> bytes:
        """Raises Sealed when the key does not belong to `context` or `version` is unknown."""

    def derived(self, purpose: str) -> bytes:
        """A 32-byte key for one purpose ("index.phone", "audit", ...), the same for ever."""


class FileKeyRing:
    """A key ring in one JSON file, readable by its owner only: `{"current": 1, "wrapping": {"1": ...}, "root": ...}`."""

    def __init__(self, path: Path) -> None:
        try:
            content = json.loads(path.read_text())
        except FileNotFoundError:
            raise KeyRingMissing(
                f"There is no key ring at {path}. Make one with `python -m outreach keys new {path}`, or point"
                " OUTREACH_KEY_RING at the one this database was sealed with."
            ) from None
        self._version = int(content["current"])
        self._wrapping = {int(v): AESGCM(base64.b64decode(k)) for v, k in content["wrapping"].items()}
        self._root = base64.b64decode(content["root"])

    @staticmethod
    def create(path: Path) -> "FileKeyRing":
        """Write a new key ring. Raises FileExistsError rather than replace one: that would lose every sealed field."""
        content = {
            "current": 1,
            "wrapping": {"1": base64.b64encode(os.urandom(32)).decode()},
            "root": base64.b64encode(os.urandom(32)).decode(),
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(content, file)
        return FileKeyRing(path)

    @property
    def version(self) -> int:
        return self._version

    def wrap(self, key: bytes, context: bytes) -> bytes:
        nonce = os.urandom(NONCE)
        return nonce + self._wrapping[self._version].encrypt(nonce, key, context)

    def unwrap(self, version: int, wrapped: bytes, context: bytes) -> bytes:
        try:
            return self._wrapping[version].decrypt(wrapped[:NONCE], wrapped[NONCE:], context)
        except (InvalidTag, KeyError, ValueError):
            raise Sealed(f"data key {UUID(bytes=context)} does not unwrap with key version {version}") from None

    def derived(self, purpose: str) -> bytes:
        return hmac.digest(self._root, purpose.encode(), "sha256")


class DataKey:
    """One subject's key. `context` is "table.column"; `row` is the id of the row that holds the field."""

    __slots__ = ("_cipher", "subject")

    def __init__(self, subject: UUID, key: bytes) -> None:
        self.subject = subject
        self._cipher = AESGCM(key)

    def seal(self, context: str, row: UUID, text: str) -> bytes:
        return self.seal_bytes(context, row, text.encode())

    def seal_bytes(self, context: str, row: UUID, clear: bytes) -> bytes:
        nonce = os.urandom(NONCE)
        return FORMAT + nonce + self._cipher.encrypt(nonce, clear, context.encode() + row.bytes)

    def open(self, context: str, row: UUID, blob: bytes) -> str:
        """Raises Sealed when the field was moved or altered."""
        return self.open_bytes(context, row, blob).decode()

    def open_bytes(self, context: str, row: UUID, blob: bytes) -> bytes:
        """Raises Sealed when the field was moved or altered."""
        try:
            sealed = blob[1:] if blob[:1] == FORMAT else b""
            return self._cipher.decrypt(sealed[:NONCE], sealed[NONCE:], context.encode() + row.bytes)
        except (InvalidTag, ValueError):  # ValueError: too short to be a sealed field at all
            raise Sealed(f"{context} of row {row} does not open") from None


class StoredKey(Base):
    """A wrapped data key. Kept apart from the rows it opens, so that backups can keep the two apart as well."""

    __tablename__ = "data_key"

    subject_id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int]
    wrapped: Mapped[bytes] = mapped_column(LargeBinary)


@dataclass(frozen=True, slots=True)
class NewKey:
    """A fresh data key and the row that stores it."""

    key: DataKey
    version: int
    wrapped: bytes

    def stored(self) -> StoredKey:
        return StoredKey(subject_id=self.key.subject, version=self.version, wrapped=self.wrapped)


class Vault:
    """Seals, opens and indexes with one key ring."""

    def __init__(self, ring: KeyRing) -> None:
        self.ring = ring
        self._index_keys = {field: ring.derived(f"index.{field}") for field in INDEXED}

    def new_key(self, subject: UUID) -> NewKey:
        key = os.urandom(32)
        return NewKey(DataKey(subject, key), self.ring.version, self.ring.wrap(key, subject.bytes))

    def open_key(self, subject: UUID, version: int, wrapped: bytes) -> DataKey:
        """Raises Sealed when `wrapped` is not this subject's key."""
        return DataKey(subject, self.ring.unwrap(version, wrapped, subject.bytes))

    def blind_index(self, field: str, normalised: str) -> bytes:
        """32 bytes that are equal only for equal values of one field. `normalised`: E.164, lower-case, or A + 9 digits."""
        return hmac.digest(self._index_keys[field], normalised.encode(), "sha256")

    def keyed_hash(self, purpose: str, value: str) -> bytes:
        """A hash of something that is not looked up by staff (an address of a sign-in, say)."""
        return hmac.digest(self.ring.derived(purpose), value.encode(), "sha256")


def vault_of(session: Session) -> Vault:
    """The vault that the session was made with (`outreach.db.make_sessions`)."""
    vault = session.info["vault"]
    assert isinstance(vault, Vault)
    return vault


def create_key(session: Session, subject: UUID) -> DataKey:
    """Make and store a data key for a new subject."""
    new = vault_of(session).new_key(subject)
    session.add(new.stored())
    return new.key


def keys_for(session: Session, subjects: Iterable[UUID]) -> dict[UUID, DataKey]:
    """The data keys of these subjects, by subject. An erased subject has none and is left out."""
    vault = vault_of(session)
    rows = session.execute(
        select(StoredKey.subject_id, StoredKey.version, StoredKey.wrapped).where(StoredKey.subject_id.in_(set(subjects)))
    )
    return {subject: vault.open_key(subject, version, wrapped) for subject, version, wrapped in rows}


def key_for(session: Session, subject: UUID) -> DataKey:
    """Raises Sealed when the subject has no key, which is what erasure leaves."""
    try:
        return keys_for(session, [subject])[subject]
    except KeyError:
        raise Sealed(f"subject {subject} has no data key: it was erased") from None


def erase(session: Session, subject: UUID) -> None:
    """Delete the subject's data key: its sealed fields can never be opened again, in any copy. Safe to repeat."""
    session.execute(delete(StoredKey).where(StoredKey.subject_id == subject))


def digest(*parts: str) -> str:
    """A SHA-256 in hex over length-prefixed parts, so that no two lists of parts collide by concatenation."""
    hasher = hashlib.sha256()
    for part in parts:
        data = part.encode()
        hasher.update(len(data).to_bytes(8) + data)
    return hasher.hexdigest()
