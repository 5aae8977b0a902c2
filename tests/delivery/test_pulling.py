"""What must not leave the house any more is taken out of its run before the run is handed over."""

from collections.abc import Callable
from datetime import date

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from outreach.access import audit
from outreach.campaigns.outcome import Outcome
from outreach.db import now
from outreach.delivery import print_room, pulling
from outreach.delivery.letter import AccessCode, Letter, PrintRun, RunKind, RunState
from outreach.delivery.message import Attempt, Message
from outreach.delivery.print_room import PullsOpen, VoidReason
from outreach.delivery.pulling import NotInTheHouse, NotPulled, TakeOutReason
from outreach.people.contact import ContactPoint, ContactRole, PersonContact, Safety
from outreach.people.custody import Custody
from outreach.people.person import Person
from tests.factories import make_account, make_campaign, make_custody_event, make_facility, make_person, make_run

LATER = date(2022, 12, 24)


def move(session: Session, person: Person, state: Custody, facility_id: object = None) -> None:
    make_custody_event(session, person, state=state, facility_id=facility_id, as_of=LATER)
    session.expire_all()


def letter_of(session: Session, run: PrintRun) -> Letter:
    session.expire_all()
    return session.scalars(sa.select(Letter).where(Letter.run_id == run.id)).one()


def standing(session: Session, run: PrintRun) -> tuple[str, str | None, str, str, str | None]:
    """Of a run's only letter: its state and reason, its attempt's state, its message's state and reason."""
    row = session.execute(
        sa.select(Letter.state, Letter.reason, Attempt.state, Message.state, Message.reason)
        .join(Attempt, Attempt.id == Letter.attempt_id)
        .join(Message, Message.id == Attempt.message_id)
        .where(Letter.run_id == run.id)
    ).one()
    return (row[0], row[1], row[2], row[3], row[4])


def held_run(session: Session, kind: RunKind = RunKind.HAND, state: RunState = RunState.ENVELOPED) -> tuple[PrintRun, Person]:
    facility = make_facility(session)
    person = make_person(session, custody=Custody.UNKNOWN)
    make_custody_event(session, person, state=Custody.DETAINED, facility_id=facility.id, as_of=date(2022, 12, 2))
    session.expire_all()
    return make_run(session, make_campaign(session), person, facility=facility, kind=kind, state=state), person


@pytest.mark.parametrize("kind", RunKind)
@pytest.mark.parametrize("to", [Custody.RELEASED, Custody.REMOVED, Custody.IN_TRANSIT, Custody.DETAINED])
@pytest.mark.parametrize("state", [RunState.MADE, RunState.PRINTED, RunState.ENVELOPED])
def test_a_transfer_a_release_or_a_removal_before_the_hand_over_pulls_the_letter(
    session: Session, kind: RunKind, to: Custody, state: RunState
) -> None:
    run, person = held_run(session, kind, state)
    assert pulling.pull_moved(session) == 0, "where they are is where the letter goes"
    move(session, person, to, make_facility(session).id if to == Custody.DETAINED else None)
    assert pulling.pull_moved(session) == 1
    assert standing(session, run) == ("pulled", "moved", "failed", "cancelled", "moved")
    assert session.execute(sa.select(Outcome.state, Outcome.reason)).one() == ("exhausted", "moved")
    assert pulling.pull_moved(session) == 0


@pytest.mark.parametrize(
    ("custody", "reason"),
    [
        (Custody.RELIEF, None),
        (Custody.DETAINED, "moved"),
        (Custody.REMOVED, "moved"),
        (Custody.UNKNOWN, "moved"),
        (Custody.DECEASED, "deceased"),
    ],
)
def test_a_letter_to_a_home_is_pulled_when_its_person_is_no_longer_there(
    session: Session, custody: Custody, reason: str | None
) -> None:
    person = make_person(session)
    run = make_run(session, make_campaign(session), person)
    move(session, person, custody)
    assert pulling.pull_moved(session) == (1 if reason else 0)
    assert letter_of(session, run).reason == reason


def test_a_letter_abroad_that_a_safety_review_signed_off_stays(session: Session) -> None:
    person = make_person(session)
    run = make_run(session, make_campaign(session), person)
    session.execute(sa.update(PersonContact).values(reviewed_at=now(), reviewed_by=make_account(session).id))
    move(session, person, Custody.REMOVED)
    assert pulling.pull_moved(session) == 0
    assert letter_of(session, run).state == "on_its_way"


def test_a_letter_to_the_safe_address_of_somebody_who_is_held_now_stays(session: Session) -> None:
    person = make_person(session, protected=True)
    run = make_run(session, make_campaign(session), person)
    session.execute(sa.update(PersonContact).values(safety=Safety.YES))
    move(session, person, Custody.DETAINED, make_facility(session).id)
    assert pulling.pull_moved(session) == 0
    assert letter_of(session, run).state == "on_its_way"


