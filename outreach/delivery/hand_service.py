"""Hand service: letters handed over by an officer, against a receipt, and what the receipts say, entered afterwards.

A signature, a thumb print, or a refusal before a witness after it was explained is proof that the person was told. Anything else
is none: their next step comes. What was entered stays as it was.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from outreach.access import audit
from outreach.access.accounts import Account
from outreach.access.sealing import key_for, keys_for
from outreach.db import new_id, now
from outreach.delivery import pulling
from outreach.delivery.letter import HandService, Letter, LetterState, PrintRun, RunKind, RunState, ServiceResult
from outreach.delivery.message import Attempt, Message
from outreach.delivery.projection import lock, project
from outreach.notices import languages, starter
from outreach.notices.letters.service import ReceiptWords, RunSheet, Served
from outreach.people.custody import ANumberRule, Facility
from outreach.people.person import ANumber, NameKind, PersonName


class NoPacketLetter(LookupError):
    """No letter of a hand-service packet has this code."""


class NotHandedOver(Exception):
    """The packet was not given to the serving officer yet, or is void; or the letter was taken out of it."""


class AlreadyEntered(Exception):
    """What came of this letter was entered before. It stays."""


class OfficerMissing(ValueError):
    """The receipt does not say who served it."""


class WitnessMissing(ValueError):
    """A refusal counts only with a witness and the language in which it was explained."""


class BadTime(ValueError):
    """It was served before the packet was made, or will be."""


@dataclass(frozen=True, slots=True)
class PapersPermit:
    """The names in this packet may be opened, because an entry in the audit log says so. Made by `ask_for_papers` only."""

    run_id: UUID


def ask_for_papers(session: Session, run_id: UUID, *, by: Account) -> PapersPermit:
    """Leave to print the run sheet and the receipts of a packet that is in the house. Commit before using it.

    Raises NoPacketLetter when the run is no packet, and NotHandedOver when it is void or has left the house.
    """
    run = session.get(PrintRun, run_id)
    if run is None or run.kind != RunKind.HAND:
        raise NoPacketLetter
    if run.state in (RunState.VOID, RunState.HANDED_OVER):
        raise NotHandedOver
    audit.record(session, by.actor, "print_run.papers", "print_run", run_id, letters=run.letters)
    return PapersPermit(run_id)


def papers(session: Session, permit: PapersPermit, *, day: date) -> tuple[RunSheet, tuple[ReceiptWords | None, ...]]:
    """The run sheet of a packet as of a day, and each receipt's words in the person's language. Pulled letters are not on it."""
    run = session.get_one(PrintRun, permit.run_id)
    facility = session.get(Facility, run.facility_id) if run.facility_id else None
    rows = session.execute(
        select(Letter, Message.language)
        .join(Attempt, Attempt.id == Letter.attempt_id)
        .join(Message, Message.id == Attempt.message_id)
        .where(Letter.run_id == run.id, Letter.state == LetterState.ON_ITS_WAY)
        .order_by(Letter.sequence)
    ).all()
    people = [letter.person_id for letter, _ in rows if letter.person_id is not None]
    names, numbers = _names(session, people), _a_numbers(session, people, facility)
    in_words = {code: ReceiptWords(said.received, said.refused, said.explained) for code, said in starter.receipts().items()}
    served = tuple(
        Served(
            name=names.get(letter.person_id, ""),
            language=language,
            reference=letter.reference,
            return_code=letter.return_code,
            a_number=numbers.get(letter.person_id),
            note=f"{letter.sequence} / {run.letters}",
        )
        for letter, language in rows
    )
    sheet = RunSheet(run.name, facility.name if facility else "", day, served)
    return sheet, tuple(None if person.language == "en" else in_words.get(person.language) for person in served)


def _names(session: Session, people: Sequence[UUID]) -> dict[UUID | None, str]:
    keys = keys_for(session, people)
    found = session.scalars(
        select(PersonName)
        .where(PersonName.person_id.in_(people), PersonName.kind == NameKind.RECORDED)
        .order_by(PersonName.created_at.desc(), PersonName.id.desc())  # the first one counts, as in the letter
    )
    return {
        one.person_id: keys[one.person_id].open("person_name.whole", one.id, one.whole_sealed)
        for one in found
        if one.person_id in keys
    }


def _a_numbers(session: Session, people: Sequence[UUID], facility: Facility | None) -> dict[UUID | None, str]:
    """As much of each A-number as the facility asks for: none, unless it does."""
    if facility is None or facility.a_number_rule == ANumberRule.NONE:
        return {}
    keys = keys_for(session, people)
    opened: dict[UUID | None, str] = {
        one.person_id: keys[one.person_id].open("a_number.value", one.id, one.value_sealed)
        for one in session.scalars(select(ANumber).where(ANumber.person_id.in_(people)).order_by(ANumber.id.desc()))
        if one.person_id in keys
    }
    if facility.a_number_rule == ANumberRule.LAST_FOUR:
        return {person_id: number[-4:] for person_id, number in opened.items()}
    return opened


def enter(
    session: Session,
    attempt_id: UUID,
    result: ServiceResult,
    served_at: datetime,
    officer: str,
    interpreter: str | None,
    witness: str | None,
    language: str | None,
    by: Account,
) -> HandService:
    """Keep what the receipt of one letter says, and tell the outcome.

    `officer`: name and title. Raises NoPacketLetter, NotHandedOver, AlreadyEntered, OfficerMissing, WitnessMissing, BadTime, and
    `languages.UnknownLanguageError`.
    """
    letter = session.get(Letter, attempt_id)
    run = session.get(PrintRun, letter.run_id) if letter and letter.run_id else None
    if letter is None or run is None or run.kind != RunKind.HAND or letter.person_id is None:
        raise NoPacketLetter
    officer, interpreter, witness = officer.strip(), (interpreter or "").strip(), (witness or "").strip()
    if not officer:
        raise OfficerMissing
    if result == ServiceResult.REFUSED_WITNESSED and not (witness and language):
        raise WitnessMissing
    if not run.made_at.replace(second=0, microsecond=0) <= served_at <= now():  # A receipt has no seconds.
        raise BadTime
    spoken = languages.get(language).code if language else None
    message_id = session.get_one(Attempt, attempt_id).message_id
    lock(session, [message_id])
    session.refresh(letter, with_for_update={"key_share": True})
    session.refresh(run)
    if letter.state in (LetterState.SERVED, LetterState.NOT_SERVED):
        raise AlreadyEntered
    if run.state != RunState.HANDED_OVER or letter.state != LetterState.ON_ITS_WAY:
        raise NotHandedOver
    key, entry_id = key_for(session, letter.person_id), new_id()
    entry = HandService(
        id=entry_id,
        attempt_id=attempt_id,
        result=result,
        served_at=served_at,
        officer_sealed=key.seal("hand_service.officer", entry_id, officer),
        interpreter_sealed=key.seal("hand_service.interpreter", entry_id, interpreter) if interpreter else None,
        witness_sealed=key.seal("hand_service.witness", entry_id, witness) if witness else None,
        language=spoken,
        entered_by=by.id,
    )
    session.add(entry)
    letter.state = LetterState.SERVED if result.told else LetterState.NOT_SERVED
    letter.reason, letter.state_at, letter.state_by = result, now(), by.id
    session.flush()
    _report(session, attempt_id, message_id, told=result.told)
    if not result.told:
        pulling.revoke_codes(session, [attempt_id])
    project(session, [message_id])
    if result.told:
        _told(session, message_id, letter.person_id)
    audit.record(
        session, by.actor, "hand_service.enter", "letter", attempt_id, result=result,
        served_at=served_at.isoformat(timespec="minutes"), language=spoken, interpreter=bool(interpreter), witness=bool(witness),
    )  # fmt: skip
    return entry


def _report(session: Session, attempt_id: UUID, message_id: UUID, *, told: bool) -> None:
    session.execute(
        text("update attempt set state = :state, finished_at = now() where id = :id and state in ('accepted', 'sent')"),
        {"id": attempt_id, "state": "delivered" if told else "returned"},
    )
    session.execute(
        text("""
            update message set state = :state, reason = :reason, due_at = null, updated_at = now()
            where id = :id and state in ('accepted', 'sent')
        """),
        {"id": message_id, "state": "delivered" if told else "returned", "reason": None if told else "not_served"},
    )


def _told(session: Session, message_id: UUID, person_id: UUID) -> None:
    session.execute(
        text("""
            update outcome o set state = 'told', reason = null, updated_at = now() from message m
            where m.id = :message and o.campaign_id = m.campaign_id and o.person_id = :person and o.state <> 'told'
        """),
        {"message": message_id, "person": person_id},
    )
