"""SendGrid's callbacks: batches of events about mails, and the mails that people answer with.

A forged call gets 403, a signed one that makes no sense 400, and a database that is down 503: SendGrid then calls again, for a
day about events and for three with answers.
"""

import structlog
from flask import Blueprint, current_app, request
from flask.typing import ResponseReturnValue

from outreach import jobs
from outreach.access.sealing import vault_of
from outreach.delivery import breaker, closing, events, mail_reply
from outreach.jobs.machine import tolerance
from outreach.providers import sendgrid_inbound
from outreach.providers.contract import Forged, Malformed, Objected, Objection, Report
from outreach.providers.sendgrid import SendGridMail
from outreach.web.gate import callback, takes
from outreach.web.panel import panel

log = structlog.get_logger()

pages = Blueprint("sendgrid", __name__, url_prefix="/webhooks/sendgrid")

EVENTS_BYTES = 8 * 1024 * 1024  # some thousand events, of which each has less than a kilobyte
# SendGrid takes mails up to 30 MB for us: https://www.twilio.com/docs/sendgrid/ui/account-and-settings/inbound-parse
MAIL_BYTES = sendgrid_inbound.LARGEST_FORM


@pages.post("/events")
@callback
@takes(EVENTS_BYTES)
def about_mails() -> ResponseReturnValue:
    """Keep a batch of events, and obey who wants no more mails. What the events mean is worked out by a job, within seconds."""
    provider = _provider()
    # The signature is over the body as it came.
    body = request.get_data(cache=False)
    try:
        found = provider.read_events(
            body,
            request.headers.get("X-Twilio-Email-Event-Webhook-Signature"),
            request.headers.get("X-Twilio-Email-Event-Webhook-Timestamp"),
        )
    except Forged:
        return "", 403
    except Malformed as error:
        return str(error), 400
    objections = {one.token: f"{provider.name}:{one.objection}" for one in found if isinstance(one, Objected)}
    with panel().sessions.begin() as session:
        events.keep(session, provider.name, *(one for one in found if isinstance(one, Report)))
        closed = closing.object_to(session, objections) if objections else 0
    if objections:
        log.info("sendgrid.objections", of=len(objections), closed=closed)
    if any(isinstance(one, Objected) and one.objection is Objection.SPAM_REPORT for one in found):
        # In a transaction of its own: what a breaker waits for comes before the audit log, which the one above has written to.
        with panel().sessions.begin() as session:
            breaker.trip(session, breaker.of_complaints(session, provider.name, tolerance(panel().settings)))
    return "", 204


@pages.post("/inbound")
@callback
@takes(MAIL_BYTES)
def inbound() -> ResponseReturnValue:
    """Keep a mail that came back and obey it. Nothing is answered by itself."""
    provider, authorization = _provider(), request.headers.get("Authorization")
    try:
        # Before anything is read: whoever does not know the password may not have us hold thirty megabytes of theirs.
        sendgrid_inbound.verify(panel().settings.inbound_mail_password, authorization)
        form, files = sendgrid_inbound.read_form(request.get_data(cache=False), request.headers.get("Content-Type", ""))
        received = provider.read_inbound(form, files, authorization)
    except Forged:
        return "", 403
    except Malformed as error:
        return str(error), 400
    with panel().sessions.begin() as session:
        mail_reply.receive_mail(session, provider.name, received)
    return "", 204


def _provider() -> SendGridMail:
    found = current_app.extensions.get("sendgrid")
    if found is None:
        with panel().sessions() as session:
            found = jobs.sendgrid_provider(panel().settings, vault_of(session))
        current_app.extensions["sendgrid"] = found
    assert isinstance(found, SendGridMail)  # set just above
    return found
