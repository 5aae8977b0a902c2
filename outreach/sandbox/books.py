"""The sandbox's own books: every text, every refusal, everything still to be done, in one SQLite file.

One connection, used by the event loop alone, writes; what is written in one turn of the loop is committed together, and
nobody is answered before that commit. So a killed sandbox forgets no text that it said it had accepted, and the cost of
a commit is shared by all who came in the same turn. Nothing is kept in memory, so a million texts weigh as much as ten.
"""

import asyncio
import hashlib
import secrets
import sqlite3
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

SCHEMA = """
CREATE TABLE IF NOT EXISTS messages (
    n INTEGER PRIMARY KEY,
    sid TEXT NOT NULL,
    direction TEXT NOT NULL,     -- outbound-api, outbound-reply, inbound; carrier = an opt-out text, unseen by the API
    to_ TEXT NOT NULL,
    from_ TEXT,                  -- NULL until a Messaging Service has chosen a sender
    service TEXT,
    body TEXT NOT NULL,
    segments INTEGER NOT NULL,
    status TEXT NOT NULL,
    error INTEGER,
    callback TEXT,
    form TEXT NOT NULL,          -- the other fields of the request, as JSON
    body_hash BLOB NOT NULL,     -- SHA-256 of the body as it came, kept when the body is redacted
    created REAL NOT NULL,
    updated REAL NOT NULL,
    sent REAL,
    answer TEXT NOT NULL,        -- how the create was answered: created, or the fault that spoiled the answer
    deleted INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS messages_to ON messages (to_);
CREATE INDEX IF NOT EXISTS messages_from ON messages (from_);
CREATE TABLE IF NOT EXISTS refusals (
    n INTEGER PRIMARY KEY,
    at REAL NOT NULL,
    to_ TEXT,
    reason TEXT NOT NULL,        -- refused, or the fault that turned the request away
    http_status INTEGER,         -- NULL when the connection was dropped
    code INTEGER,
    form TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS errands (
    n INTEGER PRIMARY KEY,
    message INTEGER NOT NULL,
    kind TEXT NOT NULL,          -- status: the text moves on; inbound: the webhook is told; reply: the phone answers
    status TEXT,
    error INTEGER,
    due REAL NOT NULL,
    moves INTEGER NOT NULL,      -- 1: the text takes this status
    posts INTEGER NOT NULL,      -- 1: the other side is told; each attempt is a row
    tries INTEGER NOT NULL DEFAULT 0,
    fault TEXT,
    body TEXT,
    done REAL,
    http_status INTEGER,         -- what the other side answered; NULL when it could not be reached
    detail TEXT
);
CREATE INDEX IF NOT EXISTS errands_due ON errands (due) WHERE done IS NULL;
CREATE TABLE IF NOT EXISTS phones (
    number TEXT PRIMARY KEY,
    asked INTEGER NOT NULL,      -- creates for this phone, refused ones too
    texts INTEGER NOT NULL,      -- texts meant for this phone
    last_message INTEGER,
    last_at REAL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS blocks (
    phone TEXT NOT NULL, sender TEXT NOT NULL, at REAL NOT NULL, PRIMARY KEY (phone, sender)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS rules (id INTEGER PRIMARY KEY, spec TEXT NOT NULL);
"""

TABLES = ("messages", "refusals", "errands", "phones", "blocks", "rules")


class Message(NamedTuple):
    """One row of `messages`. Times are seconds since 1970, UTC."""

    n: int
    sid: str
    direction: str
    to: str
    from_: str | None
    service: str | None
    body: str
    segments: int
    status: str
    error: int | None
    callback: str | None
    form: str
    body_hash: bytes
    created: float
    updated: float
    sent: float | None
    answer: str
    deleted: int = 0


class Errand(NamedTuple):
    """Something still to be done for a text, at `due`."""

    kind: str
    status: str | None
    error: int | None
    due: float
    moves: int
    posts: int
    tries: int = 0
    fault: str | None = None
    body: str | None = None


class DueErrand(NamedTuple):
    """An errand with its number in the books and the text it is about."""

    n: int
    errand: Errand
    message: Message


COLUMNS = (
    "n, sid, direction, to_, from_, service, body, segments, status, error, callback, form, body_hash, created,"
    " updated, sent, answer, deleted"
)
ERRAND_COLUMNS = "kind, status, error, due, moves, posts, tries, fault, body"
# Only the constants above are put into these statements; every value is bound.
INSERT_MESSAGE = f"INSERT INTO messages ({COLUMNS}) VALUES ({', '.join('?' * len(Message._fields))})"  # noqa: S608
INSERT_ERRAND = f"INSERT INTO errands (message, {ERRAND_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
SELECT_MESSAGE = f"SELECT {COLUMNS} FROM messages WHERE n = ?"  # noqa: S608


