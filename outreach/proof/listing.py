"""Lists of people by where they stand and what is known of them. Nothing here opens a sealed field."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from outreach.proof.standing import NO_CAMPAIGN, STANDING

NOT_KNOWN = "unknown"  # asked for as a language: those whose language is not known


@dataclass(frozen=True, slots=True)
class Filters:
    """None does not filter. `outcome` and `reason` are of `campaign`, or the best over all campaigns."""

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


_FROM = f"from person p left join {STANDING} s on s.person_id = p.id"

_CONDITIONS = {
    "campaign": "s.person_id is not null",
    "incident": "exists (select 1 from exposure e where e.person_id = p.id and e.incident_id = :incident)",
    "outcome": f"coalesce(s.state, '{NO_CAMPAIGN}') = :outcome",
    "reason": "s.reason = :reason",
    "custody": "p.custody = :custody",
    "language": f"coalesce(p.language, '{NOT_KNOWN}') = :language",
    "posture": "p.posture = :posture",
    "protected": "p.protected = :protected",
}

_NO_PHONE = """not exists (
    select 1 from person_contact pc join contact_point cp on cp.id = pc.contact_point_id
    where pc.person_id = p.id and cp.kind = 'phone'
)"""

_COLUMNS = f"p.id, p.language, p.custody, p.posture, p.protected, coalesce(s.state, '{NO_CAMPAIGN}'), s.reason"


def people(session: Session, filters: Filters, *, limit: int, offset: int = 0) -> tuple[list[Row], int]:
    """The people who fit, in the order in which they were recorded, and how many there are in all."""
    wanted = {name: getattr(filters, name) for name in _CONDITIONS if getattr(filters, name) is not None}
    conditions = [_CONDITIONS[name] for name in wanted] + ([_NO_PHONE] if filters.no_phone else [])
    where = f"where {' and '.join(conditions)}" if conditions else ""
    values = {"campaign": None, **wanted}
    total = session.scalar(text(f"select count(*) {_FROM} {where}"), values)  # made from the constants above
    found = session.execute(
        text(f"select {_COLUMNS} {_FROM} {where} order by p.id limit :limit offset :offset"),  # likewise
        {**values, "limit": limit, "offset": offset},
    )
    return [Row(*row) for row in found], total or 0


def those(session: Session, people_ids: list[UUID]) -> list[Row]:
    """These people, in this order, each by the best that any campaign achieved. Who does not exist is left out."""
    found = session.execute(
        text(f"select {_COLUMNS} {_FROM} where p.id = any(:ids)"),  # likewise
        {"campaign": None, "ids": people_ids},
    )
    rows = {row.person_id: row for row in (Row(*values) for values in found)}
    return [rows[person_id] for person_id in people_ids if person_id in rows]
