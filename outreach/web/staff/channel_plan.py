"""The channel plan: by which ways people may be told, by where they are. Supervisors edit it, everybody else reads it."""

from dataclasses import dataclass

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import LazyString
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from outreach.access.accounts import Role
from outreach.campaigns import rules
from outreach.campaigns.rules import NEVER, PERSONAL, REVIEWED, NotAllowedRule, Rule
from outreach.notices.channel import Channel
from outreach.people.custody import Custody
from outreach.web import words
from outreach.web.gate import allow
from outreach.web.panel import account, panel

pages = Blueprint("channel_plan", __name__, url_prefix="/channel-plan")

MOST_ROWS = 12

NOWHERE = (Custody.IN_TRANSIT, Custody.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Row:
    """One way as it is typed."""

    channel: str
    wait: str = ""
    review: bool = False


@pages.get("")
@allow(Role.OFFICER, Role.APPROVER, Role.SUPERVISOR)
def index() -> ResponseReturnValue:
    with panel().sessions.begin() as session:
        plan = rules.load(session)
    return render_template("staff/channel_plan/index.html", plan=plan, never=_never)


@pages.get("/<custody>")
@allow(Role.SUPERVISOR)
def edit(custody: str) -> ResponseReturnValue:
    whom = _custody(custody)
    with panel().sessions.begin() as session:
        plan = rules.load(session)[whom]
    return _form(whom, [Row(rule.channel, str(rule.wait_hours), rule.needs_review) for rule in plan])


@pages.post("/<custody>")
@allow(Role.SUPERVISOR)
def change(custody: str) -> ResponseReturnValue:
    """Keep the ways as they are typed; or, with one of the form's other buttons, show it with a row more or less."""
    whom, rows = _custody(custody), _typed()
    wish = request.form.get("rows")
    if wish == "add":
        return _form(whom, [*rows, Row("")][:MOST_ROWS], fresh=len(rows))
    if wish is not None:
        return _form(whom, [row for number, row in enumerate(rows) if wish != f"remove-{number}"])
    try:
        wanted = [_rule(number, row) for number, row in enumerate(rows, 1)]
        with panel().sessions.begin() as session:
            rules.change(session, whom, wanted, by=account())
    except _Unreadable as error:
        return _form(whom, rows, str(error)), 400
    except NotAllowedRule as error:
        return _form(whom, rows, words.refusal(str(error))), 400
    flash(_("The plan is changed. Campaigns that run obey it from now on."), "success")
    return redirect(url_for(".index"))


class _Unreadable(Exception):
    """A row of the form is not a way at all. The text says which and how to mend it."""


def _rule(number: int, row: Row) -> Rule:
    if row.channel not in set(Channel):
        raise _Unreadable(_("Choose the way in row %(number)s, or remove the row.", number=number))
    if not (row.wait.isascii() and row.wait.isdigit() and len(row.wait) < 6):
        raise _Unreadable(_("Give the hours in row %(number)s as a whole number: 0 for at once.", number=number))
    return Rule(Channel(row.channel), int(row.wait), row.review)


def _typed() -> list[Row]:
    form = request.form
    return [
        Row(form[f"channel-{n}"], form.get(f"wait-{n}", "").strip(), f"review-{n}" in form)
        for n in range(MOST_ROWS)
        if f"channel-{n}" in form
    ]


def _form(whom: Custody, rows: list[Row], problem: str | None = None, fresh: int | None = None) -> str:
    return render_template(
        "staff/channel_plan/edit.html",
        custody=whom,
        rows=rows,
        problem=problem,
        fresh=fresh,
        choices=[channel for channel in Channel if channel not in NEVER[whom]],
        never=_never(whom),
        reviewed=PERSONAL if whom in REVIEWED else (),
        most=MOST_ROWS,
    )


def _custody(code: str) -> Custody:
    if code not in set(Custody):
        abort(404)
    return Custody(code)


def _never(whom: Custody) -> list[tuple[Channel, LazyString]]:
    """The ways that nobody can allow for these people, each with why."""
    return [(channel, _why_never(whom, channel)) for channel in Channel if channel in NEVER[whom]]


def _why_never(whom: Custody, channel: Channel) -> LazyString:
    if whom == Custody.DECEASED:
        return _l("Nothing is sent about somebody who died. Next of kin are told by a person.")
    if whom in NOWHERE:
        return _l("Nobody knows where they are now: it might reach somebody else.")
    if channel is Channel.HAND:
        return _l("Nobody of ours is there to hand it over.")
    return _l("Phones and mailboxes of people inside are in other hands.")