class Books:
    """Use it from the thread that opened it only. Every method that writes is followed by `await committed()` where an
    answer depends on it."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.db = sqlite3.connect(path, isolation_level=None)
        self.db.execute("PRAGMA journal_mode = WAL")
        self.db.execute("PRAGMA synchronous = NORMAL")
        self.db.execute("PRAGMA cache_size = -16000")
        self.db.execute("PRAGMA wal_autocheckpoint = 4000")
        self.db.executescript(SCHEMA)
        self._loop = asyncio.get_running_loop()
        self._waiting: list[asyncio.Future[None]] = []
        self._open = False
        self._tables: tuple[str, ...] = TABLES
        self._next = self._last_number() + 1

    def _last_number(self) -> int:
        return int(self.db.execute("SELECT coalesce(max(n), 0) FROM messages").fetchone()[0])

    def close(self) -> None:
        self._commit()
        self.db.close()

    def adopt(self, schema: str, tables: tuple[str, ...]) -> None:
        """Takes in the tables of another trade. They are made now, and emptied with the rest."""
        self.db.executescript(schema)
        self._tables += tables

    def write(self) -> sqlite3.Connection:
        """The connection within a transaction that ends with this turn of the loop."""
        if not self._open:
            self.db.execute("BEGIN")
            self._open = True
            self._loop.call_soon(self._commit)
        return self.db

    def committed(self) -> asyncio.Future[None]:
        """Resolves once everything written so far is in the file."""
        future: asyncio.Future[None] = self._loop.create_future()
        if self._open:
            self._waiting.append(future)
        else:
            future.set_result(None)
        return future

    def _commit(self) -> None:
        if not self._open:
            return
        waiting, self._waiting, self._open = self._waiting, [], False
        failure: sqlite3.Error | None = None
        try:
            self.db.execute("COMMIT")
        except sqlite3.Error as error:  # A full disk: whoever waits must not be told that the text was accepted.
            failure = error
            if self.db.in_transaction:
                self.db.execute("ROLLBACK")
        for future in waiting:
            if future.done():
                continue
            if failure is None:
                future.set_result(None)
            else:
                future.set_exception(failure)

    def add(
        self,
        *,
        direction: str,
        to: str,
        from_: str | None,
        body: str,
        segments: int,
        status: str,
        service: str | None = None,
        callback: str | None = None,
        form: str = "{}",
        answer: str = "created",
        sent: float | None = None,
        asked: int = 0,
        original: str | None = None,
    ) -> Message:
        """Writes one text down and counts it for its phone. `original` is the body before Twilio's smart encoding."""
        number, self._next = self._next, self._next + 1
        now = time.time()
        # A sid is opaque to clients. The last twelve digits hold the row's number, which saves the books an index.
        sid = f"SM{secrets.token_hex(10)}{number:012x}"
        digest = hashlib.sha256((body if original is None else original).encode()).digest()
        message = Message(
            number, sid, direction, to, from_, service, body, segments, status, None, callback, form, digest, now, now,
            sent, answer,
        )  # fmt: skip
        db = self.write()
        db.execute(INSERT_MESSAGE, message)
        received = direction != "inbound"
        db.execute(
            "INSERT INTO phones VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET asked = asked + excluded.asked,"
            " texts = texts + excluded.texts, last_message = excluded.last_message, last_at = excluded.last_at",
            (to if received else from_, asked, int(received), number, now),
        )
        return message

    def find(self, sid: str) -> Message | None:
        try:
            number = int(sid[-12:], 16)
        except ValueError:
            return None
        row = self.db.execute(SELECT_MESSAGE, (number,)).fetchone()
        message = None if row is None else Message._make(row)
        return message if message and message.sid == sid and not message.deleted else None

    def move(self, message: Message, status: str, error: int | None, *, from_: str | None, now: float) -> None:
        """The text takes a new status. The time of sending is set once, when it leaves."""
        self.write().execute(
            "UPDATE messages SET status = ?, error = ?, updated = ?, from_ = ?, segments = max(segments, 1),"
            " sent = coalesce(sent, ?) WHERE n = ?",
            (status, error, now, from_, now, message.n),
        )

    def redact(self, message: Message) -> None:
        """Only the body's hash stays, so that the books can still be compared."""
        self.write().execute("UPDATE messages SET body = '', updated = ? WHERE n = ?", (time.time(), message.n))

    def cancel(self, message: Message) -> None:
        now = time.time()
        db = self.write()
        db.execute("UPDATE messages SET status = 'canceled', updated = ? WHERE n = ?", (now, message.n))
        db.execute("UPDATE errands SET done = ?, detail = 'canceled' WHERE message = ? AND done IS NULL", (now, message.n))

    def delete(self, message: Message) -> None:
        """Gone for the API, still counted here."""
        self.write().execute("UPDATE messages SET deleted = 1, body = '' WHERE n = ?", (message.n,))

    def page(
        self,
        *,
        to: str | None,
        from_: str | None,
        sent_from: float | None,
        sent_until: float | None,
        older_than: int | None,
        newer_than: int | None,
        limit: int,
    ) -> list[Message]:
        """Newest first. A text not sent yet has no date of sending, so a filter by that date never finds it."""
        # The plus keeps SQLite from choosing the index on the sender, which all texts share, when the phone is given.
        conditions = [
            ("to_ = ?", to),
            ("from_ = ?" if to is None else "+from_ = ?", from_),
            ("sent >= ?", sent_from),
            ("sent < ?", sent_until),
            ("n < ?", older_than),
            ("n > ?", newer_than),
        ]
        used = [(clause, value) for clause, value in conditions if value is not None]
        clauses = " AND ".join(["deleted = 0", "direction <> 'carrier'", *(clause for clause, _ in used)])
        order = "ASC" if newer_than is not None else "DESC"
        rows = self.db.execute(
            f"SELECT {COLUMNS} FROM messages WHERE {clauses} ORDER BY n {order} LIMIT ?",  # noqa: S608  Clauses are the constants above.
            [*(value for _, value in used), limit],
        ).fetchall()
        if newer_than is not None:
            rows.reverse()
        return [Message._make(row) for row in rows]

    def refuse(self, *, to: str | None, reason: str, http_status: int | None, code: int | None, form: str) -> None:
        self.write().execute(
            "INSERT INTO refusals (at, to_, reason, http_status, code, form) VALUES (?, ?, ?, ?, ?, ?)",
            (time.time(), to, reason, http_status, code, form),
        )

    def asked(self, number: str) -> int:
        """How often a text for this phone was asked for before."""
        row = self.db.execute("SELECT asked FROM phones WHERE number = ?", (number,)).fetchone()
        return int(row[0]) if row else 0

    def ask_again(self, number: str) -> None:
        """Counts a create that led to no text."""
        self.write().execute(
            "INSERT INTO phones VALUES (?, 1, 0, NULL, NULL) ON CONFLICT DO UPDATE SET asked = asked + 1", (number,)
        )

    def last_sender(self, number: str) -> str | None:
        row = self.db.execute(
            "SELECT from_ FROM messages WHERE to_ = ? AND from_ IS NOT NULL ORDER BY n DESC LIMIT 1", (number,)
        ).fetchone()
        return str(row[0]) if row else None

    def blocked(self, phone: str, sender: str) -> bool:
        row = self.db.execute("SELECT 1 FROM blocks WHERE phone = ? AND sender = ?", (phone, sender)).fetchone()
        return row is not None

    def block(self, phone: str, sender: str) -> bool:
        """True when the phone was not blocked before."""
        cursor = self.write().execute("INSERT OR IGNORE INTO blocks VALUES (?, ?, ?)", (phone, sender, time.time()))
        return cursor.rowcount > 0

    def unblock(self, phone: str, sender: str) -> bool:
        """True when the phone was blocked before."""
        cursor = self.write().execute("DELETE FROM blocks WHERE phone = ? AND sender = ?", (phone, sender))
        return cursor.rowcount > 0

    def plan(self, message: int, errands: Iterable[Errand]) -> None:
        self.write().executemany(INSERT_ERRAND, [(message, *errand) for errand in errands])

    def due(self, now: float, limit: int) -> list[DueErrand]:
        """The earliest first."""
        rows = self.db.execute(
            "SELECT e.n, e.kind, e.status, e.error, e.due, e.moves, e.posts, e.tries, e.fault, e.body, m.*"
            " FROM errands e JOIN messages m ON m.n = e.message"
            " WHERE e.done IS NULL AND e.due <= ? ORDER BY e.due LIMIT ?",
            (now, limit),
        ).fetchall()
        return [DueErrand(row[0], Errand._make(row[1:10]), Message._make(row[10:])) for row in rows]

    def next_due(self) -> float | None:
        row = self.db.execute("SELECT min(due) FROM errands WHERE done IS NULL").fetchone()
        return None if row[0] is None else float(row[0])

    def finish(self, errand: int, *, http_status: int | None = None, detail: str | None = None) -> None:
        self.write().execute(
            "UPDATE errands SET done = ?, http_status = ?, detail = ? WHERE n = ?",
            (time.time(), http_status, detail, errand),
        )

    def rules(self) -> list[tuple[int, str]]:
        return [(int(n), str(spec)) for n, spec in self.db.execute("SELECT id, spec FROM rules ORDER BY id")]

    def keep_rule(self, rule: int, spec: str) -> None:
        self.write().execute("INSERT OR REPLACE INTO rules VALUES (?, ?)", (rule, spec))

    def drop_rules(self, rule: int | None = None) -> None:
        self.write().execute("DELETE FROM rules WHERE id = ? OR ? IS NULL", (rule, rule))

    def empty(self) -> None:
        """New books: everything written so far is gone."""
        db = self.write()
        for table in self._tables:
            db.execute(f"DELETE FROM {table}")  # noqa: S608  The names are constants.
