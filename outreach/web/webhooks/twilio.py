"""Twilio's callbacks: delivery reports, and texts from phones.

A forged call gets 403, a signed one that makes no sense 400, and a database that is down 503, so that Twilio calls again.
"""

from uuid import UUID
from xml.sax.saxutils import escape

from flask import Blueprint, Response, current_app, request
from flask.typing import ResponseReturnValue

from outreach import jobs
from outreach.delivery import events, limits, reply
from outreach.notices import segments
from outreach.providers.contract import Forged, Malformed
from outreach.providers.twilio import TwilioTexts
from outreach.web.gate import callback
from outreach.web.panel import panel

pages = Blueprint("twilio", __name__, url_prefix="/webhooks/twilio")

SILENCE = '<?xml version="1.0" encoding="UTF-8"?><Response/>'


@pages.post("/status/<uuid:token>")
@callback
def status(token: UUID) -> ResponseReturnValue:
    """Keep a delivery report. What it means is worked out by a job, within seconds."""
    provider = _provider()
    try:
        report = provider.read_report(token, _path(), _form(), request.headers.get("X-Twilio-Signature"))
    except Forged:
        return "", 403
    except Malformed as error:
        return str(error), 400
    with panel().sessions.begin() as session:
        events.keep(session, provider.name, report)
    return "", 204


@pages.post("/inbound")
@callback
def inbound() -> ResponseReturnValue:
    """Keep a text from a phone and obey it. The answer is TwiML: a text to send back, or silence."""
    provider = _provider()
    try:
        received = provider.read_inbound(_path(), _form(), request.headers.get("X-Twilio-Signature"))
    except Forged:
        return "", 403
    except Malformed as error:
        return str(error), 400
    settings = panel().settings
    with panel().sessions.begin() as session:
        outcome = reply.receive(session, provider.name, received, jobs.house(settings))
    if outcome.answer and settings.sms_segments_per_second:
        wanted = segments.count(outcome.answer).segments
        limits.overtake(settings.redis_url, settings.sms_sender, settings.sms_segments_per_second, wanted)
    answer = f"<Response><Message>{escape(outcome.answer)}</Message></Response>" if outcome.answer else SILENCE
    return Response(answer, mimetype="text/xml")


def _provider() -> TwilioTexts:
    found = current_app.extensions.get("twilio")
    if found is None:
        found = current_app.extensions["twilio"] = jobs.text_provider(panel().settings)
    assert isinstance(found, TwilioTexts)  # set just above
    return found


def _path() -> str:
    """The address as it was called, without scheme and host: those are ours by configuration."""
    return request.full_path if request.query_string else request.path


def _form() -> dict[str, str]:
    """The form, or nothing when a name is repeated: Twilio never does that, and a signature would not tell the two apart."""
    fields = request.form.to_dict(flat=False)
    return {} if any(len(values) != 1 for values in fields.values()) else {name: values[0] for name, values in fields.items()}
