"""Returned mail: what came back, why, and what is done about it.

A letter that came back has told nobody. Its address is bad from then on, the codes in it open nothing, and its person is back on
the worked list or gets another letter, marked as a duplicate. "Return Service Requested": nothing of ours is ever forwarded.
"""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select, text
from sqlalchemy.orm import Session

from outreach.access import audit, codes
from outreach.access.accounts import Account
from outreach.campaigns.campaign import Campaign, CampaignState
from outreach.db import new_id, now
from outreach.delivery import pulling
from outreach.delivery.letter import Letter, LetterState, RunKind
from outreach.delivery.message import Attempt, Message, MessagePerson
from outreach.delivery.projection import lock, project
from outreach.people.addresses.regrading import regrade
from outreach.people.contact import ContactPoint


class ReturnReason(StrEnum):
    """What the post says on the envelope (USPS DMM 507, exhibit 1.4.1), in the order of the bench's keys, from 1."""

    NOT_DELIVERABLE = "not_deliverable"
    MOVED = "moved"
    NO_SUCH_NUMBER = "no_such_number"
    INSUFFICIENT = "insufficient"
    REFUSED = "refused"
    UNCLAIMED = "unclaimed"
    DECEASED = "deceased"
    FACILITY = "facility"
    OTHER = "other"


KEYS = {str(key): reason for key, reason in enumerate(ReturnReason, start=1)}


class UnknownCode(LookupError):
    """No letter of ours carries this return code."""


class WasPulled(Exception):
    """The letter was to be taken out of its run, and came back: it was mailed all the same. `attempt_id` says which."""

    def __init__(self, attempt_id: UUID) -> None:
        super().__init__("A letter that was pulled came back.")
        self.attempt_id = attempt_id


class HandedOver(Exception):
    """The letter is of a hand-service packet: what came of it is entered there."""


class NotReturned(Exception):
    """The letter has not come back."""


class NoSuchAddress(LookupError):
    """The person has no such address that a letter may go to."""


class CampaignOver(Exception):
    """The letter's campaign is over and sends nothing any more."""


class AlreadyThere(Exception):
    """The same step has written to this address before."""


@dataclass(frozen=True, slots=True)
class Found:
    """A letter as the bench shows it: nothing of it says whose it is. `again`: it had come back before, for `reason`."""

    attempt_id: UUID
    message_id: UUID
    person_id: UUID | None
    run: str | None
    sequence: int | None
    channel: str
    language: str
    to_facility: bool
    sent_on: date | None
    state: str
    reason: str | None
    state_at: datetime | None

    @property
    def again(self) -> bool:
        return self.state == LetterState.RETURNED


FIND = """
    select l.attempt_id, a.message_id, l.person_id, r.number, r.kind, l.sequence, m.channel, m.language, l.facility_id,
        r.handed_over_on, l.state, l.reason, l.state_at
    from letter l join attempt a on a.id = l.attempt_id join message m on m.id = a.message_id
    left join print_run r on r.id = l.run_id
"""


def find(session: Session, typed: str) -> Found:
    """The letter with this return code, however it was typed or scanned. Raises UnknownCode, HandedOver, or WasPulled."""
    code = codes.read(typed)
    row = session.execute(text(f"{FIND} where replace(l.return_code, '-', '') = :code"), {"code": code}).one_or_none()
    if row is None:
        raise UnknownCode
    return _found(row)


def get(session: Session, attempt_id: UUID) -> Found:
    """The letter of this attempt. Raises UnknownCode, HandedOver, or WasPulled."""
    row = session.execute(text(f"{FIND} where l.attempt_id = :id"), {"id": attempt_id}).one_or_none()
    if row is None:
        raise UnknownCode
    return _found(row)


def record_return(session: Session, attempt_id: UUID, reason: ReturnReason, *, by: Account, reuse_limit: int) -> Found:
    """This letter came back. Done once: a second time changes nothing, and `again` says so. Raises as `get` does.

    The address is bad from now on, unless it is a facility's, where others get their mail; so is the same house given by others,
    where the reason speaks against the house (`regrade`, which takes the limit). The person is back on the worked list.
    """
    found = get(session, attempt_id)
    session.execute(
        text("select 1 from contact_point where id = (select contact_point_id from attempt where id = :id) for no key update"),
        {"id": attempt_id},
    )
    lock(session, [found.message_id])
    letter = session.get_one(Letter, attempt_id, with_for_update={"key_share": True}, populate_existing=True)
    found = get(session, attempt_id)
    if found.again:
        return found
    session.execute(
        text("update attempt set state = 'returned', error_code = :reason, finished_at = now() where id = :id"),
        {"id": attempt_id, "reason": reason},
    )
    # The message follows its latest attempt: an older letter that comes back late does not undo a newer one.
    session.execute(
        text("""
            update message m set state = 'returned', reason = 'returned', due_at = null, updated_at = now() from attempt a
            where a.id = :id and m.id = a.message_id and a.number = m.attempts and m.state in ('accepted', 'sent', 'delivered')
        """),
        {"id": attempt_id},
    )
    if not found.to_facility:
        indexes = session.scalars(
            text("""
                update contact_point cp set grade = 'known_bad',
                    state = case when cp.state = 'usable' then 'bad' else cp.state end,
                    state_reason = case when cp.state = 'usable' then :code else cp.state_reason end,
                    state_at = case when cp.state = 'usable' then now() else cp.state_at end
                from attempt a where a.id = :id and cp.id = a.contact_point_id
                returning cp.address_index
            """),
            {"id": attempt_id, "code": f"returned:{reason}"},
        )
        regrade(session, reuse_limit=reuse_limit, indexes=[index for index in indexes if index is not None])
    letter.state, letter.reason, letter.state_at, letter.state_by = LetterState.RETURNED, reason, now(), by.id
    session.flush()
    pulling.revoke_codes(session, [attempt_id])
    project(session, [found.message_id])
    audit.record(session, by.actor, "letter.returned", "letter", attempt_id, reason=reason, sequence=found.sequence)
    return found


