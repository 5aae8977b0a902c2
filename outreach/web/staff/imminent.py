"""Imminent removals: asked for on a person's file, approved by somebody else, and the list of those that wait for that."""

from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from outreach import jobs
from outreach.access.accounts import Role
from outreach.delivery import hours
from outreach.people import file, imminent
from outreach.people.file import Permit
from outreach.web import words
from outreach.web.gate import allow
from outreach.web.panel import panel
from outreach.web.staff.base import may
from outreach.web.staff.imminent_section import names_of
from outreach.web.staff.people import protected_sentence, reader

pages = Blueprint("imminent", __name__)


@pages.get("/imminent-removals")
@allow(Role.OFFICER, Role.APPROVER, Role.SUPERVISOR)
def index() -> ResponseReturnValue:
    """Names stand only on the pages of those who may open files; an approver needs the reason."""
    with panel().sessions.begin() as session:
        people = imminent.people(session)
        permit = file.ask_to_list(session, people, query="imminent", by=reader()) if people else Permit(())
    with panel().sessions.begin() as session:
        removals = [one for one in imminent.of(session, permit) if not one.over]
        briefs = file.briefs(session, permit) if may("people.show") else {}
        names = names_of(session, removals)
    removals.sort(key=lambda one: (one.in_force, one.until))
    return render_template(
        "staff/people/imminent_index.html", removals=removals, briefs=briefs, names=names, hidden=len(people) - len(permit.people)
    )


@pages.post("/people/<uuid:person_id>/imminent-removal")
@allow(Role.OFFICER, Role.SUPERVISOR)
def ask(person_id: UUID) -> ResponseReturnValue:
    """Until the end of a day, which is UTC's, as every time on these pages."""
    try:
        last = date.fromisoformat(request.form.get("until", ""))
    except ValueError:
        abort(400, _("Write the day as year-month-day, like 2022-11-28."))
    until = datetime.combine(last, time(0), UTC) + timedelta(days=1)
    try:
        with panel().sessions.begin() as session:
            imminent.ask(session, person_id, request.form.get("reason", ""), until, by=reader())
    except file.NoSuchPerson:
        abort(404)
    except file.ProtectedRecord:
        abort(403, protected_sentence())
    except imminent.Refused as error:
        flash(words.refusal(error.sentence, **error.values), "error")
    else:
        flash(_("Asked for. It counts once an approver or another supervisor has approved it."), "success")
    return redirect(url_for("people.show", person_id=person_id, _anchor="imminent"))


@pages.post("/imminent-removals/<uuid:removal_id>/approve")
@allow(Role.APPROVER, Role.SUPERVISOR)
def approve(removal_id: UUID) -> ResponseReturnValue:
    try:
        with panel().sessions.begin() as session:
            person_id = imminent.approve(session, removal_id, by=reader())
    except imminent.NoSuchRemoval:
        abort(404)
    except file.ProtectedRecord:
        abort(403, protected_sentence())
    except imminent.Refused as error:
        abort(409, words.refusal(error.sentence, **error.values))
    # What waits for its hours is found once the approval is committed; the sweep would find it as well.
    with panel().sessions.begin() as session:
        hastened = hours.hasten(session)
    if hastened:
        panel().ring(jobs.dispatch)
    flash(_("Approved. Texts about this person go at any hour until it ends."), "success")
    return _back(person_id)


@pages.post("/imminent-removals/<uuid:removal_id>/end")
@allow(Role.OFFICER, Role.APPROVER, Role.SUPERVISOR)
def end(removal_id: UUID) -> ResponseReturnValue:
    try:
        with panel().sessions.begin() as session:
            person_id = imminent.end(session, removal_id, by=reader())
    except imminent.NoSuchRemoval:
        abort(404)
    except file.ProtectedRecord:
        abort(403, protected_sentence())
    flash(_("Ended. Texts about this person wait for their hours again."), "success")
    return _back(person_id)


def _back(person_id: UUID) -> ResponseReturnValue:
    """To the page that the form stood on."""
    if request.form.get("on") == "file" and may("people.show"):
        return redirect(url_for("people.show", person_id=person_id, _anchor="imminent"))
    return redirect(url_for(".index"))
