"""Sending again: a step is added to a launched campaign, looked at by somebody else, and approved or withdrawn."""

from collections.abc import Callable
from uuid import UUID

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from outreach import jobs
from outreach.access import accounts
from outreach.access.accounts import Role
from outreach.campaigns import added_step, campaign
from outreach.campaigns.added_step import LONGEST_WAIT_HOURS, NoStep
from outreach.campaigns.campaign import NoCampaign, Refused, Rung, Step
from outreach.notices.channel import Channel
from outreach.web import words
from outreach.web.gate import allow
from outreach.web.panel import account, panel
from outreach.web.staff.campaign_form import TOLD_ABOUT

pages = Blueprint("added_steps", __name__, url_prefix="/campaigns/<uuid:campaign_id>/steps")


@pages.get("/new")
@allow(Role.OFFICER, Role.SUPERVISOR)
def new(campaign_id: UUID) -> ResponseReturnValue:
    return _form(campaign_id)


@pages.post("")
@allow(Role.OFFICER, Role.SUPERVISOR)
def add(campaign_id: UUID) -> ResponseReturnValue:
    try:
        rung = _typed()
        with panel().sessions.begin() as session:
            step = added_step.add_step(session, campaign_id, rung, by=account())
    except NoCampaign:
        abort(404)
    except Refused as error:
        return _form(campaign_id, words.refusal(error.sentence, **error.values)), 400
    flash(_("Added. Nothing comes of it before somebody else has approved it."), "success")
    return redirect(url_for(".show", campaign_id=campaign_id, step_id=step.id))


@pages.get("/<uuid:step_id>")
@allow(Role.OFFICER, Role.APPROVER, Role.SUPERVISOR)
def show(campaign_id: UUID, step_id: UUID) -> ResponseReturnValue:
    return _show(campaign_id, step_id)


@pages.post("/<uuid:step_id>/approve")
@allow(Role.APPROVER, Role.SUPERVISOR)
def approve(campaign_id: UUID, step_id: UUID) -> ResponseReturnValue:
    def act(session: Session) -> None:
        added_step.approve_step(session, step_id, by=account())

    return _do(campaign_id, step_id, act, _("Approved. It comes at its time, and at once for whoever nothing else could reach."))


@pages.post("/<uuid:step_id>/withdraw")
@allow(Role.OFFICER, Role.APPROVER, Role.SUPERVISOR)
def withdraw(campaign_id: UUID, step_id: UUID) -> ResponseReturnValue:
    def act(session: Session) -> None:
        added_step.withdraw_step(session, step_id, by=account())

    return _do(campaign_id, step_id, act, _("Withdrawn. Nothing comes of it."))


def _do(campaign_id: UUID, step_id: UUID, act: Callable[[Session], None], done: str) -> ResponseReturnValue:
    try:
        with panel().sessions.begin() as session:
            _get(session, campaign_id, step_id)
            act(session)
    except Refused as error:
        return _show(campaign_id, step_id, words.refusal(error.sentence, **error.values)), 409
    panel().ring(jobs.plan_campaign, str(campaign_id))
    flash(done, "success")
    return redirect(url_for("campaigns.show", campaign_id=campaign_id))


def _get(session: Session, campaign_id: UUID, step_id: UUID) -> Step:
    try:
        step = added_step.get(session, step_id)
    except NoStep:
        abort(404)
    if step.campaign_id != campaign_id:
        abort(404)
    return step


def _typed() -> Rung:
    """Raises Refused for what cannot be read; what makes no sense is the domain's to refuse."""
    channel, wait = request.form.get("channel", ""), request.form.get("wait", "").strip()
    if channel not in set(Channel):
        raise Refused("Choose the way of the step.")
    if not (wait.isascii() and wait.isdigit() and len(wait) < 6):
        raise Refused("The step comes a whole number of hours after its approval: 0 for at once.")
    chosen = tuple(custody for custody in TOLD_ABOUT if custody in request.form.getlist("custodies"))
    return Rung(int(wait), Channel(channel), chosen or None)


def _form(campaign_id: UUID, problem: str | None = None) -> str:
    try:
        with panel().sessions.begin() as session:
            found = campaign.get(session, campaign_id)
    except NoCampaign:
        abort(404)
    return render_template(
        "staff/campaigns/add_step.html", campaign=found, problem=problem, channels=list(Channel), told_about=TOLD_ABOUT,
        longest=LONGEST_WAIT_HOURS,
    )  # fmt: skip


def _show(campaign_id: UUID, step_id: UUID, problem: str | None = None) -> str:
    with panel().sessions.begin() as session:
        step = _get(session, campaign_id, step_id)
        found = campaign.get(session, campaign_id)
        expected = added_step.expected(session, step) if step.planned_at is None else None
        names = {one.id: one.name for one in accounts.everyone(session)}
    return render_template(
        "staff/campaigns/added_step.html", campaign=found, step=step, expected=expected, names=names, problem=problem
    )
