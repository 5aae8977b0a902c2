"""The attorneys' track: of how many people an attorney has been told."""

from collections import Counter
from uuid import UUID

from sqlalchemy.orm import Session

from outreach.campaigns.outcome import BEST_FIRST
from outreach.tally import Tally

NO_COUNSEL = "none"
"""Nobody represents this person."""

_ORDER = ", ".join(f"'{state}'" for state in BEST_FIRST)

# Somebody is represented when any campaign found it so, and with several attorneys stands as the best of them does. Whose attorneys
# nothing was decided about waits for a step that is to come, or else there is none for them.
_STANDING = Tally(
    "counsel",
    f"""
    select standing, count(*) as people from (
        select case when bool_or(o.counsel = 'represented') then coalesce(min(best.state), case when bool_or(exists (
                    select 1 from step s where s.campaign_id = o.campaign_id and s.planned_at is null
                      and s.channel in ('attorney_email', 'attorney_letter')
                )) then 'planned' else 'excluded' end) else 'none' end as standing
        from outcome o
        left join (
            select distinct on (person_id) person_id, state from counsel_outcome
            where cast(:campaign as uuid) is null or campaign_id = :campaign
            order by person_id, array_position(array[{_ORDER}], state)
        ) best on best.person_id = o.person_id
        where o.counsel is not null and (cast(:campaign as uuid) is null or o.campaign_id = :campaign)
        group by o.person_id
    ) each_person group by 1
    """,  # noqa: S608  # made from our own enumeration
)


def standing(session: Session, campaign_id: UUID | None = None) -> Counter[str]:
    """People by how the best of their attorneys stands, NO_COUNSEL for those without; over one campaign, or over all.

    Empty until a step for attorneys is planned.
    """
    return Counter({row["standing"]: row["people"] for row in _STANDING.rows(session, campaign_id).rows})
