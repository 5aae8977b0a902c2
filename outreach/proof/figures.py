"""The overview's figures. All of them come from one statement, so that they always add up to the same people."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from outreach.proof.standing import NO_CAMPAIGN, STANDING
from outreach.tally import Tally

_PEOPLE = Tally(
    "people",
    f"""
    select p.language, p.custody, coalesce(s.state, '{NO_CAMPAIGN}') as state, s.reason, count(*) as people
    from person p left join {STANDING} s on s.person_id = p.id
    where cast(:campaign as uuid) is null or s.person_id is not null
    group by 1, 2, 3, 4
    """,  # noqa: S608  # made from constants
)


@dataclass(slots=True)
class Group:
    """The people who have one thing in common. `code` is None where it is not known."""

    code: str | None
    states: Counter[str] = field(default_factory=Counter)

    @property
    def people(self) -> int:
        return self.states.total()


@dataclass(frozen=True, slots=True)
class Figures:
    """`states` sums to `people`, and so do the people of `languages` and of `custody`, each largest first.

    `reasons` counts (state, reason) for those who are not reached or left out.
    """

    as_of: datetime
    people: int
    states: Counter[str]
    reasons: Counter[tuple[str, str]]
    languages: list[Group]
    custody: list[Group]


def count(session: Session, campaign_id: UUID | None = None) -> Figures:
    """Over one campaign's audience, or over everybody (each by the best that any campaign achieved)."""
    states: Counter[str] = Counter()
    reasons: Counter[tuple[str, str]] = Counter()
    languages: dict[str | None, Group] = {}
    custody: dict[str | None, Group] = {}
    counted = _PEOPLE.rows(session, campaign_id)
    for row in counted.rows:
        state, people = row["state"], row["people"]
        states[state] += people
        languages.setdefault(row["language"], Group(row["language"])).states[state] += people
        custody.setdefault(row["custody"], Group(row["custody"])).states[state] += people
        if row["reason"]:
            reasons[state, row["reason"]] += people
    return Figures(counted.as_of, states.total(), states, reasons, _largest_first(languages), _largest_first(custody))


def _largest_first(groups: dict[str | None, Group]) -> list[Group]:
    return sorted(groups.values(), key=lambda group: (-group.people, group.code or ""))
