"""Attorneys and whom they represent: two people for each appearance, ends at once, twins refused, nothing read unaudited."""

from datetime import date, timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from outreach.access.accounts import Role
from outreach.access.audit import AuditEntry
from outreach.access.sealing import erase
from outreach.db import now
from outreach.people import file as people_file
from outreach.people.attorney import (
    AppearanceForm,
    Attorney,
    Clue,
    Ending,
    Representation,
    Scope,
    file,
    record,
    representation,
    search,
)
from outreach.people.attorney.particulars import Particular, Unreadable, read
from outreach.people.contact import AddressGrade, ContactKind, ContactPoint
from outreach.people.file import NoSuchPerson, ProtectedRecord, Reader
from outreach.people.roster.problems import Fault
from outreach.people.search import NotANumber, TooShort
from tests.factories import make_account, make_attorney, make_contact, make_person, make_representation

TODAY = now().date()
TYPED = {
    Particular.NAME: "Avery Q. Sample", Particular.FIRM: "Example Legal Aid", Particular.EOIR_ID: "zz 000-123",
    Particular.BAR_STATE: "California", Particular.BAR_NUMBER: "No. 00 123", Particular.EMAIL: "Avery@Example.org",
    Particular.PHONE: "(202) 555-0142 ext. 4", Particular.POST: "100 Sample Ave, Suite 4\nSample City, TX 75001",
}  # fmt: skip


def reader(session: Session, role: Role = Role.OFFICER) -> Reader:
    return Reader(make_account(session, role).actor, supervises=role is Role.SUPERVISOR)


def enter(session: Session, typed: dict[Particular, str] = TYPED) -> UUID:
    return record.enter(session, read(typed), by=reader(session).actor)


def actions(session: Session) -> list[tuple[str, UUID | None]]:
    wanted = sa.select(AuditEntry.action, AuditEntry.object_id).where(~AuditEntry.action.startswith("account"))
    return [(action, object_id) for action, object_id in session.execute(wanted.order_by(AuditEntry.seq))]


# What is typed.


def test_particulars_are_kept_in_one_form_however_they_were_typed() -> None:
    found = read(TYPED)
    assert (found.eoir_id, found.bar, found.email, found.phone) == ("ZZ000123", "CA:00123", "avery@example.org", "+12025550142")
    assert (found.post, found.grade) == ("100 Sample Ave, Suite 4\nSample City, TX 75001", AddressGrade.GOOD)


@pytest.mark.parametrize(
    ("particular", "typed", "fault"),
    [
        (Particular.NAME, "", Fault.ATTORNEY_NAME_MISSING),
        (Particular.NAME, "123", Fault.NAME_WITHOUT_LETTERS),
        (Particular.EOIR_ID, "pending", Fault.EOIR_ID_UNREADABLE),
        (Particular.BAR_STATE, "XX", Fault.BAR_STATE_UNKNOWN),
        (Particular.BAR_STATE, "", Fault.BAR_STATE_MISSING),
        (Particular.BAR_NUMBER, "none", Fault.BAR_NUMBER_UNREADABLE),
        (Particular.EMAIL, "avery at example", Fault.EMAIL_INVALID),
        (Particular.EMAIL, "a@example.org, b@example.org", Fault.EMAIL_INVALID),
        (Particular.PHONE, "call the desk", Fault.PHONE_UNREADABLE),
        (Particular.POST, "x" * 501, Fault.CELL_TOO_LONG),
    ],
)
def test_what_cannot_be_read_is_named(particular: Particular, typed: str, fault: Fault) -> None:
    with pytest.raises(Unreadable) as raised:
        read({**TYPED, particular: typed})
    assert {one: problem.code for one, problem in raised.value.problems.items()} == {particular: fault}


# The record.


def test_nothing_that_names_an_attorney_stands_in_the_database_in_clear(session: Session) -> None:
    attorney = session.get_one(Attorney, enter(session))
    held = b"".join(value for value in vars(attorney).values() if isinstance(value, bytes))
    for clear in (b"Avery", b"Example", b"ZZ000123", b"00123"):
        assert clear not in held
    assert attorney.bar_state == "CA"


