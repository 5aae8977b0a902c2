"""The link that stops e-mails: it works, and nobody learns anything from it."""

from uuid import uuid4

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from outreach.access.sealing import Vault
from outreach.delivery import mail_address
from outreach.delivery.mail_address import Purpose
from outreach.delivery.message import Attempt
from outreach.notices.channel import Channel
from outreach.people.contact import ContactKind, ContactPoint
from outreach.web import headers
from tests.factories import make_campaign, make_contact, make_message, make_person
from tests.web.conftest import Page


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def code(session: Session, vault: Vault) -> str:
    """Of a mail to a mailbox that is still open."""
    person = make_person(session)
    contact = make_contact(session, person, value="ana@example.org", kind=ContactKind.EMAIL)
    make_message(session, make_campaign(session), contact, person, channel=Channel.EMAIL)
    attempt = session.scalars(sa.select(Attempt)).one()
    attempt.channel = Channel.EMAIL
    session.commit()
    return mail_address.sign(vault, Purpose.UNSUBSCRIBE, attempt.id)


def state(session: Session) -> tuple[str, str | None]:
    session.expire_all()
    contact = session.scalars(sa.select(ContactPoint)).one()
    return contact.state, contact.state_reason


def test_opening_the_link_changes_nothing_and_the_button_closes_the_mailbox(
    client: FlaskClient, session: Session, code: str
) -> None:
    page = Page(client.get(f"/mail/stop/{code}"))
    assert "Stop e-mails from Letter Line" in page.text
    assert state(session) == ("usable", None)
    assert client.post(f"/mail/stop/{code}").status_code == 200
    assert state(session) == ("opted_out", "link:stop")


def test_a_mail_program_stops_them_with_one_click_and_without_a_form(client: FlaskClient, session: Session, code: str) -> None:
    answer = client.post(f"/mail/stop/{code}", data={"List-Unsubscribe": "One-Click"})
    assert answer.status_code == 200
    assert state(session)[0] == "opted_out"


def codes(vault: Vault, code: str) -> dict[str, str]:
    return {
        "forged": code[:-1] + ("a" if code[-1] != "a" else "b"),
        "for answers": mail_address.sign(vault, Purpose.REPLY, uuid4()),
        "of no mail": mail_address.sign(vault, Purpose.UNSUBSCRIBE, uuid4()),
        "nonsense": "nonsense",
        "very long": "u-" + "a" * 3000,
    }


@pytest.mark.parametrize("which", ["forged", "for answers", "of no mail", "nonsense", "very long"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_every_code_is_answered_alike(
    client: FlaskClient, session: Session, vault: Vault, code: str, which: str, method: str
) -> None:
    other = client.open(f"/mail/stop/{codes(vault, code)[which]}", method=method)
    assert state(session) == ("usable", None)
    genuine = client.open(f"/mail/stop/{code}", method=method)
    assert (other.status_code, other.data) == (genuine.status_code, genuine.data)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_page_is_plain_and_in_the_browsers_language(client: FlaskClient, code: str, method: str) -> None:
    answer = client.open(f"/mail/stop/{code}", method=method, headers={"Accept-Language": "es-MX"})
    page = Page(answer)
    (html,) = page.all("html")
    assert html["lang"] == "es"
    assert len(page.all("h1")) == 1
    assert not page.all("script", "style", "img", "a")
    assert answer.headers["Content-Security-Policy"] == headers.CONTENT_SECURITY_POLICY
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    for telling in ("asyl", "asil", "breach", "Outreach", "ana@", code):
        assert telling.casefold() not in answer.text.casefold()
