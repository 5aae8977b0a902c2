"""Projecting messages onto outcomes: where each person stands now, from all messages about them in the campaign."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

# The best that any message about the person came to. What arrived at a number that turned out to be somebody else's reached
# nobody. `told` and `excluded` are decided elsewhere and stay.
PROJECT = """
    with touched as (
        select distinct m.campaign_id, mp.person_id
        from message m join message_person mp on mp.message_id = m.id where m.id = any(:messages)
    ),
    standing as (
        select t.campaign_id, t.person_id,
            bool_or(m.state = 'delivered' and cp.state <> 'quarantined') as reached,
            bool_or(m.state = 'delivered' and cp.state = 'quarantined') as misdirected,
            bool_or(m.state in ('submitting', 'unknown', 'accepted', 'sent')
                or (m.state = 'ready' and m.attempts > 0) or (m.state = 'undelivered' and m.due_at is not null)) as moving,
            bool_or(m.state = 'ready') as waiting,
            (array_agg(m.reason order by m.created_at desc))[1] as reason
        from touched t
        join message_person mp on mp.person_id = t.person_id
        join message m on m.id = mp.message_id and m.campaign_id = t.campaign_id
        join contact_point cp on cp.id = m.contact_point_id
        group by t.campaign_id, t.person_id
    ),
    verdict as (
        select campaign_id, person_id,
            case when reached then 'reached' when moving then 'in_progress' when waiting then 'planned'
                else 'exhausted' end as state,
            case when not (reached or moving or waiting)
                then case when misdirected then 'wrong_number' else coalesce(reason, 'not_delivered') end end as reason
        from standing
    ),
    changing as (
        select o.campaign_id, o.person_id, v.state, v.reason
        from outcome o join verdict v using (campaign_id, person_id)
        where o.state not in ('told', 'excluded') and (o.state, o.reason) is distinct from (v.state, v.reason)
        order by o.campaign_id, o.person_id
        for update of o
    )
    update outcome o set state = v.state, reason = v.reason, updated_at = now()
    from changing v where o.campaign_id = v.campaign_id and o.person_id = v.person_id
"""
# Rows are locked in one order everywhere, so that nothing can deadlock: contact points, messages, attempts, outcomes, campaigns,
# the end of the audit log; each kind by id.


def lock(session: Session, messages: Collection[UUID], *, contacts_of: Collection[UUID] = ()) -> None:
    """Lock these messages, and before them the contact points of those of them whose contact point may be closed."""
    if contacts_of:
        session.execute(
            text("""
                select 1 from contact_point where id in (select contact_point_id from message where id = any(:ids))
                order by id for no key update
            """),
            {"ids": list(contacts_of)},
        )
    session.execute(text("select 1 from message where id = any(:ids) order by id for no key update"), {"ids": list(messages)})


def project(session: Session, messages: Collection[UUID]) -> None:
    """Bring the outcomes of everybody these messages are about up to date. Safe to repeat; the messages may be in any state."""
    if messages:
        session.execute(text(PROJECT), {"messages": list(messages)})


def finish(session: Session) -> list[UUID]:
    """Close running campaigns whose every step is planned and whose every message is decided; their ids.

    A message that is accepted and never reported on does not keep a campaign open for ever: after three days its last word is
    that it was sent.
    """
    rows = session.execute(
        text("""
            update campaign c set state = 'done', finished_at = now()
            where c.state = 'running'
              and not exists (select 1 from step s where s.campaign_id = c.id and s.planned_at is null)
              and not exists (
                  select 1 from message m where m.campaign_id = c.id
                    and (m.state in ('ready', 'submitting', 'unknown')
                      or (m.state in ('accepted', 'sent') and m.updated_at > now() - interval '72 hours')
                      or (m.state = 'undelivered' and m.due_at is not null))
              )
            returning c.id
        """)
    )
    return [row.id for row in rows]
