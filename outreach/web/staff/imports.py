"""Imports: a roster from the upload to its people, and the rows that could not go in."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from typing import BinaryIO, cast
from uuid import UUID

import defusedcsv.csv
from flask import Blueprint, Response, abort, flash, redirect, render_template, request, stream_with_context, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from outreach import jobs
from outreach.access.accounts import Role
from outreach.db import now
from outreach.people import incident
from outreach.people.incident import Incident
from outreach.people.roster import correcting, importing, passes
from outreach.people.roster.columns import ColumnMapping, Confidence, DateOrder
from outreach.people.roster.fields import Field
from outreach.people.roster.imports import ImportState, QuarantinedRow, RosterImport, RowState
from outreach.people.roster.limits import Limits
from outreach.people.roster.problems import Problem, RosterError
from outreach.people.roster.report import Report
from outreach.web.gate import allow, polled, takes_file
from outreach.web.panel import account, panel
from outreach.web.staff import roster_words
from outreach.web.staff.base import Pages, page_number

pages = Blueprint("imports", __name__, url_prefix="/imports")

SIZE = 25
EVERY = 2  # seconds between two looks at how far an import is
PATIENCE = 10  # seconds after which a page says that no worker has begun
SAMPLES = 3  # values of each column that are shown beside its meaning
NEW = "new"  # the choice of an incident that is not there yet


class Unfit(Exception):
    """A form does not make sense; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Listed:
    """An import in the list. `waiting` counts its rows in quarantine."""

    record: RosterImport
    incident: Incident
    waiting: int


@pages.context_processor
def _words() -> dict[str, object]:
    return {"roster": roster_words}


@pages.get("")
@allow(Role.OFFICER, Role.SUPERVISOR)
def index() -> ResponseReturnValue:
    number = page_number()
    with panel().sessions.begin() as session:
        waiting = dict(correcting.waiting_imports(session))
        found = select(RosterImport, Incident).join(Incident, Incident.id == RosterImport.incident_id)
        rows = session.execute(found.order_by(RosterImport.id.desc()).limit(SIZE).offset((number - 1) * SIZE)).all()
        total = session.scalar(select(func.count()).select_from(RosterImport)) or 0
    imports = [Listed(record, its, waiting.get(record.id, 0)) for record, its in rows]
    return render_template("staff/imports/index.html", imports=imports, pages=Pages(number, SIZE, total))


@pages.get("/new")
@allow(Role.OFFICER, Role.SUPERVISOR)
def new() -> ResponseReturnValue:
    return _upload_form()


@pages.post("")
@allow(Role.OFFICER, Role.SUPERVISOR)
@takes_file
def add() -> ResponseReturnValue:
    try:
        stream, as_of = _file(), _as_of()
        with panel().sessions.begin() as session:
            chosen, is_new = _incident(session)
            made = importing.upload(
                session, stream, incident_id=chosen.id, as_of=as_of, by=account().actor, limits=_limits(),
                sheet=request.form.get("sheet", "").strip() or None,
            )  # fmt: skip
            if is_new:
                incident.record_added(session, chosen, by=account().actor)
    except RosterError as error:
        return _upload_form(roster_words.file_text(error)), 400
    except Unfit as error:
        return _upload_form(str(error)), 400
    except IntegrityError:
        return _upload_form(_("There is an incident with this code already. Choose it in the list, or give another code.")), 400
    panel().ring(jobs.check_roster, str(made.id))
    return redirect(url_for(".show", import_id=made.id))


@pages.get("/<uuid:import_id>")
@allow(Role.OFFICER, Role.SUPERVISOR)
def show(import_id: UUID) -> ResponseReturnValue:
    with panel().sessions.begin() as session:
        record, its = _found(session, import_id)
        waiting = correcting.count_open(session, import_id)
    report = _report(record)
    if record.state == ImportState.UPLOADED and record.report and not report.answered:
        return redirect(url_for(".columns", import_id=import_id))
    first = []
    if record.state == ImportState.CHECKED:
        with panel().sessions.begin() as session:
            importing.ask_to_look(session, import_id, by=account().actor)
        with panel().sessions.begin() as session:
            first = passes.first_rows(session, record, _limits(), today=now().date())
    return render_template(
        "staff/imports/show.html", record=record, incident=its, report=report, waiting=waiting, first=first,
        mapping=passes.mapping_of(record), failed=record.report.get("failed"), every=EVERY,
    )  # fmt: skip


