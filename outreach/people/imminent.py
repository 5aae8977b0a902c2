"""Imminent removals: somebody is about to be removed, so telling them cannot wait for the hours or for the ladder's waits."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from outreach.access import audit
from outreach.access.sealing import keys_for
from outreach.db import Base, new_id, now
from outreach.people import file
from outreach.people.file import Permit, Reader
from outreach.people.person import Person

LONGEST = timedelta(days=14)
LONGEST_REASON = 500  # characters
_REASON = "imminent_removal.reason"


class ImminentRemoval(Base):
    """Asked for by one officer with a reason, and in force once a second person has approved it, until `until` or `ended_at`.

    `reason_sealed` is under the person's key.
    """

    __tablename__ = "imminent_removal"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"))
    reason_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    asked_by: Mapped[UUID] = mapped_column(ForeignKey("account.id"))
    asked_at: Mapped[datetime] = mapped_column(default=now)
    until: Mapped[datetime]
    approved_by: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))
    approved_at: Mapped[datetime | None]
    ended_by: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))
    ended_at: Mapped[datetime | None]

    __table_args__ = (Index("imminent_removal_open_key", "person_id", unique=True, postgresql_where="ended_at is null"),)


IN_FORCE = "(ir.approved_at is not null and ir.ended_at is null and ir.until > now())"
"""SQL: whether the imminent removal `ir` is in force now."""


class NoSuchRemoval(LookupError):
    """There is no imminent removal with this id."""


class Refused(Exception):
    """This cannot be done. `sentence` tells staff why and what to do instead; `values` fill its %(names)s."""

    def __init__(self, sentence: str, **values: object) -> None:
        super().__init__(sentence % values if values else sentence)
        self.sentence, self.values = sentence, values


@dataclass(frozen=True, slots=True)
class Waiting:
    """An imminent removal that nobody has approved yet. Only a supervisor may see one of a `protected` person."""

    id: UUID
    person_id: UUID
    protected: bool
    asked_by: UUID
    asked_at: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Removal:
    """An imminent removal with its reason, which is None when the person was erased."""

    id: UUID
    person_id: UUID
    reason: str | None
    asked_by: UUID
    asked_at: datetime
    until: datetime
    approved_by: UUID | None
    approved_at: datetime | None
    ended_by: UUID | None
    ended_at: datetime | None

    @property
    def over(self) -> bool:
        return self.ended_at is not None or self.until <= now()

    @property
    def in_force(self) -> bool:
        return self.approved_at is not None and not self.over


def ask(session: Session, person_id: UUID, reason: str, until: datetime, *, by: Reader) -> UUID:
    """Ask that telling this person waits for no hours, until then; its id. Nothing happens before somebody else has approved it.

    Raises NoSuchPerson, ProtectedRecord or Refused.
    """
    file.check_visible(session, person_id, by)
    session.get_one(Person, person_id, with_for_update={"key_share": True})
    reason = " ".join(reason.split())
    if not reason:
        raise Refused("Write down why this cannot wait: who says that the removal is near, and when it is expected.")
    if len(reason) > LONGEST_REASON:
        raise Refused("The reason is too long. Give it in at most %(most)s characters.", most=LONGEST_REASON)
    if not now() < until <= now() + LONGEST:
        raise Refused("Give a day from today on, within the next %(days)s days.", days=LONGEST.days)
    session.execute(
        text("update imminent_removal set ended_at = until where person_id = :id and ended_at is null and until <= now()"),
        {"id": person_id},
    )
    open_one = select(ImminentRemoval.id).where(ImminentRemoval.person_id == person_id, ImminentRemoval.ended_at.is_(None))
    if session.scalar(open_one) is not None:
        raise Refused("There is one for this person already. End it first if it has to be asked for anew.")
    keys = keys_for(session, [person_id])
    if person_id not in keys:
        raise Refused("This record was erased: there is nobody left to tell.")
    assert by.actor.id is not None  # Only staff ask.
    removal_id = new_id()
    session.add(
        ImminentRemoval(
            id=removal_id, person_id=person_id, reason_sealed=keys[person_id].seal(_REASON, removal_id, reason),
            asked_by=by.actor.id, until=until,
        )
    )  # fmt: skip
    session.flush()
    audit.record(session, by.actor, "imminent.ask", "person", person_id, removal=str(removal_id), until=until.isoformat())
    return removal_id


def approve(session: Session, removal_id: UUID, *, by: Reader) -> UUID:
    """Put it in force: the person's id. By somebody else than who asked.

    What waits for its hours goes once `delivery.hours.hasten` has run, as it does in every sweep. Raises NoSuchRemoval,
    ProtectedRecord or Refused.
    """
    removal = _locked(session, removal_id, by)
    if removal.asked_by == by.actor.id:
        raise Refused("You asked for this yourself. Somebody else has to approve it.")
    if removal.ended_at is not None or removal.until <= now():
        raise Refused("It has ended. Whoever knows that the removal is still near has to ask again.")
    if removal.approved_at is not None:
        raise Refused("It was approved already.")
    removal.approved_by, removal.approved_at = by.actor.id, now()
    session.flush()
    audit.record(session, by.actor, "imminent.approve", "person", removal.person_id, removal=str(removal_id))
    return removal.person_id


def end(session: Session, removal_id: UUID, *, by: Reader) -> UUID:
    """Take it back, whether it was approved or not: the person's id. Safe to repeat. Raises NoSuchRemoval or ProtectedRecord."""
    removal = _locked(session, removal_id, by)
    if removal.ended_at is None:
        removal.ended_by, removal.ended_at = by.actor.id, now()
        session.flush()
        audit.record(session, by.actor, "imminent.end", "person", removal.person_id, removal=str(removal_id))
    return removal.person_id


