"""Where people stand: in one campaign, or over all of them by the best that any has achieved."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from outreach.campaigns.campaign import Campaign, CampaignState
from outreach.campaigns.outcome import BEST_FIRST, Outcome

NO_CAMPAIGN = "none"  # stands in no campaign: nobody has tried to tell them yet

LAUNCHED = (CampaignState.RUNNING, CampaignState.PAUSED, CampaignState.DONE, CampaignState.STOPPED)

_ORDER = ", ".join(f"'{state}'" for state in BEST_FIRST)

STANDING = f"""(
    select distinct on (person_id) person_id, state, reason from outcome
    where cast(:campaign as uuid) is null or campaign_id = :campaign
    order by person_id, array_position(array[{_ORDER}], state), updated_at desc
)"""  # noqa: S608  # made from our own enumeration
"""One row a person who stands anywhere: person_id, state, reason. Needs `:campaign`, null for all of them."""

BEST_OF_ALL = f"""(
    select person_id, state, reason from outcome where outcome.person_id = p.id
    order by array_position(array[{_ORDER}], state), updated_at desc limit 1
)"""  # noqa: S608  # likewise
"""The row that STANDING has for the person `p` over all campaigns, looked up for them alone."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A campaign that has an audience."""

    id: UUID
    title: str


def campaigns(session: Session) -> list[Choice]:
    """The campaigns that were launched, newest first: only they have outcomes."""
    rows = session.execute(
        select(Campaign.id, Campaign.title).where(Campaign.state.in_(LAUNCHED)).order_by(Campaign.created_at.desc())
    )
    return [Choice(campaign_id, title) for campaign_id, title in rows]


def of_person(session: Session, person_id: UUID) -> list[tuple[str, str, str | None]]:
    """(campaign's title, state, reason) of one person, newest campaign first."""
    rows = session.execute(
        select(Campaign.title, Outcome.state, Outcome.reason)
        .join(Outcome, Outcome.campaign_id == Campaign.id)
        .where(Outcome.person_id == person_id)
        .order_by(Campaign.created_at.desc())
    )
    return [(title, state, reason) for title, state, reason in rows]
