"""The passes over a roster's rows: looking through for what has to be answered, and putting in."""

import io
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from itertools import islice
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.orm import Session, sessionmaker

from outreach.people.addresses.regrading import regrade
from outreach.people.roster import quarantine, store
from outreach.people.roster.columns import ColumnMapping, DateOrder
from outreach.people.roster.imports import RosterImport
from outreach.people.roster.limits import Limits
from outreach.people.roster.merging import Merge
from outreach.people.roster.problems import RosterError
from outreach.people.roster.reading import FileKind, Roster, RosterRow, open_roster
from outreach.people.roster.report import DateQuestion, Kinds, Report
from outreach.people.roster.rows import BadRow, ParsedRow, ParseOptions, RowParser, row_parser, survey_dates

BATCH = 1_000  # rows looked up and copied together
TOLD_EVERY = 0.5  # seconds between two writings of how far an import is

Progress = Callable[[int, float], None]
"""Told of the rows done so far, and the fraction of the file that was read (0 to 1)."""


def open_import(session: Session, record: RosterImport, limits: Limits, *, sheet: str | None = None) -> Roster:
    """The roster of an import, read through this session. Raises RosterError."""
    stored = record.mapping.get("sheet")
    stream = store.open_file(session, record.id, record.file_size)
    return open_roster(stream, limits=limits, sheet=sheet or (str(stored) if stored else None))


def mapping_of(record: RosterImport) -> ColumnMapping:
    """What each column of the file means."""
    return ColumnMapping.from_json(record.mapping)


def look_through(session: Session, record: RosterImport, limits: Limits) -> Report:
    """Count the rows, and find what has to be answered before they can be read."""
    mapping = mapping_of(record)
    roster = open_import(session, record, limits)
    rows = 0

    def counted() -> Iterator[RosterRow]:
        nonlocal rows
        for row in roster.rows():
            rows += 1
            yield row

    tallies = survey_dates(counted(), mapping)
    columns = mapping.columns
    return Report(
        rows=rows,
        questions=tuple(
            DateQuestion(index, columns[index].header, tally.day_first, tally.month_first, tally.either, tally.suggestion)
            for index, tally in tallies.items()
            if tally.needed and columns[index].date_order is DateOrder.UNKNOWN
        ),
        missing=tuple(tuple(group) for group in mapping.missing),
        perhaps_swapped=tuple(columns[index].header for index, tally in tallies.items() if tally.perhaps_swapped),
        file_remarks=tuple(remark.as_json() for remark in roster.remarks),
    )


@dataclass(slots=True)
class _Batch:
    """Rows that were read and parsed together, with their cells by number."""

    good: list[ParsedRow]
    bad: list[BadRow]
    cells: dict[int, tuple[str, ...]]


def put_in(
    sessions: sessionmaker[Session],
    session: Session,
    record: RosterImport,
    limits: Limits,
    today: date,
    told: "Told",
    looked: Report,
) -> Report:
    """Read, merge and set aside, in the session's transaction, which the caller commits or undoes.

    One thread writes a batch, mostly waiting for PostgreSQL, while this one reads and parses the next, on a session of its own.
    """
    mapping = mapping_of(record)
    parse = row_parser(mapping, ParseOptions(today=today, cell_characters=limits.cell_characters))
    problems, remarks = Kinds(), Kinds()
    merge = Merge(session, record, remarks.add)
    aside = quarantine.Aside(session, record, mapping)
    rows = 0

    def write(batch: _Batch) -> None:
        for bad in batch.bad:
            for problem in bad.problems:
                problems.add(bad.number, problem)
            aside.put(bad.number, bad.cells, bad.problems)
        refused = {one.number: one.problem for one in merge.add(batch.good)}
        for row in batch.good:
            if row.number in refused:
                problems.add(row.number, refused[row.number])
                aside.put(row.number, batch.cells[row.number], (refused[row.number],))
            else:
                for remark in row.remarks:
                    remarks.add(row.number, remark)
                aside.mended(batch.cells[row.number])
        aside.finish()

    with sessions() as reading, ThreadPoolExecutor(1, "roster") as writer:
        roster = open_import(reading, record, limits)
        written: Future[None] | None = None
        came_back = quarantine.ID_HEADER in roster.headers
        for batch in _batches(_unguarded(roster.rows()) if came_back else roster.rows(), parse):
            if written is not None:
                written.result()
                told.tell(rows, roster.fraction_read)
            written = writer.submit(write, batch)
            rows += len(batch.good) + len(batch.bad)
        if written is not None:
            written.result()
    regrade(session, reuse_limit=limits.address_reuse)
    told.tell(rows, 1.0)
    return replace(
        looked, rows=rows, added=merge.added, quarantined=aside.new, quarantined_before=aside.before, corrected=aside.corrected,
        problems=problems.listed(), remarks=remarks.listed(),
    )  # fmt: skip


def _unguarded(rows: Iterator[RosterRow]) -> Iterator[RosterRow]:
    return (replace(row, cells=quarantine.undo_guard(row.cells)) for row in rows)


def _batches(rows: Iterator[RosterRow], parse: RowParser) -> Iterator[_Batch]:
    while True:
        batch = _Batch([], [], {})
        for row in islice(rows, BATCH):
            parsed = parse(row)
            if isinstance(parsed, BadRow):
                batch.bad.append(parsed)
            else:
                batch.good.append(parsed)
                batch.cells[row.number] = row.cells
        if not batch.good and not batch.bad:
            return
        yield batch


def glance(session: Session, record: RosterImport, limits: Limits, count: int) -> list[RosterRow]:
    """The first rows of the file, for a page that shows them. Raises RosterError.

    Of a large CSV file only its beginning is opened, with fewer rows where those are long: the whole file was looked through by a
    worker, and is again before anything is imported.
    """
    if record.file_format == FileKind.CSV and record.file_size > store.CHUNK_BYTES:
        head = store.open_file(session, record.id, record.file_size).read(store.CHUNK_BYTES)
        # Whole lines only. Where a cell has several, or a letter two bytes, the cut may be in the middle of something.
        with suppress(RosterError):
            return list(islice(open_roster(io.BytesIO(head[: head.rfind(b"\n") + 1]), limits=limits).rows(), count))
    return list(islice(open_import(session, record, limits).rows(), count))


def first_rows(session: Session, record: RosterImport, limits: Limits, *, today: date, count: int = 10) -> list[ParsedRow | BadRow]:
    """The first rows as they will be stored, for staff to look at; they are never written down. Raises RosterError."""
    mapping = mapping_of(record)
    if mapping.missing:
        return []
    parse = row_parser(mapping, ParseOptions(today=today, cell_characters=limits.cell_characters))
    return [parse(row) for row in glance(session, record, limits, count)]


class Told:
    """Says how far an import is: to the caller, and in a short transaction of its own, so that pages can show it."""

    def __init__(self, sessions: sessionmaker[Session], import_id: UUID, progress: Progress | None) -> None:
        self._sessions = sessions
        self._import_id = import_id
        self._progress = progress
        self._last = time.monotonic()

    def tell(self, rows: int, fraction: float) -> None:
        if self._progress is not None:
            self._progress(rows, fraction)
        if time.monotonic() - self._last >= TOLD_EVERY:
            self._last = time.monotonic()
            with self._sessions.begin() as session:
                session.execute(update(RosterImport).where(RosterImport.id == self._import_id).values(rows_done=rows))