@pytest.mark.parametrize(
    ("changes", "clue"),
    [
        ({Particular.NAME: "Somebody Else", Particular.EMAIL: "", Particular.BAR_NUMBER: ""}, Clue.EOIR_ID),
        ({Particular.NAME: "Somebody Else", Particular.EMAIL: "", Particular.EOIR_ID: ""}, Clue.BAR),
        ({Particular.NAME: "SAMPLE, Avery Q.", Particular.EOIR_ID: "", Particular.BAR_NUMBER: ""}, Clue.EMAIL),
        # A firm's shared address, and two of one name with an EOIR ID each, are different attorneys.
        ({Particular.NAME: "Blake Example", Particular.EOIR_ID: "", Particular.BAR_NUMBER: ""}, None),
        ({Particular.EOIR_ID: "ZZ999999", Particular.BAR_NUMBER: ""}, None),
        # So is one of the same bar number in another state.
        ({Particular.NAME: "Blake Example", Particular.EOIR_ID: "", Particular.BAR_STATE: "NY"}, None),
    ],
    ids=repr,
)
def test_a_second_entry_of_one_attorney_is_refused_with_the_one_on_record(
    session: Session, changes: dict[Particular, str], clue: Clue | None
) -> None:
    known = enter(session)
    if clue is None:
        assert enter(session, {**TYPED, **changes}) != known
        return
    with pytest.raises(record.AlreadyKnown) as raised:
        enter(session, {**TYPED, **changes})
    assert (raised.value.attorney_id, raised.value.clue) == (known, clue)
    assert session.scalar(sa.select(sa.func.count()).select_from(Attorney)) == 1


def test_an_email_address_is_one_contact_point_whoever_uses_it(session: Session) -> None:
    client = make_person(session)
    shared = make_contact(session, client, value="avery@example.org", kind=ContactKind.EMAIL)
    one = session.get_one(Attorney, enter(session))
    other = session.get_one(Attorney, enter(session, {Particular.NAME: "Blake Example", Particular.EMAIL: "avery@example.org"}))
    assert one.email_point_id == other.email_point_id == shared.id


def test_a_changed_record_reaches_the_attorney_where_it_says_now(session: Session) -> None:
    attorney_id, by = enter(session), reader(session)
    before = session.get_one(Attorney, attorney_id)
    email, post = before.email_point_id, before.post_point_id
    record.change(session, attorney_id, read({**TYPED, Particular.EMAIL: "new@example.org"}), by=by.actor)
    opened = file.open_file(session, file.ask_to_open(session, attorney_id, by=by))
    assert opened.particulars is not None
    assert (opened.particulars.email, opened.particulars.name) == ("new@example.org", "Avery Q. Sample")
    assert before.email_point_id != email
    assert before.post_point_id == post, "the same address is the same contact point"
    other = enter(session, {Particular.NAME: "Blake Example", Particular.EOIR_ID: "ZZ777777"})
    with pytest.raises(record.AlreadyKnown):
        record.change(session, other, read(TYPED), by=by.actor)
    with pytest.raises(record.NoSuchAttorney):
        record.change(session, make_person(session).id, read(TYPED), by=by.actor)


def test_a_foreign_governments_address_is_kept_and_cannot_be_used(session: Session) -> None:
    typed = {Particular.NAME: "Blake Example", Particular.POST: "Embassy of Utopia\n1 Example Ave NW\nWashington, DC 20008"}
    attorney = session.get_one(Attorney, enter(session, typed))
    point = session.get_one(ContactPoint, attorney.post_point_id)
    assert (point.state, point.grade) == ("bad", AddressGrade.DENIED)


# Representations.


def test_an_appearance_counts_only_after_a_second_person_verified_it(session: Session) -> None:
    person, attorney, first = make_person(session), make_attorney(session), reader(session)
    found = representation.enter(
        session, person_id=person.id, attorney_id=attorney.id, form=AppearanceForm.EOIR28, scope=Scope.CUSTODY_AND_BOND,
        filed_on=date(2022, 12, 1), evidence="box 4", by=first,
    )  # fmt: skip
    assert representation.live(session, person.id) == []
    with pytest.raises(representation.OwnWork):
        representation.verify(session, found.id, by=first)
    second = reader(session)
    representation.verify(session, found.id, by=second)
    representation.verify(session, found.id, by=reader(session))
    assert found.verified_by == second.actor.id
    assert [one.id for one in representation.live(session, person.id)] == [found.id]
    assert representation.clients(session, attorney.id) == [person.id]
    assert actions(session)[-2:] == [("representation.enter", found.id), ("representation.verify", found.id)]


def test_one_client_of_two_attorneys_is_told_through_both_until_one_leaves(session: Session) -> None:
    person, by = make_person(session), reader(session)
    one, two = make_attorney(session), make_attorney(session)
    make_representation(session, person, one)
    leaving = make_representation(session, person, two)
    both = representation.live(session, person.id)
    assert {live.attorney_id for live in both} == {one.id, two.id}
    representation.end(session, leaving.id, ended_as=Ending.WITHDRAWN, on=TODAY, by=by)
    assert [live.attorney_id for live in representation.live(session, person.id)] == [one.id]
    assert representation.clients(session, two.id) == []


