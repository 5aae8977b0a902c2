"""The overview: how many people, who has been told, who has not and why."""

from collections import Counter
from dataclasses import dataclass

from flask import Blueprint, abort, render_template, request
from flask.typing import ResponseReturnValue

from outreach import jobs
from outreach.access.accounts import Role
from outreach.campaigns import counsel
from outreach.campaigns.outcome import BEST_FIRST, OutcomeState
from outreach.proof import attention, figures, standing
from outreach.web.gate import allow
from outreach.web.panel import panel

pages = Blueprint("overview", __name__)

SHOWN = (*BEST_FIRST, standing.NO_CAMPAIGN)


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of a bar, in hundredths of its whole length."""

    state: str
    start: float
    width: float


def slices(states: Counter[str]) -> list[Slice]:
    """One bar, cut by how many stand where. Nothing when there is nobody."""
    total, start, cut = states.total(), 0.0, []
    for state in SHOWN:
        if states[state]:
            width = 100 * states[state] / total
            cut.append(Slice(state, round(start, 3), round(width, 3)))
            start += width
    return cut


@pages.get("/")
@allow(Role.OFFICER, Role.APPROVER, Role.SUPERVISOR, Role.AUDITOR)
def show() -> ResponseReturnValue:
    asked = request.args.get("campaign", "")
    with panel().sessions.begin() as session:
        campaigns = standing.campaigns(session)
        chosen = next((campaign for campaign in campaigns if str(campaign.id) == asked), None)
        if asked and chosen is None:
            abort(404)
        counted = figures.count(session, chosen.id if chosen else None)
        attorneys = counsel.standing(session, chosen.id if chosen else None)
        needed = attention.look(session, jobs.carriers(panel().settings))
    return render_template(
        "staff/overview.html",
        campaigns=campaigns,
        chosen=chosen,
        attention=needed,
        figures=counted,
        counsel=attorneys,
        represented=attorneys.total() - attorneys[counsel.NO_COUNSEL],
        states=[state for state in SHOWN if counted.states[state] or state != standing.NO_CAMPAIGN],
        slices=slices,
        informed=(OutcomeState.TOLD, OutcomeState.REACHED),
    )
