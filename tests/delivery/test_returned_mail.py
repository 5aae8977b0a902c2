"""What came back has told nobody: its address is bad, its codes open nothing, and its person is to be written to anew."""

from datetime import date, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from outreach.access import audit
from outreach.access.accounts import Account
from outreach.campaigns.outcome import Outcome
from outreach.db import now
from outreach.delivery import pulling, returned_mail
from outreach.delivery.letter import AccessCode, Letter, PrintRun, RunKind, RunState
from outreach.delivery.message import Attempt, Message, MessagePerson
from outreach.delivery.returned_mail import (
    KEYS,
    AlreadyThere,
    CampaignOver,
    HandedOver,
    NoSuchAddress,
    NotReturned,
    ReturnReason,
    UnknownCode,
    WasPulled,
)
from outreach.people.contact import AddressGrade, ContactKind, ContactPoint, ContactRole, Safety
from outreach.people.custody import Custody
from outreach.people.person import Person
from tests.factories import (
    make_account,
    make_campaign,
    make_contact,
    make_custody_event,
    make_facility,
    make_person,
    make_run,
)


@pytest.fixture
def by(session: Session) -> Account:
    return make_account(session)


@pytest.fixture
def person(session: Session) -> Person:
    return make_person(session)


@pytest.fixture
def sent(session: Session, person: Person) -> Letter:
    """A letter that was handed over to the post."""
    return letter_of(session, make_run(session, make_campaign(session), person, state=RunState.HANDED_OVER))


def letter_of(session: Session, run: PrintRun) -> Letter:
    session.expire_all()
    return session.scalars(sa.select(Letter).where(Letter.run_id == run.id)).one()


def point_of(session: Session, letter: Letter) -> ContactPoint:
    session.expire_all()
    return session.get_one(ContactPoint, session.get_one(Attempt, letter.attempt_id).contact_point_id)


def standing(session: Session, letter: Letter) -> tuple[str | None, ...]:
    """The states of letter, attempt, message and outcome, and the outcome's reason."""
    row = session.execute(
        sa.select(Letter.state, Attempt.state, Message.state, Outcome.state, Outcome.reason)
        .join(Attempt, Attempt.id == Letter.attempt_id)
        .join(Message, Message.id == Attempt.message_id)
        .join(Outcome, sa.and_(Outcome.person_id == Message.person_id, Outcome.campaign_id == Message.campaign_id))
        .where(Letter.attempt_id == letter.attempt_id)
    ).one()
    return tuple(row)


@pytest.mark.parametrize("reason", ReturnReason)
def test_a_letter_that_came_back_reopens_its_person_and_regrades_its_address(
    session: Session, sent: Letter, by: Account, reason: ReturnReason
) -> None:
    assert not returned_mail.record_return(session, sent.attempt_id, reason, by=by, reuse_limit=12).again
    assert standing(session, sent) == ("returned", "returned", "returned", "exhausted", "returned")
    point = point_of(session, sent)
    assert (point.state, point.state_reason, point.grade) == ("bad", f"returned:{reason}", AddressGrade.KNOWN_BAD)
    session.refresh(sent)
    assert (sent.reason, sent.state_by) == (reason, by.id)


def test_a_second_scan_changes_nothing_and_says_so(session: Session, sent: Letter, by: Account) -> None:
    returned_mail.record_return(session, sent.attempt_id, ReturnReason.MOVED, by=by, reuse_limit=12)
    again = returned_mail.record_return(session, sent.attempt_id, ReturnReason.DECEASED, by=make_account(session), reuse_limit=12)
    assert again.again
    assert (again.reason, letter_by(session, sent)) == ("moved", by.id)
    assert audit.entries(session, audit.Query(action="letter.returned"), limit=5)[1] == 1


def letter_by(session: Session, letter: Letter) -> object:
    session.refresh(letter)
    return letter.state_by


def test_a_facilitys_address_stays_open_for_everybody_else(session: Session, person: Person, by: Account) -> None:
    facility = make_facility(session)
    make_custody_event(session, person, state=Custody.DETAINED, facility_id=facility.id, as_of=now().date())
    session.expire_all()
    run = make_run(session, make_campaign(session), person, facility=facility, state=RunState.HANDED_OVER)
    letter = letter_of(session, run)
    returned_mail.record_return(session, letter.attempt_id, ReturnReason.FACILITY, by=by, reuse_limit=12)
    assert standing(session, letter)[0] == "returned"
    assert point_of(session, letter).state == "usable"


