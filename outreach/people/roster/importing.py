"""Importing a roster: keep the file, look through it, rehearse, run.

    made = upload(session, stream, incident_id=..., as_of=..., by=..., limits=...)   # the file is sealed, its columns recognised
    check(sessions, made.id, limits)       # the dry run: what the import would do, and what has to be answered first
    run(sessions, made.id, limits)         # all of it in one transaction, or nothing

`check` and `run` take the factory of sessions, because how far they are is written in short transactions of its own. Both may be
run again whenever they died. Their report holds counts, codes, names of columns and numbers of rows, and nothing about anybody.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from typing import BinaryIO
from uuid import UUID

from sqlalchemy import and_, or_, select, update
from sqlalchemy.orm import Session, sessionmaker

from outreach.access import audit
from outreach.access.audit import COMMAND, SYSTEM, Actor, ActorKind
from outreach.db import new_id, now
from outreach.people.incident import Incident
from outreach.people.roster import merging, quarantine, store
from outreach.people.roster.columns import ColumnMapping, DateOrder, fingerprint, recognise
from outreach.people.roster.fields import Field
from outreach.people.roster.imports import ImportState, RememberedMapping, RosterImport
from outreach.people.roster.limits import Limits
from outreach.people.roster.merging import Added, Merge
from outreach.people.roster.problems import N_, Fault, Problem, RosterError
from outreach.people.roster.reading import Roster, RosterRow, open_roster
from outreach.people.roster.rows import BadRow, ParsedRow, ParseOptions, row_parser, survey_dates

BATCH = 1_000  # rows looked up and copied together
TOLD_EVERY = 0.5  # seconds between two writings of how far an import is
EXAMPLES = 20  # numbers of rows that a report keeps for each kind of problem

HALTED = N_("The work stopped because of a fault of the system. Nothing was imported. Tell an administrator, then start again.")

Progress = Callable[[int, float], None]
"""Told of the rows done so far, and the fraction of the file that was read (0 to 1)."""


class NoSuchImport(LookupError):
    """There is no import with this id."""


class NotNow(Exception):
    """The import is in a state in which this cannot be done; the text says which."""


class BadAnswer(Exception):
    """A column or field was named that there is not; the text says which there are."""


class NotAnswered(Exception):
    """Something has to be answered before the import: what a column means, or how its dates are written."""

    def __init__(self, report: "Report") -> None:
        sentences = [f"No column is mapped to {' or '.join(group)}." for group in report.missing]
        sentences += [
            f"Say how “{question.header}” writes its dates: day/month/year (dmy), month/day/year (mdy), or year first (ymd)."
            for question in report.questions
        ]
        super().__init__(" ".join(sentences))
        self.report = report


@dataclass(frozen=True, slots=True)
class DateQuestion:
    """A column whose dates can be read in two ways. The counts are of rows that fit one order only, or both."""

    index: int
    header: str
    day_first: int
    month_first: int
    either: int
    suggestion: str


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of problem or remark: how many rows have it, and the numbers of the first of them."""

    code: str
    column: str
    count: int
    rows: tuple[int, ...]
    details: Mapping[str, str | int]  # of the first of them

    @property
    def problem(self) -> Problem:
        return Problem(Fault(self.code), self.column, self.details)


@dataclass(frozen=True, slots=True)
class Report:
    """What a dry run found, or an import did. Every row is new, updated, unchanged, quarantined or quarantined before.

    While there are `questions`, or groups of fields of which one is `missing`, the other counts are not made yet.
    """

    rows: int = 0
    added: Added = field(default_factory=Added)
    quarantined: int = 0
    quarantined_before: int = 0
    corrected: int = 0  # rows that came back mended, with the number of the row in quarantine they mend
    problems: tuple[Kind, ...] = ()
    remarks: tuple[Kind, ...] = ()
    questions: tuple[DateQuestion, ...] = ()
    missing: tuple[tuple[str, ...], ...] = ()
    perhaps_swapped: tuple[str, ...] = ()  # headers whose true dates were perhaps turned by a spreadsheet program
    file_remarks: tuple[Mapping[str, object], ...] = ()

    @property
    def answered(self) -> bool:
        return not self.questions and not self.missing

    def as_json(self) -> dict[str, object]:
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, object]) -> "Report":
        """The reverse of `as_json`."""
        values: dict[str, object] = dict(stored)
        values["added"] = Added(**values.get("added") or {})  # type: ignore[arg-type]  # written by as_json
        for name, kind in (("problems", Kind), ("remarks", Kind), ("questions", DateQuestion)):
            listed = values.get(name) or []
            assert isinstance(listed, list)
            values[name] = tuple(kind(**one) for one in listed)
        return cls(**values)  # type: ignore[arg-type]  # likewise


