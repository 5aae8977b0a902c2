"""Reconciliation: our books against the providers', what nobody knows yet, and what providers still hold. No name, no number."""

from datetime import date

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext

from outreach import jobs
from outreach.access import audit
from outreach.access.accounts import Role
from outreach.db import now
from outreach.delivery import books, redaction
from outreach.delivery.books import DifferenceKind, NoCheck, NotThatDay
from outreach.providers.twilio import TwilioTexts
from outreach.web.gate import allow
from outreach.web.panel import account, panel
from outreach.web.staff import reconciliation_words, undecided_words
from outreach.web.staff.base import Pages, page_number

pages = Blueprint("reconciliation", __name__, url_prefix="/reconciliation")

SIZE = 50
OLDEST = 20  # of what is not known, on the first page


@pages.get("")
@allow(Role.OFFICER, Role.SUPERVISOR, Role.AUDITOR)
def index() -> ResponseReturnValue:
    with panel().sessions.begin() as session:
        compared = books.listed(session)
        unknown, oldest = books.unknowns(session, limit=OLDEST)
        held = redaction.held(session, TwilioTexts.name)
    settings = panel().settings
    keepers = jobs.bookkeepers(settings)
    without = [
        *([settings.mail_provider] if settings.mail_provider not in keepers else []),
        *([settings.post_provider] if settings.post_provider not in keepers else []),
    ]
    return render_template(
        "staff/reconciliation/index.html", compared=compared, unknown=unknown, oldest=oldest, held=held, keepers=keepers,
        without=without, today=now().date(), now=now(), tries=redaction.TRIES, oldest_days=books.OLDEST_DAYS,
        said=reconciliation_words, providers=undecided_words.PROVIDERS,
    )  # fmt: skip


@pages.get("/<provider>/<day>")
@allow(Role.OFFICER, Role.SUPERVISOR, Role.AUDITOR)
def show(provider: str, day: str) -> ResponseReturnValue:
    kind, number = request.args.get("kind", ""), page_number()
    chosen = kind if kind in set(DifferenceKind) else None
    try:
        with panel().sessions.begin() as session:
            found = books.one(session, provider, date.fromisoformat(day))
            named = books.differences(session, provider, found.check.day, kind=chosen, limit=SIZE, offset=(number - 1) * SIZE)
    except (NoCheck, ValueError):
        abort(404)
    total = found.kinds[chosen] if chosen else found.kinds.total()
    return render_template(
        "staff/reconciliation/day.html", found=found, check=found.check, named=named, kind=chosen, pages=Pages(number, SIZE, total),
        kinds=[(str(each), reconciliation_words.KINDS[each]) for each in DifferenceKind if found.kinds[each]],
        said=reconciliation_words, providers=undecided_words.PROVIDERS,
    )  # fmt: skip


@pages.post("/compare")
@allow(Role.SUPERVISOR)
def compare() -> ResponseReturnValue:
    """Have a day compared now, with one provider or with all."""
    keepers = jobs.bookkeepers(panel().settings)
    wanted = request.form.get("provider", "")
    chosen = [wanted] if wanted in keepers else keepers
    try:
        day = date.fromisoformat(request.form.get("day", ""))
        with panel().sessions.begin() as session:
            for provider in chosen:
                books.want(session, provider, day)
            audit.record(session, account().actor, "books.compare", "books", day=day.isoformat(), providers=chosen)
    except (NotThatDay, ValueError):
        flash(_("Choose a day of the last %(days)s, up to today.", days=books.OLDEST_DAYS), "error")
        return redirect(url_for(".index"))
    panel().ring(panel().settings, jobs.compare_books)
    flash(_("The day is being compared. That takes from seconds to some minutes: open this page again."), "success")
    return redirect(url_for(".index"))


@pages.post("/redact-again")
@allow(Role.SUPERVISOR)
def redact_again() -> ResponseReturnValue:
    """Begin anew with the texts that the provider would not forget."""
    with panel().sessions.begin() as session:
        count = redaction.try_again(session, TwilioTexts.name)
        audit.record(session, account().actor, "redaction.again", "texts", count=count)
    panel().ring(panel().settings, jobs.redact_texts)
    flash(ngettext("%(num)s text is tried again.", "%(num)s texts are tried again.", count), "success")
    return redirect(url_for(".index"))
