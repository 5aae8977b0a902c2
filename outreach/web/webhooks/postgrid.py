"""PostGrid's callbacks: what became of letters at the mail house.

A forged call gets 403, a signed one that makes no sense 400, and a database that is down 503, so that PostGrid calls again.
"""

from flask import Blueprint, current_app, request
from flask.typing import ResponseReturnValue

from outreach import jobs
from outreach.delivery import events
from outreach.providers.contract import Forged, Malformed
from outreach.providers.postgrid import PostGridLetters
from outreach.web.gate import callback
from outreach.web.panel import panel

pages = Blueprint("postgrid", __name__, url_prefix="/webhooks/postgrid")


@pages.post("")
@callback
def about_letters() -> ResponseReturnValue:
    """Keep what a callback reports. What it means is worked out by a job, within seconds."""
    provider = _provider()
    try:
        # The signature is over the body as it came.
        reports = provider.read_events(request.get_data(cache=False), dict(request.headers))
    except Forged:
        return "", 403
    except Malformed as error:
        return str(error), 400
    if reports:
        with panel().sessions.begin() as session:
            events.keep(session, provider.name, *reports)
    return "", 204


def _provider() -> PostGridLetters:
    found = current_app.extensions.get("postgrid")
    if found is None:
        found = current_app.extensions["postgrid"] = jobs.mail_house(panel().settings)
    assert isinstance(found, PostGridLetters)  # set just above
    return found
