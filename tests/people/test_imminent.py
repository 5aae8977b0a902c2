"""Imminent removals: a reason, a second person, and an end."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from outreach.access.accounts import Account, Role
from outreach.access.audit import AuditEntry
from outreach.access.sealing import erase
from outreach.db import now
from outreach.people import file, imminent
from outreach.people.file import NoSuchPerson, Permit, ProtectedRecord, Reader
from outreach.people.imminent import IN_FORCE, ImminentRemoval, NoSuchRemoval, Refused, Removal
from outreach.people.person import Person
from tests.factories import make_account, make_person

WHY = "The field office says that the flight leaves tonight"
SOON = timedelta(days=1)


def reader(account: Account) -> Reader:
    return Reader(account.actor, supervises=account.role == Role.SUPERVISOR)


@pytest.fixture
def officer(session: Session) -> Reader:
    return reader(make_account(session))


@pytest.fixture
def approver(session: Session) -> Reader:
    return reader(make_account(session, Role.APPROVER))


@pytest.fixture
def supervisor(session: Session) -> Reader:
    return reader(make_account(session, Role.SUPERVISOR))


def in_force(session: Session, person: Person) -> bool:
    statement = f"select count(*) from imminent_removal ir where ir.person_id = :id and {IN_FORCE}"
    return bool(session.scalar(sa.text(statement), {"id": person.id}))


def removal_of(session: Session, person: Person) -> Removal:
    return imminent.of(session, Permit((person.id,)))[0]


def test_it_is_in_force_once_a_second_person_has_approved_it_until_somebody_ends_it(
    session: Session, officer: Reader, approver: Reader
) -> None:
    person = make_person(session)
    asked = imminent.ask(session, person.id, f"  {WHY}\n", now() + SOON, by=officer)
    assert [one.id for one in imminent.waiting(session)] == [asked]
    assert not in_force(session, person)

    assert imminent.approve(session, asked, by=approver) == person.id
    assert in_force(session, person)
    assert imminent.waiting(session) == []
    found = removal_of(session, person)
    assert (found.reason, found.in_force, found.approved_by) == (WHY, True, approver.actor.id)

    imminent.end(session, asked, by=officer)
    imminent.end(session, asked, by=approver)
    assert not in_force(session, person)
    found = removal_of(session, person)
    assert (found.over, found.ended_by) == (True, officer.actor.id)
    entries = session.execute(sa.select(AuditEntry.action, AuditEntry.actor_id).where(AuditEntry.object_id == person.id))
    who = [(action, actor) for action, actor in entries if action.startswith("imminent.")]
    assert who == [
        ("imminent.ask", officer.actor.id), ("imminent.approve", approver.actor.id), ("imminent.end", officer.actor.id),
    ]  # fmt: skip


def test_its_reason_is_sealed_and_goes_with_the_person(session: Session, officer: Reader) -> None:
    person = make_person(session)
    imminent.ask(session, person.id, WHY, now() + SOON, by=officer)
    assert WHY.encode() not in session.scalars(sa.select(ImminentRemoval.reason_sealed)).one()
    assert WHY not in str(session.scalars(sa.select(AuditEntry.detail)).all())
    erase(session, person.id)
    assert removal_of(session, person).reason is None


def test_it_ends_by_itself_and_can_be_asked_for_anew(session: Session, officer: Reader, approver: Reader) -> None:
    person = make_person(session)
    first = imminent.ask(session, person.id, WHY, now() + SOON, by=officer)
    imminent.approve(session, first, by=approver)
    pass_time(session, first)
    assert not in_force(session, person)
    second = imminent.ask(session, person.id, WHY, now() + SOON, by=officer)
    assert [one.id for one in imminent.waiting(session)] == [second]
    assert imminent.people(session) == [person.id]


def pass_time(session: Session, removal_id: UUID) -> None:
    session.execute(sa.update(ImminentRemoval).where(ImminentRemoval.id == removal_id).values(until=now() - timedelta(minutes=1)))
    session.expire_all()


@pytest.mark.parametrize(
    ("reason", "ahead", "sentence"),
    [
        (" \n", SOON, "Write down why"),
        ("x" * 501, SOON, "in at most 500 characters"),
        (WHY, timedelta(minutes=-1), "within the next 14 days"),
        (WHY, timedelta(days=14, minutes=1), "within the next 14 days"),
    ],
)
def test_what_is_no_reason_or_no_time_is_refused(
    session: Session, officer: Reader, reason: str, ahead: timedelta, sentence: str
) -> None:
    with pytest.raises(Refused, match=sentence):
        imminent.ask(session, make_person(session).id, reason, now() + ahead, by=officer)


def test_there_is_one_at_a_time(session: Session, officer: Reader, supervisor: Reader) -> None:
    person = make_person(session)
    imminent.ask(session, person.id, WHY, now() + SOON, by=officer)
    with pytest.raises(Refused, match="already"):
        imminent.ask(session, person.id, WHY, now() + SOON, by=supervisor)


def test_nobody_approves_their_own_not_even_past_our_code(session: Session, supervisor: Reader) -> None:
    asked = imminent.ask(session, make_person(session).id, WHY, now() + SOON, by=supervisor)
    with pytest.raises(Refused, match="Somebody else"):
        imminent.approve(session, asked, by=supervisor)
    with pytest.raises(IntegrityError, match="imminent_removal_two_people_check"), session.begin_nested():
        session.execute(sa.text("update imminent_removal set approved_by = asked_by, approved_at = now()"))


def test_what_has_ended_or_is_approved_is_not_approved(session: Session, officer: Reader, approver: Reader) -> None:
    asked = imminent.ask(session, make_person(session).id, WHY, now() + SOON, by=officer)
    imminent.approve(session, asked, by=approver)
    with pytest.raises(Refused, match="approved already"):
        imminent.approve(session, asked, by=approver)
    pass_time(session, asked)
    with pytest.raises(Refused, match="has ended"):
        imminent.approve(session, asked, by=approver)
    with pytest.raises(NoSuchRemoval):
        imminent.approve(session, uuid4(), by=approver)


def test_an_erased_person_and_one_who_is_not_there_are_refused(session: Session, officer: Reader) -> None:
    person = make_person(session)
    erase(session, person.id)
    with pytest.raises(Refused, match="erased"):
        imminent.ask(session, person.id, WHY, now() + SOON, by=officer)
    with pytest.raises(NoSuchPerson):
        imminent.ask(session, uuid4(), WHY, now() + SOON, by=officer)


def test_a_protected_persons_is_for_supervisors_only(
    session: Session, officer: Reader, approver: Reader, supervisor: Reader
) -> None:
    person = make_person(session, protected=True)
    with pytest.raises(ProtectedRecord):
        imminent.ask(session, person.id, WHY, now() + SOON, by=officer)
    asked = imminent.ask(session, person.id, WHY, now() + SOON, by=supervisor)
    assert imminent.waiting(session)[0].protected
    for refused in (imminent.approve, imminent.end):
        with pytest.raises(ProtectedRecord):
            refused(session, asked, by=approver)
    permit = file.ask_to_list(session, imminent.people(session), query="imminent", by=approver)
    assert imminent.of(session, permit) == []
    imminent.approve(session, asked, by=reader(make_account(session, Role.SUPERVISOR)))
    assert in_force(session, person)
