"""SendGrid's part of the books: every mail either way, every refusal, everything still to be done about a mail."""

import hashlib
import json
import re
import secrets
import time
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from outreach.sandbox.books import Books, Errand

SCHEMA = """
CREATE TABLE IF NOT EXISTS mails (
    n INTEGER PRIMARY KEY,
    id TEXT NOT NULL,            -- the X-Message-Id; of an answer its Message-ID
    direction TEXT NOT NULL,     -- out: to a mailbox; in: its answer
    mailbox TEXT NOT NULL,       -- the address of the simulated mailbox, in lower case
    from_ TEXT NOT NULL,
    subject TEXT NOT NULL,
    arguments TEXT NOT NULL,     -- custom_args as JSON, sorted
    body BLOB NOT NULL,          -- the request as it came; of an answer the MIME
    hash BLOB NOT NULL,          -- SHA-256 of subject and text without links and addresses, to know the same mail again
    fate TEXT NOT NULL,
    status TEXT NOT NULL,
    created REAL NOT NULL,
    updated REAL NOT NULL,
    answer TEXT NOT NULL         -- how the request was answered: accepted, or the fault that spoiled the answer
);
CREATE INDEX IF NOT EXISTS mails_id ON mails (id);
CREATE INDEX IF NOT EXISTS mails_mailbox ON mails (mailbox);
CREATE INDEX IF NOT EXISTS mails_arguments ON mails (arguments);
CREATE TABLE IF NOT EXISTS mail_refusals (
    n INTEGER PRIMARY KEY, at REAL NOT NULL, mailbox TEXT NOT NULL, reason TEXT NOT NULL, http_status INTEGER
);
CREATE TABLE IF NOT EXISTS mail_errands (
    n INTEGER PRIMARY KEY,
    mail INTEGER NOT NULL,
    kind TEXT NOT NULL,          -- status: an event; reply, oneclick: the mailbox does; inbound: our side is told
    status TEXT,                 -- of an event its name
    error INTEGER,               -- of an event its place among the mail's events
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
CREATE INDEX IF NOT EXISTS mail_errands_due ON mail_errands (due) WHERE done IS NULL;
CREATE TABLE IF NOT EXISTS mail_suppressions (mailbox TEXT PRIMARY KEY, fate TEXT NOT NULL) WITHOUT ROWID;
"""
TABLES = ("mails", "mail_refusals", "mail_errands", "mail_suppressions")


class Entry(NamedTuple):
    """One row of `mails` without its body. Times are seconds since 1970, UTC."""

    n: int
    id: str
    direction: str
    mailbox: str
    from_: str
    subject: str
    arguments: str
    fate: str
    status: str
    created: float
    updated: float
    answer: str


class DueMail(NamedTuple):
    """An errand with its number in the books and the mail it is about."""

    n: int
    errand: Errand
    mail: Entry


COLUMNS = ", ".join(Entry._fields)
ERRAND = ", ".join(Errand._fields)


def content_hash(subject: str, text: str) -> bytes:
    """The same for two mails that differ in their links and addresses only, which hold a token each."""
    bare = re.sub(r"(?<!\S)(?:https?://\S*|[^\s@]*@\S*)", "", text)
    return hashlib.sha256(f"{subject}\n{bare}".encode()).digest()