def waiting(session: Session) -> list[Waiting]:
    """Those that somebody has to approve, the one that ends first before the others. Nothing is opened."""
    rows = session.execute(
        select(ImminentRemoval, Person.protected)
        .join(Person, Person.id == ImminentRemoval.person_id)
        .where(ImminentRemoval.approved_at.is_(None), ImminentRemoval.ended_at.is_(None), ImminentRemoval.until > now())
        .order_by(ImminentRemoval.until, ImminentRemoval.id)
    )
    return [Waiting(one.id, one.person_id, protected, one.asked_by, one.asked_at, one.until) for one, protected in rows]


def people(session: Session) -> list[UUID]:
    """About whom there is one that has not ended, approved or not: those of whom `of` tells, once there is a permit."""
    return list(
        session.scalars(
            select(ImminentRemoval.person_id)
            .where(ImminentRemoval.ended_at.is_(None), ImminentRemoval.until > now())
            .order_by(ImminentRemoval.until, ImminentRemoval.id)
        )
    )


def of(session: Session, permit: Permit) -> list[Removal]:
    """Every imminent removal of these people, the newest first."""
    keys = keys_for(session, permit.people)
    rows = session.scalars(
        select(ImminentRemoval).where(ImminentRemoval.person_id.in_(permit.people)).order_by(ImminentRemoval.id.desc())
    )
    return [
        Removal(
            id=one.id, person_id=one.person_id,
            reason=keys[one.person_id].open(_REASON, one.id, one.reason_sealed) if one.person_id in keys else None,
            asked_by=one.asked_by, asked_at=one.asked_at, until=one.until, approved_by=one.approved_by,
            approved_at=one.approved_at, ended_by=one.ended_by, ended_at=one.ended_at,
        )
        for one in rows
    ]  # fmt: skip


def _locked(session: Session, removal_id: UUID, by: Reader) -> ImminentRemoval:
    removal = session.get(ImminentRemoval, removal_id, with_for_update=True, populate_existing=True)
    if removal is None:
        raise NoSuchRemoval
    file.check_visible(session, removal.person_id, by)
    return removal
