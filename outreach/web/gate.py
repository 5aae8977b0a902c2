"""Who may open which page. Deny by default: a view says `@allow(...)` or `@public`, or the panel does not start.

@pages.post("/<uuid:campaign_id>/launch")
@allow(Role.OFFICER, Role.SUPERVISOR)
def launch(campaign_id: UUID) -> Response: ...
"""

from collections.abc import Callable
from typing import TypeVar
from urllib.parse import urlsplit

from flask import Flask, abort, current_app, g, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFProtect
from werkzeug.exceptions import Forbidden

from outreach.access import accounts
from outreach.access.accounts import Role
from outreach.web.panel import Panel, panel

csrf = CSRFProtect()

View = TypeVar("View", bound=Callable[..., object])

EVERYBODY = frozenset(Role)
PUBLIC: frozenset[Role] = frozenset()
ROLES = "_outreach_roles"  # the attribute of a view that holds who may open it
POLLED = "_outreach_polled"  # the attribute of a view that pages ask by themselves
UPLOAD = "_outreach_upload"  # the attribute of a view that takes a file as large as a roster may be
BYTES = "_outreach_bytes"  # the attribute of a view that says how large its requests may be
FORM_BYTES = 256 * 1024  # of any other request's body


class Unguarded(Exception):
    """A route says neither `@allow` nor `@public`."""


class NotYourRole(Forbidden):
    """The account is signed in, and its role cannot open this page. `roles` can."""

    def __init__(self, roles: frozenset[Role]) -> None:
        super().__init__()
        self.roles = roles


def allow(*roles: Role) -> Callable[[View], View]:
    """Only accounts with one of these roles; without any: everybody who is signed in."""

    def mark(view: View) -> View:
        return _mark(view, ROLES, frozenset(roles) or EVERYBODY)

    return mark


def public(view: View) -> View:
    """Anybody on the internet: the sign-in page, the files of the design."""
    return _mark(view, ROLES, PUBLIC)


def callback(view: View) -> View:
    """Anybody, and without a form token: the view itself checks a signature over the request's raw body."""
    csrf.exempt(view)
    return public(view)


def takes_file(view: View) -> View:
    """The request may be as large as a roster; every other one is limited to what a form needs."""
    return _mark(view, UPLOAD, value=True)


def takes(size: int) -> Callable[[View], View]:
    """The request's body may have so many bytes."""

    def mark(view: View) -> View:
        return _mark(view, BYTES, size)

    return mark


def polled(view: View) -> View:
    """Pages ask for it by themselves, every few seconds: being asked is no sign that somebody is there."""
    return _mark(view, POLLED, value=True)


def roles_of(app: Flask, endpoint: str) -> frozenset[Role] | None:
    """Who may open an endpoint: PUBLIC for anybody, None for an endpoint that does not exist."""
    view = app.view_functions.get(endpoint)
    found: frozenset[Role] | None = getattr(view, ROLES, None)
    return found


def guard(app: Flask) -> None:
    """Check each request. Comes before everything else that reads a request, so that strangers cost little."""
    app.before_request(_check)


def refuse_unguarded(app: Flask) -> None:
    """Raises Unguarded, which names every route that says nothing about who may open it."""
    open_routes = sorted(rule.endpoint for rule in app.url_map.iter_rules() if roles_of(app, rule.endpoint) is None)
    if open_routes:
        raise Unguarded(f"These views say neither @allow nor @public: {', '.join(open_routes)}.")


def cookie_name(found: Panel) -> str:
    """With the prefix, a browser takes the cookie by https only, for this host only, for the whole site."""
    return "__Host-outreach" if found.secure else "outreach"


def safe_next(target: str) -> str:
    """A path on this site to go to after signing in, or the first page when it leads anywhere else."""
    parts = urlsplit(target)
    elsewhere = parts.scheme or parts.netloc or not target.startswith("/") or target.startswith(("//", "/\\"))
    return url_for("overview.show") if elsewhere else target


def _check() -> ResponseReturnValue | None:
    if request.endpoint is None:
        return None  # There is no such page: the 404 comes next, the same for everybody.
    view = current_app.view_functions[request.endpoint]
    roles: frozenset[Role] | None = getattr(view, ROLES, None)
    settings = panel().settings
    largest: int = getattr(view, BYTES, FORM_BYTES)
    request.max_content_length = settings.roster_max_bytes + FORM_BYTES if getattr(view, UPLOAD, False) else largest
    if roles is None:
        abort(403)
    if roles == PUBLIC:
        return None
    token = request.cookies.get(cookie_name(panel()))
    if token:
        with panel().sessions.begin() as session:
            g.account = accounts.signed_in(session, token, renew=not getattr(view, POLLED, False))
    if g.get("account") is None:
        return _sign_in_first()
    if g.account.role not in roles:
        raise NotYourRole(roles)
    return None


def _sign_in_first() -> ResponseReturnValue:
    wanted = request.full_path.rstrip("?") if request.method == "GET" else None
    target = url_for("auth.show", next=wanted if wanted and wanted != "/" else None)
    if request.headers.get("HX-Request"):  # htmx would put the sign-in page inside the page otherwise.
        return "", 401, {"HX-Redirect": url_for("auth.show")}
    return redirect(target)


def _mark(view: View, name: str, value: object) -> View:
    setattr(view, name, value)
    return view