def upload(
    session: Session, stream: BinaryIO, *, incident_id: UUID, as_of: date, by: Actor, limits: Limits, sheet: str | None = None
) -> RosterImport:
    """Keep a roster and recognise its columns, by the mapping remembered for such a file if there is one.

    Raises RosterError when it is no roster that can be read; the caller then rolls back, and nothing of it is kept.
    """
    record = RosterImport(
        id=new_id(), incident_id=incident_id, as_of=as_of, file_format="", file_size=0, file_digest="", mapping={},
        report={}, rows_done=0, created_by=by.id if by.kind is ActorKind.STAFF else None,
    )  # fmt: skip
    session.add(record)
    session.flush()
    kept = store.keep(session, record.id, stream, limit=limits.file_bytes)
    record.file_size, record.file_digest = kept.size, kept.digest
    roster = open_import(session, record, limits, sheet=sheet)
    record.file_format = roster.kind
    record.mapping = {**_recognised(session, roster.headers).as_json(), "sheet": roster.sheet}
    session.flush()
    audit.record(session, by, "import.upload", "import", record.id, bytes=kept.size, format=str(roster.kind))
    return record


def open_import(session: Session, record: RosterImport, limits: Limits, *, sheet: str | None = None) -> Roster:
    """The roster of an import, read through this session. Raises RosterError."""
    stored = record.mapping.get("sheet")
    stream = store.open_file(session, record.id, record.file_size)
    return open_roster(stream, limits=limits, sheet=sheet or (str(stored) if stored else None))


def mapping_of(record: RosterImport) -> ColumnMapping:
    """What each column of the file means."""
    return ColumnMapping.from_json(record.mapping)


def choose(session: Session, import_id: UUID, mapping: ColumnMapping) -> None:
    """Say what the columns mean and how dates are written. The dry run has to be made again. Raises NotNow."""
    record = locked(session, import_id)
    if record.state not in (ImportState.UPLOADED, ImportState.CHECKED):
        raise NotNow("The columns of this import cannot be changed any more.")
    record.mapping = {**mapping.as_json(), "sheet": record.mapping.get("sheet")}
    record.state, record.report, record.error = ImportState.UPLOADED, {}, None


def discard(session: Session, import_id: UUID, *, by: Actor) -> None:
    """Give up an import that was not run: its file is deleted. Raises NotNow when it is running or done."""
    record = locked(session, import_id)
    if record.state not in (ImportState.UPLOADED, ImportState.CHECKED, ImportState.FAILED):
        raise NotNow("This import cannot be discarded any more.")
    store.forget(session, import_id)
    record.state, record.finished_at = ImportState.DISCARDED, now()
    session.flush()
    audit.record(session, by, "import.discard", "import", import_id)


def locked(session: Session, import_id: UUID) -> RosterImport:
    """The import, which nobody else changes until the transaction ends. Raises NoSuchImport."""
    record = session.get(RosterImport, import_id, with_for_update={"key_share": True}, populate_existing=True)
    if record is None:
        raise NoSuchImport
    return record


