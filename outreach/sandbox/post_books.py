"""The mail house's part of the books: every letter with its PDF, every refusal, everything still to be done about a letter."""

import hashlib
import json
import secrets
import time
from collections.abc import Iterable
from typing import Any, NamedTuple

from outreach.sandbox.books import Books, Errand

SCHEMA = """
CREATE TABLE IF NOT EXISTS letters (
    n INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    key TEXT UNIQUE,             -- the Idempotency-Key, if any
    request_hash BLOB NOT NULL,  -- SHA-256 of all that was asked for: another request under the same key is refused
    address TEXT NOT NULL,       -- as faults are told about it: "post:" and the address in one line
    fields TEXT NOT NULL,        -- what was asked for, as JSON
    metadata TEXT NOT NULL,
    description TEXT NOT NULL,
    pdf BLOB NOT NULL,
    status TEXT NOT NULL,
    scan TEXT,                   -- imbStatus
    reason TEXT,                 -- of a cancellation
    created REAL NOT NULL,
    updated REAL NOT NULL,
    answer TEXT NOT NULL         -- how the create was answered: created, or the fault that spoiled the answer
);
CREATE TABLE IF NOT EXISTS letter_refusals (
    n INTEGER PRIMARY KEY, at REAL NOT NULL, address TEXT NOT NULL, http_status INTEGER, type TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS letter_errands (
    n INTEGER PRIMARY KEY,
    letter INTEGER NOT NULL,
    kind TEXT NOT NULL,
    status TEXT,
    error INTEGER,
    due REAL NOT NULL,
    moves INTEGER NOT NULL,
    posts INTEGER NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0,
    fault TEXT,
    body TEXT,
    done REAL,
    http_status INTEGER,
    detail TEXT
);
CREATE INDEX IF NOT EXISTS letter_errands_due ON letter_errands (due) WHERE done IS NULL;
"""
TABLES = ("letters", "letter_refusals", "letter_errands")

SCANS = ("entered_mail_stream", "out_for_delivery", "returned_to_sender")
STATUSES = ("ready", "printing", "processed_for_delivery", "completed", "cancelled")


class Letter(NamedTuple):
    """One row of `letters`, without its PDF. Times are seconds since 1970, UTC."""

    n: int
    id: str
    key: str | None
    request_hash: bytes
    address: str
    fields: str
    metadata: str
    description: str
    status: str
    scan: str | None
    reason: str | None
    created: float
    updated: float
    answer: str


class DueLetter(NamedTuple):
    """An errand with its number in the books and the letter it is about."""

    n: int
    errand: Errand
    letter: Letter


COLUMNS = ", ".join(Letter._fields)
ERRAND = ", ".join(Errand._fields)


def request_hash(fields: dict[str, Any], pdf: bytes) -> bytes:
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode() + b"\0" + pdf).digest()


