"""Incidents and exposures: what leaked, of whom. One person can be in several incidents."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import ARRAY, ForeignKey, Index, LargeBinary, Text
from sqlalchemy.orm import Mapped, Session, mapped_column

from outreach.access import audit
from outreach.access.audit import Actor
from outreach.db import Base, new_id, now


class Incident(Base):
    __tablename__ = "incident"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    code: Mapped[str] = mapped_column(unique=True)  # short and neutral, such as "2022-A": it is shown on staff pages
    title: Mapped[str]  # for staff only
    occurred_on: Mapped[date | None]
    created_at: Mapped[datetime] = mapped_column(default=now)


class Exposure(Base):
    """One person's data in one incident."""

    __tablename__ = "exposure"

    incident_id: Mapped[UUID] = mapped_column(ForeignKey("incident.id"), primary_key=True)
    person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"), primary_key=True)
    elements: Mapped[list[str]] = mapped_column(ARRAY(Text))  # which data elements: "name", "birth_date", ...
    row_index: Mapped[bytes | None] = mapped_column(LargeBinary)  # blind index of the source row: the same row adds nothing
    import_id: Mapped[UUID | None] = mapped_column(ForeignKey("roster_import.id"))
    created_at: Mapped[datetime] = mapped_column(default=now)

    __table_args__ = (
        Index("exposure_row_key", "incident_id", "row_index", unique=True),
        Index("exposure_person_idx", "person_id"),
    )


def add(session: Session, *, code: str, title: str, occurred_on: date | None) -> Incident:
    """A new incident. Its code is unique (IntegrityError). Whoever calls this also calls `record_added`, last of all."""
    incident = Incident(id=new_id(), code=code, title=title, occurred_on=occurred_on)
    session.add(incident)
    session.flush()
    return incident


def record_added(session: Session, incident: Incident, *, by: Actor) -> None:
    """Write into the audit log that the incident was added."""
    audit.record(session, by, "incident.add", "incident", incident.id)
