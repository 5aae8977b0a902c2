"""Accounts of staff, for supervisors."""

import secrets
from uuid import UUID

import pyotp
import segno
from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from markupsafe import Markup
from sqlalchemy.exc import IntegrityError

from outreach.access import accounts
from outreach.access.accounts import Role
from outreach.web.gate import allow
from outreach.web.panel import account, panel

pages = Blueprint("accounts", __name__, url_prefix="/accounts")

ISSUER = "Outreach"


@pages.get("")
@allow(Role.SUPERVISOR)
def index() -> ResponseReturnValue:
    with panel().sessions.begin() as session:
        everyone = accounts.everyone(session)
    return render_template("staff/accounts.html", accounts=everyone)


@pages.get("/new")
@allow(Role.SUPERVISOR)
def new() -> ResponseReturnValue:
    return render_template("staff/account_new.html", problem=None)


@pages.post("")
@allow(Role.SUPERVISOR)
def add() -> ResponseReturnValue:
    """Shows the password and the secret of the codes, this once: they are in no other place in a readable form."""
    login, name = request.form.get("login", "").strip().lower(), request.form.get("name", "").strip()
    role = request.form.get("role", "")
    if not login or not name or role not in set(Role) or len(login) > 100 or len(name) > 200:
        return render_template("staff/account_new.html", problem=_("Give a login, a name and a role.")), 400
    password = secrets.token_urlsafe(15)
    try:
        with panel().sessions.begin() as session:
            made = accounts.create(session, login=login, name=name, role=Role(role), password=password, by=account().actor)
    except IntegrityError:
        return render_template("staff/account_new.html", problem=_("This login is taken. Choose another.")), 409
    address = pyotp.TOTP(made.totp_secret).provisioning_uri(name=login, issuer_name=ISSUER)
    code = segno.make(address, error="m").svg_inline(scale=5, border=2, svgclass="qr", lineclass=None, title=_("Code to scan"))
    return render_template(
        "staff/account_made.html",
        made=made,
        password=password,
        qr=Markup(code),  # noqa: S704  # drawn by segno from our own URI
    )


@pages.post("/<uuid:account_id>/deactivate")
@allow(Role.SUPERVISOR)
def deactivate(account_id: UUID) -> ResponseReturnValue:
    try:
        with panel().sessions.begin() as session:
            accounts.deactivate(session, account_id, by=account())
    except accounts.NotOneself:
        abort(409, _("You cannot deactivate your own account. Ask another supervisor."))
    except accounts.NoSuchAccount:
        abort(404)
    flash(_("The account is deactivated. Whoever was signed in with it is out."), "success")
    return redirect(url_for(".index"))


@pages.post("/<uuid:account_id>/role")
@allow(Role.SUPERVISOR)
def change_role(account_id: UUID) -> ResponseReturnValue:
    role = request.form.get("role", "")
    if role not in set(Role):
        abort(400)
    try:
        with panel().sessions.begin() as session:
            accounts.change_role(session, account_id, Role(role), by=account())
    except accounts.NotOneself:
        abort(409, _("You cannot change your own role. Ask another supervisor."))
    except accounts.NoSuchAccount:
        abort(404)
    flash(_("The role is changed. They have to sign in again."), "success")
    return redirect(url_for(".index"))
