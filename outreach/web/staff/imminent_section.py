"""What a person's file shows of imminent removals."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from outreach.access.accounts import Account
from outreach.db import now
from outreach.people import imminent
from outreach.people.file import Permit
from outreach.people.imminent import Removal

USUAL = timedelta(days=3)  # what the form proposes


@dataclass(frozen=True, slots=True)
class Section:
    """What a person's file shows of imminent removals. `names` are those of the accounts."""

    removals: tuple[Removal, ...]
    names: dict[UUID, str]
    first_day: date
    usual_day: date
    last_day: date
    longest_reason: int = imminent.LONGEST_REASON

    @property
    def open(self) -> Removal | None:
        return next((one for one in self.removals if not one.over), None)

    @property
    def past(self) -> tuple[Removal, ...]:
        return tuple(one for one in self.removals if one.over)


def section(session: Session, permit: Permit) -> Section:
    """For the file that the permit is for."""
    removals, today = tuple(imminent.of(session, permit)), now().date()
    return Section(removals, names_of(session, removals), today, today + USUAL, today + imminent.LONGEST - timedelta(days=1))


def names_of(session: Session, removals: Iterable[Removal]) -> dict[UUID, str]:
    """Of everybody who asked, approved or ended."""
    ids = {each for one in removals for each in (one.asked_by, one.approved_by, one.ended_by) if each is not None}
    rows = session.execute(select(Account.id, Account.name).where(Account.id.in_(ids)))
    return {row.id: row.name for row in rows}
