"""Importing a roster: keep the file, look through it, rehearse, run.

    made = upload(session, stream, incident_id=..., as_of=..., by=..., limits=...)   # the file is sealed, its columns recognised
    check(sessions, made.id, limits)       # the dry run: what the import would do, and what has to be answered first
    run(sessions, made.id, limits)         # all of it in one transaction, or nothing

`check` and `run` take the factory of sessions, because how far they are is written in short transactions of its own. Both may be
run again whenever they died. Their report holds counts, codes, names of columns and numbers of rows, and nothing about anybody.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import BinaryIO
from uuid import UUID

from sqlalchemy import and_, or_, select, update
from sqlalchemy.orm import Session, sessionmaker

from outreach.access import audit
from outreach.access.audit import COMMAND, SYSTEM, Actor, ActorKind
from outreach.db import new_id, now
from outreach.people import incident
from outreach.people.incident import Incident
from outreach.people.roster import merging, quarantine, store
from outreach.people.roster.columns import ColumnMapping, DateOrder, fingerprint, recognise
from outreach.people.roster.fields import Field
from outreach.people.roster.imports import ImportState, RememberedMapping, RosterImport
from outreach.people.roster.limits import Limits
from outreach.people.roster.passes import Progress, Told, look_through, mapping_of, open_import, put_in
from outreach.people.roster.problems import N_, RosterError
from outreach.people.roster.report import Report

HALTED = N_("The work stopped because of a fault of the system. Nothing was imported. Tell an administrator, then start again.")


class NoSuchImport(LookupError):
    """There is no import with this id."""


class NotNow(Exception):
    """The import is in a state in which this cannot be done; the text says which."""


class BadAnswer(Exception):
    """A column or field was named that there is not; the text says which there are."""


class NotAnswered(Exception):
    """Something has to be answered before the import: what a column means, or how its dates are written."""

    def __init__(self, report: Report) -> None:
        sentences = [f"No column is mapped to {' or '.join(group)}." for group in report.missing]
        sentences += [
            f"Say how “{question.header}” writes its dates: day/month/year (dmy), month/day/year (mdy), or year first (ymd)."
            for question in report.questions
        ]
        super().__init__(" ".join(sentences))
        self.report = report


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


def ask_to_look(session: Session, import_id: UUID, *, by: Actor) -> None:
    """Write into the audit log that rows of a file are looked at; the caller commits before opening it. Raises NoSuchImport."""
    if session.get(RosterImport, import_id) is None:
        raise NoSuchImport
    audit.record(session, by, "import.look", "import", import_id)


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
    told = Told(sessions, import_id, progress)
    with sessions() as session:
        record = session.get(RosterImport, import_id)
        if record is None:
            raise NoSuchImport
        if record.state not in (ImportState.UPLOADED, ImportState.CHECKED):
            raise NotNow("This import was run already, or discarded.")
        try:
            report = look_through(session, record, limits)
            if report.answered and rehearse:
                merging.lock(session)
                report = put_in(sessions, session, record, limits, today, told, report)
        except RosterError as error:
            session.rollback()
            fail(sessions, import_id, error)
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
        told = Told(sessions, import_id, progress)
        try:
            report = put_in(sessions, session, record, limits, today, told, Report(file_remarks=_remarks_of(record)))
        except RosterError as error:
            session.rollback()
            fail(sessions, import_id, error)
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


def fail(sessions: sessionmaker[Session], import_id: UUID, error: RosterError) -> None:
    """The import cannot be done: say why, in words and for pages as {"failed": {"code", "details"}}, and delete its file."""
    with sessions.begin() as session:
        record = locked(session, import_id)
        record.state, record.error, record.finished_at = ImportState.FAILED, error.message, now()
        record.report = {"failed": {"code": error.code.value, "details": error.details}}
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
        found = session.scalar(select(Incident).where(Incident.code == incident_code))
        chosen = found or incident.add(session, code=incident_code, title=title or incident_code, occurred_on=occurred_on)
        record = upload(session, stream, incident_id=chosen.id, as_of=as_of, by=by, limits=limits)
        mapping = _with_fields(mapping_of(record), fields)
        choose(session, record.id, mapping)
        if found is None:
            incident.record_added(session, chosen, by=by)
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
