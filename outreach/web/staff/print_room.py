"""The print room: runs of letters, what is done with their paper, and the packets that officers hand over."""

from collections.abc import Callable
from datetime import date
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext
from sqlalchemy.orm import Session

from outreach.access import accounts
from outreach.access.accounts import Role
from outreach.db import now
from outreach.delivery import manifest, print_room, pulling, run_list, typeset
from outreach.delivery.letter import PrintRun, RunKind, RunState
from outreach.delivery.print_room import (
    BadDate,
    CountsDisagree,
    NoLetter,
    NoRun,
    NotNow,
    PullsOpen,
    ReprintReason,
    VoidReason,
)
from outreach.delivery.pulling import NotInTheHouse, NotPulled, TakeOutReason
from outreach.web.gate import allow
from outreach.web.panel import account, panel
from outreach.web.staff import paper_words
from outreach.web.staff.base import Pages, page_number

pages = Blueprint("print_room", __name__, url_prefix="/print-room")

SIZE = 25
PRINT_ROOM = "print_room"


@pages.get("")
@allow()
def index() -> ResponseReturnValue:
    kind, number = request.args.get("kind") or None, page_number()
    if kind is not None and kind not in set(RunKind):
        abort(404)
    with panel().sessions.begin() as session:
        lines, total = run_list.lines(session, kind=kind, limit=SIZE, offset=(number - 1) * SIZE)
        waiting = run_list.waiting(session, post_here=panel().settings.post_provider == PRINT_ROOM)
    return render_template(
        "staff/print_room/index.html", runs=lines, waiting=waiting, pages=Pages(number, SIZE, total), kind=kind, paper=paper_words
    )


@pages.get("/<uuid:run_id>")
@allow()
def show(run_id: UUID) -> ResponseReturnValue:
    return _show(run_id)


@pages.get("/<uuid:run_id>/counts")
@allow()
def counts(run_id: UUID) -> ResponseReturnValue:
    """The three counts, which take some seconds: the page of a run that is to be printed asks for them by itself."""
    with panel().sessions.begin() as session:
        run = _get(session, run_id)
        if run.state not in print_room.IN_THE_HOUSE:
            abort(409, _("This run has left the house: its PDF is erased and cannot be counted any more."))
        counted = manifest.counts(session, run_id)
    return render_template("staff/print_room/counts.html", run=run, counts=counted)


@pages.get("/<uuid:run_id>/manifest")
@allow()
def manifest_csv(run_id: UUID) -> ResponseReturnValue:
    with panel().sessions.begin() as session:
        run = _get(session, run_id)
        table = manifest.manifest(session, run_id)
    return _file(table.encode(), "text/csv; charset=utf-8", f"{run.name.lower()}.csv")


@pages.post("/<uuid:run_id>/pdf")
@allow(Role.OFFICER, Role.SUPERVISOR)
def download(run_id: UUID) -> ResponseReturnValue:
    """Posted, because it is written into the audit log before anything is opened."""
    try:
        with panel().sessions.begin() as session:
            permit = print_room.ask_for_pdf(session, run_id, by=account())
        with panel().sessions.begin() as session:
            pdf = print_room.open_pdf(session, permit)
    except NoRun:
        abort(404)
    except NotNow:
        return _show(run_id, _("This run has left the house, or is void: its PDF is erased.")), 409
    return _file(pdf, "application/pdf", f"run-{permit.number:04}.pdf")


@pages.post("/<uuid:run_id>/printed")
@allow(Role.OFFICER, Role.SUPERVISOR)
def printed(run_id: UUID) -> ResponseReturnValue:
    return _do(run_id, lambda session: print_room.mark_printed(session, run_id, by=account()), _("Counted, and marked as printed."))


@pages.post("/<uuid:run_id>/enveloped")
@allow(Role.OFFICER, Role.SUPERVISOR)
def enveloped(run_id: UUID) -> ResponseReturnValue:
    return _do(run_id, lambda session: print_room.mark_enveloped(session, run_id, by=account()), _("Marked as being in envelopes."))


@pages.post("/<uuid:run_id>/handed-over")
@allow(Role.OFFICER, Role.SUPERVISOR)
def hand_over(run_id: UUID) -> ResponseReturnValue:
    try:
        on = date.fromisoformat(request.form.get("on", ""))
    except ValueError:
        return _show(run_id, _("Give the day on which it was handed over.")), 400
    with panel().sessions.begin() as session:
        # Whatever happened since the last sweep is found now: afterwards it could not be taken out any more.
        pulling.pull_moved(session)
    return _do(
        run_id, lambda session: print_room.hand_over(session, run_id, on=on, by=account()), _("Handed over. Its PDF is erased.")
    )


@pages.post("/<uuid:run_id>/void")
@allow(Role.OFFICER, Role.SUPERVISOR)
def void(run_id: UUID) -> ResponseReturnValue:
    reason = request.form.get("reason", "")
    if reason not in set(VoidReason):
        return _show(run_id, _("Choose why the run is void.")), 400
    return _do(
        run_id,
        lambda session: print_room.void(session, run_id, VoidReason(reason), by=account()),
        _("The run is void. Its letters are set again for another run; destroy the paper of this one."),
    )


