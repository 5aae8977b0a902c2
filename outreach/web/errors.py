"""Error pages: what happened and what to do now, in plain words. Never a trace, never what was sent."""

import traceback
from pathlib import Path

import structlog
from flask import Flask, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import LazyString
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException, SecurityError

from outreach.web import words
from outreach.web.gate import NotYourRole

log = structlog.get_logger("outreach.web")

HERE = Path(__file__).parents[2]


SENTENCES: dict[int, tuple[LazyString, ...]] = {
    400: (_l("We could not read this"), _l("Go back and check what you entered. Nothing was changed.")),
    403: (_l("You cannot open this"), _l("If it is your work, ask a supervisor.")),
    404: (
        _l("There is nothing here"),
        _l("The address may be mistyped, or the record is no longer there. Use the menu to find your way."),
    ),
    405: (_l("This address is not a page"), _l("Go back and use the button on the page instead.")),
    409: (
        _l("This can no longer be done"),
        _l("Somebody may have changed it meanwhile. Go back, reload the page, and look at how it stands now."),
    ),
    413: (_l("This is too large"), _l("Send a smaller file, or split it in several parts. Nothing was stored.")),
    429: (_l("Too many tries"), _l("Wait a quarter of an hour, then try again.")),
    500: (
        _l("Something went wrong on our side"),
        _l("What you were doing may not have been saved. Go back, reload the page and look."),
        _l("If it happens again, tell the person who runs this system what you did and at what time."),
    ),
    503: (_l("We are not available right now"), _l("Wait a minute, then reload the page.")),
}
"""By status: what happened, and what to do. Others say what 500 or 400 says."""


def handle_errors(app: Flask) -> None:
    """Answer every failure with a page. A view says more by `abort(409, _("..."))`: the sentence is shown."""
    app.register_error_handler(CSRFError, _stale_form)
    app.register_error_handler(SecurityError, _unknown_host)
    app.register_error_handler(NotYourRole, _not_your_role)
    app.register_error_handler(HTTPException, _http)
    for lost in (OperationalError, InterfaceError, PoolTimeout):
        app.register_error_handler(lost, _database_lost)
    app.register_error_handler(Exception, _unexpected)


def _page(status: int, title: str | LazyString, *advice: str | LazyString) -> ResponseReturnValue:
    if request.headers.get("HX-Request"):
        # htmx ignores error pages; it is told to show this one in full instead of leaving the user with nothing.
        headers = {"HX-Retarget": "body", "HX-Reswap": "innerHTML", "HX-Push-Url": "false"}
        return render_template("staff/error.html", status=status, title=title, advice=advice), status, headers
    return render_template("staff/error.html", status=status, title=title, advice=advice), status


def _unknown_host(_error: SecurityError) -> ResponseReturnValue:
    # Without a trusted host there are no addresses, so there can be no page with links either.
    return "This system does not answer to this host name.\n", 400, {"Content-Type": "text/plain; charset=utf-8"}


def _stale_form(_error: CSRFError) -> ResponseReturnValue:
    return _page(
        400,
        _("This form is too old"),
        _("For your safety a form works only in the browser and the session it was opened in. Nothing was changed."),
        _("Go back, reload the page, and fill in the form again."),
    )


def _not_your_role(error: NotYourRole) -> ResponseReturnValue:
    roles = ", ".join(str(words.ROLES[role]) for role in sorted(error.roles))
    return _page(
        403,
        _("Your role cannot do this"),
        _("This is for: %(roles)s.", roles=roles),
        _("If it is your work, ask a supervisor to change your role."),
    )


def _http(error: HTTPException) -> ResponseReturnValue:
    status = error.code or 500
    if error.response is not None or status < 400:
        return error
    told = error.description if error.description != type(error).description else None
    title, *advice = SENTENCES.get(status) or SENTENCES[400 if status < 500 else 500]
    return _page(status, title, *([told] if told else advice))


def _database_lost(error: Exception) -> ResponseReturnValue:
    _log(error, "database lost")
    return _page(
        503,
        _("The database cannot be reached"),
        _("Nothing was changed. Texts that were already handed over are not affected."),
        _("Wait a minute, then reload the page. If it stays like this, tell the person who runs this system."),
    )


def _unexpected(error: Exception) -> ResponseReturnValue:
    _log(error, "request failed")
    return _page(500, *SENTENCES[500])


def _log(error: Exception, event: str) -> None:
    # The message of an error may quote a name or a number, so only its type and where it arose are written.
    frames = [
        f"{Path(frame.filename).relative_to(HERE)}:{frame.lineno}"
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).is_relative_to(HERE / "outreach")
    ]
    log.error(event, error=type(error).__name__, frames=frames)
