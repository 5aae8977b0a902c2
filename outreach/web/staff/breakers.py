"""Breakers: what has stopped by itself, and letting it go on."""

from uuid import UUID

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import LazyString
from flask_babel import gettext as _

from outreach import jobs
from outreach.access.accounts import Role
from outreach.delivery import breaker
from outreach.delivery.breaker import BreakerKind, NoBreaker
from outreach.notices.channel import Channel
from outreach.proof import attention
from outreach.proof.attention import Stopped
from outreach.web.gate import allow
from outreach.web.panel import account, panel
from outreach.web.staff import breaker_words

pages = Blueprint("breakers", __name__, url_prefix="/breakers")


@pages.get("")
@allow(Role.OFFICER, Role.APPROVER, Role.SUPERVISOR, Role.AUDITOR)
def index() -> ResponseReturnValue:
    with panel().sessions.begin() as session:
        opened, closed = attention.breakers(session)
    return render_template("staff/breakers/index.html", opened=opened, closed=closed)


@pages.post("/<uuid:breaker_id>/close")
@allow(Role.APPROVER, Role.SUPERVISOR)
def close(breaker_id: UUID) -> ResponseReturnValue:
    """Let go on what it has stopped. The ticker rings for that within seconds."""
    try:
        with panel().sessions.begin() as session:
            breaker.close(session, breaker_id, by=account())
    except NoBreaker:
        abort(404)
    flash(_("Closed. What it had stopped goes on within seconds."), "success")
    return redirect(url_for("breakers.index" if request.form.get("from") == "breakers" else "overview.show"))


@pages.app_template_filter("breaker_why")
def why(one: Stopped) -> LazyString:
    """What went wrong, as a sentence."""
    return breaker_words.UNREGISTERED_WHY if _about_number(one) else breaker_words.WHY[one.kind]


@pages.app_template_filter("breaker_next")
def next_step(one: Stopped) -> LazyString:
    """What to do about it."""
    return breaker_words.UNREGISTERED_NEXT if _about_number(one) else breaker_words.NEXT[one.kind]


@pages.app_template_filter("breaker_code")
def code(one: Stopped) -> LazyString | None:
    """The provider's code in plain words; None where there is none, or it only names how a connection ended."""
    if one.code is None or one.kind is BreakerKind.UNKNOWNS:
        return None
    provider = one.provider or (jobs.carriers(panel().settings)[Channel(one.channel)] if one.channel else "")
    return breaker_words.CODES[jobs.meaning(provider, one.code)]


@pages.app_template_filter("provider")
def provider_name(name: str) -> LazyString | str:
    """A provider as staff call it."""
    return breaker_words.PROVIDERS.get(name, name)


def _about_number(one: Stopped) -> bool:
    return one.kind is BreakerKind.FILTERED and one.provider is not None
