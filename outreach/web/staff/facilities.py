"""Facilities: how each takes mail. Everybody who writes to people there looks; a supervisor changes."""

from uuid import UUID

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from outreach.access.accounts import Role
from outreach.people import facilities
from outreach.people.addresses.american import Flaw
from outreach.people.custody import ANumberRule, MailMarking
from outreach.web import words
from outreach.web.gate import allow
from outreach.web.panel import account, panel

pages = Blueprint("facilities", __name__, url_prefix="/facilities")

ZONES = (
    "America/New_York", "America/Detroit", "America/Indiana/Indianapolis", "America/Chicago", "America/Denver", "America/Boise",
    "America/Phoenix", "America/Los_Angeles", "America/Anchorage", "Pacific/Honolulu", "America/Puerto_Rico", "Pacific/Guam",
)  # fmt: skip
"""Those of the United States, from east to west."""


@pages.get("")
@allow(Role.OFFICER, Role.SUPERVISOR)
def index() -> ResponseReturnValue:
    with panel().sessions.begin() as session:
        found, as_of = facilities.listed(session)
    return render_template("staff/facilities/index.html", facilities=found, as_of=as_of)


@pages.get("/<uuid:facility_id>")
@allow(Role.SUPERVISOR)
def edit(facility_id: UUID) -> ResponseReturnValue:
    return _form(facility_id)


@pages.post("/<uuid:facility_id>")
@allow(Role.SUPERVISOR)
def change(facility_id: UUID) -> ResponseReturnValue:
    form = request.form
    rule, marking, zone = form.get("a_number_rule", ""), form.get("mail_marking", ""), form.get("time_zone", "")
    if rule not in set(ANumberRule) or marking not in set(MailMarking):
        abort(400)
    try:
        with panel().sessions.begin() as session:
            facilities.change(
                session, facility_id, name=form.get("name", ""), time_zone=zone or None, address=form.get("address", ""),
                a_number_rule=ANumberRule(rule), mail_marking=MailMarking(marking), by=account().actor,
            )  # fmt: skip
    except facilities.NoSuchFacility:
        abort(404)
    except facilities.NoSuchZone:
        abort(400)
    except facilities.NoName:
        return _form(facility_id, _("Give the name, in at most 120 characters.")), 400
    except facilities.BadAddress as error:
        return _form(facility_id, str(words.FLAWS[error.flaw or Flaw.COUNTRY])), 400
    flash(_("Saved. It counts for letters that are not printed yet."), "success")
    return redirect(url_for(".index"))


def _form(facility_id: UUID, problem: str | None = None) -> str:
    try:
        with panel().sessions.begin() as session:
            found = facilities.get(session, facility_id)
            rules = facilities.mail_rules(session, [facility_id])[facility_id]
    except facilities.NoSuchFacility:
        abort(404)
    typed = {
        "name": found.name, "time_zone": found.time_zone or "", "address": "\n".join(rules.address),
        "a_number_rule": rules.a_number_rule, "mail_marking": rules.mail_marking,
    }  # fmt: skip
    return render_template(
        "staff/facilities/edit.html", facility=found, typed=typed | request.form.to_dict(), problem=problem,
        zones=[(zone, zone) for zone in ZONES], sender_title=panel().settings.sender_title,
    )  # fmt: skip
