"""Tasks: what the engine has put before a person. The list has ids only; opening one about somebody is opening their file."""

from uuid import UUID

from flask import Blueprint, abort, current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from outreach import jobs
from outreach.access.accounts import Role
from outreach.delivery import exhausted, task
from outreach.delivery.exhausted import BY_STAFF, LONGEST_NOTE, AlreadyClosed, NoNote, NoTask, Resolution
from outreach.delivery.task import Line, Query, TaskKind
from outreach.people import file
from outreach.web.gate import allow
from outreach.web.panel import account, panel
from outreach.web.staff import breaker_words, task_words
from outreach.web.staff.base import Pages, page_number
from outreach.web.staff.people import protected_sentence, reader

pages = Blueprint("tasks", __name__, url_prefix="/tasks")

SIZE = 25


@pages.get("")
@allow(Role.OFFICER, Role.APPROVER, Role.SUPERVISOR)
def index() -> ResponseReturnValue:
    query, number = _query(), page_number()
    with panel().sessions.begin() as session:
        lines, total = task.lines(session, query, limit=SIZE, offset=(number - 1) * SIZE)
        waiting, campaigns = task.open_by_kind(session), task.campaigns(session)
    return render_template(
        "staff/tasks/index.html", lines=lines, pages=Pages(number, SIZE, min(total, task.COUNTED)), more=total > task.COUNTED,
        query=query, waiting=waiting, campaigns=campaigns, said=task_words, address=_address,
    )  # fmt: skip


@pages.get("/<uuid:task_id>")
@allow(Role.OFFICER, Role.SUPERVISOR)
def show(task_id: UUID) -> ResponseReturnValue:
    return _show(task_id)


@pages.post("/<uuid:task_id>/close")
@allow(Role.OFFICER, Role.SUPERVISOR)
def close(task_id: UUID) -> ResponseReturnValue:
    chosen = request.form.get("resolution", "")
    if chosen not in BY_STAFF:
        return _show(task_id, _("Choose what was done. Nothing was closed.")), 400
    try:
        with panel().sessions.begin() as session:
            file.check_visible(session, exhausted.person_of(session, task_id), reader())
            exhausted.close(session, task_id, Resolution(chosen), request.form.get("note", ""), by=account())
    except (NoTask, file.NoSuchPerson):
        abort(404)
    except file.ProtectedRecord:
        abort(403, protected_sentence())
    except NoNote:
        problem = _("Write what was done, in at most %(most)s characters. Nothing was closed.", most=LONGEST_NOTE)
        return _show(task_id, problem), 400
    except AlreadyClosed:
        return _show(task_id, _("This task was closed meanwhile. Your note was not kept.")), 409
    flash(_("Closed. What you wrote is in the record."), "success")
    return redirect(url_for(".index"))


def _show(task_id: UUID, problem: str | None = None) -> str:
    try:
        with panel().sessions.begin() as session:
            permit = file.ask_to_open(session, exhausted.person_of(session, task_id), by=reader())
    except (NoTask, file.NoSuchPerson):
        abort(404)
    except file.ProtectedRecord:
        abort(403, protected_sentence())
    with panel().sessions.begin() as session:
        found = exhausted.open_task(session, task_id, permit)
        opened = file.open_file(session, permit)
    return render_template(
        "staff/tasks/exhausted.html", found=found, person=opened.person, problem=problem, said=task_words,
        codes=breaker_words.CODES, meaning=jobs.meaning,
        name=opened.names[0].whole if opened.names else _("Erased record"), resolutions=BY_STAFF, longest=LONGEST_NOTE,
        contacts={contact.id: contact for contact in opened.contacts},
    )  # fmt: skip


def _query() -> Query:
    """From the address. A value that is not one of the choices answers 404: nothing of ours links to it."""
    kind, campaign, show = (request.args.get(name) or None for name in ("kind", "campaign", "show"))
    try:
        return Query(TaskKind(kind) if kind else None, UUID(campaign) if campaign else None, {None: False, "closed": True}[show])
    except (ValueError, KeyError):
        abort(404)


def _address(line: Line) -> str | None:
    """The page of a task; None where this account cannot open it."""
    endpoint = "undecided.show" if line.kind is TaskKind.UNDECIDED else "tasks.show"
    hidden = line.protected and account().role != Role.SUPERVISOR
    if hidden or endpoint not in current_app.view_functions:
        return None
    return url_for(endpoint, task_id=line.id)
