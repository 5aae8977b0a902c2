"""Adding, replacing, reviewing and consenting, on a person's file."""

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from outreach.access.accounts import Role
from outreach.people.contact import ContactKind, ContactPoint, ContactRole, PersonContact, Safety
from outreach.people.custody import Custody
from tests.factories import make_account, make_contact, make_person
from tests.web.conftest import Fetch, SignIn, submit

STREET = {"first": "12 Sample Road", "city": "Sampleton", "state": "TX", "postal_code": "78701"}


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ({"kind": "phone", "value": "(202) 555-0101"}, "Saved. It counts from the next message on."),
        ({"kind": "email", "value": "sol@example.org"}, "Saved. It counts from the next message on."),
        ({"kind": "email", "value": "archive@consulate.example.org"}, "This belongs to a foreign government."),
        ({"kind": "post", **STREET}, "A letter can be sent"),
        ({"kind": "post", **STREET, "second": "Apt"}, "no letter can be sent there. This is a house with many apartments."),
        ({"kind": "post", "first": "Calle Inventada 5", "city": "Ejemplo", "country": "Guatemala"}, "A letter can be sent abroad"),
        ({"kind": "post", **STREET, "first": "Embassy of Utopia"}, "Do not contact: A foreign government"),
    ],
)
def test_what_is_added_is_on_the_file_with_what_it_is_good_for(
    page: Fetch, sign_in: SignIn, session: Session, form: dict[str, str], says: str
) -> None:
    person, client = make_person(session), sign_in(Role.OFFICER)
    path = f"/people/{person.id}"
    page(client, f"{path}/contacts/new?kind={form['kind']}")

    answer = submit(client, f"{path}/contacts", {"role": "own", "safety": "yes", **form})

    assert answer.status_code == 302
    assert says in page(client, path).text


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ({"kind": "phone", "value": "ask the sister"}, "not one phone number"),
        ({"kind": "email", "value": "sol at example.org"}, "not one e-mail address"),
        ({"kind": "post", **STREET, "city": "Sample\x07ton"}, "cannot be printed"),
    ],
)
def test_what_cannot_be_read_is_said_and_kept_on_the_form(
    page: Fetch, sign_in: SignIn, session: Session, form: dict[str, str], says: str
) -> None:
    person = make_person(session)
    shown = page(
        sign_in(Role.OFFICER), f"/people/{person.id}/contacts", status=400, post={"role": "family", "safety": "no", **form}
    )

    assert says in shown.text
    assert 'value="family" selected' in shown.html
    assert form.get("value", "12 Sample Road") in shown.html


def test_what_is_there_already_is_not_added_again(page: Fetch, sign_in: SignIn, session: Session) -> None:
    person = make_person(session)
    make_contact(session, person, value="+12025550101")
    form = {"kind": "phone", "value": "202-555-0101", "role": "own", "safety": "yes"}

    assert "already" in page(sign_in(Role.OFFICER), f"/people/{person.id}/contacts", status=409, post=form).text


@pytest.mark.parametrize("wrong", [{"kind": "pigeon"}, {"role": "cousin"}, {"safety": "perhaps"}])
def test_nonsense_is_refused(sign_in: SignIn, session: Session, wrong: dict[str, str]) -> None:
    person = make_person(session)
    form = {"kind": "phone", "value": "202-555-0101", "role": "own", "safety": "yes"}

    assert submit(sign_in(Role.OFFICER), f"/people/{person.id}/contacts", form | wrong).status_code == 400


def test_one_is_replaced_by_another_and_its_value_is_not_shown(page: Fetch, sign_in: SignIn, session: Session) -> None:
    person, client = make_person(session), sign_in(Role.OFFICER)
    old = make_contact(session, person, value="+12025550101", role=ContactRole.FAMILY)
    session.commit()
    path = f"/people/{person.id}/contacts/{old.id}/replace"

    assert "5550101" not in page(client, path).html
    assert submit(client, path, {"value": "202-555-0102", "safety": "yes"}).status_code == 302

    session.expire_all()
    links = session.scalars(sa.select(PersonContact).order_by(PersonContact.created_at)).all()
    assert [(link.role, link.safety) for link in links] == [("family", "no"), ("family", "yes")]


def test_a_supervisor_signs_off_a_removed_persons_contact_and_not_their_own(page: Fetch, sign_in: SignIn, session: Session) -> None:
    person = make_person(session, custody=Custody.REMOVED)
    ines = make_account(session, Role.SUPERVISOR)
    client, path = sign_in(ines), f"/people/{person.id}"
    form = {"kind": "post", "first": "Calle Inventada 5", "city": "Ejemplo", "country": "Guatemala", "role": "own", "safety": "yes"}
    assert submit(client, f"{path}/contacts", form).status_code == 302
    contact_id = session.scalars(sa.select(ContactPoint.id).where(ContactPoint.kind == ContactKind.POST)).one()

    assert "Sign off" not in page(client, path).text
    assert "Another supervisor" in page(client, f"{path}/contacts/{contact_id}/review", status=409, post={}).text

    other = sign_in(Role.SUPERVISOR)
    assert "Sign off" in page(other, path).text
    assert submit(other, f"{path}/contacts/{contact_id}/review").status_code == 302
    assert "signed off by a safety review" in page(other, path).text
    assert "Sign off" not in page(sign_in(Role.OFFICER), path).text


def test_what_is_not_safe_is_not_signed_off(page: Fetch, sign_in: SignIn, session: Session) -> None:
    person = make_person(session, custody=Custody.REMOVED)
    contact = make_contact(session, person, safety=Safety.NO)
    client = sign_in(Role.SUPERVISOR)

    assert "Sign off" not in page(client, f"/people/{person.id}").text
    assert "nothing to sign off" in page(client, f"/people/{person.id}/contacts/{contact.id}/review", status=409, post={}).text


def test_a_written_consent_is_recorded_shown_and_withdrawn(page: Fetch, sign_in: SignIn, session: Session) -> None:
    person, client = make_person(session), sign_in(Role.OFFICER)
    contact = make_contact(session, person, role=ContactRole.FAMILY)
    session.commit()
    path = f"/people/{person.id}"
    consent = f"{path}/contacts/{contact.id}/consent"

    assert submit(client, consent, {"on": "2023-01-05"}).status_code == 302
    assert "written consent of 5 Jan 2023" in page(client, path).text
    assert submit(client, consent, {"on": ""}).status_code == 302
    assert "written consent of" not in page(client, path).text
    for wrong in ("5 January", "2190-01-01"):
        assert submit(client, consent, {"on": wrong}).status_code == 400


def test_a_protected_persons_contacts_are_a_supervisors(sign_in: SignIn, session: Session) -> None:
    person = make_person(session, protected=True)
    contact = make_contact(session, person)
    client, path = sign_in(Role.OFFICER), f"/people/{person.id}/contacts"

    assert client.get(f"{path}/new?kind=phone").status_code == 403
    assert client.get(f"{path}/{contact.id}/replace").status_code == 403
    assert submit(client, f"{path}/{contact.id}/consent", {"on": ""}).status_code == 403
    form = {"kind": "phone", "value": "202-555-0101", "role": "own", "safety": "yes"}
    assert submit(client, path, form).status_code == 403
    assert sign_in(Role.SUPERVISOR).get(f"{path}/new?kind=phone").status_code == 200


def test_a_page_of_no_kind_is_not_there(sign_in: SignIn, session: Session) -> None:
    person = make_person(session)
    assert sign_in(Role.OFFICER).get(f"/people/{person.id}/contacts/new?kind=pigeon").status_code == 404