@pages.get("/<uuid:import_id>/live")
@allow(Role.OFFICER, Role.SUPERVISOR)
@polled
def live(import_id: UUID) -> ResponseReturnValue:
    """How far the work is, for the page that shows it; when the work is over, the page is told to load itself again."""
    with panel().sessions.begin() as session:
        record, _its = _found(session, import_id)
    if not _is_at_work(record) or record.state != request.args.get("state"):
        return "", 200, {"HX-Refresh": "true"}
    waited = min(max(0, request.args.get("waited", 0, type=int)), 86_400) + EVERY
    late = waited >= PATIENCE and not record.rows_done
    return render_template("staff/imports/live.html", record=record, waited=waited, late=late, every=EVERY)


@pages.get("/<uuid:import_id>/columns")
@allow(Role.OFFICER, Role.SUPERVISOR)
def columns(import_id: UUID) -> ResponseReturnValue:
    return _columns(import_id)


@pages.post("/<uuid:import_id>/columns")
@allow(Role.OFFICER, Role.SUPERVISOR)
def choose(import_id: UUID) -> ResponseReturnValue:
    with panel().sessions.begin() as session:
        record, _its = _found(session, import_id)
    mapping = passes.mapping_of(record)
    try:
        mapping = _chosen(mapping, _report(record))
    except Unfit as error:
        return _columns(import_id, str(error))
    with _in_turn(), panel().sessions.begin() as session:
        importing.choose(session, import_id, mapping)
    panel().ring(jobs.check_roster, str(import_id))
    return redirect(url_for(".show", import_id=import_id))


@pages.post("/<uuid:import_id>/check")
@allow(Role.OFFICER, Role.SUPERVISOR)
def check(import_id: UUID) -> ResponseReturnValue:
    """Look through the file again, after the work stopped because of a fault of ours."""
    with panel().sessions.begin() as session:
        record, _its = _found(session, import_id)
    with _in_turn(), panel().sessions.begin() as session:
        importing.choose(session, import_id, passes.mapping_of(record))
    panel().ring(jobs.check_roster, str(import_id))
    return redirect(url_for(".show", import_id=import_id))


@pages.post("/<uuid:import_id>/start")
@allow(Role.OFFICER, Role.SUPERVISOR)
def start(import_id: UUID) -> ResponseReturnValue:
    with _in_turn(), panel().sessions.begin() as session:
        importing.start(session, import_id, by=account().actor)
    panel().ring(jobs.run_roster, str(import_id))
    return redirect(url_for(".show", import_id=import_id))


@pages.post("/<uuid:import_id>/discard")
@allow(Role.OFFICER, Role.SUPERVISOR)
def discard(import_id: UUID) -> ResponseReturnValue:
    with _in_turn(), panel().sessions.begin() as session:
        importing.discard(session, import_id, by=account().actor)
    flash(_("The import is discarded, and its file deleted. Nobody was imported."), "success")
    return redirect(url_for(".index"))


@pages.get("/<uuid:import_id>/rows")
@allow(Role.OFFICER, Role.SUPERVISOR)
def rows(import_id: UUID) -> ResponseReturnValue:
    number = page_number()
    with panel().sessions.begin() as session:
        record, its = _found(session, import_id)
        total = correcting.count_open(session, import_id)
        found = correcting.open_rows(session, import_id, limit=SIZE, offset=(number - 1) * SIZE)
    return render_template(
        "staff/imports/rows.html", record=record, incident=its, rows=[(row, correcting.problems_of(row)) for row in found],
        pages=Pages(number, SIZE, total),
    )  # fmt: skip


