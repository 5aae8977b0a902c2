"""The bench of returned mail: scan, number, Enter. It shows nobody's name unless it is asked to, with an entry in the log."""

from uuid import uuid4

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from outreach.access import audit
from outreach.access.accounts import Role
from outreach.delivery import pulling
from outreach.delivery.letter import Letter, RunState
from outreach.delivery.message import Message
from outreach.people.contact import AddressGrade, ContactKind, Safety
from outreach.people.person import Person
from tests.factories import make_account, make_campaign, make_contact, make_person, make_run
from tests.web.conftest import Fetch, SignIn

NAME, ELSEWHERE = "SAMPLE, Returnina", "99 Other Street"


@pytest.fixture
def letter(session: Session) -> Letter:
    """A letter that was handed over to the post, to somebody who has another address as well."""
    person = make_person(session, name=NAME)
    run = make_run(session, make_campaign(session), person, state=RunState.HANDED_OVER)
    make_contact(session, person, value=ELSEWHERE, kind=ContactKind.POST, safety=Safety.YES, grade=AddressGrade.GOOD)
    session.commit()
    return session.scalars(sa.select(Letter).where(Letter.run_id == run.id)).one()


@pytest.fixture
def officer(sign_in: SignIn) -> FlaskClient:
    return sign_in(Role.OFFICER)


def test_the_bench_begins_with_the_field_for_the_scanner(page: Fetch, officer: FlaskClient) -> None:
    found = page(officer, "/returned-mail")
    assert [field["name"] for field in found.all("input") if "autofocus" in field] == ["code"]
    assert "0 letters came back" in found.text


def test_scan_number_and_the_field_is_ready_for_the_next(
    session: Session, letter: Letter, page: Fetch, officer: FlaskClient
) -> None:
    scanned = page(officer, "/returned-mail/scan", post={"code": letter.return_code})
    assert "number 1" in scanned.text
    assert NAME not in scanned.html
    assert [field["name"] for field in scanned.all("input") if "autofocus" in field] == ["key"]
    saved = page(officer, "/returned-mail", post={"letter": str(letter.attempt_id), "key": "2"})
    assert "Saved: Moved, left no address." in saved.text
    assert "1 letter came back, 1 entered by you" in saved.text
    assert [field["name"] for field in saved.all("input") if "autofocus" in field] == ["code"]
    assert NAME not in saved.html
    assert ELSEWHERE not in saved.html
    again = page(officer, "/returned-mail/scan", post={"code": letter.return_code})
    assert "was entered before" in again.text
    assert "Nothing was changed" in again.text


def test_an_unknown_code_says_what_to_do(page: Fetch, officer: FlaskClient) -> None:
    found = page(officer, "/returned-mail/scan", post={"code": "whatever"}, status=404)
    assert "type the ten characters" in found.text


@pytest.mark.parametrize("key", ["", "0", "x", "12"])
def test_a_number_that_is_no_reason_is_asked_for_again(letter: Letter, page: Fetch, officer: FlaskClient, key: str) -> None:
    found = page(officer, "/returned-mail", post={"letter": str(letter.attempt_id), "key": key}, status=400)
    assert "1 to 9" in found.text
    assert [field["name"] for field in found.all("input") if "autofocus" in field] == ["key"]


def test_a_letter_that_was_pulled_and_came_back_is_an_alarm(session: Session, page: Fetch, officer: FlaskClient) -> None:
    run = make_run(session, make_campaign(session), make_person(session))
    found = session.scalars(sa.select(Letter).where(Letter.run_id == run.id)).one()
    pulling.take_out(session, found.attempt_id, pulling.TakeOutReason.DAMAGED, by=make_account(session))
    session.commit()
    assert "mailed all the same" in page(officer, "/returned-mail/scan", post={"code": found.return_code}, status=409).text
    assert audit.entries(session, audit.Query(action="letter.escaped"), limit=1)[1] == 1


def test_whose_letter_it_is_stands_in_the_log_before_it_is_shown(
    session: Session, letter: Letter, page: Fetch, officer: FlaskClient
) -> None:
    page(officer, "/returned-mail", post={"letter": str(letter.attempt_id), "key": "1"})
    found = page(officer, "/returned-mail/person", post={"letter": str(letter.attempt_id)})
    assert NAME in found.text
    assert ELSEWHERE in found.text
    (entry,), total = audit.entries(session, audit.Query(action="person.reveal"), limit=5)
    assert (entry.object_id, total) == (letter.person_id, 1)


def test_a_protected_person_is_shown_to_a_supervisor_only(
    session: Session, letter: Letter, officer: FlaskClient, page: Fetch, sign_in: SignIn
) -> None:
    session.execute(sa.update(Person).values(protected=True))
    session.commit()
    form = {"letter": str(letter.attempt_id)}
    page(officer, "/returned-mail", post=form | {"key": "1"})
    page(officer, "/returned-mail/person", post=form, status=403)
    assert NAME in page(sign_in(Role.SUPERVISOR), "/returned-mail/person", post=form).text


def test_another_letter_goes_to_another_address(session: Session, letter: Letter, page: Fetch, officer: FlaskClient) -> None:
    form = {"letter": str(letter.attempt_id)}
    saved = page(officer, "/returned-mail", post=form | {"key": "1"})
    (address,) = [str(field["value"]) for field in saved.all("input") if field.get("name") == "address"]
    for wrong in ("", str(uuid4())):
        page(officer, "/returned-mail/again", post=form | {"address": wrong}, status=400)
    assert "It says that it is a duplicate" in page(officer, "/returned-mail/again", post=form | {"address": address}).text
    assert session.scalars(sa.select(Message.state).where(Message.state == "ready")).all() == ["ready"]
    page(officer, "/returned-mail/again", post=form | {"address": address}, status=409)


def test_nothing_is_shown_or_mailed_again_before_the_letter_is_entered(letter: Letter, page: Fetch, officer: FlaskClient) -> None:
    page(officer, "/returned-mail/person", post={"letter": str(letter.attempt_id)}, status=409)
    page(officer, "/returned-mail/again", post={"letter": str(letter.attempt_id), "address": str(uuid4())}, status=409)


def test_an_auditor_sees_the_figures_only(letter: Letter, page: Fetch, sign_in: SignIn) -> None:
    found = page(sign_in(Role.AUDITOR), "/returned-mail")
    assert "0 letters came back" in found.text
    assert [form for form, _ in found.forms if form["action"] != "/sign-out"] == []
