"""Campaigns: build one, see what it would do, have it approved, launch it, and watch it."""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import LazyString
from flask_babel import gettext as _
from sqlalchemy import select
from sqlalchemy.orm import Session

from outreach import jobs
from outreach.access import accounts
from outreach.access.accounts import Role
from outreach.campaigns import campaign
from outreach.campaigns.campaign import Campaign, CampaignState, NoCampaign, Refused
from outreach.campaigns.forecast import forecast
from outreach.campaigns.outcome import BEST_FIRST, OutcomeState
from outreach.delivery import outlook, progress
from outreach.delivery.outlook import Outlook
from outreach.delivery.progress import Progress, Trouble
from outreach.notices import notice
from outreach.notices.channel import Channel
from outreach.people.incident import Incident
from outreach.proof import attention
from outreach.proof.standing import LAUNCHED
from outreach.web import words
from outreach.web.gate import allow, polled
from outreach.web.panel import account, panel
from outreach.web.staff import breaker_words, campaign_words
from outreach.web.staff.campaign_form import Form, choices, description, dollars, planned_rungs, rungs_of, typed, with_ladder
from outreach.web.staff.overview import slices

pages = Blueprint("campaigns", __name__, url_prefix="/campaigns")


@pages.get("")
@allow(Role.OFFICER, Role.APPROVER, Role.SUPERVISOR)
def index() -> ResponseReturnValue:
    with panel().sessions.begin() as session:
        found = progress.lines(session)
    return render_template("staff/campaigns/index.html", campaigns=found, slices=slices, informed=_informed)


@pages.get("/new")
@allow(Role.OFFICER, Role.SUPERVISOR)
def new() -> ResponseReturnValue:
    with panel().sessions.begin() as session:
        planned = planned_rungs(session)
    return _form(Form(rungs=planned))


@pages.post("")
@allow(Role.OFFICER, Role.SUPERVISOR)
def add() -> ResponseReturnValue:
    form = typed()
    if wish := request.form.get("ladder"):
        return _ladder(form, wish)
    try:
        with panel().sessions.begin() as session:
            made = campaign.create(session, **description(session, form), by=account())
    except Refused as error:
        return _form(form, problem=_sentence(error)), 400
    return redirect(url_for(".show", campaign_id=made.id))


@pages.get("/<uuid:campaign_id>")
@allow(Role.OFFICER, Role.APPROVER, Role.SUPERVISOR)
def show(campaign_id: UUID) -> ResponseReturnValue:
    return _show(campaign_id)


@pages.get("/<uuid:campaign_id>/edit")
@allow(Role.OFFICER, Role.SUPERVISOR)
def edit(campaign_id: UUID) -> ResponseReturnValue:
    with panel().sessions.begin() as session:
        found = _get(session, campaign_id)
        rungs = rungs_of(campaign.steps(session, campaign_id))
    if found.state in LAUNCHED:
        abort(409, _("This campaign was launched: it cannot be changed. Pause it, and make a new one."))
    return _form(
        Form(
            title=found.title,
            notice=str(found.notice_id),
            incidents=tuple(found.audience.get("incidents", ())),
            languages=tuple(found.audience.get("languages", ())),
            custody=tuple(found.audience.get("custody", ())),
            start=found.window_start.strftime("%H:%M"),
            end=found.window_end.strftime("%H:%M"),
            any_hour=found.window_start == found.window_end,
            reason=found.window_reason or "",
            canary=str(found.canary or ""),
            per_day=str(found.per_day or ""),
            spend_cap=f"{found.spend_cap:.2f}" if found.spend_cap else "",
            rungs=rungs,
        ),
        found,
    )


@pages.post("/<uuid:campaign_id>")
@allow(Role.OFFICER, Role.SUPERVISOR)
def change(campaign_id: UUID) -> ResponseReturnValue:
    form = typed()
    with panel().sessions.begin() as session:
        found = _get(session, campaign_id)
    if wish := request.form.get("ladder"):
        return _ladder(form, wish, found)
    try:
        with panel().sessions.begin() as session:
            campaign.change(session, campaign_id, **description(session, form), by=account())
    except Refused as error:
        return _form(form, found, _sentence(error)), 400
    flash(_("Saved as a draft."), "success")
    return redirect(url_for(".show", campaign_id=campaign_id))


@pages.post("/<uuid:campaign_id>/submit")
@allow(Role.OFFICER, Role.SUPERVISOR)
def submit(campaign_id: UUID) -> ResponseReturnValue:
    return _do(
        campaign_id, lambda session: campaign.submit(session, campaign_id, by=account()), _("Somebody else can approve it now.")
    )