class Letters:
    """The letters in a sandbox's books; used like `Books`, from the same thread."""

    def __init__(self, books: Books) -> None:
        books.adopt(SCHEMA, TABLES)
        self._books = books

    def add(self, *, key: str | None, address: str, fields: dict[str, Any], pdf: bytes, answer: str) -> Letter:
        """Writes down a letter that was accepted. `fields` is what was asked for, without the PDF."""
        now = time.time()
        identity = f"letter_{secrets.token_hex(11)}"
        metadata = json.dumps(fields.get("metadata", {}))
        cursor = self._books.write().execute(
            "INSERT INTO letters (id, key, request_hash, address, fields, metadata, description, pdf, status, created, updated,"
            " answer) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'ready', ?, ?, ?) RETURNING n",
            (
                identity, key, request_hash(fields, pdf), address, json.dumps(fields), metadata, fields.get("description", ""), pdf,
                now, now, answer,
            ),
        )  # fmt: skip
        (number,) = cursor.fetchone()
        found = self._one("n = ?", number)
        assert found is not None  # It was written just above.
        return found

    def _one(self, clause: str, value: object) -> Letter | None:
        row = self._books.db.execute(f"SELECT {COLUMNS} FROM letters WHERE {clause}", (value,)).fetchone()  # noqa: S608  Constants.
        return None if row is None else Letter._make(row)

    def find(self, identity: str) -> Letter | None:
        return self._one("id = ?", identity)

    def under(self, key: str) -> Letter | None:
        """The letter that was accepted with this Idempotency-Key."""
        return self._one("key = ?", key)

    def pdf(self, letter: Letter) -> bytes:
        return bytes(self._books.db.execute("SELECT pdf FROM letters WHERE n = ?", (letter.n,)).fetchone()[0])

    def page(self, *, search: str, skip: int, limit: int) -> tuple[int, list[Letter]]:
        """How many letters hold this text in their metadata, description or id, and one page of them, the newest first."""
        db = self._books.db
        where = "WHERE ? = '' OR instr(metadata, ?) OR instr(description, ?) OR id = ?"
        values = (search, search, search, search)
        (count,) = db.execute(f"SELECT count(*) FROM letters {where}", values).fetchone()  # noqa: S608  Constants.
        rows = db.execute(
            f"SELECT {COLUMNS} FROM letters {where} ORDER BY n DESC LIMIT ? OFFSET ?",  # noqa: S608  Constants.
            (*values, limit, skip),
        )
        return count, [Letter._make(row) for row in rows]

    def refuse(self, *, address: str, http_status: int | None, type_: str) -> None:
        self._books.write().execute(
            "INSERT INTO letter_refusals (at, address, http_status, type) VALUES (?, ?, ?, ?)",
            (time.time(), address, http_status, type_),
        )

    def move(self, letter: Letter, word: str, *, reason: str | None = None) -> None:
        """The letter takes a status, or is scanned by the post."""
        column = "scan" if word in SCANS else "status"
        self._books.write().execute(
            f"UPDATE letters SET {column} = ?, reason = coalesce(?, reason), updated = ? WHERE n = ?",  # noqa: S608  A constant.
            (word, reason, time.time(), letter.n),
        )

    def plan(self, letter: Letter, errands: Iterable[Errand]) -> None:
        self._books.write().executemany(
            f"INSERT INTO letter_errands (letter, {ERRAND}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608  Constants.
            [(letter.n, *errand) for errand in errands],
        )

    def drop_plan(self, letter: Letter, why: str) -> None:
        """What was still to happen to a letter does not happen."""
        self._books.write().execute(
            "UPDATE letter_errands SET done = ?, detail = ? WHERE letter = ? AND done IS NULL AND moves",
            (time.time(), why, letter.n),
        )

    def due(self, now: float, limit: int) -> list[DueLetter]:
        """The earliest first."""
        letter = ", ".join(f"l.{column}" for column in Letter._fields)
        errand = ", ".join(f"e.{column}" for column in Errand._fields)
        rows = self._books.db.execute(
            f"SELECT e.n, {errand}, {letter} FROM letter_errands e JOIN letters l ON l.n = e.letter"  # noqa: S608  Constants.
            " WHERE e.done IS NULL AND e.due <= ? ORDER BY e.due, e.n LIMIT ?",
            (now, limit),
        )
        cut = 1 + len(Errand._fields)
        return [DueLetter(row[0], Errand._make(row[1:cut]), Letter._make(row[cut:])) for row in rows]

    def next_due(self) -> float | None:
        row = self._books.db.execute("SELECT min(due) FROM letter_errands WHERE done IS NULL").fetchone()
        return None if row[0] is None else float(row[0])

    def finish(self, errand: int, *, http_status: int | None = None, detail: str | None = None) -> None:
        self._books.write().execute(
            "UPDATE letter_errands SET done = ?, http_status = ?, detail = ? WHERE n = ?",
            (time.time(), http_status, detail, errand),
        )