def check(
    sessions: sessionmaker[Session], import_id: UUID, limits: Limits, *, today: date, progress: Progress | None = None,
    rehearse: bool = True,
) -> Report:  # fmt: skip
    """The dry run: look through the file, then do the whole import and undo it, so that its counts are the import's own.

    `rehearse=False` only looks through the file, for what has to be answered before. A file that cannot be read to its end
    makes the import failed. Raises RosterError then, NoSuchImport, or NotNow.
    """
    told = _Told(sessions, import_id, progress)
    with sessions() as session:
        record = session.get(RosterImport, import_id)
        if record is None:
            raise NoSuchImport
        if record.state not in (ImportState.UPLOADED, ImportState.CHECKED):
            raise NotNow("This import was run already, or discarded.")
        try:
            report = _look_through(session, record, limits)
            if report.answered and rehearse:
                merging.lock(session)
                report = _import(session, record, limits, today, told, report)
        except RosterError as error:
            session.rollback()
            fail(sessions, import_id, error.message)
            raise
        session.rollback()
    with sessions.begin() as session:
        record = locked(session, import_id)
        if record.state not in (ImportState.UPLOADED, ImportState.CHECKED):
            raise NotNow("This import was run, or discarded, while it was checked.")
        record.report, record.rows_total, record.rows_done, record.error = report.as_json(), report.rows, 0, None
        record.state = ImportState.CHECKED if report.answered else ImportState.UPLOADED
    return report


def run(
    sessions: sessionmaker[Session], import_id: UUID, limits: Limits, *, today: date, by: Actor = SYSTEM,
    progress: Progress | None = None,
) -> Report:  # fmt: skip
    """Import a checked roster in one transaction. Whatever dies, nothing is half imported, and it may be run again.

    A second run at once waits for the first, and then raises NotNow. Raises NotAnswered before a dry run has found everything
    answered, and RosterError, which makes the import failed, when the file turns out to be unreadable.
    """
    with sessions() as session:
        merging.lock(session)
        record = session.get(RosterImport, import_id)
        if record is None:
            raise NoSuchImport
        if record.state not in (ImportState.CHECKED, ImportState.RUNNING):
            report = Report.from_json(record.report)
            if record.state == ImportState.UPLOADED and not report.answered:
                raise NotAnswered(report)
            raise NotNow("This import has not been checked yet, or it is over.")
        with sessions.begin() as other:
            # Whoever looks sees that it runs; the row is changed by short transactions only, until the last moment.
            running = update(RosterImport).where(RosterImport.id == import_id)
            other.execute(running.values(state=ImportState.RUNNING, rows_done=0, error=None))
        told = _Told(sessions, import_id, progress)
        try:
            report = _import(session, record, limits, today, told, Report(file_remarks=_remarks_of(record)))
        except RosterError as error:
            session.rollback()
            fail(sessions, import_id, error.message)
            raise
        store.forget(session, import_id)
        session.refresh(record)
        record.report, record.rows_done, record.rows_total = report.as_json(), report.rows, report.rows
        record.state, record.finished_at = ImportState.DONE, now()
        _remember(session, mapping_of(record))
        session.flush()
        audit.record(
            session, by, "import.run", "import", import_id, rows=report.rows, new=report.added.new, updated=report.added.updated,
            unchanged=report.added.unchanged, quarantined=report.quarantined, quarantined_before=report.quarantined_before,
        )  # fmt: skip
        session.commit()
    return report


def fail(sessions: sessionmaker[Session], import_id: UUID, sentence: str) -> None:
    """The import cannot be done: say why, and delete its file."""
    with sessions.begin() as session:
        record = locked(session, import_id)
        record.state, record.error, record.finished_at = ImportState.FAILED, sentence, now()
        store.forget(session, import_id)


def start(session: Session, import_id: UUID, *, by: Actor) -> None:
    """Say that a checked import shall run: a worker does it. Raises NotNow."""
    record = locked(session, import_id)
    if record.state != ImportState.CHECKED:
        raise NotNow("This import has to be checked first, or it was started already.")
    record.state, record.rows_done, record.error = ImportState.RUNNING, 0, None
    session.flush()
    audit.record(session, by, "import.start", "import", import_id)


def halt(sessions: sessionmaker[Session], import_id: UUID) -> None:
    """The work stopped by a fault of ours, and is not to be tried again by itself. The file stays."""
    with sessions.begin() as session:
        record = locked(session, import_id)
        if record.state == ImportState.RUNNING:
            record.state = ImportState.CHECKED
        if record.state in (ImportState.UPLOADED, ImportState.CHECKED):
            record.error = HALTED


