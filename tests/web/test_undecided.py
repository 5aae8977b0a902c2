"""The page of an undecided attempt: the evidence without what was said or to whom, and two decisions that cost a reason."""

from datetime import timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from outreach.access.accounts import Role
from outreach.campaigns.outcome import OutcomeState
from outreach.db import now
from outreach.delivery import events, look, undecided
from outreach.delivery.look import LookResult, Seen
from outreach.delivery.message import Attempt, Message
from outreach.delivery.task import Task
from outreach.delivery.undecided import Decision
from outreach.providers.contract import Report
from outreach.web import words
from outreach.web.staff import undecided_words
from tests.factories import make_campaign, make_contact, make_message, make_outcome, make_person
from tests.web.conftest import Fetch, SignIn, submit

PHONE = "+12065550123"
REASON = "Their desk looked for it on 3 May."


@pytest.fixture
def task(session: Session) -> UUID:
    """A text that timed out, whose carrier's books could not be read, with another text of the day before."""
    person = make_person(session, name="Sample PERSON")
    campaign = make_campaign(session, title="Spring notices", state="running")
    make_outcome(session, campaign, person, OutcomeState.IN_PROGRESS)
    contact = make_contact(session, person, value=PHONE)
    ago = now() - timedelta(hours=30)
    other = make_campaign(session, title="Winter notices", state="running")
    make_outcome(session, other, person, OutcomeState.REACHED)
    make_message(session, other, contact, person, started_at=ago - timedelta(hours=2))
    message = make_message(
        session, campaign, contact, person, state="unknown", code="TimeoutError", started_at=ago, text="The secret words"
    )
    attempt = session.query(Attempt).filter_by(message_id=message.id).one()
    for _ in range(2):
        look.note(session, [Seen(attempt.id, LookResult.UNREACHABLE, "http_503")])
    events.keep(session, "twilio", Report("k", attempt.id, "", "queued", "accepted", None))
    undecided.open_and_close(session, hours=24, release=1800, mute=())
    session.commit()
    return session.query(Task).one().id


def test_the_page_shows_the_evidence_and_neither_the_text_nor_the_number(sign_in: SignIn, page: Fetch, task: UUID) -> None:
    found = page(sign_in(Role.OFFICER), f"/tasks/undecided/{task}")
    for said in ("Spring notices", "Text", "Twilio", "1 of 1", "No answer came in time", "http_503", "queued", "Winter notices"):
        assert said in found.text
    assert "secret words" not in found.html
    assert PHONE[-4:] not in found.html
    assert "Sample PERSON" not in found.html
    assert "An approver or a supervisor decides" in found.text


def test_it_was_handed_over(sign_in: SignIn, page: Fetch, session: Session, task: UUID) -> None:
    session.execute(sa.text("update event set applied_at = now()"))
    session.commit()
    client = sign_in(Role.APPROVER)
    assert submit(client, f"/tasks/undecided/{task}/handed-over", {"reason": REASON}).status_code == 302
    found = page(client, f"/tasks/undecided/{task}")
    assert REASON in found.text
    assert "It was handed over." in found.text
    assert not [form for form, _ in found.forms if "undecided" in str(form.get("action"))]
    session.expire_all()
    assert session.query(Message).filter_by(state="accepted").count() == 1


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"reason": REASON}, 400),
        ({"reason": REASON, "confirmation": "yes"}, 400),
        ({"reason": " ", "confirmation": "send again"}, 400),
        ({"reason": REASON, "confirmation": " Send again "}, 302),
    ],
)
def test_another_attempt_is_freed_by_a_reason_and_the_typed_words_only(
    sign_in: SignIn, session: Session, task: UUID, form: dict[str, str], status: int
) -> None:
    session.execute(sa.text("update event set applied_at = now()"))
    session.commit()
    answer = submit(sign_in(Role.SUPERVISOR), f"/tasks/undecided/{task}/not-handed-over", form)
    assert answer.status_code == status
    session.expire_all()
    assert session.query(Message).filter_by(state="ready").count() == (status == 302)


def test_what_was_settled_meanwhile_is_said_and_nothing_is_changed(sign_in: SignIn, session: Session, task: UUID) -> None:
    # The report of the fixture is kept, and not projected yet.
    answer = submit(sign_in(Role.SUPERVISOR), f"/tasks/undecided/{task}/handed-over", {"reason": REASON})
    assert answer.status_code == 409
    assert "settled meanwhile" in answer.text
    session.expire_all()
    assert session.get_one(Task, task).closed_at is None


def test_every_code_has_its_word() -> None:
    assert set(LookResult) <= undecided_words.LOOKS.keys()
    assert set(Decision) <= undecided_words.RESOLUTIONS.keys()
    assert {"attempt.decide", "incarnation.freeze", "incarnation.reconcile", "incarnation.thaw"} <= words.ACTIONS.keys()
    assert all(undecided_words.happened(code) for code in (None, "500", "http_502", "20500", "TimeoutError", "ValueError"))
