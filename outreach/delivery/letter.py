"""Letters on paper: each one printed or handed over, the print runs they lie in, and the access codes that they carry."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKey, Identity, Index, Integer, LargeBinary, SmallInteger, Text
from sqlalchemy.orm import Mapped, mapped_column

from outreach.db import Base, new_id, now


class RunKind(StrEnum):
    POST = "post"
    HAND = "hand"  # one facility's packet, handed over by an officer


class RunState(StrEnum):
    """What was done with the paper of a run. Each state is entered once, with a date and by whom."""

    MADE = "made"
    PRINTED = "printed"
    ENVELOPED = "enveloped"
    HANDED_OVER = "handed_over"  # to the post, or to the serving officer
    VOID = "void"  # nothing of it left the house


class PrintRun(Base):
    """A batch of letters in one print-ready PDF, sealed under the run's own key (subject `id`) until it has left the house."""

    __tablename__ = "print_run"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    number: Mapped[int] = mapped_column(Integer, Identity(), unique=True)  # as people say it: RUN-0012
    kind: Mapped[str] = mapped_column(Text)
    campaign_id: Mapped[UUID] = mapped_column(ForeignKey("campaign.id"))
    facility_id: Mapped[UUID | None] = mapped_column(ForeignKey("facility.id"))
    state: Mapped[str] = mapped_column(Text, default=RunState.MADE)
    letters: Mapped[int] = mapped_column(SmallInteger)
    pages: Mapped[int]
    pdf_sealed: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)  # megabytes, which a list of runs does not need
    pdf_sha256: Mapped[str] = mapped_column(Text)
    made_at: Mapped[datetime] = mapped_column(default=now)
    printed_at: Mapped[datetime | None]
    printed_by: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))
    enveloped_at: Mapped[datetime | None]
    enveloped_by: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))
    handed_over_on: Mapped[date | None]
    handed_over_at: Mapped[datetime | None]  # when that was entered
    handed_over_by: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))

    __table_args__ = (Index("print_run_state_idx", "state"),)

    @property
    def name(self) -> str:
        """As people say it, and as it stands on every sheet."""
        return run_name(self.number)


def run_name(number: int) -> str:
    """As it stands on every sheet of a run, and as people say it."""
    return f"RUN-{number:04}"


class LetterState(StrEnum):
    ON_ITS_WAY = "on_its_way"
    PULLED = "pulled"  # taken out before it left the house
    RETURNED = "returned"
    SERVED = "served"  # handed over to the person, against a receipt
    NOT_SERVED = "not_served"


class Letter(Base):
    """One attempt's paper. `pdf_sha256` is of the letter set alone, as evidence: the same content gives the same bytes.

    `return_code` is printed on it and says nothing to anybody else; whoever gets the envelope back scans it.
    """

    __tablename__ = "letter"

    attempt_id: Mapped[UUID] = mapped_column(ForeignKey("attempt.id"), primary_key=True)
    run_id: Mapped[UUID | None] = mapped_column(ForeignKey("print_run.id"))  # None: a mail house prints it
    sequence: Mapped[int | None] = mapped_column(SmallInteger)  # in its run, from 1
    person_id: Mapped[UUID | None] = mapped_column(ForeignKey("person.id"))
    facility_id: Mapped[UUID | None] = mapped_column(ForeignKey("facility.id"))  # that it is addressed to
    return_code: Mapped[str] = mapped_column(Text, unique=True)
    reference: Mapped[str] = mapped_column(Text)  # printed in it, so that the reader can ask whether it is real
    pages: Mapped[int] = mapped_column(SmallInteger)
    pdf_sha256: Mapped[str] = mapped_column(Text)
    duplicate_of: Mapped[UUID | None] = mapped_column(ForeignKey("attempt.id"))  # a letter that came back
    state: Mapped[str] = mapped_column(Text, default=LetterState.ON_ITS_WAY)
    reason: Mapped[str | None] = mapped_column(Text)  # why it was pulled, came back or was not served: a code
    state_at: Mapped[datetime | None]
    state_by: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))
    reprints: Mapped[int] = mapped_column(SmallInteger, default=0)

    __table_args__ = (
        Index("letter_sequence_key", "run_id", "sequence", unique=True),
        Index("letter_person_idx", "person_id"),
        Index("letter_returned_idx", "state_at", postgresql_where="state = 'returned'"),
    )


class ServiceResult(StrEnum):
    """What came of handing a letter over. The first three are proof that the person was told; the others are not."""

    SIGNED = "signed"
    THUMB_PRINT = "thumb_print"
    REFUSED_WITNESSED = "refused_witnessed"  # explained in their language, refused, before a witness
    NOT_THERE = "not_there"
    NOT_POSSIBLE = "not_possible"

    @property
    def told(self) -> bool:
        return self in (ServiceResult.SIGNED, ServiceResult.THUMB_PRINT, ServiceResult.REFUSED_WITNESSED)


class HandService(Base):
    """What an officer wrote on a receipt, entered afterwards. Append-only. The names on it are under the person's key."""

    __tablename__ = "hand_service"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    attempt_id: Mapped[UUID] = mapped_column(ForeignKey("attempt.id"), unique=True)
    result: Mapped[str] = mapped_column(Text)
    served_at: Mapped[datetime]
    officer_sealed: Mapped[bytes] = mapped_column(LargeBinary)  # name and title
    interpreter_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    witness_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    language: Mapped[str | None] = mapped_column(Text)  # that it was explained in
    entered_by: Mapped[UUID] = mapped_column(ForeignKey("account.id"))
    entered_at: Mapped[datetime] = mapped_column(default=now)


class AccessCode(Base):
    """What a letter lets its reader prove: printed once, kept only as a keyed hash (purpose "access_code")."""

    __tablename__ = "access_code"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"), index=True)
    attempt_id: Mapped[UUID] = mapped_column(ForeignKey("attempt.id"))
    code_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    issued_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]  # the letter came back: somebody else may have read it