def forgotten(session: Session) -> list[tuple[UUID, bool]]:
    """Imports that wait for a worker, with whether they are to run (else: to be checked). None while one is at work."""
    if not merging.try_lock(session):
        return []
    waiting = select(RosterImport.id, RosterImport.state).where(
        RosterImport.error.is_(None),
        or_(
            RosterImport.state == ImportState.RUNNING,
            and_(RosterImport.state == ImportState.UPLOADED, RosterImport.report == {}),
        ),
    )
    return [(row.id, row.state == ImportState.RUNNING) for row in session.execute(waiting.order_by(RosterImport.id))]


def add_incident(session: Session, *, code: str, title: str, occurred_on: date | None, by: Actor) -> Incident:
    """A new incident. Its code is unique (IntegrityError) and neutral: it is shown on pages and in commands."""
    incident = Incident(id=new_id(), code=code, title=title, occurred_on=occurred_on)
    session.add(incident)
    session.flush()
    audit.record(session, by, "incident.add", "incident", incident.id)
    return incident


def import_file(
    sessions: sessionmaker[Session],
    stream: BinaryIO,
    *,
    incident_code: str,
    title: str | None = None,
    occurred_on: date | None = None,
    as_of: date,
    today: date,
    limits: Limits,
    by: Actor = COMMAND,
    fields: Mapping[str, str] | None = None,
    date_order: DateOrder = DateOrder.UNKNOWN,
    progress: Progress | None = None,
) -> Report:
    """Everything at once, for the command line and the demonstration. Safe to repeat with the same file.

    The incident is made when there is none with this code. `fields` maps headers to fields where the file's own names do not
    say it; `date_order` answers for every column that has to be asked about. When anything fails, the file is not kept. Raises
    RosterError, NotAnswered or BadAnswer.
    """
    import_id = begin(
        sessions, stream, incident_code=incident_code, title=title, occurred_on=occurred_on, as_of=as_of, limits=limits, by=by,
        fields=fields or {}, date_order=date_order, today=today,
    )  # fmt: skip
    return run(sessions, import_id, limits, today=today, by=by, progress=progress)


def begin(
    sessions: sessionmaker[Session], stream: BinaryIO, *, incident_code: str, title: str | None, occurred_on: date | None,
    as_of: date, limits: Limits, by: Actor, fields: Mapping[str, str], date_order: DateOrder, today: date,
) -> UUID:  # fmt: skip
    """Upload and look through a file, with everything answered beforehand; the import is then checked, and can be run."""
    with sessions.begin() as session:
        incident = session.scalar(select(Incident).where(Incident.code == incident_code))
        if incident is None:
            incident = add_incident(session, code=incident_code, title=title or incident_code, occurred_on=occurred_on, by=by)
        record = upload(session, stream, incident_id=incident.id, as_of=as_of, by=by, limits=limits)
        mapping = _with_fields(mapping_of(record), fields)
        choose(session, record.id, mapping)
    report = check(sessions, record.id, limits, today=today, rehearse=False)
    if report.questions and date_order is not DateOrder.UNKNOWN and not report.missing:
        with sessions.begin() as session:
            choose(session, record.id, mapping.order_dates({question.index: date_order for question in report.questions}))
        report = check(sessions, record.id, limits, today=today, rehearse=False)
    if not report.answered:
        with sessions.begin() as session:
            discard(session, record.id, by=by)
        raise NotAnswered(report)
    return record.id


def first_rows(session: Session, record: RosterImport, limits: Limits, *, today: date, count: int = 10) -> list[ParsedRow | BadRow]:
    """The first rows as they will be stored, for staff to look at; they are never written down. Raises RosterError."""
    mapping = mapping_of(record)
    if mapping.missing:
        return []
    parse = row_parser(mapping, ParseOptions(today=today, cell_characters=limits.cell_characters))
    return [parse(row) for _, row in zip(range(count), open_import(session, record, limits).rows(), strict=False)]


