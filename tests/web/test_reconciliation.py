"""The reconciliation page: who may look, what it says of each difference, and what it never says."""

from datetime import UTC, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from outreach import jobs
from outreach.access.accounts import Role
from outreach.db import now
from outreach.delivery.books import BookCheck, BookDifference, DifferenceKind, Named
from outreach.delivery.message import AttemptState
from outreach.web import words
from outreach.web.staff import reconciliation_words as said
from tests.delivery.office import Office, office
from tests.delivery.test_books import attempt
from tests.stage import phone
from tests.web.conftest import Fetch, SignIn, submit

__all__ = ["office"]

TODAY = now().astimezone(UTC).date()
DAY = TODAY - timedelta(days=1)
PATH = f"/reconciliation/twilio/{DAY}"


def compared(session: Session, *differences: tuple[str, UUID | None, str | None, str | None]) -> None:
    """A comparison of yesterday with these differences: kind, attempt, our state, theirs."""
    session.add(BookCheck(provider="twilio", day=DAY, checked_at=now(), tried_at=now(), ours=1203, theirs=1202, agreed=1200))
    session.flush()
    for number, (kind, attempt_id, ours, theirs) in enumerate(differences):
        values: dict[str, Any] = {"our_state": ours, "their_state": theirs, "their_status": theirs}
        session.add(
            BookDifference(provider="twilio", day=DAY, kind=kind, attempt_id=attempt_id, provider_id=f"SM{number:032}", **values)
        )
    session.commit()


def test_a_day_names_every_difference_with_what_it_means_and_no_number(office: Office, sign_in: SignIn, page: Fetch) -> None:
    known = attempt(office, 0, "sent")
    compared(
        office.session, (DifferenceKind.OTHER_STATE, known.id, "sent", "delivered"), (DifferenceKind.NOT_OURS, None, None, "sent")
    )
    client = sign_in(Role.OFFICER)
    index = page(client, "/reconciliation")
    assert "1,203 1,202 1,200 Not in our books: 1 They say something else: 1" in index.text
    assert PATH in index.links()
    shown = page(client, PATH)
    assert str(said.MEANS["later"]) in shown.text
    assert str(said.NEXT["not_ours"]) in shown.text
    assert str(known.id) in shown.text
    assert any(link.startswith("/campaigns/") for link in shown.links())
    assert phone(0) not in shown.html + index.html
    only = page(client, f"{PATH}?kind=not_ours")
    assert str(known.id) not in only.text
    assert "1 to 1 of 1 differences" in only.text
    for nowhere in ("/reconciliation/twilio/yesterday", "/reconciliation/nobody/2024-01-01"):
        assert client.get(nowhere).status_code == 404


def test_an_auditor_sees_what_is_not_known_and_is_offered_nothing_that_would_be_refused(
    office: Office, sign_in: SignIn, page: Fetch
) -> None:
    unknown = attempt(office, 0, "unknown", provider_id=None, started_at=now() - timedelta(hours=5))
    office.session.execute(sa.text("update message set state = 'unknown' where id = :id"), {"id": unknown.message_id})
    compared(office.session, (DifferenceKind.UNDECIDED, unknown.id, "unknown", None))
    client = sign_in(Role.AUDITOR)
    index, day = page(client, "/reconciliation"), page(client, PATH)
    assert f"5 hours {unknown.id}" in index.text
    assert str(said.NEXT["unanswered"]) in day.text
    assert not [link for link in index.links() | day.links() if link.startswith(("/campaigns", "/tasks"))]
    assert "Compare this day now" not in index.text + day.text


def test_a_supervisor_has_a_day_compared_now(session: Session, sign_in: SignIn, page: Fetch, rings: list[tuple[Any, ...]]) -> None:
    client = sign_in(Role.SUPERVISOR)
    for refused in ("", "soon", str(TODAY + timedelta(days=1)), str(TODAY - timedelta(days=31))):
        submit(client, "/reconciliation/compare", {"day": refused})
    assert "Choose a day of the last 30" in page(client, "/reconciliation").text
    assert not rings
    submit(client, "/reconciliation/compare", {"day": str(TODAY)})
    assert [job for _, job in rings] == [jobs.compare_books]
    assert "About to be compared" in page(client, "/reconciliation").text
    wanted = session.execute(sa.text("select provider, day from book_check where wanted_at is not null")).all()
    assert ("twilio", TODAY) in [tuple(row) for row in wanted]


def test_texts_that_the_provider_would_not_forget_are_shown_and_tried_again(
    office: Office, sign_in: SignIn, page: Fetch, rings: list[tuple[Any, ...]]
) -> None:
    attempt(office, 0, "delivered", finished_at=now() - timedelta(days=2), redactions=5)
    office.session.commit()
    loud = "1 text is still there after 5 tries."
    assert loud in page(sign_in(Role.OFFICER), "/reconciliation").text
    client = sign_in(Role.SUPERVISOR)
    assert loud in page(client, "/reconciliation").text
    submit(client, "/reconciliation/redact-again")
    assert [job for _, job in rings] == [jobs.redact_texts]
    assert loud not in page(client, "/reconciliation").text


STATES = [None, *AttemptState]


@pytest.mark.parametrize("kind", DifferenceKind)
def test_every_difference_has_words_whatever_the_states(kind: DifferenceKind) -> None:
    for ours in STATES:
        for theirs in STATES:
            for attempt_id in (None, uuid4()):
                case = said.case(Named(kind, attempt_id, "SM1", ours, theirs, theirs, None, None, None, None))
                assert said.MEANS[case]
                assert said.NEXT[case]
    assert said.KINDS[kind]
    assert set(words.ATTEMPT_STATES) == set(AttemptState)
