"""The staff panel and its doors: parse, call one domain function, answer."""

from collections.abc import Callable
from pathlib import Path

import jinja2
from flask import Flask
from sqlalchemy.orm import Session, sessionmaker
from werkzeug.middleware.proxy_fix import ProxyFix

from outreach.access.sealing import FileKeyRing, Vault
from outreach.db import make_engine, make_sessions
from outreach.settings import Settings
from outreach.web import errors, gate, headers, languages, mail_stop, request_log, staff, uploads
from outreach.web.panel import Panel
from outreach.web.webhooks import add_webhooks

TEMPLATES = Path(__file__).parents[2] / "templates"


def _no_ring(*_: object) -> None:
    """Nobody is told; the ticker finds the work within seconds."""


def create_app(settings: Settings, sessions: sessionmaker[Session] | None = None, ring: Callable[..., object] = _no_ring) -> Flask:
    """The WSGI application. Connects to nothing until the first request.

    Raises `gate.Unguarded` when a route does not say who may open it, `languages.CatalogueMissing` when a language of the
    panel is not compiled, and `sealing.KeyRingMissing`.
    """
    if sessions is None:
        sessions = make_sessions(make_engine(settings.database_url), Vault(FileKeyRing(settings.key_ring)))
    panel = Panel(settings, sessions, ring)
    app = Flask(__name__, template_folder=str(TEMPLATES))
    app.extensions["outreach"] = panel
    app.request_class = uploads.UploadRequest
    app.config.update(
        SECRET_KEY=settings.secret_key,
        TRUSTED_HOSTS=list(settings.trusted_hosts),
        MAX_CONTENT_LENGTH=gate.FORM_BYTES,
        MAX_FORM_MEMORY_SIZE=gate.FORM_BYTES,
        MAX_FORM_PARTS=500,
        # This cookie holds the token of forms and short notices to the user; who is signed in is in the gate's own cookie.
        SESSION_COOKIE_NAME=f"{gate.cookie_name(panel)}-form",
        SESSION_COOKIE_SECURE=panel.secure,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Strict",
        WTF_CSRF_TIME_LIMIT=None,  # as long as the sign-in; a second clock would only lose people their work
        WTF_CSRF_SSL_STRICT=False,  # it looks for a Referer, which our own Referrer-Policy withholds
    )
    app.jinja_env.undefined = jinja2.StrictUndefined
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    if settings.trusted_proxies:
        # Without it every client would have the proxy's address, and one guesser's failures would shut everybody out.
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=settings.trusted_proxies, x_proto=0)  # type: ignore[method-assign]  # as documented
    request_log.log_requests(app)
    gate.guard(app)
    gate.csrf.init_app(app)
    headers.set_headers(app, secure=panel.secure)
    languages.speak(app)
    errors.handle_errors(app)
    gate.public(app.view_functions["static"])
    staff.add_pages(app)
    app.register_blueprint(mail_stop.pages)
    add_webhooks(app)
    gate.refuse_unguarded(app)
    return app
