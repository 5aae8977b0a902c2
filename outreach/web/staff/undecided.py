"""Undecided attempts: the evidence, and the two decisions. Nothing of what was said, or of whom it went to, is shown here."""

from uuid import UUID

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from outreach.access.accounts import Role
from outreach.access.sealing import Vault
from outreach.delivery import mail_address, undecided
from outreach.delivery.mail_address import Purpose
from outreach.delivery.undecided import AlreadySettled, Decision, Evidence, NoReason, NoTask
from outreach.providers import mime
from outreach.providers.smtp import SmtpMail
from outreach.web.gate import allow
from outreach.web.panel import account, panel
from outreach.web.staff import undecided_words

pages = Blueprint("undecided", __name__, url_prefix="/tasks/undecided")

CONFIRMATION = _l("send again")
"""What is typed to free another attempt, in the reader's language, as it is shown beside the field."""


@pages.get("/<uuid:task_id>")
@allow(Role.OFFICER, Role.APPROVER, Role.SUPERVISOR)
def show(task_id: UUID) -> ResponseReturnValue:
    return _show(task_id)


@pages.post("/<uuid:task_id>/handed-over")
@allow(Role.APPROVER, Role.SUPERVISOR)
def handed_over(task_id: UUID) -> ResponseReturnValue:
    return _decide(task_id, Decision.HANDED_OVER)


@pages.post("/<uuid:task_id>/not-handed-over")
@allow(Role.APPROVER, Role.SUPERVISOR)
def not_handed_over(task_id: UUID) -> ResponseReturnValue:
    """Frees one new attempt, which may be a second message: it asks for more than a click."""
    if request.form.get("confirmation", "").strip().casefold() != str(CONFIRMATION).casefold():
        return _show(task_id, _("Type “%(words)s” to free another attempt.", words=CONFIRMATION)), 400
    return _decide(task_id, Decision.NOT_HANDED_OVER)


def _decide(task_id: UUID, decision: Decision) -> ResponseReturnValue:
    try:
        with panel().sessions.begin() as session:
            undecided.decide(session, task_id, decision, request.form.get("reason", ""), by=account())
    except NoTask:
        abort(404)
    except NoReason:
        return _show(task_id, _("Write why you decide so. It is kept with the decision.")), 400
    except AlreadySettled:
        return _show(task_id, _("This was settled meanwhile, by a report or by somebody else. Nothing was changed.")), 409
    flash(_("Saved. What you decided is on record."), "success")
    return redirect(url_for(".show", task_id=task_id))


def _show(task_id: UUID, problem: str | None = None) -> str:
    try:
        with panel().sessions.begin() as session:
            found = undecided.evidence(session, task_id)
            searched_by = _searched_by(session.info["vault"], found)
    except NoTask:
        abort(404)
    return render_template(
        "staff/tasks/undecided.html", found=found, searched_by=searched_by, problem=problem, confirmation=CONFIRMATION,
        said=undecided_words,
    )  # fmt: skip


def _searched_by(vault: Vault, found: Evidence) -> str:
    """What whoever runs the relay finds the attempt by in its log: the Message-ID of a mail of ours, or our token."""
    if found.attempt.provider == SmtpMail.name:
        bounce = mail_address.sign(vault, Purpose.BOUNCE, found.attempt.id)
        return mime.message_id(f"{bounce}@{panel().settings.smtp_bounce_domain}")
    return str(found.attempt.id)
