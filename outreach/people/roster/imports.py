"""The tables of a roster import: the file itself (sealed, until it is done with), its mapping, and the rows in quarantine."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from outreach.access import accounts as _accounts  # noqa: F401  # its table is what `created_by` refers to
from outreach.db import Base, new_id, now


class ImportState(StrEnum):
    """uploaded -> checked (the dry run) -> running -> done | failed; before `running` also -> discarded."""

    UPLOADED = "uploaded"
    CHECKED = "checked"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    DISCARDED = "discarded"


class RosterImport(Base):
    """One roster file on its way in. Its data key's subject is `id`; the key is erased with the file when it is done with."""

    __tablename__ = "roster_import"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    incident_id: Mapped[UUID] = mapped_column(ForeignKey("incident.id"), index=True)
    state: Mapped[str] = mapped_column(Text, default=ImportState.UPLOADED)
    as_of: Mapped[date]  # the date at which the roster was true
    file_format: Mapped[str] = mapped_column(Text)  # "csv" or "xlsx"
    file_size: Mapped[int]  # bytes
    file_digest: Mapped[str] = mapped_column(Text)
    mapping: Mapped[dict[str, object]] = mapped_column(JSONB)
    report: Mapped[dict[str, object]] = mapped_column(JSONB, default=dict)  # counts by kind, of the dry run or the import
    rows_done: Mapped[int] = mapped_column(default=0)
    rows_total: Mapped[int | None]
    error: Mapped[str | None] = mapped_column(Text)  # a sentence for staff, without any cell's content
    created_by: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))
    created_at: Mapped[datetime] = mapped_column(default=now)
    finished_at: Mapped[datetime | None]


class RosterChunk(Base):
    """A piece of the file, sealed. Deleted when the import is done, failed or discarded."""

    __tablename__ = "roster_chunk"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    import_id: Mapped[UUID] = mapped_column(ForeignKey("roster_import.id"))
    position: Mapped[int]
    content_sealed: Mapped[bytes] = mapped_column(LargeBinary)

    __table_args__ = (Index("roster_chunk_position_key", "import_id", "position", unique=True),)


class RowState(StrEnum):
    OPEN = "open"
    CORRECTED = "corrected"
    DISMISSED = "dismissed"


class QuarantinedRow(Base):
    """A row that could not go in: its cells (sealed JSON), and what is wrong by column, without any cell's content."""

    __tablename__ = "quarantined_row"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    import_id: Mapped[UUID] = mapped_column(ForeignKey("roster_import.id"))
    row_number: Mapped[int]  # as in the user's spreadsheet, the header's line included
    cells_sealed: Mapped[bytes] = mapped_column(LargeBinary)  # JSON {header: text}; the key's subject is this row's id
    row_index: Mapped[bytes] = mapped_column(LargeBinary)  # blind index of the cells: the same bad row is kept once per incident
    problems: Mapped[list[dict[str, object]]] = mapped_column(JSONB)  # [{"column", "code", "message", "details"}]
    state: Mapped[str] = mapped_column(Text, default=RowState.OPEN)
    handled_by: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))
    handled_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=now)

    __table_args__ = (
        Index("quarantined_row_number_key", "import_id", "row_number", unique=True),
        Index("quarantined_row_row_index_idx", "row_index"),
        Index("quarantined_row_open_idx", "state", postgresql_where="state = 'open'"),
    )


class RememberedMapping(Base):
    """How a file with these headers was mapped the last time."""

    __tablename__ = "roster_mapping"

    fingerprint: Mapped[str] = mapped_column(Text, primary_key=True)
    mapping: Mapped[dict[str, object]] = mapped_column(JSONB)
    updated_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)
