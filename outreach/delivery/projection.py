"""Projecting messages onto outcomes: where each person stands now, from all messages about them in the campaign."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

# A text for which no hour is decent waits without an end, and nobody may wait with it.
WAITING = "(m.state = 'ready' and m.reason is distinct from 'no_decent_hour')"

LATELY_WITHOUT_HOUR = """exists (
    select 1 from message_person mp join outcome o on o.campaign_id = m.campaign_id and o.person_id = mp.person_id
    where mp.message_id = m.id and o.reason = 'no_decent_hour' and o.updated_at > now() - interval '7 days'
)"""

# The best that any message about the person came to. What arrived at a number that turned out to be somebody else's reached
# nobody. `told` and `excluded` are decided elsewhere and stay. An attorney's messages are the attorney's track, kept apart.
PROJECT = """
    with touched as (
        select distinct m.campaign_id, mp.person_id {attorney_too}
        from message m join message_person mp on mp.message_id = m.id where m.id = any(:messages) and {whose}
    ),
    standing as (
        select t.campaign_id, t.person_id {of_attorney},
            bool_or(m.state = 'delivered' and cp.state <> 'quarantined') as reached,
            bool_or(m.state = 'delivered' and cp.state = 'quarantined') as misdirected,
            bool_or(m.state in ('submitting', 'unknown', 'accepted', 'sent')
                or ({waiting} and m.attempts > 0) or (m.state = 'undelivered' and m.due_at is not null)) as moving,
            bool_or({waiting}) as waiting,
            (array_agg(m.reason order by m.created_at desc))[1] as reason
        from touched t
        join message_person mp on mp.person_id = t.person_id
        join message m on m.id = mp.message_id and m.campaign_id = t.campaign_id and {whose} {same_attorney}
        join contact_point cp on cp.id = m.contact_point_id
        group by t.campaign_id, t.person_id {of_attorney}
    ),
    verdict as (
        select {key},
            case when reached then 'reached' when moving then 'in_progress' when waiting then 'planned'
                else 'exhausted' end as state,
            case when not (reached or moving or waiting)
                then case when misdirected then 'wrong_number' else coalesce(reason, 'not_delivered') end end as reason
        from standing
    ),
    changing as (
        select {key}, v.state, v.reason
        from {table} o join verdict v using ({key})
        where o.state not in ('told', 'excluded') and (o.state, o.reason) is distinct from (v.state, v.reason)
        order by {key}
        for update of o
    )
    update {table} o set state = v.state, reason = v.reason, updated_at = now()
    from changing v where {matching}
"""
PEOPLE = PROJECT.format(
    waiting=WAITING, attorney_too="", of_attorney="", same_attorney="", whose="m.attorney_id is null",
    key="campaign_id, person_id", table="outcome", matching="o.campaign_id = v.campaign_id and o.person_id = v.person_id",
)  # fmt: skip
COUNSEL = PROJECT.format(
    waiting=WAITING, attorney_too=", m.attorney_id", of_attorney=", t.attorney_id",
    same_attorney="and m.attorney_id = t.attorney_id", whose="m.attorney_id is not null",
    key="campaign_id, person_id, attorney_id", table="counsel_outcome",
    matching="o.campaign_id = v.campaign_id and o.person_id = v.person_id and o.attorney_id = v.attorney_id",
)  # fmt: skip
# Rows are locked in one order everywhere, so that nothing can deadlock: contact points, messages, attempts, outcomes, what was
# spent, campaigns, the end of the audit log; each kind by id.


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


def lock_outcomes(session: Session, messages: Collection[UUID]) -> None:
    """Lock the outcomes of everybody these messages are about, where more than one statement is going to change them."""
    for table, key in (("outcome", "campaign_id, person_id"), ("counsel_outcome", "campaign_id, person_id, attorney_id")):
        session.execute(
            text(f"""
                select 1 from {table} where (campaign_id, person_id) in (
                    select m.campaign_id, mp.person_id from message m join message_person mp on mp.message_id = m.id
                    where m.id = any(:ids)
                ) order by {key} for update
            """),  # made from the constants above
            {"ids": list(messages)},
        )


def project(session: Session, messages: Collection[UUID]) -> None:
    """Bring the outcomes of everybody these messages are about up to date. Safe to repeat; the messages may be in any state."""
    if messages:
        session.execute(text(PEOPLE), {"messages": list(messages)})
        attorneys = "select 1 from message where id = any(:messages) and attorney_id is not null limit 1"
        if session.scalar(text(attorneys), {"messages": list(messages)}):
            session.execute(text(COUNSEL), {"messages": list(messages)})


def finish(session: Session, *, letter_days: int = 30) -> list[UUID]:
    """Close running campaigns whose every step is planned and whose every message is decided; their ids.

    A message that is accepted and never reported on does not keep a campaign open for ever: after three days its last word is
    that it was sent, and a letter's after `letter_days`. A mail that its relay never answered for stays unknown, and keeps it
    open for a week, and so does a text from when it found no decent hour. Paper that has not left the house keeps it open.
    """
    rows = session.execute(
        text(f"""
            update campaign c set state = 'done', finished_at = now()
            where c.state = 'running'
              and not exists (select 1 from step s where s.campaign_id = c.id and s.planned_at is null)
              and not exists (
                  select 1 from message m where m.campaign_id = c.id
                    and (m.state = 'submitting' or {WAITING} or (m.state = 'ready' and {LATELY_WITHOUT_HOUR})
                      or (m.state = 'unknown' and (m.channel = 'sms' or m.updated_at > now() - interval '7 days'))
                      or (m.channel not in ('letter', 'hand', 'attorney_letter')
                          and m.state in ('accepted', 'sent') and m.updated_at > now() - interval '72 hours')
                      or (m.channel in ('letter', 'hand', 'attorney_letter')
                          and (m.state in ('accepted', 'sent') and m.updated_at > now() - :letter_days * interval '1 day'
                              or m.state = 'accepted' and exists (
                                  select 1 from attempt a join letter l on l.attempt_id = a.id
                                  where a.message_id = m.id and a.state = 'accepted' and l.run_id is not null)))
                      or (m.state = 'undelivered' and m.due_at is not null))
              )
            returning c.id
        """),  # made from the constant above
        {"letter_days": letter_days},
    )
    return [row.id for row in rows]
