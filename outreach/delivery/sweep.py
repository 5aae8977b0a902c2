"""The sweep: the minute job that re-does whatever was forgotten. Every part is safe to repeat and to run twice at once."""

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session

from outreach.delivery import projection
from outreach.delivery.reconcile import expire_leases


@dataclass(frozen=True, slots=True)
class Swept:
    """What one sweep found to do."""

    expired: int = 0  # attempts whose worker never came back
    retried: int = 0  # undelivered messages that are tried again
    cancelled: int = 0  # messages no longer wanted
    finished: int = 0  # campaigns


def sweep(session: Session, *, letter_days: int = 30) -> Swept:
    """What is left to do about messages that were planned. The caller commits, then reconciles and rings for what is due."""
    expired = expire_leases(session)
    retried = retry_undelivered(session)
    cancelled = cancel_told(session)
    finished = projection.finish(session, letter_days=letter_days)
    return Swept(expired, retried, cancelled, len(finished))


def retry_undelivered(session: Session) -> int:
    """Put undelivered messages back whose failure may pass and whose wait is over."""
    rows = session.scalars(
        text("""
            update message set state = 'ready', reason = null, due_at = now(), updated_at = now()
            where id in (select id from message where state = 'undelivered' and due_at <= now() order by id for update skip locked)
            returning id
        """)
    ).all()
    return len(rows)


def cancel_told(session: Session) -> int:
    """The stop rule: once everyone a waiting message is about has been told, it is not wanted any more.

    For an attorney's message that is once the attorney has been told about all of them.
    """
    rows = session.scalars(
        text("""
            update message set state = 'cancelled', reason = 'told', due_at = null, updated_at = now()
            where id in (
                select m.id from outcome o
                join message_person mp on mp.person_id = o.person_id
                join message m on m.id = mp.message_id and m.campaign_id = o.campaign_id
                where o.state = 'told' and m.attorney_id is null
                  and (m.state = 'ready' or (m.state = 'undelivered' and m.due_at is not null))
                  and not exists (
                      select 1 from message_person others
                      join outcome theirs on theirs.campaign_id = m.campaign_id and theirs.person_id = others.person_id
                      where others.message_id = m.id and theirs.state <> 'told')
                order by m.id for update of m skip locked
            )
            returning id
        """)
    ).all()
    attorneys = session.scalars(
        text("""
            update message set state = 'cancelled', reason = 'told', due_at = null, updated_at = now()
            where id in (
                select m.id from message m
                where m.attorney_id is not null and (m.state = 'ready' or (m.state = 'undelivered' and m.due_at is not null))
                  and not exists (
                      select 1 from message_person mp
                      join counsel_outcome co on co.campaign_id = m.campaign_id and co.person_id = mp.person_id
                          and co.attorney_id = m.attorney_id
                      where mp.message_id = m.id and co.state <> 'told')
                order by m.id for update of m skip locked
            )
            returning id
        """)
    ).all()
    return len(rows) + len(attorneys)