BREAK: dict[str, Callable[[Session], object]] = {
    "bad_contact": lambda s: s.execute(sa.update(ContactPoint).values(state="bad")),
    "bad_address": lambda s: s.execute(sa.update(ContactPoint).values(grade="crowded")),
    "unsafe_contact": lambda s: s.execute(sa.update(PersonContact).values(safety=Safety.NEVER)),
    "unsafe_contact: of family now": lambda s: s.execute(sa.update(PersonContact).values(role=ContactRole.FAMILY)),
    "unsafe_contact: of somebody else now": lambda s: s.execute(
        sa.update(PersonContact).values(role=ContactRole.OTHER, safety=Safety.UNKNOWN)
    ),
    "unsafe_contact: not theirs at all": lambda s: s.execute(sa.delete(PersonContact)),
    "told": lambda s: s.execute(sa.update(Outcome).values(state="told")),
}


@pytest.mark.parametrize("happening", BREAK)
def test_a_letter_that_must_not_or_need_not_go_any_more_is_pulled(session: Session, happening: str) -> None:
    run, reason = make_run(session, make_campaign(session), make_person(session)), happening.partition(":")[0]
    BREAK[happening](session)
    assert pulling.pull_moved(session) == 1
    assert standing(session, run) == ("pulled", reason, "failed", "cancelled", reason)


def test_a_person_who_is_protected_from_now_on_gets_letters_at_a_safe_address_only(session: Session) -> None:
    person = make_person(session)
    run = make_run(session, make_campaign(session), person)
    person.protected = True
    session.flush()
    assert pulling.pull_moved(session) == 0, "it was said to be safe"
    session.execute(sa.update(PersonContact).values(safety=Safety.UNKNOWN))
    assert pulling.pull_moved(session) == 1
    assert letter_of(session, run).reason == "unsafe_contact"


def test_what_has_left_the_house_is_not_pulled(session: Session) -> None:
    run, person = held_run(session, state=RunState.HANDED_OVER)
    move(session, person, Custody.RELEASED)
    assert pulling.pull_moved(session) == 0
    assert letter_of(session, run).state == "on_its_way"


def test_a_run_is_not_handed_over_before_each_pulled_letter_is_said_to_be_taken_out(session: Session) -> None:
    run, person = held_run(session)
    by = make_account(session)
    move(session, person, Custody.RELEASED)
    with pytest.raises(PullsOpen):
        print_room.hand_over(session, run.id, on=now().date(), by=by)
    pulling.pull_moved(session)
    assert pulling.unconfirmed(session, run.id) == [1]
    with pytest.raises(PullsOpen):
        print_room.hand_over(session, run.id, on=now().date(), by=by)
    assert pulling.confirm(session, run.id, [1], by=by) == 1
    assert pulling.confirm(session, run.id, [1], by=by) == 0
    assert pulling.unconfirmed(session, run.id) == []
    assert print_room.hand_over(session, run.id, on=now().date(), by=by) == 0
    assert standing(session, run)[3] == "cancelled"


def test_only_what_was_pulled_can_be_said_to_be_taken_out(session: Session) -> None:
    run, _person = held_run(session)
    with pytest.raises(NotPulled):
        pulling.confirm(session, run.id, [1], by=make_account(session))
    with pytest.raises(NotPulled):
        pulling.confirm(session, run.id, [7], by=make_account(session))


def test_the_log_says_which_letters_of_which_run_and_nobody_else(session: Session) -> None:
    run, person = held_run(session)
    move(session, person, Custody.RELEASED)
    pulling.pull_moved(session)
    entry = audit.entries(session, audit.Query(action="letter.pull"), limit=1)[0][0]
    assert entry.object_id == run.id
    assert entry.detail == {"sequences": [1], "reasons": ["moved"]}


def test_a_letter_taken_out_by_hand_goes_into_another_run(session: Session) -> None:
    run, person = held_run(session)
    by, letter = make_account(session), letter_of(session, run)
    code = AccessCode(person_id=person.id, attempt_id=letter.attempt_id, code_hash=b"x" * 32, expires_at=now())
    session.add(code)
    session.flush()
    pulling.take_out(session, letter.attempt_id, TakeOutReason.DAMAGED, by=by)
    assert standing(session, run) == ("pulled", "damaged", "not_sent", "ready", None)
    assert pulling.unconfirmed(session, run.id) == [], "whoever takes it out has said so"
    session.refresh(code)
    assert code.revoked_at is not None
    with pytest.raises(NotInTheHouse):
        pulling.take_out(session, letter.attempt_id, TakeOutReason.DAMAGED, by=by)


@pytest.mark.parametrize("end", ["handed over", "void"])
def test_nothing_is_taken_out_of_a_run_that_is_gone(session: Session, end: str) -> None:
    run, _person = held_run(session)
    by = make_account(session)
    if end == "void":
        print_room.void(session, run.id, VoidReason.MISTAKE, by=by)
    else:
        print_room.hand_over(session, run.id, on=now().date(), by=by)
    with pytest.raises(NotInTheHouse):
        pulling.take_out(session, letter_of(session, run).attempt_id, TakeOutReason.DAMAGED, by=by)
