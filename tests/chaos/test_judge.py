"""The judge of chaos: what it calls lost, what doubled, and what it does not."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, cast
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from outreach.db import now
from outreach.sandbox.control import Control
from tests.chaos import people
from tests.chaos.judge import Verdict, judge
from tests.factories import make_campaign, make_contact, make_message, make_outcome, make_person


@dataclass
class Books:
    """A sandbox that has accepted these texts to the first person's phone, in this order."""

    texts: list[dict[str, Any]] = field(default_factory=list)

    def add(self, token: UUID, status: str, to: str = people.phone(0)) -> None:
        place = float(len(self.texts))
        self.texts.append({"to": to, "callback": f"http://127.0.0.1/x/{token}#rc=5", "status": status, "created": place})

    def messages(self) -> Iterator[dict[str, Any]]:
        return iter(self.texts)

    def mails(self) -> Iterator[dict[str, Any]]:
        return iter(())

    letters = mails


@dataclass
class Case:
    """One person with one message, of which the books may hold anything."""

    session: Session
    books: Books
    person_id: UUID
    message_id: UUID

    def attempt(self, state: str, *, failed: bool = False) -> UUID:
        """Another attempt at the message; `failed`: a report has said so, before the next one is begun."""
        token, at = uuid4(), now() + timedelta(seconds=len(self.books.texts))
        self.session.execute(
            sa.text("""
                insert into attempt (id, message_id, number, contact_point_id, channel, provider, state, body_sealed, body_digest,
                    segments, started_at, lease_until, checks)
                select :id, id, (select coalesce(max(number), 0) + 1 from attempt where message_id = m.id), contact_point_id, 'sms',
                    'twilio', :state, '', '', 1, :at, :at, 0
                from message m where id = :message
            """),
            {"id": token, "message": self.message_id, "state": state, "at": at},
        )
        if failed:
            self.session.execute(
                sa.text("""
                    insert into event (provider, key, attempt_id, provider_id, provider_status, state, received_at, applied_at)
                    values ('twilio', :key, :id, 'SM', 'undelivered', 'undelivered', :at, :at)
                """),
                {"key": str(token), "id": token, "at": at},
            )
        return token

    def judged(self) -> Verdict:
        found = judge(self.session, cast("Control", self.books), people.Cast([], {self.person_id: 0}))
        # The person's mail and letter are no part of this.
        found.lost = [one for one in found.lost if one.startswith("sms")]
        return found


@pytest.fixture
def case(session: Session) -> Case:
    person, campaign = make_person(session), make_campaign(session)
    make_outcome(session, campaign, person, "planned")  # type: ignore[arg-type]  # as it is stored
    message = make_message(session, campaign, make_contact(session, person), person, attempts=0, state="ready")
    return Case(session, Books(), person.id, message.id)


def test_what_is_in_no_book_is_lost(case: Case) -> None:
    assert case.judged().lost == ["sms 0"]


def test_what_is_in_no_book_for_a_reason_on_file_is_not_lost(case: Case) -> None:
    case.session.execute(sa.text("update message set state = 'cancelled', reason = 'told'"))
    found = case.judged()
    assert found.lost == []
    assert found.differences == {"sms: never handed over, and we say why: cancelled:told": 1}


def test_what_we_call_handed_over_and_no_book_has_is_wrong(case: Case) -> None:
    case.attempt("accepted")
    assert case.judged().wrong == {"sms: ours accepted, not in their books": 1}


def test_a_second_copy_is_a_double(case: Case) -> None:
    for state in ("delivered", "undelivered"):
        case.books.add(case.attempt(state, failed=state == "undelivered"), state)
    assert case.judged().duplicates == ["sms 0: delivered, then undelivered"]


def test_a_second_copy_after_a_failure_that_was_known_is_none(case: Case) -> None:
    case.books.add(case.attempt("undelivered", failed=True), "undelivered")
    case.books.add(case.attempt("delivered"), "delivered")
    found = case.judged()
    assert (found.lost, found.duplicates, found.wrong) == ([], [], {})


def test_a_second_copy_after_a_failure_that_nobody_had_heard_of_is_a_double(case: Case) -> None:
    case.books.add(case.attempt("undelivered"), "undelivered")
    case.books.add(case.attempt("delivered"), "delivered")
    assert case.judged().duplicates == ["sms 0: undelivered, then delivered"]


def test_one_attempt_handed_over_twice_is_a_double(case: Case) -> None:
    token = case.attempt("delivered")
    for _ in range(2):
        case.books.add(token, "delivered")
    assert case.judged().duplicates == ["sms 0: delivered, then delivered"]


def test_a_text_to_somebody_else_is_wrong(case: Case) -> None:
    case.books.add(uuid4(), "delivered", people.phone(7))
    assert "sms: 1 to somebody who was never to be told" in case.judged().wrong


def test_people_are_counted(case: Case) -> None:
    case.books.add(case.attempt("delivered"), "delivered")
    found = case.judged()
    assert found.held(1)
    assert not found.held(2)