def test_the_access_code_in_a_letter_that_came_back_opens_nothing(
    session: Session, sent: Letter, person: Person, by: Account
) -> None:
    codes = [
        AccessCode(person_id=person.id, attempt_id=attempt_id, code_hash=bytes([n]) * 32, expires_at=now())
        for n, attempt_id in enumerate([sent.attempt_id, other_attempt(session)])
    ]
    session.add_all(codes)
    session.flush()
    returned_mail.record_return(session, sent.attempt_id, ReturnReason.UNCLAIMED, by=by, reuse_limit=12)
    session.expire_all()
    assert codes[0].revoked_at is not None
    assert codes[1].revoked_at is None


def other_attempt(session: Session) -> object:
    run = make_run(session, make_campaign(session), make_person(session))
    return letter_of(session, run).attempt_id


def test_who_was_told_meanwhile_stays_told(session: Session, sent: Letter, by: Account) -> None:
    session.execute(sa.update(Outcome).values(state="told"))
    returned_mail.record_return(session, sent.attempt_id, ReturnReason.MOVED, by=by, reuse_limit=12)
    assert standing(session, sent)[3] == "told"


def test_a_letter_that_came_back_before_its_run_was_marked_as_handed_over_counts_too(session: Session, by: Account) -> None:
    letter = letter_of(session, make_run(session, make_campaign(session), make_person(session), state=RunState.ENVELOPED))
    returned_mail.record_return(session, letter.attempt_id, ReturnReason.OTHER, by=by, reuse_limit=12)
    assert standing(session, letter)[:3] == ("returned", "returned", "returned")


@pytest.mark.parametrize("change", [str.lower, lambda c: c.replace("-", " "), lambda c: f" {c.replace('-', '')} ", lambda c: c])
def test_a_code_is_found_however_it_is_typed(session: Session, sent: Letter, change: object) -> None:
    assert returned_mail.find(session, change(sent.return_code)).attempt_id == sent.attempt_id  # type: ignore[operator]  # a table of functions


def test_the_letters_o_i_and_l_are_read_as_the_figures_that_they_look_like(session: Session, sent: Letter) -> None:
    session.execute(sa.update(Letter).values(return_code="01AB0-1CD01"))
    assert returned_mail.find(session, "oiabo Lcdol").attempt_id == sent.attempt_id


@pytest.mark.parametrize("typed", ["", "-", "00000-00000", "é"])
def test_an_unknown_code_is_no_letter(session: Session, sent: Letter, typed: str) -> None:
    with pytest.raises(UnknownCode):
        returned_mail.find(session, typed)


def test_a_letter_that_was_to_be_taken_out_and_came_back_was_mailed_all_the_same(session: Session, by: Account) -> None:
    letter = letter_of(session, make_run(session, make_campaign(session), make_person(session)))
    pulling.take_out(session, letter.attempt_id, pulling.TakeOutReason.DAMAGED, by=by)
    with pytest.raises(WasPulled):
        returned_mail.find(session, letter.return_code)


def test_what_came_of_a_packet_is_entered_with_the_packet(session: Session, by: Account) -> None:
    facility, held = make_facility(session), make_person(session)
    make_custody_event(session, held, state=Custody.DETAINED, facility_id=facility.id, as_of=now().date())
    session.expire_all()
    run = make_run(session, make_campaign(session), held, facility=facility, kind=RunKind.HAND)
    with pytest.raises(HandedOver):
        returned_mail.find(session, letter_of(session, run).return_code)


def test_what_the_bench_shows_says_nothing_of_the_person(session: Session, sent: Letter) -> None:
    shown = returned_mail.find(session, sent.return_code)
    assert (shown.sequence, shown.channel, shown.language, shown.to_facility) == (1, "letter", "es", False)
    assert "Sample" not in str(shown)


def another_address(session: Session, person: Person, **columns: object) -> ContactPoint:
    values = {"grade": AddressGrade.GOOD, "safety": Safety.YES} | columns
    return make_contact(session, person, value="99 Other Street", kind=ContactKind.POST, **values)  # type: ignore[arg-type]  # a table's values


