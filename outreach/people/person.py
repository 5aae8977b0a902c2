"""A person: names as recorded, A-numbers, birth date, nationality, languages, posture. All that identifies is sealed."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary, Text, false
from sqlalchemy.orm import Mapped, Session, mapped_column

from outreach.db import Base, new_id, now
from outreach.tally import Tally


class Posture(StrEnum):
    CREDIBLE_FEAR_POSITIVE = "credible_fear_positive"
    CREDIBLE_FEAR_NEGATIVE = "credible_fear_negative"
    FINAL_ORDER = "final_order"
    IN_PROCEEDINGS = "in_proceedings"
    WITHHOLDING_ONLY = "withholding_only"
    GRANTED = "granted"
    UNKNOWN = "unknown"


class Precision(StrEnum):
    """How exact a birth date is. The date itself has 01 where the month or the day is not known."""

    DAY = "day"
    MONTH = "month"
    YEAR = "year"
    ESTIMATED = "estimated"


class Person(Base):
    """`birth_date_sealed` holds an ISO date, `nationality_sealed` the nationality as recorded. The data key's subject is `id`."""

    __tablename__ = "person"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    birth_date_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    birth_precision: Mapped[str | None] = mapped_column(Text)
    nationality_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    language: Mapped[str | None] = mapped_column(Text, index=True)  # a code of `notices.languages`
    second_language: Mapped[str | None] = mapped_column(Text)
    reads: Mapped[bool | None]  # the first language; None: not known
    interpreter: Mapped[bool | None]
    large_print: Mapped[bool] = mapped_column(default=False, server_default=false())  # asked for, or needed
    posture: Mapped[str] = mapped_column(Text, default=Posture.UNKNOWN)
    protected: Mapped[bool] = mapped_column(default=False)  # 8 USC 1367: a safe address overrides every other
    custody: Mapped[str] = mapped_column(Text, default="unknown", index=True)  # projected, see `people.custody`
    facility_id: Mapped[UUID | None] = mapped_column(ForeignKey("facility.id"))
    custody_since: Mapped[date | None]
    custody_as_of: Mapped[date | None]
    created_at: Mapped[datetime] = mapped_column(default=now)


class NameKind(StrEnum):
    RECORDED = "recorded"  # as the agency wrote it, the name on letters
    ALIAS = "alias"
    NATIVE = "native"  # in the person's own script


class PersonName(Base):
    """One name of a person, whole and in parts. Parts that the source did not give are None, never guessed."""

    __tablename__ = "person_name"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"), index=True)
    kind: Mapped[str] = mapped_column(Text)
    whole_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    given_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    family_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    second_family_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(default=now)


class ANumber(Base):
    """An alien registration number. A person may have several; a number belongs to one person."""

    __tablename__ = "a_number"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"), index=True)
    value_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    value_index: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(default=now)

    __table_args__ = (Index("a_number_value_key", "value_index", unique=True),)


_SPOKEN = Tally("spoken", "select language, count(*) as people from person where language is not null group by 1")


def spoken(session: Session) -> list[tuple[str, int]]:
    """First languages, and how many people have each."""
    return [(row["language"], row["people"]) for row in _SPOKEN.rows(session).rows]
