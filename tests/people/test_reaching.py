"""How a person can be reached, changed by hand."""

from collections.abc import Callable
from datetime import date
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from outreach.access.accounts import Account, Role
from outreach.access.audit import AuditEntry
from outreach.people import file, reaching
from outreach.people.addresses.address import from_text
from outreach.people.contact import AddressGrade, ContactKind, ContactPoint, ContactRole, ContactState, PersonContact, Safety
from outreach.people.file import Reader
from outreach.people.person import Person
from outreach.people.reaching import Found
from outreach.people.roster.problems import BadValueError
from tests.factories import make_account, make_contact, make_person

HOUSE = "12 Sample Road, Sampleton, TX 78701"
TODAY = date(2023, 2, 1)
Link = Callable[[Person], list[PersonContact]]


def post(text: str) -> Found:
    return reaching.read_address(from_text("", text, ""))


def reader(account: Account) -> Reader:
    return Reader(account.actor, supervises=account.role == Role.SUPERVISOR)


@pytest.fixture
def officer(session: Session) -> Reader:
    return reader(make_account(session))


@pytest.fixture
def supervisor(session: Session) -> Reader:
    return reader(make_account(session, Role.SUPERVISOR))


def add(session: Session, person: Person, found: Found, by: Reader, **changes: object) -> UUID:
    values = {"role": ContactRole.OWN, "safety": Safety.UNKNOWN, "reuse_limit": 12} | changes
    reaching.add(session, person.id, found, by=by, **values)  # type: ignore[arg-type]  # as in the form
    return links(session, person)[-1].contact_point_id


def links(session: Session, person: Person) -> list[PersonContact]:
    return list(
        session.scalars(sa.select(PersonContact).where(PersonContact.person_id == person.id).order_by(PersonContact.created_at))
    )


def actions(session: Session) -> list[str]:
    return list(session.scalars(sa.select(AuditEntry.action).order_by(AuditEntry.seq)))


def shown(session: Session, person: Person, by: Reader) -> list[file.Contact]:
    permit = file.ask_to_open(session, person.id, by=by, reason=file.RevealReason.CONTACT)
    return list(file.open_file(session, permit).contacts)


def test_what_is_added_is_on_the_file_and_in_the_audit_log(session: Session, officer: Reader) -> None:
    person = make_person(session)
    add(session, person, reaching.read_phone("(202) 555-0101"), officer, safety=Safety.YES)
    add(session, person, reaching.read_email("Sol@Example.org"), officer, role=ContactRole.FAMILY)
    add(session, person, post(HOUSE), officer)
    add(session, person, post("Calle Inventada 5, Ciudad Ejemplo, Guatemala"), officer)

    assert [(one.kind, one.value, one.role, one.safety, one.grade) for one in shown(session, person, officer)] == [
        ("phone", "+12025550101", "own", "yes", None),
        ("email", "sol@example.org", "family", "unknown", None),
        ("post", HOUSE, "own", "unknown", "good"),
        ("post", "Calle Inventada 5, Ciudad Ejemplo\nGUATEMALA", "own", "unknown", "foreign"),
    ]
    assert {link.entered_by for link in links(session, person)} == {officer.actor.id}
    assert actions(session).count("contact.add") == 4
    entry = session.scalars(sa.select(AuditEntry).where(AuditEntry.action == "contact.add").order_by(AuditEntry.seq)).all()[2]
    assert "Sample" not in str(entry.detail)


def test_a_phone_that_somebody_else_has_becomes_shared(session: Session, officer: Reader) -> None:
    neighbour, person = make_person(session), make_person(session)
    phone = make_contact(session, neighbour, value="+12025550101")

    assert add(session, person, reaching.read_phone("202-555-0101"), officer) == phone.id
    assert [one.others for one in shown(session, person, officer)] == [1]