def _with_fields(mapping: ColumnMapping, fields: Mapping[str, str]) -> ColumnMapping:
    """Raises BadAnswer for a header that is not there or a field that is none."""
    for header, name in fields.items():
        index = next((column.index for column in mapping.columns if column.header.casefold() == header.casefold()), None)
        if index is None:
            raise BadAnswer(f"There is no column “{header}”. The columns are: {', '.join(mapping.headers)}.")
        if name not in set(Field):
            raise BadAnswer(f"“{name}” is no field. The fields are: {', '.join(Field)}.")
        mapping = mapping.choose(index, Field(name))
    return mapping


def _recognised(session: Session, headers: tuple[str, ...]) -> ColumnMapping:
    remembered = session.get(RememberedMapping, fingerprint(headers))
    mapping = ColumnMapping.from_json(remembered.mapping).for_headers(headers) if remembered else recognise(headers)
    for column in mapping.columns:
        if column.header in quarantine.OWN_HEADERS:
            mapping = mapping.choose(column.index, Field.IGNORED)
    return mapping


def _remember(session: Session, mapping: ColumnMapping) -> None:
    """Keep the meanings for the next file of this layout; how it writes dates is asked again for each file."""
    unordered = ColumnMapping(tuple(replace(column, date_order=DateOrder.UNKNOWN) for column in mapping.columns))
    session.merge(RememberedMapping(fingerprint=fingerprint(mapping.headers), mapping=unordered.as_json(), updated_at=now()))


def _remarks_of(record: RosterImport) -> tuple[Mapping[str, object], ...]:
    return Report.from_json(record.report).file_remarks


def _look_through(session: Session, record: RosterImport, limits: Limits) -> Report:
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


def _import(session: Session, record: RosterImport, limits: Limits, today: date, told: "_Told", looked: Report) -> Report:
    """Read, merge and set aside, in the session's transaction, which the caller commits or undoes."""
    mapping = mapping_of(record)
    roster = open_import(session, record, limits)
    parse = row_parser(mapping, ParseOptions(today=today, cell_characters=limits.cell_characters))
    problems, remarks = _Kinds(), _Kinds()
    merge = Merge(session, record, remarks.add)
    aside = quarantine.Aside(session, record, mapping)
    rows = 0
    good: list[ParsedRow] = []
    cells: dict[int, tuple[str, ...]] = {}

    def finish() -> None:
        refused = merge.add(good)
        for one in refused:
            problems.add(one.number, one.problem)
            aside.put(one.number, cells[one.number], (one.problem,))
        numbers = {one.number for one in refused}
        for row in good:
            if row.number not in numbers:
                aside.mended(cells[row.number])
        aside.finish()
        good.clear()
        cells.clear()
        told.tell(rows, roster.fraction_read)

    for row in roster.rows():
        rows += 1
        parsed = parse(row)
        if isinstance(parsed, BadRow):
            for problem in parsed.problems:
                problems.add(row.number, problem)
            aside.put(row.number, row.cells, parsed.problems)
        else:
            for remark in parsed.remarks:
                remarks.add(row.number, remark)
            good.append(parsed)
            cells[row.number] = row.cells
        if not rows % BATCH:
            finish()
    finish()
    return replace(
        looked, rows=rows, added=merge.added, quarantined=aside.new, quarantined_before=aside.before, corrected=aside.corrected,
        problems=problems.listed(), remarks=remarks.listed(),
    )  # fmt: skip


class _Kinds:
    """Counts problems by kind and column, and keeps the numbers of the first rows of each."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()
        self._rows: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
        self._details: dict[tuple[str, str], Mapping[str, str | int]] = {}

    def add(self, number: int, problem: Problem) -> None:
        kind = (problem.code.value, problem.column)
        self._counts[kind] += 1
        self._details.setdefault(kind, dict(problem.details))
        if self._counts[kind] <= EXAMPLES:
            self._rows[kind].append(number)

    def listed(self) -> tuple[Kind, ...]:
        return tuple(Kind(*kind, count, tuple(self._rows[kind]), self._details[kind]) for kind, count in self._counts.most_common())


class _Told:
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
