"""Rows that could not go in: kept sealed with what is wrong, until somebody corrects or dismisses them."""

import json
from collections.abc import Sequence
from uuid import UUID

from psycopg.types.json import Jsonb
from sqlalchemy import ColumnElement, LargeBinary, any_, literal, select, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from outreach.access.sealing import key_for, vault_of
from outreach.db import new_id, now
from outreach.people.roster.columns import ColumnMapping
from outreach.people.roster.imports import QuarantinedRow, RosterImport, RowState
from outreach.people.roster.problems import Problem
from outreach.people.roster.writing import NewRows

ID_HEADER = "outreach_row"
PROBLEM_HEADER = "problem"
OWN_HEADERS = (ID_HEADER, PROBLEM_HEADER)
"""Columns that a download of rows in quarantine adds: they come back with the mended file, and are no facts."""

CELLS = "quarantined_row.cells"


def undo_guard(cells: tuple[str, ...]) -> tuple[str, ...]:
    """Cells of a download as they were before the guard against formulas put an apostrophe in front of "+1 202"."""
    return tuple(
        cell[1:].replace("\\|", "|") if len(cell) > 1 and cell[0] == "'" and cell[1] in "@+-=|%" else cell for cell in cells
    )


class Aside:
    """Puts one import's bad rows into quarantine, each once for the incident, and closes those that come back mended."""

    def __init__(self, session: Session, record: RosterImport, mapping: ColumnMapping) -> None:
        self.new = 0
        self.before = 0
        self.corrected = 0
        self._session = session
        self._vault = vault_of(session)
        self._record = record
        self._headers = mapping.headers
        self._id_column = next((at for at, header in enumerate(self._headers) if header == ID_HEADER), None)
        self._rows = NewRows()
        self._bad: dict[bytes, tuple[int, tuple[str, ...], Sequence[Problem]]] = {}
        self._mended: set[UUID] = set()

    def put(self, number: int, cells: tuple[str, ...], problems: Sequence[Problem]) -> None:
        """Set a row aside; `finish` writes it."""
        index = self._vault.blind_index("row", f"{self._record.incident_id}\x1e" + "\x1f".join(self._own(cells)))
        if index in self._bad:
            self.before += 1
        else:
            self._bad[index] = (number, cells, problems)

    def mended(self, cells: tuple[str, ...]) -> None:
        """The row went in: if it came from the quarantine, `finish` closes it there."""
        row_id = self._id_of(cells)
        if row_id is not None:
            self._mended.add(row_id)

    def finish(self) -> None:
        """Write what was set aside since the last time."""
        if self._bad:
            self._write()
        if self._mended:
            closed = (
                update(QuarantinedRow)
                .where(QuarantinedRow.id.in_(self._mended), QuarantinedRow.state == RowState.OPEN, self._same_incident())
                .values(state=RowState.CORRECTED, handled_by=self._record.created_by, handled_at=now())
            )
            self.corrected += len(self._session.execute(closed.returning(QuarantinedRow.id)).all())
            self._mended.clear()

    def _write(self) -> None:
        indexes = list(self._bad)
        there = select(QuarantinedRow.row_index).where(
            QuarantinedRow.row_index == any_(literal(indexes, ARRAY(LargeBinary))), self._same_incident()
        )
        for index in self._session.scalars(there):
            self._bad.pop(index, None)
            self.before += 1
        for index, (number, cells, problems) in self._bad.items():
            if not self._changed(index, cells, problems):
                self._add(index, number, cells, problems)
        self._rows.send(self._session)
        self._bad.clear()

    def _add(self, index: bytes, number: int, cells: tuple[str, ...], problems: Sequence[Problem]) -> None:
        row_id = new_id()
        new = self._vault.new_key(row_id)
        self._rows.add("data_key", row_id, new.version, new.wrapped)
        self._rows.add(
            "quarantined_row", row_id, self._record.id, number, new.key.seal(CELLS, row_id, self._as_json(cells)), index,
            Jsonb([problem.as_json() for problem in problems]), RowState.OPEN, now(),
        )  # fmt: skip
        self.new += 1

    def _changed(self, index: bytes, cells: tuple[str, ...], problems: Sequence[Problem]) -> bool:
        """A row from the quarantine that came back changed and is still bad takes its old place there."""
        row_id = self._id_of(cells)
        wanted = select(QuarantinedRow).where(QuarantinedRow.id == row_id, self._same_incident())
        row = self._session.scalar(wanted.where(QuarantinedRow.state == RowState.OPEN)) if row_id else None
        if row is None:
            return False
        row.cells_sealed = key_for(self._session, row.id).seal(CELLS, row.id, self._as_json(cells))
        row.row_index, row.problems = index, [problem.as_json() for problem in problems]
        self._session.flush()
        self.before += 1
        return True

    def _same_incident(self) -> ColumnElement[bool]:
        imports = select(RosterImport.id).where(RosterImport.incident_id == self._record.incident_id)
        return QuarantinedRow.import_id.in_(imports)

    def _id_of(self, cells: tuple[str, ...]) -> UUID | None:
        if self._id_column is None or self._id_column >= len(cells):
            return None
        try:
            return UUID(cells[self._id_column].strip())
        except ValueError:
            return None

    def _own(self, cells: tuple[str, ...]) -> list[str]:
        """The row's cells without the columns that a download added."""
        return [cell for at, cell in enumerate(cells) if at >= len(self._headers) or self._headers[at] not in OWN_HEADERS]

    def _as_json(self, cells: tuple[str, ...]) -> str:
        """{header: text}; cells beyond the headers are named by their place."""
        names = [*self._headers, *(f"+{at + 1}" for at in range(len(cells) - len(self._headers)))]
        return json.dumps(
            {name: cell for name, cell in zip(names, cells, strict=False) if name not in OWN_HEADERS}, ensure_ascii=False
        )