@pytest.mark.parametrize("found", [reaching.read_phone("202 555 0101"), reaching.read_email("sol@example.org"), post(HOUSE)])
def test_what_the_person_has_already_is_not_added_again(session: Session, officer: Reader, found: Found) -> None:
    person = make_person(session)
    add(session, person, found, officer)

    with pytest.raises(reaching.AlreadyThere):
        add(session, person, found, officer)


@pytest.mark.parametrize("text", ["", "202 555", "202-555-0101 / 202-555-0102", "ask the sister"])
def test_what_is_not_one_phone_number_is_refused(text: str) -> None:
    with pytest.raises(BadValueError):
        reaching.read_phone(text)


@pytest.mark.parametrize("text", ["", "sol at example.org", "sol@example.org mar@example.org"])
def test_what_is_not_one_mailbox_is_refused(text: str) -> None:
    with pytest.raises(BadValueError):
        reaching.read_email(text)


def test_an_address_is_graded_by_everybody_elses_at_once(session: Session, officer: Reader) -> None:
    for _ in range(2):
        add(session, make_person(session), post(HOUSE), officer, reuse_limit=2)
    grade = reaching.add(
        session, make_person(session).id, post("12 SAMPLE RD, Sampleton TX 78701"), role=ContactRole.OWN, safety=Safety.UNKNOWN,
        by=officer, reuse_limit=2,
    )  # fmt: skip

    assert grade is AddressGrade.CROWDED
    points = session.scalars(sa.select(ContactPoint).where(ContactPoint.kind == ContactKind.POST)).all()
    assert {point.grade for point in points} == {"crowded"}
    assert all(point.place_zones == ["America/Chicago", "America/Denver"] for point in points)


@pytest.mark.parametrize(
    "found", [reaching.read_email("x@mfa.gob.gt"), post("Embassy of Utopia, 5 Sample Road, Washington, DC 20001")]
)
def test_a_foreign_governments_own_is_kept_and_can_never_be_used(
    session: Session, officer: Reader, supervisor: Reader, found: Found
) -> None:
    person = make_person(session)
    contact_id = add(session, person, found, officer, safety=Safety.YES)

    point = session.get_one(ContactPoint, contact_id)
    assert (point.state, point.state_reason) == (ContactState.BAD, "denied:foreign_government")
    assert [one.off_limits for one in shown(session, person, officer)] == [True]
    with pytest.raises(reaching.NoReview):
        reaching.sign_off(session, person.id, contact_id, by=supervisor)


def test_what_was_replaced_stays_on_file_and_is_not_used_again(session: Session, officer: Reader) -> None:
    person, other = make_person(session), make_person(session)
    old = make_contact(session, person, other, role=ContactRole.FAMILY, safety=Safety.YES)

    reaching.replace(session, person.id, old.id, reaching.read_phone("202-555-0101"), safety=Safety.YES, by=officer, reuse_limit=12)

    assert [(link.role, link.safety) for link in links(session, person)] == [("family", "no"), ("family", "yes")]
    assert [link.safety for link in links(session, other)] == ["yes"], "for somebody else it is as it was"
    assert actions(session)[-1] == "contact.replace"
    with pytest.raises(file.NoSuchContact):
        reaching.replace(
            session, person.id, uuid4(), reaching.read_phone("202-555-0102"), safety=Safety.YES, by=officer, reuse_limit=12
        )


def test_a_safety_review_is_a_supervisors_who_did_not_enter_it(session: Session, officer: Reader, supervisor: Reader) -> None:
    person = make_person(session)
    contact_id = add(session, person, post("Calle Inventada 5, Ciudad Ejemplo, Guatemala"), supervisor)
    another = reader(make_account(session, Role.SUPERVISOR))

    with pytest.raises(file.ProtectedRecord):
        reaching.sign_off(session, person.id, contact_id, by=officer)
    with pytest.raises(reaching.OwnEntry):
        reaching.sign_off(session, person.id, contact_id, by=supervisor)
    reaching.sign_off(session, person.id, contact_id, by=another)
    reaching.sign_off(session, person.id, contact_id, by=another)

    (link,) = links(session, person)
    assert link.reviewed_by == another.actor.id
    assert link.reviewed_at is not None
    assert actions(session).count("contact.review") == 1