def test_another_letter_goes_to_another_address_of_the_same_person(
    session: Session, sent: Letter, person: Person, by: Account
) -> None:
    there = another_address(session, person)
    with pytest.raises(NotReturned):
        returned_mail.remail(session, sent.attempt_id, there.id, by=by)
    returned_mail.record_return(session, sent.attempt_id, ReturnReason.MOVED, by=by, reuse_limit=12)
    assert [one.contact_point_id for one in returned_mail.addresses(session, sent.attempt_id)] == [there.id]
    made = returned_mail.remail(session, sent.attempt_id, there.id, by=by)
    first = session.get_one(Message, session.get_one(Attempt, sent.attempt_id).message_id)
    assert (made.state, made.attempts, made.contact_point_id) == ("ready", 0, there.id)
    for column in ("step_id", "campaign_id", "rendition_id", "channel", "language", "person_id"):
        assert getattr(made, column) == getattr(first, column)
    assert session.scalars(sa.select(MessagePerson.person_id).where(MessagePerson.message_id == made.id)).all() == [person.id]
    assert session.scalars(sa.select(Outcome.state)).one() == "planned"
    with pytest.raises(AlreadyThere):
        returned_mail.remail(session, sent.attempt_id, there.id, by=by)


@pytest.mark.parametrize(
    "columns",
    [
        {"grade": AddressGrade.NO_UNIT},
        {"grade": None},
        {"safety": Safety.NEVER},
        {"safety": Safety.UNKNOWN, "role": ContactRole.SHELTER},
        {"state": "bad"},
        {"role": ContactRole.FAMILY},
        {"role": ContactRole.ATTORNEY},
    ],
)
def test_nothing_is_mailed_again_to_an_address_that_no_letter_may_go_to(
    session: Session, sent: Letter, person: Person, by: Account, columns: dict[str, object]
) -> None:
    there = another_address(session, person, **columns)
    returned_mail.record_return(session, sent.attempt_id, ReturnReason.MOVED, by=by, reuse_limit=12)
    with pytest.raises(NoSuchAddress):
        returned_mail.remail(session, sent.attempt_id, there.id, by=by)


def test_nothing_is_mailed_again_to_the_address_of_somebody_else(session: Session, sent: Letter, by: Account) -> None:
    there = another_address(session, make_person(session))
    returned_mail.record_return(session, sent.attempt_id, ReturnReason.MOVED, by=by, reuse_limit=12)
    with pytest.raises(NoSuchAddress):
        returned_mail.remail(session, sent.attempt_id, there.id, by=by)


def test_a_home_is_not_written_to_while_its_person_is_in_custody(
    session: Session, sent: Letter, person: Person, by: Account
) -> None:
    there = another_address(session, person)
    returned_mail.record_return(session, sent.attempt_id, ReturnReason.MOVED, by=by, reuse_limit=12)
    make_custody_event(session, person, state=Custody.DETAINED, as_of=date(2023, 1, 1))
    with pytest.raises(NoSuchAddress):
        returned_mail.remail(session, sent.attempt_id, there.id, by=by)


def test_a_campaign_that_is_over_mails_nothing_again(session: Session, sent: Letter, person: Person, by: Account) -> None:
    there = another_address(session, person)
    returned_mail.record_return(session, sent.attempt_id, ReturnReason.MOVED, by=by, reuse_limit=12)
    session.execute(sa.text("update campaign set state = 'done'"))
    with pytest.raises(CampaignOver):
        returned_mail.remail(session, sent.attempt_id, there.id, by=by)


def test_the_tally_counts_what_came_back_since_then(session: Session, sent: Letter, by: Account) -> None:
    start = now() - timedelta(minutes=1)
    returned_mail.record_return(session, sent.attempt_id, ReturnReason.MOVED, by=by, reuse_limit=12)
    assert returned_mail.tally(session, start) == {"moved": 1}
    assert returned_mail.tally(session, start, by=make_account(session)) == {}
    assert returned_mail.tally(session, now() + timedelta(minutes=1)) == {}


def test_there_is_one_key_for_each_reason() -> None:
    assert list(KEYS) == list("123456789")
    assert set(KEYS.values()) == set(ReturnReason)


def test_the_same_house_given_by_somebody_else_is_known_to_be_bad_too(session: Session, sent: Letter, by: Account) -> None:
    index = b"h" * 16 + b"u" * 16
    session.execute(sa.text("update contact_point set address_index = :index where kind = 'post'"), {"index": index})
    neighbour = make_contact(
        session,
        make_person(session),
        value="12 Sample Street\nSpringfield, IL 62701",
        kind=ContactKind.POST,
        grade=AddressGrade.GOOD,
        address_index=index,
    )
    returned_mail.record_return(session, sent.attempt_id, ReturnReason.NO_SUCH_NUMBER, by=by, reuse_limit=12)
    session.refresh(neighbour)
    assert neighbour.grade == AddressGrade.KNOWN_BAD
