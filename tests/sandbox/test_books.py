"""The books: whatever happens around an accepted text, it is in them once."""

import asyncio
import hashlib
import sqlite3
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twilio.base.exceptions import TwilioException

from outreach.sandbox.books import Books, Message
from outreach.sandbox.config import Config
from outreach.sandbox.faults import ON_CREATE, Fault
from outreach.sandbox.reading import accepted, summary
from outreach.sandbox.server import Sandbox
from tests.sandbox.conftest import PHONE, SENDER, TOKEN, client_of

BEFORE = {"refuse", "rate_limit", "error_before", "drop_before"}
PHONES = [f"+1303555{number:04d}" for number in range(100, 104)]

requested = st.tuples(
    st.sampled_from(PHONES),
    st.sampled_from(["one", "dos", "ثلاثة"]),
    st.one_of(st.none(), st.sampled_from(sorted(ON_CREATE - {Fault.SLOW}))),
)


@given(requests_=st.lists(requested, max_size=15), restart_after=st.integers(0, 15))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_books_hold_exactly_what_was_accepted_whatever_was_answered(
    requests_: list[tuple[str, str, Fault | None]], restart_after: int
) -> None:
    """Each create meets one fault or none, and the carrier restarts somewhere in between."""
    with TemporaryDirectory() as folder:
        carrier = Sandbox(Config(auth_token=TOKEN, books=Path(folder) / "books.sqlite", status_delay_ms=0)).start()
        expected, answered = [], []
        for place, (to, body, fault) in enumerate(requests_):
            if place == restart_after:
                carrier.stop()
                carrier.start()
            if fault is not None:
                carrier.control.fault(fault, next=1, code=21211)
            client = client_of(carrier)
            try:
                answered.append(client.messages.create(to=to, from_=SENDER, body=body).sid)
            except (TwilioException, requests.RequestException, ValueError):
                pass
            finally:
                client.http_client.session.close()
            if fault is None or fault.value not in BEFORE:
                expected.append((to, hashlib.sha256(body.encode()).hexdigest()))
        carrier.control.wait_until_quiet()
        listed = list(carrier.control.messages())
        totals = carrier.control.summary()
        carrier.stop()
    assert [(row["to"], row["body_sha256"]) for row in listed] == expected
    assert {sid for sid in answered if sid} <= {row["sid"] for row in listed}
    assert totals["accepted"] + totals["refused"] == totals["requests"] == len(requests_)
    assert totals["duplicates"] == len(expected) - len(set(expected))
    assert totals["accepted_phones"] == len({to for to, _ in expected})
    assert totals["statuses"] == ({"delivered": len(expected)} if expected else {})


def write(books: Books, body: str = "hello", to: str = PHONE) -> Message:
    return books.add(direction="outbound-api", to=to, from_=SENDER, body=body, segments=1, status="queued", asked=1)


def test_nobody_is_told_of_a_text_before_another_connection_can_read_it(tmp_path: Path) -> None:
    async def accept() -> None:
        books = Books(tmp_path / "books")
        for number in range(50):
            message = write(books, f"{number}")
            await books.committed()
            with sqlite3.connect(tmp_path / "books") as other:
                assert other.execute("SELECT body FROM messages WHERE sid = ?", (message.sid,)).fetchone()
        books.close()

    asyncio.run(accept())


def test_a_commit_that_fails_reaches_everybody_who_waits_for_it(tmp_path: Path) -> None:
    async def accept() -> tuple[BaseException | None, ...]:
        books = Books(tmp_path / "books")
        books.db.execute("PRAGMA defer_foreign_keys = ON")
        books.db.execute("PRAGMA foreign_keys = ON")
        books.db.execute("CREATE TABLE broken (n INTEGER REFERENCES messages (n) DEFERRABLE INITIALLY DEFERRED)")
        write(books)
        books.db.execute("INSERT INTO broken VALUES (999)")
        results = await asyncio.gather(books.committed(), books.committed(), return_exceptions=True)
        assert books.page(to=None, from_=None, sent_from=None, sent_until=None, older_than=None, newer_than=None, limit=9) == []
        write(books, "after")
        await books.committed()
        books.close()
        return results

    assert [type(error) for error in asyncio.run(accept())] == [sqlite3.IntegrityError] * 2
    assert summary(tmp_path / "books")["accepted"] == 1


def test_a_text_is_sent_once_however_often_its_status_changes(tmp_path: Path) -> None:
    async def live() -> Message | None:
        books = Books(tmp_path / "books")
        message = write(books)
        books.move(message, "sent", None, from_=SENDER, now=1000.0)
        books.move(message, "delivered", None, from_=SENDER, now=2000.0)
        found = books.find(message.sid)
        books.close()
        return found

    found = asyncio.run(live())
    assert found is not None
    assert (found.status, found.sent, found.updated) == ("delivered", 1000.0, 2000.0)


def test_the_listing_goes_on_where_it_stopped(tmp_path: Path) -> None:
    async def fill() -> None:
        books = Books(tmp_path / "books")
        for number in range(10):
            write(books, f"{number}")
        books.close()

    asyncio.run(fill())
    first = accepted(tmp_path / "books", after=0, limit=4)
    rest = accepted(tmp_path / "books", after=first[-1]["n"], limit=100)
    assert len({row["sid"] for row in first + rest}) == 10


def test_the_same_body_to_one_phone_is_a_duplicate_and_to_two_phones_is_not(tmp_path: Path) -> None:
    async def fill() -> None:
        books = Books(tmp_path / "books")
        for to in (PHONE, PHONE, PHONE, "+13035550123"):
            write(books, to=to)
        write(books, "other")
        books.close()

    asyncio.run(fill())
    totals = summary(tmp_path / "books")
    assert (totals["accepted"], totals["duplicates"], totals["accepted_phones"]) == (5, 2, 2)


@pytest.mark.parametrize("column", ["to_ = ?", "to_ = ? AND +from_ = ?"])
def test_texts_of_one_phone_are_found_by_its_index(tmp_path: Path, column: str) -> None:
    async def plan() -> str:
        books = Books(tmp_path / "books")
        rows = books.db.execute(
            f"EXPLAIN QUERY PLAN SELECT n FROM messages WHERE deleted = 0 AND direction <> 'carrier' AND {column}"
            " ORDER BY n DESC LIMIT 50",
            ("x",) * column.count("?"),
        ).fetchall()
        books.close()
        return str(rows)

    assert "messages_to" in asyncio.run(plan())