@pages.post("/<uuid:campaign_id>/approve")
@allow(Role.APPROVER, Role.SUPERVISOR)
def approve(campaign_id: UUID) -> ResponseReturnValue:
    # A thousand may be written as 1,000, 1.000 or 1 000.
    digits = "".join(c for c in request.form.get("people", "") if c not in ",.'\u2019\u00a0\u202f ")
    if not (digits.isascii() and digits.isdigit() and len(digits) < 10):
        with panel().sessions.begin() as session:
            _get(session, campaign_id)
        return _show(campaign_id, _("Type the number of people in figures, such as 6,309.")), 400
    return _do(
        campaign_id,
        lambda session: campaign.approve(session, campaign_id, by=account(), people=int(digits)),
        _("Approved. It can be launched now."),
    )


@pages.post("/<uuid:campaign_id>/send-back")
@allow(Role.OFFICER, Role.APPROVER, Role.SUPERVISOR)
def send_back(campaign_id: UUID) -> ResponseReturnValue:
    return _do(campaign_id, lambda session: campaign.send_back(session, campaign_id, by=account()), _("It is a draft again."))


@pages.post("/<uuid:campaign_id>/launch")
@allow(Role.OFFICER, Role.SUPERVISOR)
def launch(campaign_id: UUID) -> ResponseReturnValue:
    return _do(campaign_id, lambda session: campaign.launch(session, campaign_id, by=account()), _("Launched."), ring=True)


@pages.post("/<uuid:campaign_id>/pause")
@allow(Role.OFFICER, Role.APPROVER, Role.SUPERVISOR)
def pause(campaign_id: UUID) -> ResponseReturnValue:
    return _do(
        campaign_id,
        lambda session: campaign.pause(session, campaign_id, reason="staff", by=account().actor),
        _("Paused. What was already handed over to the carrier cannot be called back."),
    )


@pages.post("/<uuid:campaign_id>/resume")
@allow(Role.OFFICER, Role.SUPERVISOR)
def resume(campaign_id: UUID) -> ResponseReturnValue:
    return _do(campaign_id, lambda session: campaign.resume(session, campaign_id, by=account()), _("It goes on."), ring=True)


@pages.post("/<uuid:campaign_id>/continue")
@allow(Role.OFFICER, Role.APPROVER, Role.SUPERVISOR)
def pass_canary(campaign_id: UUID) -> ResponseReturnValue:
    """Let the rest go after the first wave. Where reports are missing, only for somebody who says that they know it."""

    def go_on(session: Session) -> Campaign:
        found = campaign.get(session, campaign_id)
        canary = _outlook(session, found, progress.of(session, campaign_id)).canary
        if canary and (canary.open or not canary.full) and "regardless" not in request.form:
            raise Refused(
                "The first wave is not over. Messages that are out: %(sent)s of %(size)s. Reports that are missing: %(missing)s."
                " Wait for them, or say that it is to go on regardless.",
                sent=canary.sent,
                size=canary.size,
                missing=canary.open,
            )
        return campaign.pass_canary(session, campaign_id, by=account())

    return _do(campaign_id, go_on, _("The rest goes out now."), ring=True)


@pages.post("/<uuid:campaign_id>/cap")
@allow(Role.APPROVER, Role.SUPERVISOR)
def raise_cap(campaign_id: UUID) -> ResponseReturnValue:
    def more(session: Session) -> Campaign:
        cap = dollars(request.form.get("cap", ""))
        if cap is None:
            raise Refused("A cost is a sum in US dollars, such as 1,500 or 99.50.")
        return campaign.raise_cap(session, campaign_id, cap, by=account())

    return _do(campaign_id, more, _("It may spend that much now."), ring=True)


@pages.post("/<uuid:campaign_id>/stop")
@allow(Role.OFFICER, Role.APPROVER, Role.SUPERVISOR)
def stop(campaign_id: UUID) -> ResponseReturnValue:
    """Its state changes at once; a sweep cancels what waits, pulls letters, and calls back what a mail house holds."""

    def end(session: Session) -> Campaign:
        if "for_good" not in request.form:
            raise Refused("Say that you know that it cannot be started again.")
        return campaign.stop(session, campaign_id, reason=request.form.get("reason", ""), by=account())

    return _do(campaign_id, end, _("Stopped. What waits is being cancelled."), sweep=True)


@pages.get("/<uuid:campaign_id>/progress")
@allow(Role.OFFICER, Role.APPROVER, Role.SUPERVISOR)
@polled
def live(campaign_id: UUID) -> ResponseReturnValue:
    """The part of the page that moves. When the campaign's state is no longer the page's, the whole page is asked for again."""
    with panel().sessions.begin() as session:
        found = _get(session, campaign_id)
        if request.args.get("state") != found.state:
            return "", 200, {"HX-Refresh": "true"}
        return render_template("staff/campaigns/progress.html", campaign=found, **_moving(session, found))