def test_what_is_said_not_to_be_safe_loses_its_review(session: Session, officer: Reader, supervisor: Reader) -> None:
    person = make_person(session)
    contact_id = add(session, person, reaching.read_phone("202-555-0101"), officer)
    reaching.sign_off(session, person.id, contact_id, by=supervisor)

    file.set_safety(session, person.id, contact_id, Safety.NO, by=officer)
    assert [link.reviewed_at for link in links(session, person)] == [None]
    with pytest.raises(reaching.NoReview):
        reaching.sign_off(session, person.id, contact_id, by=supervisor)


def test_a_bad_address_cannot_be_signed_off(session: Session, officer: Reader, supervisor: Reader) -> None:
    person = make_person(session)
    contact_id = add(session, person, post("Calle Inventada, Guatemala"), officer)

    with pytest.raises(reaching.NoReview):
        reaching.sign_off(session, person.id, contact_id, by=supervisor)


def test_a_written_consent_is_recorded_and_can_be_withdrawn(session: Session, officer: Reader) -> None:
    person = make_person(session)
    contact_id = add(session, person, reaching.read_phone("202-555-0101"), officer, role=ContactRole.FAMILY)

    with pytest.raises(reaching.NotYet):
        reaching.record_consent(session, person.id, contact_id, date(2023, 2, 2), by=officer, today=TODAY)
    reaching.record_consent(session, person.id, contact_id, TODAY, by=officer, today=TODAY)
    (link,) = links(session, person)
    assert (link.consent_on, link.consent_by) == (TODAY, officer.actor.id)

    reaching.record_consent(session, person.id, contact_id, None, by=officer, today=TODAY)
    assert (link.consent_on, link.consent_by) == (None, None)
    assert actions(session).count("contact.consent") == 2


def test_a_protected_person_has_one_safe_address_for_letters(session: Session, supervisor: Reader) -> None:
    person = make_person(session, protected=True)
    phone = make_contact(session, person, safety=Safety.YES)
    first = add(session, person, post(HOUSE), supervisor, safety=Safety.YES)
    second = add(session, person, post("14 Sample Road, Sampleton, TX 78701"), supervisor, safety=Safety.YES)

    def safe() -> set[UUID]:
        session.expire_all()
        return {link.contact_point_id for link in links(session, person) if link.safety == Safety.YES}

    assert safe() == {phone.id, second}
    file.set_safety(session, person.id, first, Safety.YES, by=supervisor)
    assert safe() == {phone.id, first}


def test_anybody_elses_safe_addresses_stay_safe(session: Session, officer: Reader) -> None:
    person = make_person(session)
    for number in (12, 14):
        add(session, person, post(f"{number} Sample Road, Sampleton, TX 78701"), officer, safety=Safety.YES)

    assert [link.safety for link in links(session, person)] == ["yes", "yes"]


def test_nobody_changes_what_they_may_not_see(session: Session, officer: Reader) -> None:
    hidden = make_person(session, protected=True)
    contact = make_contact(session, hidden)
    found = reaching.read_phone("202-555-0101")

    with pytest.raises(file.ProtectedRecord):
        add(session, hidden, found, officer)
    with pytest.raises(file.ProtectedRecord):
        reaching.replace(session, hidden.id, contact.id, found, safety=Safety.YES, by=officer, reuse_limit=12)
    with pytest.raises(file.ProtectedRecord):
        reaching.record_consent(session, hidden.id, contact.id, TODAY, by=officer, today=TODAY)
    with pytest.raises(file.NoSuchPerson):
        reaching.add(session, uuid4(), found, role=ContactRole.OWN, safety=Safety.YES, by=officer, reuse_limit=12)
