"""Signing in and out, and one's own account."""

from flask import Blueprint, flash, make_response, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from outreach.access import accounts
from outreach.web.gate import allow, cookie_name, public, safe_next
from outreach.web.languages import LOCALES
from outreach.web.panel import account, panel

pages = Blueprint("auth", __name__)


@pages.get("/sign-in")
@public
def show() -> ResponseReturnValue:
    return _form()


@pages.post("/sign-in")
@public
def sign_in() -> ResponseReturnValue:
    """Answers 400 when login, password and code do not fit together, 429 when it was tried too often."""
    signed_in = None
    with panel().sessions.begin() as db:
        try:
            signed_in = accounts.sign_in(
                db,
                login=request.form.get("login", "")[:200],
                password=request.form.get("password", ""),
                code=request.form.get("code", "").replace(" ", "")[:20],
                source=request.remote_addr or "",
            )
        except accounts.TooManyTries:
            return _form(_("Too many tries. Wait a quarter of an hour, then try again."), 429)
        except accounts.NotSignedIn:
            pass  # The block must end well, so that the failure is counted; the answer follows below.
    if signed_in is None:
        return _form(
            _("Login, password and code do not fit together. A code works once: if you used it already, wait for the next."),
            400,
        )
    _found, token = signed_in
    session.clear()  # The form token of before belongs to whoever had the browser before.
    response = redirect(safe_next(request.form.get("next", "")))
    return _with_cookie(response, token, seconds=int(accounts.ABSOLUTE.total_seconds()))


@pages.post("/sign-out")
@allow()
def sign_out() -> ResponseReturnValue:
    with panel().sessions.begin() as db:
        accounts.sign_out(db, request.cookies.get(cookie_name(panel()), ""))
    session.clear()
    flash(_("You are signed out."), "success")
    response = redirect(url_for(".show"))
    response.headers["Clear-Site-Data"] = '"cache"'
    return _with_cookie(response, "", seconds=0)


@pages.get("/account")
@allow()
def own() -> ResponseReturnValue:
    return render_template("staff/own_account.html", locales=LOCALES)


@pages.post("/account")
@allow()
def change() -> ResponseReturnValue:
    locale = request.form.get("locale", "")
    if locale in LOCALES:
        with panel().sessions.begin() as db:
            accounts.set_locale(db, account().id, locale)
    return redirect(url_for(".own"))


def _form(problem: str | None = None, status: int = 200) -> ResponseReturnValue:
    target = request.form.get("next") or request.args.get("next", "")
    page = render_template("staff/sign_in.html", problem=problem, target=target, login=request.form.get("login", "")[:200])
    return make_response(page, status)


def _with_cookie(response: Response, token: str, *, seconds: int) -> Response:
    response.set_cookie(
        cookie_name(panel()), token, max_age=seconds, secure=panel().secure, httponly=True, samesite="Strict", path="/"
    )
    return response
