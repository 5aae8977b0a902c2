"""Sending again: a step that is added to a launched campaign, by one person, and approved by another before anything comes of it.

Nothing is ever sent a second time by itself. An added step is for whom any later step is for: everybody who is not told.
"""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from outreach.access import audit
from outreach.access.accounts import Account, Role
from outreach.campaigns import audience, campaign
from outreach.campaigns.campaign import Campaign, CampaignState, Refused, Rung, Step
from outreach.db import new_id, now
from outreach.notices.channel import Channel
from outreach.tally import Rows, Tally

MOST_STEPS = 24
LONGEST_WAIT_HOURS = 24 * 90


class NoStep(LookupError):
    """There is no such step that was added to the campaign."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What the step would come to if its time were now: who would be written to, by how many messages, and who stands untold."""

    untold: int
    people: int
    messages: int
    as_of: datetime = field(compare=False)


def add_step(session: Session, campaign_id: UUID, rung: Rung, *, by: Account) -> Step:
    """Ask for one more step, after all others; its hours count from the approval. Raises NoCampaign or Refused."""
    intent = _open(session, campaign_id)
    if not 0 <= rung.wait_hours <= LONGEST_WAIT_HOURS:
        raise Refused("A step that is added comes at most 90 days after its approval.")
    if rung.custodies is not None and not rung.custodies:
        raise Refused("Choose whom the step is for.")
    last, steps = session.execute(select(func.max(Step.position), func.count()).where(Step.campaign_id == campaign_id)).one()
    if steps >= MOST_STEPS:
        raise Refused("This campaign has %(most)s steps, and cannot have more.", most=MOST_STEPS)
    step = Step(
        id=new_id(), campaign_id=intent.id, position=last + 1, channel=rung.channel, wait_hours=rung.wait_hours,
        custodies=list(rung.custodies) if rung.custodies is not None else None, added_by=by.id, added_at=now(),
    )  # fmt: skip
    session.add(step)
    session.flush()
    _record(session, by, "campaign.add_step", step)
    return step


def approve_step(session: Session, step_id: UUID, *, by: Account) -> Step:
    """Let an added step come. Raises NoStep, and Refused for its own author, for others' roles, and when the campaign is over."""
    step = get(session, step_id)
    _open(session, step.campaign_id)
    session.refresh(step, with_for_update=True)
    if step.approved_at is not None:
        raise Refused("This step was approved already.")
    if by.role not in (Role.APPROVER, Role.SUPERVISOR):
        raise Refused("Only an approver or a supervisor can approve a step.")
    if by.id == step.added_by:
        raise Refused("You added this step, so somebody else has to approve it.")
    step.approved_by, step.approved_at = by.id, now()
    session.flush()
    _record(session, by, "campaign.approve_step", step)
    return step


def withdraw_step(session: Session, step_id: UUID, *, by: Account) -> UUID:
    """Take back an added step that nobody has approved; its campaign's id. Its author can, and whoever could approve it.

    A campaign stays open for as long as a step of it waits for approval: if its author is gone, somebody else has to say no.
    Raises NoStep or Refused.
    """
    step = get(session, step_id)
    campaign.get(session, step.campaign_id, lock=True)
    session.refresh(step, with_for_update=True)
    if step.approved_at is not None:
        raise Refused("This step was approved already. Pause the campaign to keep it from going on.")
    if by.id != step.added_by and by.role not in (Role.APPROVER, Role.SUPERVISOR):
        raise Refused("Only whoever added a step, an approver or a supervisor can withdraw it.")
    _record(session, by, "campaign.withdraw_step", step)
    campaign_id = step.campaign_id
    session.delete(step)
    session.flush()
    return campaign_id


def get(session: Session, step_id: UUID) -> Step:
    """Raises NoStep, also for a step that was there at the launch."""
    step = session.get(Step, step_id)
    if step is None or step.added_at is None:
        raise NoStep(str(step_id))
    return step


def expected(session: Session, step: Step) -> Expected:
    """Counts only. They are of everybody in the campaign: of very many people they are kept for a few minutes."""
    counted = EXPECTED.rows(session, step.id)
    return Expected(**counted.rows[0], as_of=counted.as_of)


def _count(session: Session, step_id: UUID | None) -> Rows:
    """One row, or none where there is nothing to expect any more."""
    step = session.get(Step, step_id)
    if step is None or step.planned_at is not None:
        return []
    intent, channel = campaign.get(session, step.campaign_id), Channel(step.channel)
    reached_by = "attorney_id" if channel.to_attorney else "contact_point_id, language"
    one = "person_id" if channel in (Channel.LETTER, Channel.HAND) else reached_by
    row = session.execute(
        text(f"""
            with {audience.AUDIENCE}, {audience.decided(channel)},
            going as (
                select d.* from decided_{channel} d
                join outcome o on o.campaign_id = :campaign and o.person_id = d.person_id and o.state <> 'told'
                where d.applicable and d.excluded is null and d.exhausted is null
            )
            select (select count(*) from outcome where campaign_id = :campaign and state <> 'told') as untold,
                count(distinct person_id) as people, count(distinct ({one})) as messages
            from going
        """),  # noqa: S608  # made from our own constants
        audience.parameters(intent.notice_id, intent.audience, {channel: step.custodies}) | {"campaign": intent.id},
    ).one()
    return [{"untold": row.untold, "people": row.people, "messages": row.messages}]


EXPECTED = Tally("added_step", _count)  # Its scope is the step.


def _open(session: Session, campaign_id: UUID) -> Campaign:
    intent = campaign.get(session, campaign_id, lock=True)
    match intent.state:
        case CampaignState.RUNNING | CampaignState.PAUSED:
            return intent
        case CampaignState.DONE:
            raise Refused("This campaign is done: no step can be added to it. Make a new campaign for the same incident.")
        case CampaignState.STOPPED:
            raise Refused("This campaign was stopped for good: no step can be added to it. Make a new one.")
    raise Refused("This campaign was not launched: change its steps instead.")


def _record(session: Session, by: Account, action: str, step: Step) -> None:
    audit.record(
        session, by.actor, action, "campaign", step.campaign_id, step=str(step.id), channel=step.channel, hours=step.wait_hours
    )
