"""The link in each e-mail that stops them. It says nothing about anybody, and the same whether its code is one of ours or not.

Mail programs and scanners open links by themselves, so opening it changes nothing: pressing the button does, or the "unsubscribe"
of a mail program, which posts to the same address without a form of ours: https://www.rfc-editor.org/rfc/rfc8058
"""

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from outreach.access.sealing import vault_of
from outreach.delivery import closing, mail_address
from outreach.delivery.mail_address import Purpose
from outreach.web.gate import callback, public
from outreach.web.panel import panel

pages = Blueprint("mail_stop", __name__, url_prefix="/mail/stop")

REASON = "link:stop"


@pages.get("/<code>")
@public
def show(code: str) -> ResponseReturnValue:  # noqa: ARG001  # nothing of the page depends on it
    return render_template("recipient/mail_stop.html", program=panel().settings.program_name, done=False)


@pages.post("/<code>")
@callback
def stop(code: str) -> ResponseReturnValue:
    """Whoever has the link may use it, once or often. It ends e-mail to that mailbox, and no other way of telling somebody."""
    with panel().sessions.begin() as session:
        token = mail_address.read(vault_of(session), Purpose.UNSUBSCRIBE, code)
        if token is not None:
            closing.object_to(session, {token: REASON})
    return render_template("recipient/mail_stop.html", program=panel().settings.program_name, done=True)