def test_fifty_clients_of_one_attorney_are_verified_together_and_the_next_ones_after_them(session: Session) -> None:
    attorney, by = make_attorney(session), reader(session)
    for _ in range(53):
        make_representation(session, make_person(session), attorney, verified=False)
    for expected in (50, 3):
        waiting = representation.waiting(session, attorney.id, by=by)
        assert len(waiting) == expected
        representation.verify_many(session, attorney.id, [one.id for one in waiting], count=expected, by=by)
    assert len(representation.clients(session, attorney.id)) == 53


def test_an_attorney_who_leaves_is_gone_at_once_and_for_good(session: Session) -> None:
    person, attorney, by = make_person(session), make_attorney(session), reader(session)
    found = make_representation(session, person, attorney)
    representation.end(session, found.id, ended_as=Ending.WITHDRAWN, on=TODAY, by=by)
    assert representation.live(session, person.id) == []
    with pytest.raises(representation.AlreadyEnded):
        representation.end(session, found.id, ended_as=Ending.CONCLUDED, on=TODAY, by=by)
    with pytest.raises(representation.AlreadyEnded):
        representation.verify(session, found.id, by=by)
    with pytest.raises(sa.exc.IntegrityError), session.begin_nested():
        session.execute(sa.update(Representation).values(ended_at=None, ended_as=None, ended_on=None))
    again = representation.enter(session, person_id=person.id, attorney_id=attorney.id, form=AppearanceForm.G28, by=by)
    assert again.verified_at is None


def test_a_substitution_ends_the_one_and_enters_the_other_in_one_call(session: Session) -> None:
    person, by = make_person(session), reader(session)
    old, new = make_attorney(session), make_attorney(session)
    before = make_representation(session, person, old)
    after = representation.substitute(session, before.id, attorney_id=new.id, form=AppearanceForm.G28, on=TODAY, by=by)
    assert (before.ended_as, before.ended_on) == (Ending.SUBSTITUTED, TODAY)
    assert (after.attorney_id, after.person_id, after.verified_at) == (new.id, person.id, None)
    assert representation.live(session, person.id) == []


def test_what_makes_no_sense_is_refused(session: Session) -> None:
    person, attorney, by = make_person(session), make_attorney(session), reader(session)
    found = make_representation(session, person, attorney, filed_on=date(2022, 12, 1))
    known: dict[str, object] = {"person_id": person.id, "attorney_id": attorney.id, "form": AppearanceForm.G28, "by": by}
    for changes, error in (
        ({}, representation.AlreadyEntered),
        ({"filed_on": TODAY + timedelta(days=1)}, representation.InTheFuture),
        ({"attorney_id": person.id}, record.NoSuchAttorney),
        ({"person_id": attorney.id}, NoSuchPerson),
    ):
        with pytest.raises(error):
            representation.enter(session, **(known | changes))  # type: ignore[arg-type]  # as in the table
    with pytest.raises(representation.InTheFuture):
        representation.end(session, found.id, ended_as=Ending.CONCLUDED, on=TODAY + timedelta(days=1), by=by)
    with pytest.raises(representation.EndsBeforeFiled):
        representation.end(session, found.id, ended_as=Ending.CONCLUDED, on=date(2022, 11, 30), by=by)
    with pytest.raises(representation.NoSuchRepresentation):
        representation.verify(session, person.id, by=by)
    assert found.ended_at is None


def test_many_are_verified_only_when_they_were_counted_and_none_has_changed(session: Session) -> None:
    attorney, first, by = make_attorney(session), reader(session), reader(session)
    mine = make_representation(session, make_person(session), attorney, verified=False, entered_by=first.actor.id)
    hidden = make_representation(session, make_person(session, protected=True), attorney, verified=False)
    others = make_representation(session, make_person(session), make_attorney(session), verified=False)
    for chosen, count, who, error in (
        ([], 0, by, representation.TooMany),
        ([mine.id], 2, by, representation.Miscounted),
        ([mine.id], 1, first, representation.OwnWork),
        ([mine.id, hidden.id], 2, by, representation.Changed),
        ([mine.id, others.id], 2, by, representation.Changed),
    ):
        with pytest.raises(error), session.begin_nested():
            representation.verify_many(session, attorney.id, chosen, count=count, by=who)
    session.expire_all()
    assert (mine.verified_at, hidden.verified_at, others.verified_at) == (None, None, None)
    assert [one.id for one in representation.waiting(session, attorney.id, by=by)] == [mine.id]
    supervisor = reader(session, Role.SUPERVISOR)
    representation.verify_many(session, attorney.id, [mine.id, hidden.id], count=2, by=supervisor)
    assert hidden.verified_by == supervisor.actor.id


