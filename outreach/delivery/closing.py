"""Closing contact points because somebody there asked for it: at once, for everybody who uses them, whatever waits to go there.

It ends the channel and never the duty to tell somebody: whoever is reached there stays for the steps of other channels.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from outreach.access import audit
from outreach.access.audit import Actor, ActorKind
from outreach.db import now
from outreach.delivery.projection import lock, project
from outreach.people.contact import ContactPoint, ContactState

OPEN = (ContactState.USABLE, ContactState.BAD)
"""What a wish to hear no more closes; anything else is closed already, and for a weightier reason where it is quarantined."""


@dataclass(frozen=True, slots=True)
class Closing:
    """A contact point, locked by the caller, and what becomes of it. `reason` is a code, as of `ContactPoint.state_reason`."""

    contact: ContactPoint
    state: ContactState
    reason: str


CANCEL = """
    update message m set state = 'cancelled', due_at = null, updated_at = now(),
        reason = case cp.state when 'opted_out' then 'opted_out' else 'wrong_number' end
    from contact_point cp
    where m.id = any(:ids) and cp.id = m.contact_point_id
      and (m.state = 'ready' or (m.state = 'undelivered' and m.due_at is not null))
"""


def close(session: Session, closings: Sequence[Closing], **detail: str) -> None:
    """End these contact points: nothing waiting goes out, and outcomes say what is true now. `detail` is for the audit log."""
    for closing in closings:
        closing.contact.state, closing.contact.state_reason, closing.contact.state_at = closing.state, closing.reason, now()
    session.flush()
    contacts = [closing.contact.id for closing in closings]
    messages = list(session.scalars(text("select id from message where contact_point_id = any(:ids)"), {"ids": contacts}))
    lock(session, messages)
    session.execute(text(CANCEL), {"ids": messages})
    project(session, messages)
    for closing in closings:
        actor = Actor(ActorKind.RECIPIENT, closing.contact.id)
        audit.record(session, actor, "contact.close", "contact_point", closing.contact.id, state=closing.state, **detail)


def object_to(session: Session, objections: Mapping[UUID, str]) -> int:
    """Close the mailboxes that these attempts of ours went to, by a code that says how somebody objected; how many were open.

    Safe to repeat. What names no e-mail of ours closes nothing.
    """
    rows = session.execute(
        text("""
            select id, contact_point_id from attempt
            where id = any(:tokens) and channel in ('email', 'attorney_email') order by id
        """),
        {"tokens": list(objections)},
    )
    reasons = {row.contact_point_id: objections[row.id] for row in rows}
    contacts = session.scalars(
        select(ContactPoint)
        .where(ContactPoint.id.in_(reasons), ContactPoint.state.in_(OPEN))
        .order_by(ContactPoint.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).all()
    if contacts:
        close(session, [Closing(contact, ContactState.OPTED_OUT, reasons[contact.id]) for contact in contacts], via="e-mail")
    return len(contacts)
