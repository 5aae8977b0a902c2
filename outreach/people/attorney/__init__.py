"""Attorneys, and whom they represent.

    entered (by roster or by hand) ──verified by a second person──> live ──withdrawn, substituted, over──> ended

Only a live representation lets an attorney be told about somebody, and it is asked for again whenever a message leaves.
"""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from outreach.db import Base, new_id, now

SEALED = {field: f"attorney.{field}" for field in ("name", "firm", "bar_number", "eoir_id")}
"""What the sealed columns of an attorney are bound to."""
EVIDENCE = "representation.evidence"
"""What the sealed evidence is bound to; it is under the person's key."""


class Clue(StrEnum):
    """By what two entries are seen to be one attorney. An e-mail address may be a firm's, so the name has to agree."""

    EOIR_ID = "eoir_id"
    BAR = "bar"
    EMAIL = "email"


class Source(StrEnum):
    """Where a representation is known from."""

    ROSTER = "roster"
    STAFF = "staff"


class AppearanceForm(StrEnum):
    """G-28 is an appearance before DHS, EOIR-28 before the immigration court: https://www.justice.gov/eoir/list-downloadable-eoir-forms"""

    G28 = "g28"
    EOIR28 = "eoir28"


class Scope(StrEnum):
    ALL = "all"
    CUSTODY_AND_BOND = "custody_and_bond"
    ALL_BUT_CUSTODY_AND_BOND = "all_but_custody_and_bond"


class Ending(StrEnum):
    WITHDRAWN = "withdrawn"
    SUBSTITUTED = "substituted"
    CONCLUDED = "concluded"
    MISTAKEN = "mistaken"  # it never was


class Attorney(Base):
    """An attorney or accredited representative. All that names them is sealed under their own key, whose subject is `id`:

    on this list, whom they represent is a secret too.
    """

    __tablename__ = "attorney"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    name_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    firm_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    bar_state: Mapped[str | None] = mapped_column(Text)
    bar_number_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    eoir_id_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    eoir_id_index: Mapped[bytes | None] = mapped_column(LargeBinary)
    bar_index: Mapped[bytes | None] = mapped_column(LargeBinary)  # of state and number together
    email_point_id: Mapped[UUID | None] = mapped_column(ForeignKey("contact_point.id"))
    phone_point_id: Mapped[UUID | None] = mapped_column(ForeignKey("contact_point.id"))
    post_point_id: Mapped[UUID | None] = mapped_column(ForeignKey("contact_point.id"))
    entered_by: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))  # None: a roster that nobody signed for
    created_at: Mapped[datetime] = mapped_column(default=now)

    __table_args__ = (
        Index("attorney_eoir_id_key", "eoir_id_index", unique=True),
        Index("attorney_bar_key", "bar_index", unique=True),
        Index("attorney_email_idx", "email_point_id"),
        Index("attorney_post_idx", "post_point_id"),
    )


class Representation(Base):
    """One appearance of one attorney for one person. Live while it is verified and not ended; an end is at once and for good.

    `verified_by` is never `entered_by`: the schema sees to it.
    """

    __tablename__ = "representation"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"))
    attorney_id: Mapped[UUID] = mapped_column(ForeignKey("attorney.id"))
    form: Mapped[str] = mapped_column(Text)
    scope: Mapped[str] = mapped_column(Text, default=Scope.ALL)
    filed_on: Mapped[date | None]
    evidence_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)  # where the form can be seen; under the person's key
    source: Mapped[str] = mapped_column(Text)  # a `Source`
    source_id: Mapped[UUID | None]  # the import
    entered_by: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))
    entered_at: Mapped[datetime] = mapped_column(default=now)
    verified_by: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))
    verified_at: Mapped[datetime | None]
    ended_on: Mapped[date | None]
    ended_as: Mapped[str | None] = mapped_column(Text)  # an `Ending`
    ended_by: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))
    ended_at: Mapped[datetime | None]

    __table_args__ = (
        Index(
            "representation_open_key", "person_id", "attorney_id", "form", unique=True, postgresql_where="ended_at is null",
        ),
        Index("representation_attorney_idx", "attorney_id"),
        Index("representation_live_idx", "person_id", postgresql_where="verified_at is not null and ended_at is null"),
    )  # fmt: skip


LIVE = "(rep.verified_at is not null and rep.ended_at is null)"
"""SQL: whether the representation `rep` lets its attorney be told, now."""
