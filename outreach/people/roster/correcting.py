"""What staff do with rows in quarantine: look, correct, dismiss, or take them away to be mended in a spreadsheet."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from outreach.access import audit
from outreach.access.audit import Actor
from outreach.access.sealing import key_for, keys_for
from outreach.db import now
from outreach.people.addresses.regrading import regrade
from outreach.people.roster import merging
from outreach.people.roster.imports import QuarantinedRow, RosterImport, RowState
from outreach.people.roster.limits import Limits
from outreach.people.roster.merging import Merge
from outreach.people.roster.passes import mapping_of
from outreach.people.roster.problems import Fault, Problem
from outreach.people.roster.quarantine import CELLS, ID_HEADER, OWN_HEADERS, PROBLEM_HEADER
from outreach.people.roster.reading import RosterRow
from outreach.people.roster.rows import BadRow, ParseOptions, parse_row

AT_ONCE = 500  # rows opened together in a download


class NoSuchRow(LookupError):
    """There is no such row in quarantine."""


class AlreadyHandled(Exception):
    """Somebody corrected or dismissed this row before."""


class Busy(Exception):
    """An import is being written, which nothing else may do meanwhile; it takes seconds, or minutes for a large roster."""


@dataclass(frozen=True, slots=True)
class Open:
    """A row in quarantine, opened. `cells` are by header; cells beyond the headers have names like "+21"."""

    row: QuarantinedRow
    cells: Mapping[str, str]
    problems: tuple[Problem, ...]


def problems_of(row: QuarantinedRow) -> tuple[Problem, ...]:
    """What is wrong with a row, as stored."""
    return tuple(
        Problem(Fault(str(one["code"])), str(one["column"]), dict(details) if isinstance(details := one["details"], dict) else {})
        for one in row.problems
    )


def count_open(session: Session, import_id: UUID | None = None) -> int:
    """How many rows wait to be corrected or dismissed: of one import, or of all."""
    wanted = select(func.count()).select_from(QuarantinedRow).where(QuarantinedRow.state == RowState.OPEN)
    if import_id is not None:
        wanted = wanted.where(QuarantinedRow.import_id == import_id)
    return session.scalar(wanted) or 0


def open_rows(session: Session, import_id: UUID, *, limit: int, offset: int = 0) -> list[QuarantinedRow]:
    """The rows of an import that wait, by their number, closed: what is wrong with them is not secret."""
    rows = select(QuarantinedRow).where(QuarantinedRow.import_id == import_id, QuarantinedRow.state == RowState.OPEN)
    return list(session.scalars(rows.order_by(QuarantinedRow.row_number).limit(limit).offset(offset)))


def ask_to_open(session: Session, row_id: UUID, *, by: Actor) -> UUID:
    """Write into the audit log that a row is looked at; the caller commits before `opened`. Raises NoSuchRow."""
    if session.get(QuarantinedRow, row_id) is None:
        raise NoSuchRow
    audit.record(session, by, "quarantine.open", "quarantined_row", row_id)
    return row_id


def opened(session: Session, row_id: UUID) -> Open:
    """One row with its cells. Raises NoSuchRow, or Sealed when it was erased."""
    row = session.get(QuarantinedRow, row_id)
    if row is None:
        raise NoSuchRow
    cells = json.loads(key_for(session, row_id).open(CELLS, row_id, row.cells_sealed))
    return Open(row, cells, problems_of(row))


def correct(
    session: Session, row_id: UUID, cells: Mapping[str, str], *, today: date, by: Actor, limits: Limits | None = None
) -> tuple[Problem, ...]:
    """Import the row with these cells, by header, through the import's own path; or say what is still wrong with it.

    A header that is not given has a blank cell. Raises NoSuchRow, AlreadyHandled or Busy.
    """
    if not merging.try_lock(session):
        raise Busy
    row = _locked(session, row_id)
    record = session.get_one(RosterImport, row.import_id)
    mapping = mapping_of(record)
    given = RosterRow(row.row_number, tuple(cells.get(header, "") for header in mapping.headers))
    parsed = parse_row(given, mapping, ParseOptions(today=today))
    if isinstance(parsed, BadRow):
        return parsed.problems
    refused = Merge(session, record, _unremarked).add([parsed])
    if refused:
        return tuple(one.problem for one in refused)
    regrade(session, reuse_limit=(limits or Limits()).address_reuse)
    _close(row, RowState.CORRECTED, by)
    session.flush()
    audit.record(session, by, "quarantine.correct", "quarantined_row", row_id)
    return ()


def dismiss(session: Session, row_id: UUID, *, by: Actor) -> None:
    """Decide that the row is not to go in. It stays, sealed, so that it does not come back with the same file.

    Raises NoSuchRow or AlreadyHandled.
    """
    _close(_locked(session, row_id), RowState.DISMISSED, by)
    session.flush()
    audit.record(session, by, "quarantine.dismiss", "quarantined_row", row_id)


def record_download(session: Session, import_id: UUID, *, by: Actor) -> int:
    """Write into the audit log that the waiting rows of an import leave the system; the caller commits before `table`."""
    count = count_open(session, import_id)
    audit.record(session, by, "quarantine.export", "import", import_id, rows=count)
    return count


def table(session: Session, import_id: UUID) -> Iterator[list[str]]:
    """The waiting rows of an import as a table to mend and to upload again: its headers first, in constant memory.

    The last columns say what is wrong and which row it is, so that the mended row closes this one; cells that the row had
    beyond its headers follow them.
    """
    headers = [header for header in mapping_of(session.get_one(RosterImport, import_id)).headers if header not in OWN_HEADERS]
    yield [*headers, PROBLEM_HEADER, ID_HEADER]
    waiting = select(QuarantinedRow.id).where(QuarantinedRow.import_id == import_id, QuarantinedRow.state == RowState.OPEN)
    ids = list(session.scalars(waiting.order_by(QuarantinedRow.row_number)))
    for start in range(0, len(ids), AT_ONCE):
        some = ids[start : start + AT_ONCE]
        keys = keys_for(session, some)
        rows = session.scalars(select(QuarantinedRow).where(QuarantinedRow.id.in_(some)).order_by(QuarantinedRow.row_number))
        for row in rows.all():
            if row.id not in keys:
                continue
            cells = json.loads(keys[row.id].open(CELLS, row.id, row.cells_sealed))
            beyond = [text for header, text in cells.items() if header not in headers]
            said = " ".join(problem.message for problem in problems_of(row))
            yield [*(cells.get(header, "") for header in headers), said, str(row.id), *beyond]
            session.expunge(row)


def waiting_imports(session: Session) -> Iterable[tuple[UUID, int]]:
    """Imports with rows that wait, and how many."""
    counted = select(QuarantinedRow.import_id, func.count()).where(QuarantinedRow.state == RowState.OPEN)
    return [(import_id, count) for import_id, count in session.execute(counted.group_by(QuarantinedRow.import_id))]


def _unremarked(_number: int, _problem: Problem) -> None:
    """What is only good to know of a row was shown beside its form."""


def _locked(session: Session, row_id: UUID) -> QuarantinedRow:
    row = session.get(QuarantinedRow, row_id, with_for_update=True, populate_existing=True)
    if row is None:
        raise NoSuchRow
    if row.state != RowState.OPEN:
        raise AlreadyHandled
    return row


def _close(row: QuarantinedRow, state: RowState, by: Actor) -> None:
    row.state, row.handled_by, row.handled_at = state, by.id, now()