# Reading.


def test_a_file_is_audited_before_it_is_opened_with_the_clients_it_shows(session: Session) -> None:
    attorney, by = make_attorney(session), reader(session)
    client, hidden = make_person(session, name="SAMPLE, Seen"), make_person(session, name="SAMPLE, Hidden", protected=True)
    make_representation(session, client, attorney)
    make_representation(session, hidden, attorney)
    permit = file.ask_to_open(session, attorney.id, by=by)
    assert actions(session)[-2:] == [("person.list", None), ("attorney.open", attorney.id)]
    assert permit.clients.people == (client.id,)
    names = {one.person_id: one.client and one.client.name for one in file.open_file(session, permit).appearances}
    assert names == {client.id: "SAMPLE, Seen", hidden.id: None}
    supervised = file.ask_to_open(session, attorney.id, by=reader(session, Role.SUPERVISOR))
    assert {one.client.name for one in file.open_file(session, supervised).appearances if one.client} == {
        "SAMPLE, Seen", "SAMPLE, Hidden",
    }  # fmt: skip
    with pytest.raises(record.NoSuchAttorney):
        file.ask_to_open(session, client.id, by=by)


def test_the_appearances_of_a_protected_person_are_a_supervisors(session: Session) -> None:
    attorney, person = make_attorney(session), make_person(session, protected=True)
    found = make_representation(session, person, attorney, verified=False)
    officer, supervisor = reader(session), reader(session, Role.SUPERVISOR)
    with pytest.raises(ProtectedRecord):
        representation.enter(session, person_id=person.id, attorney_id=attorney.id, form=AppearanceForm.EOIR28, by=officer)
    with pytest.raises(ProtectedRecord):
        representation.verify(session, found.id, by=officer)
    with pytest.raises(ProtectedRecord):
        representation.end(session, found.id, ended_as=Ending.MISTAKEN, on=TODAY, by=officer)
    assert representation.verify(session, found.id, by=supervisor).verified_at is not None


def test_an_erased_attorney_is_listed_and_opened_without_what_named_them(session: Session) -> None:
    attorney, by = make_attorney(session), reader(session)
    erase(session, attorney.id)
    assert [one.name for one in file.listed(session, file.ask_to_list(session, [attorney.id], query="test", by=by))] == [None]
    assert file.open_file(session, file.ask_to_open(session, attorney.id, by=by)).erased
    assert file.names(session, [attorney.id]) == {}


def test_a_person_without_counsel_has_no_appearance_and_one_with_counsel_shows_the_live_ones_first(session: Session) -> None:
    person, by = make_person(session), reader(session)
    permit = people_file.ask_to_open(session, person.id, by=by)
    assert file.of_person(session, permit) == []
    waiting = make_representation(session, person, make_attorney(session), verified=False)
    live = make_representation(session, person, make_attorney(session))
    assert [one.id for one in file.of_person(session, permit)] == [live.id, waiting.id]


@pytest.mark.parametrize(
    ("by", "typed"),
    [
        (search.By.NAME, "sample ave"),
        (search.By.NAME, "legal"),
        (search.By.EOIR_ID, "ZZ-000123"),
        (search.By.BAR, "ca 00123"),
        (search.By.EMAIL, "AVERY@example.org"),
    ],
)
def test_an_attorney_is_found_and_the_search_is_written_down_without_its_words(session: Session, by: search.By, typed: str) -> None:
    known = enter(session)
    enter(session, {Particular.NAME: "Blake Example", Particular.EOIR_ID: "ZZ777777"})
    asked = search.ask(session, by, typed, reader=reader(session))
    entry = session.scalars(sa.select(AuditEntry).order_by(AuditEntry.seq.desc())).first()
    assert entry is not None
    assert (entry.action, entry.detail) == ("attorney.search", {"by": by})
    assert search.run(session, asked) == search.Hits((known,), more=False)


@pytest.mark.parametrize(
    ("by", "typed", "error"),
    [
        (search.By.NAME, "av", TooShort),
        (search.By.EOIR_ID, "avery", NotANumber),
        (search.By.BAR, "00123", NotANumber),
        (search.By.EMAIL, "avery", NotANumber),
    ],
)
def test_what_cannot_be_searched_for_is_not_searched(session: Session, by: search.By, typed: str, error: type[Exception]) -> None:
    before = actions(session)
    with pytest.raises(error):
        search.ask(session, by, typed, reader=reader(session))
    assert actions(session) == before
