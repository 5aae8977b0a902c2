"""Planning: freeze the audience of a step, and decide on the messages. One statement for everybody; no loop over people."""

from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from outreach.campaigns import audience, campaign
from outreach.campaigns.campaign import CampaignState, Step
from outreach.db import now

FIRST_STEP = f"""
    with {audience.DECIDED},
    standing as (
        insert into outcome (campaign_id, person_id, state, reason, updated_at)
        select :campaign, person_id,
            case when excluded is not null then 'excluded' when exhausted is not null then 'exhausted' else 'planned' end,
            coalesce(excluded, exhausted), now()
        from decided
        on conflict do nothing
    ),
    wanted as (
        select person_id, contact_point_id, language, rendition_id from decided where excluded is null and exhausted is null
    )
"""

# A later step is for whoever has not answered that they have it. Who was left out at the start is decided afresh: a text may
# have been approved, a phone confirmed, a person released since.
LATER_STEP = f"""
    with {audience.DECIDED},
    wanted as (
        select d.person_id, d.contact_point_id, d.language, d.rendition_id
        from decided d join outcome o on o.campaign_id = :campaign and o.person_id = d.person_id
        where d.excluded is null and d.exhausted is null and o.state <> 'told'
    ),
    again as (
        select o.campaign_id, o.person_id from outcome o join wanted on wanted.person_id = o.person_id
        where o.campaign_id = :campaign and o.state in ('exhausted', 'excluded')
        order by o.campaign_id, o.person_id for update of o
    ),
    standing as (
        update outcome o set state = 'planned', reason = null, updated_at = now()
        from again where o.campaign_id = again.campaign_id and o.person_id = again.person_id
    )
"""

# People of one phone and language get the id of the first of them, by sorting once. Joining messages and people again would be
# left to PostgreSQL's guess that there is one row of each, and so to comparing everybody with everybody.
MESSAGES = """,
    addressed as materialized (
        select person_id, contact_point_id, language, rendition_id,
            first_value(id) over each_phone as message_id, row_number() over each_phone = 1 as first
        from (select new_id() as id, wanted.* from wanted) numbered
        window each_phone as (partition by contact_point_id, language)
    ),
    decision as (
        insert into message (id, step_id, campaign_id, contact_point_id, rendition_id, channel, language, state, due_at,
            attempts, created_at, updated_at)
        select message_id, :step, :campaign, contact_point_id, rendition_id, :channel, language, 'ready', now(), 0, now(), now()
        from addressed where first
        returning 1
    ),
    about as (
        insert into message_person (message_id, person_id) select message_id, person_id from addressed
    )
    select count(*) as messages from decision
"""


def plan(session: Session, step_id: UUID) -> int:
    """Decide on the messages of one step; the number of them. A second call, or one at the same time, adds nothing.

    People who share a phone and a language share a message. Everyone in the audience gets an outcome, with the reason where
    they get no message.
    """
    step = session.scalars(select(Step).where(Step.id == step_id).with_for_update()).one()
    if step.planned_at is not None:
        return 0
    intent = campaign.get(session, step.campaign_id)
    if intent.state != CampaignState.RUNNING:
        return 0
    statement = (FIRST_STEP if step.position == 1 else LATER_STEP) + MESSAGES
    counts = session.execute(
        text(statement),
        audience.parameters(intent.notice_id, intent.audience) | {"campaign": intent.id, "step": step.id, "channel": step.channel},
    ).one()
    step.planned_at = now()
    session.flush()
    return int(counts.messages)


def refresh_statistics(session: Session) -> None:
    """Tell PostgreSQL how many rows there are now. To be done after planning, in a transaction of its own.

    It finds that out by itself within a minute or so, and until then claims and records as if a campaign were of a handful of
    people: comparing each of them with everybody.
    """
    session.execute(text("analyze outcome, message, message_person"))


def due_steps(session: Session) -> list[UUID]:
    """Steps of running campaigns whose time has come and that are not planned yet, first rungs first."""
    rows = session.execute(
        text("""
            select s.id from step s join campaign c on c.id = s.campaign_id
            where c.state = 'running' and s.planned_at is null
              and c.launched_at + s.wait_hours * interval '1 hour' <= now()
              and not exists (
                  select 1 from step before
                  where before.campaign_id = s.campaign_id and before.position < s.position and before.planned_at is null
              )
            order by s.position, c.launched_at
        """)
    )
    return [row.id for row in rows]
