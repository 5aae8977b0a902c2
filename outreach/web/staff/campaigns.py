"""Campaigns: build one, see what it would do, have it approved, launch it, and watch it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import time
from typing import TypedDict
from uuid import UUID

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from outreach import jobs
from outreach.access import accounts
from outreach.access.accounts import Role
from outreach.campaigns import campaign
from outreach.campaigns.campaign import Campaign, CampaignState, NoCampaign, Refused, Rung
from outreach.campaigns.forecast import forecast
from outreach.campaigns.outcome import OutcomeState
from outreach.delivery import progress
from outreach.notices import languages, notice
from outreach.notices.notice import Purpose
from outreach.people.custody import Custody
from outreach.people.incident import Incident
from outreach.people.person import Person
from outreach.proof.standing import BEST_FIRST, LAUNCHED
from outreach.web import words
from outreach.web.gate import allow, polled
from outreach.web.panel import account, panel
from outreach.web.staff.base import language_name
from outreach.web.staff.overview import slices

pages = Blueprint("campaigns", __name__, url_prefix="/campaigns")

REMINDERS = 3  # fields for later steps
LONGEST_WAIT = 24 * 365  # hours
LONGEST_TITLE, LONGEST_REASON = 200, 500


@dataclass(frozen=True, slots=True)
class Form:
    """A campaign's description as it is typed: everything is kept as it came, also when it makes no sense."""

    title: str = ""
    notice: str = ""
    incidents: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    custody: tuple[str, ...] = ()
    start: str = "09:00"
    end: str = "20:00"
    any_hour: bool = False
    reason: str = ""
    reminders: tuple[str, ...] = ()


@pages.get("")
@allow(Role.OFFICER, Role.APPROVER, Role.SUPERVISOR)
def index() -> ResponseReturnValue:
    with panel().sessions.begin() as session:
        found = progress.lines(session)
    return render_template("staff/campaigns/index.html", campaigns=found, slices=slices, informed=_informed)


@pages.get("/new")
@allow(Role.OFFICER, Role.SUPERVISOR)
def new() -> ResponseReturnValue:
    return _form(Form())


@pages.post("")
@allow(Role.OFFICER, Role.SUPERVISOR)
def add() -> ResponseReturnValue:
    form = _typed()
    try:
        with panel().sessions.begin() as session:
            made = campaign.create(session, **_description(session, form), by=account())
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
        waits = tuple(str(step.wait_hours) for step in campaign.steps(session, campaign_id) if step.position > 1)
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
            reminders=waits,
        ),
        found,
    )


@pages.post("/<uuid:campaign_id>")
@allow(Role.OFFICER, Role.SUPERVISOR)
def change(campaign_id: UUID) -> ResponseReturnValue:
    form = _typed()
    with panel().sessions.begin() as session:
        found = _get(session, campaign_id)
    try:
        with panel().sessions.begin() as session:
            campaign.change(session, campaign_id, **_description(session, form), by=account())
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
    typed = request.form.get("people", "")
    # A thousand may be written as 1,000, 1.000 or 1 000.
    digits = "".join(c for c in typed if c not in ",.'\u2019\u00a0\u202f ")
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


@pages.get("/<uuid:campaign_id>/progress")
@allow(Role.OFFICER, Role.APPROVER, Role.SUPERVISOR)
@polled
def live(campaign_id: UUID) -> ResponseReturnValue:
    """The part of the page that moves. When the campaign's state is no longer the page's, the whole page is asked for again."""
    with panel().sessions.begin() as session:
        found, standing = _get(session, campaign_id), progress.of(session, campaign_id)
    if request.args.get("state") != found.state:
        return "", 200, {"HX-Refresh": "true"}
    return render_template("staff/campaigns/progress.html", campaign=found, progress=standing, states=BEST_FIRST, slices=slices)


