"""What an officer wrote on a receipt: proof that the person was told, or that they were not."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from outreach.access import audit
from outreach.access.accounts import Account
from outreach.access.sealing import key_for
from outreach.campaigns.outcome import Outcome
from outreach.db import new_id, now
from outreach.delivery import hand_service
from outreach.delivery.hand_service import (
    AlreadyEntered,
    BadTime,
    NoPacketLetter,
    NotHandedOver,
    OfficerMissing,
    WitnessMissing,
)
from outreach.delivery.letter import AccessCode, HandService, Letter, PrintRun, RunKind, RunState, ServiceResult
from outreach.delivery.message import Attempt, Message
from outreach.notices.languages import UnknownLanguageError
from outreach.people.custody import Custody
from outreach.people.person import NameKind, PersonName
from tests.factories import make_account, make_campaign, make_custody_event, make_facility, make_person, make_run

OFFICER = "Sample OFFICER, deportation officer"


@pytest.fixture
def by(session: Session) -> Account:
    return make_account(session)


@pytest.fixture
def packet(session: Session) -> PrintRun:
    return make_packet(session)


def make_packet(session: Session, state: RunState = RunState.HANDED_OVER) -> PrintRun:
    facility = make_facility(session)
    person = make_person(session)
    make_custody_event(session, person, state=Custody.DETAINED, facility_id=facility.id, as_of=now().date())
    session.expire_all()
    return make_run(session, make_campaign(session), person, facility=facility, kind=RunKind.HAND, state=state)


def letter_of(session: Session, run: PrintRun) -> Letter:
    session.expire_all()
    return session.scalars(sa.select(Letter).where(Letter.run_id == run.id)).one()


def enter(session: Session, run: PrintRun, result: ServiceResult, by: Account, **overrides: object) -> HandService:
    values = {
        "served_at": now(),
        "officer": OFFICER,
        "interpreter": None,
        "witness": "Sample WITNESS",
        "language": "es",
    } | overrides
    return hand_service.enter(session, letter_of(session, run).attempt_id, result, **values, by=by)  # type: ignore[arg-type]  # a table's values


def standing(session: Session, run: PrintRun) -> tuple[str | None, ...]:
    """Of a run's only letter: the states of letter, attempt, message and outcome, and the outcome's reason."""
    row = session.execute(
        sa.select(Letter.state, Attempt.state, Message.state, Outcome.state, Outcome.reason)
        .join(Attempt, Attempt.id == Letter.attempt_id)
        .join(Message, Message.id == Attempt.message_id)
        .join(Outcome, sa.and_(Outcome.person_id == Message.person_id, Outcome.campaign_id == Message.campaign_id))
        .where(Letter.run_id == run.id)
    ).one()
    return tuple(row)


@pytest.mark.parametrize("result", [r for r in ServiceResult if r.told])
def test_a_signature_a_thumb_print_or_a_witnessed_refusal_means_that_the_person_was_told(
    session: Session, packet: PrintRun, by: Account, result: ServiceResult
) -> None:
    enter(session, packet, result, by)
    assert standing(session, packet) == ("served", "delivered", "delivered", "told", None)


@pytest.mark.parametrize("result", [r for r in ServiceResult if not r.told])
def test_anything_else_leaves_the_person_untold_and_the_codes_in_the_letter_void(
    session: Session, packet: PrintRun, by: Account, result: ServiceResult
) -> None:
    letter = letter_of(session, packet)
    assert letter.person_id is not None
    code = AccessCode(person_id=letter.person_id, attempt_id=letter.attempt_id, code_hash=b"x" * 32, expires_at=now())
    session.add(code)
    enter(session, packet, result, by)
    assert standing(session, packet) == ("not_served", "returned", "returned", "exhausted", "not_served")
    session.refresh(code)
    assert code.revoked_at is not None


@pytest.mark.parametrize("missing", [{"witness": None}, {"witness": "  "}, {"language": None}])
def test_a_refusal_without_a_witness_and_a_language_is_no_proof(
    session: Session, packet: PrintRun, by: Account, missing: dict[str, str | None]
) -> None:
    with pytest.raises(WitnessMissing):
        enter(session, packet, ServiceResult.REFUSED_WITNESSED, by, **missing)


def test_a_signature_needs_no_witness(session: Session, packet: PrintRun, by: Account) -> None:
    assert enter(session, packet, ServiceResult.SIGNED, by, witness=None).witness_sealed is None


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"officer": " "}, OfficerMissing),
        ({"served_at": now() + timedelta(days=1)}, BadTime),
        ({"served_at": now() - timedelta(days=400)}, BadTime),
        ({"language": "xx"}, UnknownLanguageError),
    ],
)
def test_a_receipt_that_cannot_be_right_is_refused(
    session: Session, packet: PrintRun, by: Account, wrong: dict[str, object], error: type[Exception]
) -> None:
    with pytest.raises(error):
        enter(session, packet, ServiceResult.SIGNED, by, **wrong)
    assert standing(session, packet)[0] == "on_its_way"


def test_names_on_a_receipt_are_under_the_persons_key(session: Session, packet: PrintRun, by: Account) -> None:
    entry = enter(session, packet, ServiceResult.SIGNED, by, interpreter="Sample INTERPRETER")
    person_id = letter_of(session, packet).person_id
    assert person_id is not None
    assert key_for(session, person_id).open("hand_service.officer", entry.id, entry.officer_sealed) == OFFICER
    for sealed in (entry.officer_sealed, entry.interpreter_sealed, entry.witness_sealed):
        assert b"Sample" not in (sealed or b"Sample")


def test_what_was_entered_stays_as_it_was(session: Session, packet: PrintRun, by: Account) -> None:
    entry = enter(session, packet, ServiceResult.NOT_THERE, by)
    with pytest.raises(AlreadyEntered):
        enter(session, packet, ServiceResult.SIGNED, by)
    with pytest.raises(IntegrityError, match="append-only"), session.begin_nested():
        session.execute(sa.update(HandService).where(HandService.id == entry.id).values(result="signed"))


@pytest.mark.parametrize("state", [RunState.MADE, RunState.ENVELOPED])
def test_a_letter_is_served_only_from_a_packet_that_an_officer_has(session: Session, by: Account, state: RunState) -> None:
    with pytest.raises(NotHandedOver):
        enter(session, make_packet(session, state), ServiceResult.SIGNED, by)


def test_a_letter_of_the_post_is_not_served_by_hand(session: Session, by: Account) -> None:
    posted = make_run(session, make_campaign(session), make_person(session), state=RunState.HANDED_OVER)
    with pytest.raises(NoPacketLetter):
        enter(session, posted, ServiceResult.SIGNED, by)


def test_the_log_has_the_result_and_no_name(session: Session, packet: PrintRun, by: Account) -> None:
    enter(session, packet, ServiceResult.REFUSED_WITNESSED, by)
    entry = audit.entries(session, audit.Query(action="hand_service.enter"), limit=1)[0][0]
    assert entry.detail["result"] == "refused_witnessed"
    assert entry.detail["witness"] is True
    assert "Sample" not in str(entry.detail)


def test_the_receipt_names_the_person_as_the_letter_does_when_another_roster_has_spelt_them_otherwise(
    session: Session, by: Account
) -> None:
    run = make_packet(session, RunState.MADE)
    person_id = letter_of(session, run).person_id
    assert person_id is not None
    key, name_id = key_for(session, person_id), new_id()
    other = key.seal("person_name.whole", name_id, "Other SPELLING")
    later = now() + timedelta(days=1)
    session.add(PersonName(id=name_id, person_id=person_id, kind=NameKind.RECORDED, whole_sealed=other, created_at=later))
    session.flush()
    sheet, _ = hand_service.papers(session, hand_service.ask_for_papers(session, run.id, by=by), day=now().date())
    assert [person.name for person in sheet.people] == ["Sample PERSON"]
