"""Lists of people by where they stand and what is known of them. Nothing here opens a sealed field."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from outreach.campaigns import audience, campaign
from outreach.campaigns.campaign import Campaign
from outreach.campaigns.outcome import OutcomeState
from outreach.proof.standing import BEST_OF_ALL, LAUNCHED, NO_CAMPAIGN

NOT_KNOWN = "unknown"  # asked for as a language: those whose language is not known


@dataclass(frozen=True, slots=True)
class Filters:
    """None does not filter. `outcome` and `reason` are of `campaign`, or the best over all campaigns.

    Of a campaign that was not launched yet they are what its people would stand as if it were launched now.
    """

    incident: UUID | None = None
    campaign: UUID | None = None
    outcome: str | None = None
    reason: str | None = None
    custody: str | None = None
    language: str | None = None
    posture: str | None = None
    protected: bool | None = None
    no_phone: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A person as a list shows them, without what identifies them."""

    person_id: UUID
    language: str | None
    custody: str
    posture: str
    protected: bool
    outcome: str
    reason: str | None


COUNTED = 10_000  # more than so many are not counted: nobody leafs through them, and counting a million keeps the page waiting

_FROM = "from person p left join {standing} s on s.person_id = p.id"
_OF_CAMPAIGN = "from person p join outcome s on s.person_id = p.id and s.campaign_id = :campaign"
_OF_ALL = f"from person p left join lateral {BEST_OF_ALL} s on true"

_CONDITIONS = {
    "campaign": "s.person_id is not null",
    "incident": "exists (select 1 from exposure e where e.person_id = p.id and e.incident_id = :is_incident)",
    "outcome": f"coalesce(s.state, '{NO_CAMPAIGN}') = :is_outcome",
    "reason": "s.reason = :is_reason",
    "custody": "p.custody = :is_custody",
    "language": f"coalesce(p.language, '{NOT_KNOWN}') = :is_language",
    "posture": "p.posture = :is_posture",
    "protected": "p.protected = :is_protected",
}

_NO_PHONE = """not exists (
    select 1 from person_contact pc join contact_point cp on cp.id = pc.contact_point_id
    where pc.person_id = p.id and cp.kind = 'phone'
)"""

_COLUMNS = f"p.id, p.language, p.custody, p.posture, p.protected, coalesce(s.state, '{NO_CAMPAIGN}'), s.reason"


def people(session: Session, filters: Filters, *, limit: int, offset: int = 0) -> tuple[list[Row], int]:
    """The people who fit, in the order in which they were recorded, and how many there are in all.

    Where there are more than COUNTED, they are said to be COUNTED + 1.
    """
    wanted = {name: getattr(filters, name) for name in _CONDITIONS if getattr(filters, name) is not None}
    source, needed = _standing(session, filters.campaign)
    fitting = dict(_CONDITIONS)
    if source == _OF_CAMPAIGN and filters.outcome in set(OutcomeState):
        # Written out, and without the coalesce, which has nothing to do there: a statement that was prepared for any state
        # would not use the indexes of those who are few.
        fitting["outcome"] = f"s.state = '{OutcomeState(filters.outcome)}'"
    conditions = [fitting[name] for name in wanted] + ([_NO_PHONE] if filters.no_phone else [])
    where = f"where {' and '.join(conditions)}" if conditions else ""
    values = {"campaign": filters.campaign, **{f"is_{name}": value for name, value in wanted.items()}, **needed}
    counting = f"select count(*) from (select 1 {source} {where} limit {COUNTED + 1}) counted"  # noqa: S608  # of the constants above
    total = session.scalar(text(counting), values)
    found = session.execute(
        text(f"select {_COLUMNS} {source} {where} order by p.id limit :limit offset :offset"),
        {**values, "limit": limit, "offset": offset},
    )
    return [Row(*row) for row in found], total or 0


def _standing(session: Session, campaign_id: UUID | None) -> tuple[str, dict[str, object]]:
    """Where from, with the values that it needs."""
    found = session.get(Campaign, campaign_id) if campaign_id else None
    if found is None:
        return _OF_ALL, {}
    if found.state in LAUNCHED:
        return _OF_CAMPAIGN, {}
    ways = campaign.ways(campaign.steps(session, found.id))
    expected = f"(with {audience.expected(ways)} select person_id, state, reason from standing)"  # noqa: S608  # of constants
    return _FROM.format(standing=expected), audience.parameters(found.notice_id, found.audience, ways)


def those(session: Session, people_ids: list[UUID]) -> list[Row]:
    """These people, in this order, each by the best that any campaign achieved. Who does not exist is left out."""
    found = session.execute(text(f"select {_COLUMNS} {_OF_ALL} where p.id = any(:ids)"), {"ids": people_ids})
    rows = {row.person_id: row for row in (Row(*values) for values in found)}
    return [rows[person_id] for person_id in people_ids if person_id in rows]