def _do(campaign_id: UUID, act: Callable[[Session], Campaign], done: str, *, ring: bool = False) -> ResponseReturnValue:
    """Do one thing to a campaign; where the domain refuses it, the page says why. `ring`: there is work for the workers then."""
    try:
        with panel().sessions.begin() as session:
            act(session)
    except NoCampaign:
        abort(404)
    except Refused as error:
        return _show(campaign_id, _sentence(error)), 409
    if ring:
        panel().ring(jobs.plan_campaign, str(campaign_id))
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
        about = {
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
            standing = progress.of(session, campaign_id)
            return render_template(
                "staff/campaigns/launched.html", progress=standing, states=BEST_FIRST, slices=slices, pause=_pause(found), **about
            )
        expected = forecast(
            session,
            found.notice_id,
            found.audience,
            campaign.ways(campaign.steps(session, campaign_id)),
            house=jobs.house(settings),
            segments_per_second=settings.sms_segments_per_second,
        )
    return render_template("staff/campaigns/draft.html", forecast=expected, rate=settings.sms_segments_per_second, **about)


def _pause(found: Campaign) -> str | None:
    """Why it is paused, as a sentence."""
    if found.state != CampaignState.PAUSED:
        return None
    kind, _colon, code = (found.state_reason or "staff").partition(":")
    sentence = str(words.PAUSES.get(kind, kind))
    return f"{sentence} ({_('code %(code)s', code=code)})" if code else sentence


def _form(form: Form, found: Campaign | None = None, problem: str | None = None) -> str:
    with panel().sessions.begin() as session:
        notices = [one for one in notice.summaries(session) if one.purpose == Purpose.NOTICE]
        incidents = session.scalars(select(Incident).order_by(Incident.code)).all()
        spoken = session.execute(
            select(Person.language, func.count()).where(Person.language.is_not(None)).group_by(Person.language)
        ).all()
    return render_template(
        "staff/campaigns/form.html",
        form=form,
        campaign=found,
        problem=problem,
        notices=notices,
        incidents=incidents,
        spoken=sorted(((code, language_name(code), people) for code, people in spoken), key=lambda row: row[1]),
        custody=list(Custody),
        reminders=REMINDERS,
        longest_wait=LONGEST_WAIT,
    )


def _typed() -> Form:
    form = request.form
    return Form(
        title=form.get("title", ""),
        notice=form.get("notice", ""),
        incidents=tuple(form.getlist("incidents")),
        languages=tuple(form.getlist("languages")),
        custody=tuple(form.getlist("custody")),
        start=form.get("start", ""),
        end=form.get("end", ""),
        any_hour="any_hour" in form,
        reason=form.get("reason", ""),
        reminders=tuple(form.getlist("reminders")[:REMINDERS]),
    )


class Description(TypedDict):
    """What the domain takes to make or change a campaign."""

    title: str
    notice_id: UUID
    audience: dict[str, list[str]]
    ladder: list[Rung]
    window: tuple[time, time]
    window_reason: str | None


def _description(session: Session, form: Form) -> Description:
    """Raises Refused for what cannot even be read; what makes no sense is the domain's to refuse."""
    if len(form.title) > LONGEST_TITLE or len(form.reason) > LONGEST_REASON:
        raise Refused("The title or the reason is too long.")
    notices = {str(one.id): one.id for one in notice.summaries(session) if one.purpose == Purpose.NOTICE}
    if form.notice not in notices:
        raise Refused("Choose the notice whose texts are sent.")
    known = {str(one) for one in session.scalars(select(Incident.id))}
    audience = {"incidents": [one for one in form.incidents if one in known]}
    if chosen := [code for code in form.languages if code in {one.code for one in languages.all_languages()}]:
        audience["languages"] = chosen
    if held := [state for state in form.custody if state in set(Custody)]:
        audience["custody"] = held
    return {
        "title": form.title,
        "notice_id": notices[form.notice],
        "audience": audience,
        "ladder": [Rung(), *(Rung(wait) for wait in _waits(form))],
        "window": (time(0), time(0)) if form.any_hour else _window(form),
        "window_reason": form.reason if form.any_hour else None,
    }


def _window(form: Form) -> tuple[time, time]:
    try:
        start, end = time.fromisoformat(form.start), time.fromisoformat(form.end)
    except ValueError:
        raise Refused("Give both hours as hours and minutes, such as 09:00.") from None
    if start == end:
        raise Refused("The hours end when they begin. Give later hours, or choose any hour and say why.")
    return start, end


def _waits(form: Form) -> list[int]:
    """The hours of the reminders, each once."""
    waits: set[int] = set()
    for typed in form.reminders:
        if not typed.strip():
            continue
        if not (typed.strip().isascii() and typed.strip().isdigit() and 1 <= int(typed[:9]) <= LONGEST_WAIT):
            raise Refused("A reminder comes a whole number of hours after the launch, 1 at least.")
        waits.add(int(typed))
    return sorted(waits)
