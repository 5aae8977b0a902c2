"""Moving on: whom a step did not reach, the next one is decided for at once, ahead of its time for everybody.

A step's hours are for answers that may still come. Nobody waits for them where nothing can come any more: the address does not
work, the message was refused for good or was tried often enough, the mail came back, nothing was on file; or no report has come for
so long that none is expected. Whoever is about to be removed waits for nothing at all.

Somebody for whose custody no step has come yet waits for the first that is: that wait is what the channel plan gives them.
"""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from outreach.campaigns import campaign
from outreach.campaigns.campaign import CampaignState, Step
from outreach.delivery import plan
from outreach.notices.channel import Channel
from outreach.people.imminent import IN_FORCE

TO_ATTORNEYS = "('attorney_email', 'attorney_letter')"


@dataclass(frozen=True, slots=True)
class Grace:
    """How long the report of a text or of a mail may take, before its people are moved on as if it had not arrived.

    For a letter silence is the rule, and says nothing: whoever has one on its way gets the next step at its time.
    """

    text: timedelta
    mail: timedelta


def steps_ahead(session: Session) -> list[UUID]:
    """Steps of running campaigns that are not planned yet, and that some may get ahead of their time, in the ladder's order."""
    rows = session.scalars(
        text("""
            select s.id from step s join campaign c on c.id = s.campaign_id
            where c.state = 'running' and s.planned_at is null and (s.added_at is null or s.approved_at is not null)
              and exists (select 1 from step begun where begun.campaign_id = c.id and begun.planned_at is not null)
            order by c.id, s.position
        """)
    )
    return list(rows)


def advance(session: Session, step_id: UUID, grace: Grace) -> int:
    """Decide on the messages of this step for those who cannot wait for its time; the number of them. Safe to repeat.

    One step in a transaction, in the ladder's order: whom it cannot reach either is moved on by the next one. Every person is
    considered once for each step; the step stays unplanned, for everybody else. Of the attorneys' steps it moves on only the
    attorneys of those whose removal is imminent.
    """
    step = session.scalars(select(Step).where(Step.id == step_id).with_for_update(skip_locked=True, key_share=True)).one_or_none()
    if step is None or step.planned_at is not None:
        return 0
    intent = campaign.get(session, step.campaign_id)
    if intent.state != CampaignState.RUNNING:
        return 0
    plan.lock_cancelled(session, [step])
    ahead = _urgent(session, step) if Channel(step.channel).to_attorney else _moving(session, step, grace)
    return plan.decide(session, step, intent, written=True, ahead=ahead) if ahead.moving else 0


# Where a person may still go on from: the people's step before this one, as the ladder stands.
BEFORE = f"""
    select position, planned_at is not null as planned from step
    where campaign_id = :campaign and position < :position and channel not in {TO_ATTORNEYS}
      and (added_at is null or approved_at is not null)
    order by position desc limit 1
"""

# People of these custody states have had a step that was for them.
BEGUN = f"""
    select distinct cr.custody from step s join channel_rule cr on cr.channel = s.channel
    where s.campaign_id = :campaign and s.planned_at is not null and s.channel not in {TO_ATTORNEYS}
      and (s.custodies is null or cr.custody = any(s.custodies))
"""

SILENT = """(m.state in ('unknown', 'accepted', 'sent') and m.channel in ('sms', 'email') and
    m.updated_at < now() - case m.channel when 'sms' then cast(:text_grace as interval) else cast(:mail_grace as interval) end)"""

URGENT = f"""
    select ir.person_id from imminent_removal ir join outcome o on o.person_id = ir.person_id and o.campaign_id = :campaign
    where {IN_FORCE} and o.state <> 'told'
"""

# Each part begins at an index and ends at those who were not moved on to this step yet; only who is about to be removed is asked
# about every time. With the moving are locked, in the one order, those who share the phone or mailbox that they are written to.
MOVING = f"""
    with not_reached as materialized (
        select o.person_id from outcome o join person p on p.id = o.person_id
        where o.campaign_id = :campaign and o.state in ('exhausted', 'excluded') and o.rung < :position and o.rung >= :before
          and p.custody = any(:begun)
    ),
    not_heard_of as materialized (
        select distinct mp.person_id from message m
        join message_person mp on mp.message_id = m.id
        join outcome o on o.campaign_id = m.campaign_id and o.person_id = mp.person_id
        join person p on p.id = o.person_id
        where m.step_id = any(:wired) and m.updated_at < now() - least(cast(:text_grace as interval), :mail_grace) and {SILENT}
          and o.state = 'in_progress' and o.rung < :position and o.rung >= :before and p.custody = any(:begun)
          and not exists (
              select 1 from message_person about join message m on m.id = about.message_id
              where about.person_id = o.person_id and m.campaign_id = o.campaign_id and m.attorney_id is null
                and (m.state in ('ready', 'submitting') or (m.state = 'undelivered' and m.due_at is not null)
                  or (m.state in ('unknown', 'accepted', 'sent') and not {SILENT}))
          )
    ),
    urgent as materialized ({URGENT}),
    first as (
        select person_id from not_reached union select person_id from not_heard_of union select person_id from urgent
    ),
    sharing as (
        select theirs.person_id from first
        join person_contact pc on pc.person_id = first.person_id
        join contact_point cp on cp.id = pc.contact_point_id and cp.kind = :shared
        join person_contact theirs on theirs.contact_point_id = cp.id
    )
    select o.person_id,
        (o.state in ('exhausted', 'excluded') and o.person_id in (select person_id from not_reached))
        or (o.state = 'in_progress' and o.person_id in (select person_id from not_heard_of))
        or o.person_id in (select person_id from urgent) as moving
    from outcome o
    where o.campaign_id = :campaign and o.person_id in (select person_id from first union select person_id from sharing)
      and o.state <> 'told'
    order by o.campaign_id, o.person_id for update of o
"""
MOVED = "update outcome set rung = greatest(rung, :position) where campaign_id = :campaign and person_id = any(:people)"

SHARED = {Channel.SMS: "phone", Channel.EMAIL: "email"}


def _moving(session: Session, step: Step, grace: Grace) -> plan.Ahead:
    at = {"campaign": step.campaign_id, "position": step.position}
    before = session.execute(text(BEFORE), at).one_or_none()
    # Without a people's step before it, nobody has been tried: only who is about to be removed gets it now.
    floor = 0 if before is None or before.planned else before.position
    begun = list(session.scalars(text(BEGUN), at)) if before is not None else []
    wired = select(Step.id).where(Step.campaign_id == step.campaign_id, Step.channel.in_((Channel.SMS, Channel.EMAIL)))
    rows = session.execute(
        text(MOVING),
        at
        | {
            "before": floor,
            "begun": begun,
            "wired": list(session.scalars(wired)),
            "shared": SHARED.get(Channel(step.channel)),
            "text_grace": grace.text,
            "mail_grace": grace.mail,
        },
    ).all()
    moving = [row.person_id for row in rows if row.moving]
    if moving:
        session.execute(text(MOVED), at | {"people": moving})
    return plan.Ahead(moving, [row.person_id for row in rows])


def _urgent(session: Session, step: Step) -> plan.Ahead:
    people = list(session.scalars(text(URGENT), {"campaign": step.campaign_id}))
    return plan.Ahead(people, people)