@pages.post("/<uuid:run_id>/taken-out")
@allow(Role.OFFICER, Role.SUPERVISOR)
def taken_out(run_id: UUID) -> ResponseReturnValue:
    numbers = [int(one) for one in request.form.getlist("sequence") if one.isascii() and one.isdigit() and len(one) <= 4]
    if not numbers:
        return _show(run_id, _("Tick each letter that you have taken out.")), 400
    try:
        with panel().sessions.begin() as session:
            _get(session, run_id)
            confirmed = pulling.confirm(session, run_id, numbers, by=account())
    except NotPulled:
        return _show(run_id, _("One of these letters is not to be taken out. Look at the list again.")), 409
    flash(ngettext("%(num)s letter is taken out.", "%(num)s letters are taken out.", confirmed), "success")
    return redirect(url_for(".show", run_id=run_id))


@pages.post("/<uuid:run_id>/take-out")
@allow(Role.OFFICER, Role.SUPERVISOR)
def take_out(run_id: UUID) -> ResponseReturnValue:
    reason = request.form.get("reason", "")
    if reason not in set(TakeOutReason):
        return _show(run_id, _("Choose why the letter is taken out.")), 400
    try:
        with panel().sessions.begin() as session:
            letter = print_room.find_letter(session, run_id, request.form.get("letter", ""))
            pulling.take_out(session, letter.attempt_id, TakeOutReason(reason), by=account())
    except NoLetter:
        return _show(run_id, _no_letter()), 404
    except NotInTheHouse:
        return _show(run_id, _("This letter is no longer in the run.")), 409
    flash(_("Taken out. It is set again for another run; destroy this one."), "success")
    return redirect(url_for(".show", run_id=run_id))


@pages.post("/<uuid:run_id>/reprint")
@allow(Role.OFFICER, Role.SUPERVISOR)
def print_again(run_id: UUID) -> ResponseReturnValue:
    """One letter, set again from what was kept of it. Given out only when it is what was printed first, byte by byte."""
    reason = request.form.get("reason", "")
    if reason not in set(ReprintReason):
        return _show(run_id, _("Choose why the letter is printed again.")), 400
    try:
        with panel().sessions.begin() as session:
            letter = print_room.find_letter(session, run_id, request.form.get("letter", ""))
            permit = print_room.ask_to_reprint(session, letter.attempt_id, ReprintReason(reason), by=account())
        with panel().sessions.begin() as session:
            content = print_room.content_to_reprint(session, permit)
    except NoLetter:
        return _show(run_id, _no_letter()), 404
    except NotNow:
        return _show(run_id, _("This letter is no longer in the run.")), 409
    try:
        pdf = typeset.set_letter(content, panel().settings.print_vendor)
    except typeset.NotSet:
        return _show(run_id, _("The letter could not be set. Tell the person who runs this system.")), 500
    made = manifest.sha256(pdf)
    if made != permit.pdf_sha256:
        with panel().sessions.begin() as session:
            print_room.record_difference(session, permit, made)
        return _show(run_id, _different()), 409
    return _file(pdf, "application/pdf", f"{permit.run.lower()}-{permit.sequence:04}.pdf")


def _do(run_id: UUID, act: Callable[[Session], object], done: str) -> ResponseReturnValue:
    """Do one thing to a run; where the domain refuses it, the page says why."""
    try:
        with panel().sessions.begin() as session:
            act(session)
    except NoRun:
        abort(404)
    except NotNow as error:
        return _show(run_id, _("Somebody was quicker: the run is “%(state)s” now.", state=paper_words.RUN_STATES[error.state])), 409
    except CountsDisagree:
        return _show(run_id, _("The counts disagree. Nothing of this run may be mailed: void it, and it is set again.")), 409
    except PullsOpen:
        return _show(run_id, _("Some letters must not leave the house. Take them out first, and tick them below.")), 409
    except BadDate:
        return _show(run_id, _("The day lies in the future, or before the run was made.")), 400
    flash(done, "success")
    return redirect(url_for(".show", run_id=run_id))


def _show(run_id: UUID, problem: str | None = None) -> str:
    with panel().sessions.begin() as session:
        run = _get(session, run_id)
        line = run_list.line(session, run_id)
        about: dict[str, Any] = {
            "run": run,
            "line": line,
            "letters": run_list.letters(session, run_id, noteworthy=True),
            "to_take_out": pulling.unconfirmed(session, run_id) if run.state in print_room.IN_THE_HOUSE else [],
            "downloads": print_room.downloads(session, run_id),
            "names": {one.id: one.name for one in accounts.everyone(session)},
        }
    return render_template(
        "staff/print_room/show.html", problem=problem, paper=paper_words, in_house=run.state in print_room.IN_THE_HOUSE,
        today=now().date(), hand=run.kind == RunKind.HAND, states=RunState, **about,
    )  # fmt: skip


def _get(session: Session, run_id: UUID) -> PrintRun:
    try:
        return print_room.get(session, run_id)
    except NoRun:
        abort(404)


def _no_letter() -> str:
    return str(_("This run has no such letter. Give its number in the run, or its return code."))


def _different() -> str:
    return str(
        _(
            "This letter came out otherwise than it was printed first, and is not given out: fonts, layout or program have changed"
            " since. Take it out of the run, and it is set anew. The difference is in the audit log."
        )
    )


def _file(content: bytes, kind: str, name: str) -> Response:
    """A download that says nothing by its name. The panel's headers keep it out of every cache."""
    return Response(content, mimetype=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'})