def record_escape(session: Session, attempt_id: UUID, *, by: Account) -> None:
    """Keep that a pulled letter was mailed all the same: somebody has to find out how, and whether others were."""
    letter = session.get_one(Letter, attempt_id)
    audit.record(session, by.actor, "letter.escaped", "print_run", letter.run_id, sequence=letter.sequence)


@dataclass(frozen=True, slots=True)
class Address:
    """Where another letter to the same person may go. What it says is not here: reading it is for who asks, with a reason."""

    contact_point_id: UUID
    role: str
    safety: str
    grade: str
    confirmed_on: date | None


# As for a letter that is planned: usable, graded as mailable, safe, and never family's or an attorney's, since a letter says what
# happened. Abroad only with a safety review.
ADDRESSES = """
    select cp.id, pc.role, pc.safety, cp.grade, pc.confirmed_on
    from letter l join person p on p.id = l.person_id
    join person_contact pc on pc.person_id = p.id join contact_point cp on cp.id = pc.contact_point_id
    where l.attempt_id = :id and cp.kind = 'post' and cp.state = 'usable' and cp.grade in ('good', 'foreign')
      and cp.id not in (select contact_point_id from attempt where id = :id)
      and (pc.safety = 'yes' or (pc.role = 'own' and pc.safety = 'unknown' and not p.protected))
      and pc.role not in ('family', 'attorney')
      and (p.custody in ('released', 'relief')
        or (p.custody in ('removed', 'departed') and pc.safety = 'yes' and pc.reviewed_at is not null))
    order by pc.role = 'own' desc, pc.safety = 'yes' desc, pc.confirmed_on desc nulls last, cp.id
"""


def addresses(session: Session, attempt_id: UUID) -> list[Address]:
    """Other addresses of the letter's person, the best first. None for a letter to an attorney."""
    rows = session.execute(text(ADDRESSES), {"id": attempt_id})
    return [Address(row.id, row.role, row.safety, row.grade, row.confirmed_on) for row in rows]


def remail(session: Session, attempt_id: UUID, contact_point_id: UUID, *, by: Account) -> Message:
    """Another letter of the same step, to another address of the same person; it will say that it is a duplicate.

    Raises NotReturned, NoSuchAddress, CampaignOver, or AlreadyThere. The campaign must still run, or be paused.
    """
    if not get(session, attempt_id).again:
        raise NotReturned
    session.execute(select(ContactPoint.id).where(ContactPoint.id == contact_point_id).with_for_update(key_share=True)).all()
    if contact_point_id not in {one.contact_point_id for one in addresses(session, attempt_id)}:
        raise NoSuchAddress
    first = session.get_one(Message, session.get_one(Attempt, attempt_id).message_id)
    state = session.scalar(select(Campaign.state).where(Campaign.id == first.campaign_id))
    if state not in (CampaignState.RUNNING, CampaignState.PAUSED):
        raise CampaignOver
    made = session.scalar(
        text("""
            insert into message (id, step_id, campaign_id, contact_point_id, person_id, rendition_id, channel, language, state,
                due_at, attempts, created_at, updated_at)
            select :id, step_id, campaign_id, :contact, person_id, rendition_id, channel, language, 'ready', now(), 0, now(), now()
            from message where id = :first
            on conflict do nothing returning id
        """),
        {"id": new_id(), "contact": contact_point_id, "first": first.id},
    )
    if made is None:
        raise AlreadyThere
    assert first.person_id is not None  # `addresses` are a person's only
    session.add(MessagePerson(message_id=made, person_id=first.person_id))
    session.flush()
    project(session, [made])
    audit.record(session, by.actor, "letter.remail", "letter", attempt_id, message=str(made), contact=str(contact_point_id))
    return session.get_one(Message, made)


def tally(session: Session, since: datetime, *, by: Account | None = None) -> dict[str, int]:
    """How many letters came back since then, by reason; of one account, or of everybody."""
    rows = session.execute(
        text("""
            select reason, count(*) as letters from letter
            where state = 'returned' and state_at >= :since and (cast(:by as uuid) is null or state_by = :by)
            group by reason order by letters desc, reason
        """),
        {"since": since, "by": by.id if by else None},
    )
    return {row.reason: row.letters for row in rows}


def _found(row: Row[Any]) -> Found:
    if row.kind == RunKind.HAND:
        raise HandedOver
    if row.state == LetterState.PULLED:
        raise WasPulled(row.attempt_id)
    return Found(
        attempt_id=row.attempt_id,
        message_id=row.message_id,
        person_id=row.person_id,
        run=f"RUN-{row.number:04}" if row.number is not None else None,
        sequence=row.sequence,
        channel=row.channel,
        language=row.language,
        to_facility=row.facility_id is not None,
        sent_on=row.handed_over_on,
        state=row.state,
        reason=row.reason,
        state_at=row.state_at,
    )