@pages.post("/<uuid:import_id>/rows.csv")
@allow(Role.OFFICER, Role.SUPERVISOR)
def download(import_id: UUID) -> ResponseReturnValue:
    """Posted, because it is written into the audit log before anything is opened."""
    with panel().sessions.begin() as session:
        record, _its = _found(session, import_id)
        correcting.record_download(session, import_id, by=account().actor)
    name = f"rows-to-correct-{record.id.hex[-6:]}.csv"
    return Response(
        stream_with_context(_table(import_id)), mimetype="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )  # fmt: skip


@pages.get("/rows/<uuid:row_id>")
@allow(Role.OFFICER, Role.SUPERVISOR)
def row(row_id: UUID) -> ResponseReturnValue:
    return _row_form(row_id)


@pages.post("/rows/<uuid:row_id>")
@allow(Role.OFFICER, Role.SUPERVISOR)
def correct(row_id: UUID) -> ResponseReturnValue:
    typed = _typed(row_id)
    with _in_turn(), panel().sessions.begin() as session:
        problems = correcting.correct(session, row_id, typed, today=now().date(), by=account().actor, limits=_limits())
        import_id = session.get_one(QuarantinedRow, row_id).import_id
    if problems:
        return _row_form(row_id, typed, problems)
    flash(_("Imported. The row is closed."), "success")
    return redirect(url_for(".rows", import_id=import_id))


@pages.post("/rows/<uuid:row_id>/dismiss")
@allow(Role.OFFICER, Role.SUPERVISOR)
def dismiss(row_id: UUID) -> ResponseReturnValue:
    with _in_turn(), panel().sessions.begin() as session:
        correcting.dismiss(session, row_id, by=account().actor)
        import_id = session.get_one(QuarantinedRow, row_id).import_id
    flash(_("Dismissed. The row stays out, also when the same file is imported again."), "success")
    return redirect(url_for(".rows", import_id=import_id))


@contextmanager
def _in_turn() -> Iterator[None]:
    """Answers for what somebody else, or a worker, did in the meantime."""
    try:
        yield
    except (importing.NoSuchImport, correcting.NoSuchRow):
        abort(404)
    except importing.NotNow:
        abort(409, _("This import has moved on in the meantime. Go back, reload its page, and look where it stands."))
    except correcting.AlreadyHandled:
        abort(409, _("Somebody corrected or dismissed this row in the meantime. Go back and reload the list."))
    except correcting.Busy:
        abort(409, _("A roster is being imported. Go back, wait until it is done, and send the form again."))


def _found(session: Session, import_id: UUID) -> tuple[RosterImport, Incident]:
    record = session.get(RosterImport, import_id)
    if record is None:
        abort(404)
    return record, session.get_one(Incident, record.incident_id)


def _limits() -> Limits:
    return jobs.roster_limits(panel().settings)


def _report(record: RosterImport) -> Report:
    return Report.from_json({} if "failed" in record.report else record.report)


def _is_at_work(record: RosterImport) -> bool:
    """Whether a worker is to do something with it, or does."""
    waits_for_check = record.state == ImportState.UPLOADED and not record.report and record.error is None
    return waits_for_check or record.state == ImportState.RUNNING


def _upload_form(problem: str | None = None) -> str:
    with panel().sessions.begin() as session:
        incidents = session.scalars(select(Incident).order_by(Incident.code)).all()
    choices = [(str(one.id), f"{one.code}: {one.title}") for one in incidents]
    return render_template("staff/imports/new.html", incidents=choices, new=NEW, problem=problem, today=now().date())


def _file() -> BinaryIO:
    file = request.files.get("file")
    if file is None or not file.filename:
        raise Unfit(_("Choose the file to import."))
    return cast("BinaryIO", file.stream)


def _incident(session: Session) -> tuple[Incident, bool]:
    """The incident of an upload, and whether it is new."""
    wanted = request.form.get("incident", "")
    if wanted == NEW:
        code, title = (request.form.get(name, "").strip() for name in ("code", "title"))
        if not code or not title:
            raise Unfit(_("Give the new incident a code and a title."))
        return incident.add(session, code=code[:40], title=title[:200], occurred_on=_day("occurred_on")), True
    try:
        found = session.get(Incident, UUID(wanted))
    except ValueError:
        found = None
    if found is None:
        raise Unfit(_("Choose the incident that these people belong to."))
    return found, False


def _day(name: str) -> date | None:
    """The day in a field of a form; None for a blank one. Raises Unfit when it is no day that has been."""
    typed = request.form.get(name, "").strip()
    if not typed:
        return None
    try:
        day = date.fromisoformat(typed)
    except ValueError:
        raise Unfit(_("Write the date as year-month-day, like 2023-01-19.")) from None
    if day > now().date():
        raise Unfit(_("%(day)s lies in the future. Correct the date.", day=typed))
    return day


def _as_of() -> date:
    day = _day("as_of")
    if day is None:
        raise Unfit(_("Give the date on which the roster was true."))
    return day


def _columns(import_id: UUID, problem: str | None = None) -> ResponseReturnValue:
    with panel().sessions.begin() as session:
        record, its = _found(session, import_id)
    if record.state not in (ImportState.UPLOADED, ImportState.CHECKED):
        return redirect(url_for(".show", import_id=import_id))
    with panel().sessions.begin() as session:
        importing.ask_to_look(session, import_id, by=account().actor)
    mapping = passes.mapping_of(record)
    with panel().sessions.begin() as session:
        first = passes.glance(session, record, _limits(), 100)
    samples: list[list[str]] = [[] for _column in mapping.columns]
    for one in first:
        for values, cell in zip(samples, one.cells, strict=False):
            if cell.strip() and cell not in values and len(values) < SAMPLES:
                values.append(cell)
    named = sorted(((field, str(word)) for field, word in roster_words.FIELDS.items()), key=lambda one: one[1])
    fields = sorted(named, key=lambda one: one[0] != Field.IGNORED)
    page = render_template(
        "staff/imports/columns.html", record=record, incident=its, mapping=mapping, samples=samples, report=_report(record),
        problem=problem, fields=fields, likely=Confidence.LIKELY,
    )  # fmt: skip
    return page, 400 if problem else 200


def _chosen(mapping: ColumnMapping, report: Report) -> ColumnMapping:
    """What the form says the columns mean. Raises Unfit when it contradicts itself, or leaves out what is needed."""
    columns, used = [], dict[Field, str]()
    for column in mapping.columns:
        typed = request.form.get(f"column-{column.index}", "")
        order = request.form.get(f"order-{column.index}", column.date_order)
        if (typed and typed not in set(Field)) or order not in set(DateOrder):
            abort(400)
        field = Field(typed) if typed else None
        if field is not None and field is not Field.IGNORED:
            if field in used:
                raise Unfit(_("“%(first)s” and “%(second)s” are both “%(field)s”. Only one column can be.",
                              first=used[field], second=column.header, field=roster_words.FIELDS[field]))  # fmt: skip
            used[field] = column.header
        confidence = column.confidence if field is column.field else Confidence.CHOSEN
        columns.append(replace(column, field=field, confidence=confidence, date_order=DateOrder(order)))
    chosen = ColumnMapping(tuple(columns))
    if chosen.missing:
        groups = "; ".join(_(" or ").join(str(roster_words.FIELDS[field]) for field in group) for group in chosen.missing)
        raise Unfit(_("No column is chosen for: %(fields)s. People could not be told apart without.", fields=groups))
    asked = {question.index for question in report.questions}
    for column in chosen.date_columns:
        if column.index in asked and column.date_order is DateOrder.UNKNOWN:
            raise Unfit(_("Say how “%(column)s” writes its dates.", column=column.header))
    return chosen


def _row_form(row_id: UUID, typed: Mapping[str, str] | None = None, problems: Iterable[Problem] = ()) -> ResponseReturnValue:
    try:
        with panel().sessions.begin() as session:
            correcting.ask_to_open(session, row_id, by=account().actor)
    except correcting.NoSuchRow:
        abort(404)
    with panel().sessions.begin() as session:
        opened = correcting.opened(session, row_id)
        record, its = _found(session, opened.row.import_id)
    if opened.row.state != RowState.OPEN:
        abort(409, _("Somebody corrected or dismissed this row in the meantime. Go back and reload the list."))
    mapping = passes.mapping_of(record)
    found = tuple(problems) or opened.problems
    shown = [column for column in mapping.columns if column.header in opened.cells or column.field is not None]
    page = render_template(
        "staff/imports/row.html", record=record, incident=its, row=opened.row, columns=shown,
        cells={**opened.cells, **(typed or {})},
        beyond=[text for header, text in opened.cells.items() if header not in mapping.headers],
        wrong={column.header: [one for one in found if one.column == column.header] for column in shown},
        whole=[one for one in found if not one.column or one.column not in mapping.headers], tried=typed is not None,
    )  # fmt: skip
    return page, 200 if typed is None else 400


def _typed(row_id: UUID) -> dict[str, str]:
    with panel().sessions.begin() as session:
        row = session.get(QuarantinedRow, row_id)
        if row is None:
            abort(404)
        record, _its = _found(session, row.import_id)
    return {column.header: request.form.get(f"cell-{column.index}", "") for column in passes.mapping_of(record).columns}


def _table(import_id: UUID) -> Iterator[str]:
    """The rows as CSV text, a mark of UTF-8 first, without which Excel takes it for another encoding."""
    yield "\ufeff"
    with panel().sessions() as session:
        for cells in correcting.table(session, import_id):
            line = io.StringIO(newline="")
            defusedcsv.csv.writer(line, csv.excel).writerow(cells)
            yield line.getvalue()