class Mails:
    """The mails in a sandbox's books; used like `Books`, from the same thread."""

    def __init__(self, books: Books) -> None:
        books.adopt(SCHEMA, TABLES)
        self._books = books

    def add(
        self,
        *,
        direction: str,
        mailbox: str,
        from_: str,
        subject: str,
        body: bytes,
        arguments: dict[str, Any] | None = None,
        text: str = "",
        fate: str = "delivered",
        status: str = "processed",
        answer: str = "accepted",
        id_: str | None = None,
    ) -> Entry:
        """Writes one mail down. `id_` is shared by the mails of one request."""
        now = time.time()
        given = json.dumps(arguments or {}, sort_keys=True)
        row = (
            id_ or secrets.token_urlsafe(16), direction, mailbox.casefold(), from_, subject, given, fate, status, now, now, answer,
        )  # fmt: skip
        cursor = self._books.write().execute(
            "INSERT INTO mails (id, direction, mailbox, from_, subject, arguments, fate, status, created, updated, answer,"
            " body, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*row, body, content_hash(subject, text)),
        )
        return Entry(int(cursor.lastrowid or 0), *row)

    def one(self, number: int) -> Entry | None:
        row = self._books.db.execute(f"SELECT {COLUMNS} FROM mails WHERE n = ?", (number,)).fetchone()  # noqa: S608  Constants.
        return None if row is None else Entry._make(row)

    def body(self, number: int) -> bytes:
        return bytes(self._books.db.execute("SELECT body FROM mails WHERE n = ?", (number,)).fetchone()[0])

    def latest(self, mailbox: str) -> Entry | None:
        """The last mail to a mailbox."""
        row = self._books.db.execute(
            f"SELECT {COLUMNS} FROM mails WHERE mailbox = ? AND direction = 'out' ORDER BY n DESC LIMIT 1",  # noqa: S608  Constants.
            (mailbox.casefold(),),
        )
        found = row.fetchone()
        return None if found is None else Entry._make(found)

    def search(self, clause: str, values: Sequence[str | int], limit: int) -> list[Entry]:
        """`clause` is one of the Email Activity's, in SQL."""
        rows = self._books.db.execute(
            f"SELECT {COLUMNS} FROM mails WHERE direction = 'out' AND {clause} ORDER BY n DESC LIMIT ?",  # noqa: S608  Constants.
            (*values, limit),
        )
        return [Entry._make(row) for row in rows]

    def refuse(self, *, mailbox: str, reason: str, http_status: int | None) -> None:
        self._books.write().execute(
            "INSERT INTO mail_refusals (at, mailbox, reason, http_status) VALUES (?, ?, ?, ?)",
            (time.time(), mailbox.casefold(), reason, http_status),
        )

    def move(self, mail: Entry, status: str) -> None:
        self._books.write().execute("UPDATE mails SET status = ?, updated = ? WHERE n = ?", (status, time.time(), mail.n))

    def suppress(self, mailbox: str, fate: str) -> None:
        self._books.write().execute("INSERT OR REPLACE INTO mail_suppressions VALUES (?, ?)", (mailbox, fate))

    def suppressed(self, mailbox: str) -> str | None:
        """The fate of what is sent to an address that SendGrid has on one of its lists."""
        row = self._books.db.execute("SELECT fate FROM mail_suppressions WHERE mailbox = ?", (mailbox.casefold(),)).fetchone()
        return None if row is None else str(row[0])

    def plan(self, number: int, errands: Iterable[Errand]) -> None:
        self._books.write().executemany(
            f"INSERT INTO mail_errands (mail, {ERRAND}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608  Constants.
            [(number, *errand) for errand in errands],
        )

    def due(self, now: float, limit: int) -> list[DueMail]:
        """The earliest first."""
        mail = ", ".join(f"m.{column}" for column in Entry._fields)
        errand = ", ".join(f"e.{column}" for column in Errand._fields)
        rows = self._books.db.execute(
            f"SELECT e.n, {errand}, {mail} FROM mail_errands e JOIN mails m ON m.n = e.mail"  # noqa: S608  Constants.
            " WHERE e.done IS NULL AND e.due <= ? ORDER BY e.due, e.n LIMIT ?",
            (now, limit),
        )
        cut = 1 + len(Errand._fields)
        return [DueMail(row[0], Errand._make(row[1:cut]), Entry._make(row[cut:])) for row in rows]

    def next_due(self) -> float | None:
        row = self._books.db.execute("SELECT min(due) FROM mail_errands WHERE done IS NULL").fetchone()
        return None if row[0] is None else float(row[0])

    def finish(self, errands: Iterable[int], *, http_status: int | None = None, detail: str | None = None) -> None:
        self._books.write().executemany(
            "UPDATE mail_errands SET done = ?, http_status = ?, detail = ? WHERE n = ?",
            [(time.time(), http_status, detail, errand) for errand in errands],
        )
