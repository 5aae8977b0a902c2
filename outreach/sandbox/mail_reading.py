"""Reads of the books about mails that may be long; see `outreach.sandbox.reading`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from outreach.sandbox.mail_books import COLUMNS, Entry
from outreach.sandbox.reading import reader


@dataclass(frozen=True)
class Mailbox:
    """A mailbox in the list: how many mails it was sent, how many it answered, and the last one in either direction."""

    address: str
    mails: int
    answers: int
    last: Entry


def summary(path: Path) -> dict[str, Any]:
    """The totals, as JSON. `duplicates` counts accepted mails beyond the first to the same mailbox with the same words in them."""
    with reader(path) as db:
        accepted, mailboxes = db.execute("SELECT count(*), count(DISTINCT mailbox) FROM mails WHERE direction = 'out'").fetchone()
        (distinct,) = db.execute(
            "SELECT count(*) FROM (SELECT 1 FROM mails WHERE direction = 'out' GROUP BY mailbox, hash)"
        ).fetchone()
        refusals = dict(db.execute("SELECT coalesce(http_status, 0), count(*) FROM mail_refusals GROUP BY 1"))
        unanswered = db.execute(
            "SELECT answer, count(*) FROM mails WHERE direction = 'out' AND answer NOT IN ('accepted', 'slow') GROUP BY answer"
        )
        answers = dict(db.execute("SELECT status, count(*) FROM mails WHERE direction = 'in' GROUP BY status"))
        posted = {
            kind: {"posted": count, "answered_2xx": well, "failed": count - well, "retries": again}
            for kind, count, well, again in db.execute(
                "SELECT kind, count(*), coalesce(sum(http_status BETWEEN 200 AND 299), 0), sum(tries > 0) FROM mail_errands"
                " WHERE posts AND done IS NOT NULL GROUP BY kind"
            )
        }
        nothing = {"posted": 0, "answered_2xx": 0, "failed": 0, "retries": 0}
        (pending,) = db.execute("SELECT count(*) FROM mail_errands WHERE done IS NULL").fetchone()
        (suppressed,) = db.execute("SELECT count(*) FROM mail_suppressions").fetchone()
        return {
            "requests": accepted + sum(refusals.values()),
            "accepted": accepted,
            "accepted_mailboxes": mailboxes,
            "duplicates": accepted - distinct,
            "refused": sum(refusals.values()),
            "refused_by_status": {str(status) if status else "dropped": count for status, count in sorted(refusals.items())},
            "unanswered": dict(unanswered),
            "statuses": dict(db.execute("SELECT status, count(*) FROM mails WHERE direction = 'out' GROUP BY status")),
            "answers": answers.get("received", 0),
            "automatic": answers.get("automatic", 0),
            "events": posted.get("status", nothing),
            "inbound": posted.get("inbound", nothing),
            "unsubscribed": posted.get("oneclick", nothing),
            "suppressed": suppressed,
            "pending": pending,
        }


def accepted(path: Path, *, after: int, limit: int) -> list[dict[str, Any]]:
    """Accepted mails in the order they came, from the one after number `after`."""
    with reader(path) as db:
        rows = db.execute(
            "SELECT n, id, mailbox, from_, subject, arguments, lower(hex(hash)), fate, status, answer, created FROM mails"
            " WHERE direction = 'out' AND n > ? ORDER BY n LIMIT ?",
            (after, limit),
        )
        names = ("n", "id", "to", "from", "subject", "arguments", "hash", "fate", "status", "answer", "created")
        return [dict(zip(names, row, strict=True)) for row in rows]


def told(path: Path, *, after: int, limit: int) -> list[dict[str, Any]]:
    """Every attempt to tell our side something that is over: events (kind status), answers (inbound), clicks (oneclick)."""
    with reader(path) as db:
        rows = db.execute(
            "SELECT e.n, m.id, e.kind, e.status, e.tries, e.fault, e.http_status, e.detail, e.done"
            " FROM mail_errands e JOIN mails m ON m.n = e.mail"
            " WHERE e.posts AND e.done IS NOT NULL AND e.n > ? ORDER BY e.n LIMIT ?",
            (after, limit),
        )
        names = ("n", "id", "kind", "status", "tries", "fault", "http_status", "detail", "done")
        return [dict(zip(names, row, strict=True)) for row in rows]


def request(path: Path, message_id: str) -> bytes | None:
    """The body of the request that became this mail, as it came."""
    with reader(path) as db:
        row = db.execute("SELECT body FROM mails WHERE id = ? AND direction = 'out' LIMIT 1", (message_id,)).fetchone()
    return None if row is None else bytes(row[0])


def mailbox_page(path: Path, *, search: str, offset: int, limit: int) -> tuple[int, list[Mailbox]]:
    """How many mailboxes match, and one page of them, the latest first."""
    columns = ", ".join(f"m.{column}" for column in Entry._fields)
    with reader(path) as db:
        (count,) = db.execute("SELECT count(DISTINCT mailbox) FROM mails WHERE instr(mailbox, ?)", (search.casefold(),)).fetchone()
        rows = db.execute(
            f"SELECT b.mails, b.answers, {columns} FROM (SELECT max(n) AS n, sum(direction = 'out') AS mails,"  # noqa: S608  Constants.
            " sum(direction = 'in') AS answers FROM mails WHERE instr(mailbox, ?) GROUP BY mailbox ORDER BY 1 DESC LIMIT ?"
            " OFFSET ?) b JOIN mails m ON m.n = b.n ORDER BY b.n DESC",
            (search.casefold(), limit, offset),
        ).fetchall()
    found = [(row[0], row[1], Entry._make(row[2:])) for row in rows]
    return count, [Mailbox(last.mailbox, mails, answers, last) for mails, answers, last in found]


def correspondence(path: Path, address: str, *, limit: int) -> list[tuple[Entry, bytes]]:
    """The latest mails of one mailbox with their bodies, the newest first."""
    with reader(path) as db:
        rows = db.execute(
            f"SELECT {COLUMNS}, body FROM mails WHERE mailbox = ? ORDER BY n DESC LIMIT ?",  # noqa: S608  Constants.
            (address.casefold(), limit),
        ).fetchall()
    return [(Entry._make(row[:-1]), bytes(row[-1])) for row in rows]


def suppression(path: Path, address: str) -> str | None:
    with reader(path) as db:
        row = db.execute("SELECT fate FROM mail_suppressions WHERE mailbox = ?", (address.casefold(),)).fetchone()
    return None if row is None else str(row[0])