@pages.app_template_filter("code_meaning")
def code_meaning(trouble: Trouble) -> LazyString | None:
    """What the provider's code of messages that did not arrive means, in plain words."""
    provider = jobs.carriers(panel().settings)[trouble.channel]
    return breaker_words.CODES[jobs.meaning(provider, trouble.code)] if trouble.code and trouble.channel in progress.WIRED else None


def _moving(session: Session, found: Campaign) -> dict[str, Any]:
    """What the part of the page that moves is made of."""
    standing = progress.of(session, found.id)
    expected = _outlook(session, found, standing)
    carriers = {provider for channel, provider in jobs.carriers(panel().settings).items() if channel in standing.channels}
    opened, _closed = attention.breakers(session)
    return {
        "progress": standing,
        "outlook": expected,
        "canary": expected.canary,
        "stopped": [one for one in opened if one.campaign_id == found.id or one.provider in carriers],
        "why": campaign_words.WHY,
        "bounds": campaign_words.BOUNDS,
        "states": BEST_FIRST,
        "slices": slices,
    }


def _outlook(session: Session, found: Campaign, standing: Progress) -> Outlook:
    s = panel().settings
    return outlook.of(session, found, standing, jobs.tariff(s), jobs.house(s), s.sms_segments_per_second)


def _ladder(form: Form, wish: str, found: Campaign | None = None) -> ResponseReturnValue:
    """The form with another ladder, nothing kept yet: only the ladder where a script asks, the whole page for a bare button."""
    with panel().sessions.begin() as session:
        changed = with_ladder(session, form, wish)
        if "HX-Request" in request.headers:
            return render_template("staff/campaigns/ladder.html", form=changed, campaign=found, **choices(session))
    return _form(changed, found)


def _do(
    campaign_id: UUID, act: Callable[[Session], Campaign], done: str, *, ring: bool = False, sweep: bool = False
) -> ResponseReturnValue:
    """Do one thing to a campaign; where the domain refuses it, the page says why.

    `ring`: there is something to plan and send then; `sweep`: something to cancel.
    """
    try:
        with panel().sessions.begin() as session:
            act(session)
    except NoCampaign:
        abort(404)
    except Refused as error:
        return _show(campaign_id, _sentence(error)), 409
    if ring:
        panel().ring(jobs.plan_campaign, str(campaign_id))
    if sweep:
        panel().ring(jobs.sweep_up)
    flash(done, "success")
    return redirect(url_for(".show", campaign_id=campaign_id))


def _sentence(error: Refused) -> str:
    return words.refusal(error.sentence, **error.values)


def _get(session: Session, campaign_id: UUID) -> Campaign:
    try:
        return campaign.get(session, campaign_id)
    except NoCampaign:
        abort(404)


def _informed(outcomes: Mapping[str, int]) -> int:
    return outcomes[OutcomeState.TOLD] + outcomes[OutcomeState.REACHED]


def _show(campaign_id: UUID, problem: str | None = None) -> str:
    settings = panel().settings
    with panel().sessions.begin() as session:
        found = _get(session, campaign_id)
        about: dict[str, Any] = {
            "campaign": found,
            "steps": campaign.steps(session, campaign_id),
            "notice": notice.get(session, found.notice_id),
            "incidents": session.scalars(
                select(Incident).where(Incident.id.in_([UUID(one) for one in found.audience["incidents"]])).order_by(Incident.code)
            ).all(),
            "names": {one.id: one.name for one in accounts.everyone(session)},
            "problem": problem,
        }
        if found.state in LAUNCHED:
            return render_template("staff/campaigns/launched.html", pause=_pause(found), **_moving(session, found), **about)
        ways = campaign.ways(about["steps"])
        texts = notice.standing(session, found.notice_id)
        expected = forecast(session, found, house=jobs.house(settings), segments_per_second=settings.sms_segments_per_second)
    return render_template(
        "staff/campaigns/draft.html",
        forecast=expected,
        rate=settings.sms_segments_per_second,
        channels=[channel for channel in Channel if channel in ways],
        without_text=[channel for channel in Channel if channel in ways and not texts.get(channel.rendition, (0, 0))[0]],
        text_steps=sum(step.channel == Channel.SMS for step in about["steps"]),
        **about,
    )


def _pause(found: Campaign) -> str | None:
    """Why it is paused, as a sentence."""
    if found.state != CampaignState.PAUSED:
        return None
    kind, _colon, code = (found.state_reason or "staff").partition(":")
    sentence = str(words.PAUSES.get(kind, kind))
    return f"{sentence} ({_('code %(code)s', code=code)})" if code else sentence


def _form(form: Form, found: Campaign | None = None, problem: str | None = None) -> str:
    with panel().sessions.begin() as session:
        return render_template("staff/campaigns/form.html", form=form, campaign=found, problem=problem, **choices(session))
