"""Reads of the books that may be long: totals, listings, the list of phones.

Each opens a connection of its own and is run in a thread, so that texts are accepted meanwhile.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from outreach.sandbox.books import COLUMNS, Message


@contextmanager
def reader(path: Path) -> Iterator[sqlite3.Connection]:
    # Not opened read-only: such a connection cannot take part in SQLite's own housekeeping, and fails when it has to.
    with closing(sqlite3.connect(path, timeout=30)) as db:
        db.execute("PRAGMA query_only = ON")
        yield db


@dataclass(frozen=True)
class Phone:
    """A phone in the list: how many texts it was sent, and the last one in either direction."""

    number: str
    texts: int
    last_at: float
    last: Message


def summary(path: Path) -> dict[str, Any]:
    """The totals, as JSON.

    `accepted` counts creates that are in the books, whatever their answer; `unanswered` those among them whose answer
    was spoiled, by fault. `duplicates` counts accepted texts beyond the first with the same phone and the same body;
    answers to an incoming text are not counted, since a phone may well be told the same twice.
    """
    with reader(path) as db:
        accepted, phones = db.execute(
            "SELECT count(*), count(DISTINCT to_) FROM messages WHERE direction = 'outbound-api'"
        ).fetchone()
        (distinct,) = db.execute(
            "SELECT count(*) FROM (SELECT 1 FROM messages WHERE direction = 'outbound-api' GROUP BY to_, body_hash)"
        ).fetchone()
        by_direction = dict(db.execute("SELECT direction, count(*) FROM messages GROUP BY direction"))
        refusals = dict(db.execute("SELECT code, count(*) FROM refusals WHERE code IS NOT NULL GROUP BY code"))
        (refused,) = db.execute("SELECT count(*) FROM refusals").fetchone()
        unanswered = dict(
            db.execute(
                "SELECT answer, count(*) FROM messages WHERE direction = 'outbound-api'"
                " AND answer NOT IN ('created', 'slow') GROUP BY answer"
            )
        )
        posted, well, retried = db.execute(
            "SELECT count(*), coalesce(sum(http_status BETWEEN 200 AND 299), 0), coalesce(sum(tries > 0), 0)"
            " FROM errands WHERE posts AND done IS NOT NULL AND coalesce(detail, '') <> 'canceled'"
        ).fetchone()
        (pending,) = db.execute("SELECT count(*) FROM errands WHERE done IS NULL").fetchone()
        (blocked,) = db.execute("SELECT count(*) FROM blocks").fetchone()
        return {
            "requests": accepted + refused,
            "accepted": accepted,
            "accepted_phones": phones,
            "duplicates": accepted - distinct,
            "refused": refused,
            "refused_by_code": {str(code): count for code, count in sorted(refusals.items())},
            "unanswered": unanswered,
            "statuses": dict(db.execute("SELECT status, count(*) FROM messages WHERE direction = 'outbound-api' GROUP BY status")),
            "inbound": by_direction.get("inbound", 0),
            "replies": by_direction.get("outbound-reply", 0),
            "callbacks": {"posted": posted, "answered_2xx": well, "failed": posted - well, "retries": retried},
            "pending": pending,
            "blocked": blocked,
        }


def accepted(path: Path, *, after: int, limit: int) -> list[dict[str, Any]]:
    """Accepted creates in the order they came, from the one after number `after`."""
    with reader(path) as db:
        rows = db.execute(
            "SELECT n, sid, to_, lower(hex(body_hash)), callback, status, error, answer, created FROM messages"
            " WHERE direction = 'outbound-api' AND n > ? ORDER BY n LIMIT ?",
            (after, limit),
        )
        names = ("n", "sid", "to", "body_sha256", "callback", "status", "error", "answer", "created")
        return [dict(zip(names, row, strict=True)) for row in rows]


def callbacks(path: Path, *, after: int, limit: int) -> list[dict[str, Any]]:
    """Every attempt at a callback that is over, status and inbound alike, in the order planned."""
    with reader(path) as db:
        rows = db.execute(
            "SELECT e.n, m.sid, e.kind, e.status, e.error, e.tries, e.fault, e.http_status, e.detail, e.done"
            " FROM errands e JOIN messages m ON m.n = e.message"
            " WHERE e.posts AND e.done IS NOT NULL AND e.n > ? ORDER BY e.n LIMIT ?",
            (after, limit),
        )
        names = ("n", "sid", "kind", "status", "error", "tries", "fault", "http_status", "detail", "done")
        return [dict(zip(names, row, strict=True)) for row in rows]


def phone_page(path: Path, *, search: str, offset: int, limit: int) -> tuple[int, list[Phone]]:
    """How many phones match, and one page of them, the latest first."""
    digits = "".join(character for character in search if character.isdigit())
    pattern = f"%{digits}%"
    columns = ", ".join(f"m.{column.strip()}" for column in COLUMNS.split(","))
    with reader(path) as db:
        (count,) = db.execute("SELECT count(*) FROM phones WHERE last_message IS NOT NULL AND number LIKE ?", (pattern,)).fetchone()
        rows = db.execute(
            f"SELECT p.number, p.texts, p.last_at, {columns} FROM (SELECT * FROM phones WHERE last_message IS NOT NULL"  # noqa: S608  Columns are constants.
            " AND number LIKE ? ORDER BY last_at DESC, number LIMIT ? OFFSET ?) p"
            " JOIN messages m ON m.n = p.last_message ORDER BY p.last_at DESC, p.number",
            (pattern, limit, offset),
        ).fetchall()
    return count, [Phone(row[0], row[1], row[2], Message._make(row[3:])) for row in rows]


def conversation(path: Path, number: str, *, limit: int) -> list[Message]:
    """The latest texts to and from one phone, the oldest of them first."""
    with reader(path) as db:
        rows = db.execute(
            f"SELECT {COLUMNS} FROM messages WHERE to_ = ? OR from_ = ? ORDER BY n DESC LIMIT ?",  # noqa: S608  Columns are constants.
            (number, number, limit),
        ).fetchall()
    return [Message._make(row) for row in reversed(rows)]


def is_blocked(path: Path, number: str) -> bool:
    with reader(path) as db:
        return db.execute("SELECT 1 FROM blocks WHERE phone = ?", (number,)).fetchone() is not None
