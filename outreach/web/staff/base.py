"""What all staff pages share: the menu, the words, dates, and pages of a long list."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import NamedTuple
from urllib.parse import urlencode

from flask import Flask, current_app, request, url_for
from flask_babel import (
    LazyString,
    format_currency,
    format_date,
    format_datetime,
    format_decimal,
    format_percent,
    format_timedelta,
    get_locale,
)
from flask_babel import lazy_gettext as _l
from markupsafe import Markup
from sqlalchemy.exc import SQLAlchemyError

from outreach.access.accounts import Account
from outreach.delivery import inbox, task
from outreach.notices import languages
from outreach.notices.notice import Summary
from outreach.web import gate, words
from outreach.web.panel import account_or_none, panel


class MenuItem(NamedTuple):
    endpoint: str
    label: LazyString


MENU = (
    MenuItem("overview.show", _l("Overview")),
    MenuItem("tasks.index", _l("Tasks")),
    MenuItem("replies.index", _l("Replies")),
    MenuItem("people.index", _l("People")),
    MenuItem("attorneys.index", _l("Attorneys")),
    MenuItem("facilities.index", _l("Facilities")),
    MenuItem("imports.index", _l("Imports")),
    MenuItem("campaigns.index", _l("Campaigns")),
    MenuItem("notices.index", _l("Notices")),
    MenuItem("print_room.index", _l("Print room")),
    MenuItem("returned_mail.index", _l("Returned mail")),
    MenuItem("reconciliation.index", _l("Reconciliation")),
    MenuItem("audit.index", _l("Audit log")),
    MenuItem("accounts.index", _l("Accounts")),
)


@dataclass(frozen=True, slots=True)
class Shown:
    """A menu item as this account sees it."""

    endpoint: str
    label: LazyString
    here: bool


@dataclass(frozen=True, slots=True)
class Pages:
    """Where in a long list we are. `number` counts from 1."""

    number: int
    size: int
    total: int

    @property
    def count(self) -> int:
        return max(1, -(-self.total // self.size))

    @property
    def first(self) -> int:
        return min(self.total, (self.number - 1) * self.size + 1)

    @property
    def last(self) -> int:
        return min(self.total, self.number * self.size)

    def near(self) -> list[int | None]:
        """The page numbers to offer, with None where some are left out."""
        wanted = sorted({1, self.count, *range(max(1, self.number - 1), min(self.count, self.number + 1) + 1)})
        shown: list[int | None] = []
        for number in wanted:
            if shown and shown[-1] is not None and number - shown[-1] > 1:
                shown.append(None)
            shown.append(number)
        return shown


def page_number() -> int:
    """The page that the address asks for; 1 when it asks for nonsense."""
    return min(max(1, request.args.get("page", 1, type=int)), 1_000_000)


def may(endpoint: str) -> bool:
    """Whether the account can open an endpoint: pages do not offer what would be refused."""
    found, roles = account_or_none(), gate.roles_of(current_app, endpoint)
    return found is not None and roles is not None and found.role in roles


def menu() -> list[Shown]:
    """The menu of whoever is signed in: the items they can open."""
    room = (request.blueprint or "").split(".")[0]
    return [Shown(item.endpoint, item.label, item.endpoint.split(".")[0] == room) for item in MENU if may(item.endpoint)]


def moment(value: datetime) -> Markup:
    """A time as staff read it, with the machine's form beside it. Always UTC, and it says so."""
    return Markup('<time datetime="{}">{} UTC</time>').format(  # format() escapes what it fills in
        value.astimezone(UTC).isoformat(timespec="seconds"), format_datetime(value, "d MMM y, HH:mm")
    )


def second(value: datetime) -> Markup:
    """As `moment`, for what changes while one looks at it."""
    return Markup('<time datetime="{}">{} UTC</time>').format(
        value.astimezone(UTC).isoformat(timespec="seconds"), format_datetime(value, "d MMM y, HH:mm:ss")
    )


def day(value: date) -> Markup:
    """A date as staff read it."""
    return Markup('<time datetime="{}">{}</time>').format(value.isoformat(), format_date(value, "d MMM y"))


def percent(share: float) -> str:
    """A share between 0 and 1, in whole percent; never 100 % while somebody is missing, nor 0 % when somebody is not."""
    whole = round(share * 100)
    if 0 < share < 1:
        whole = min(99, max(1, whole))
    return str(format_percent(whole / 100))


def money(value: Decimal) -> str:
    """US dollars; of small sums also parts of a cent, because one text costs less than one."""
    return str(format_currency(value, "USD", "¤#,##0.00##" if value < 1 else "¤#,##0.00", currency_digits=False))


def clock(value: time) -> str:
    """An hour of the day, as it stands on a form: 09:00."""
    return f"{value:%H:%M}"


def duration(seconds: float) -> str:
    """How long something takes, in its largest unit: "3 minutes"."""
    return str(format_timedelta(timedelta(seconds=max(1, seconds)), threshold=1.5))


def language_name(code: str | None) -> str:
    """A language in the panel's own language: "Spanish", or "español" on a Spanish page."""
    if code is None:
        return str(_l("Language not known"))
    try:
        found = languages.get(code)
    except languages.UnknownLanguageError:
        return code
    return found.spanish if get_locale().language == "es" else found.english


def action(code: str) -> str:
    """What an audit entry's action is called."""
    return str(words.ACTIONS.get(code, code))


def action_option(code: str) -> tuple[str, str]:
    """An action as a choice in a form."""
    return code, action(code)


def account_option(found: Account) -> tuple[str, str]:
    """An account as a choice in a form."""
    return str(found.id), found.name


def notice_option(found: Summary) -> tuple[str, str]:
    """A notice as a choice in a form."""
    return str(found.id), found.title


def with_query(**changes: object) -> str:
    """The address of this page with other filters; None drops one."""
    query = {**request.args.to_dict(), **changes}
    kept = {name: str(value) for name, value in query.items() if value not in (None, "")}
    return f"{request.path}?{urlencode(kept)}" if kept else request.path


def waiting_replies() -> int:
    """How many conversations wait for somebody, for the menu; 0 where that cannot be asked.

    The menu stands on error pages too, also on the one that says that the database is gone.
    """
    try:
        with panel().sessions.begin() as session:
            return inbox.waiting(session)
    except SQLAlchemyError:
        return 0


def open_tasks() -> int:
    """How many tasks are open, for the menu; 0 where that cannot be asked, as `waiting_replies`."""
    try:
        with panel().sessions.begin() as session:
            return task.open_by_kind(session).total()
    except SQLAlchemyError:
        return 0


def prepare(app: Flask) -> None:
    """Give templates what they use."""
    app.jinja_env.filters.update(
        moment=moment, day=day, number=format_decimal, percent=percent, money=money, clock=clock, second=second,
        duration=duration, language=language_name, action=action,
        action_option=action_option, account_option=account_option, notice_option=notice_option,
    )  # fmt: skip
    app.jinja_env.globals.update(
        words=words, may=may, with_query=with_query, autonym=autonym, waiting_replies=waiting_replies, open_tasks=open_tasks
    )

    @app.context_processor
    def layout() -> dict[str, object]:
        locale = get_locale()
        return {
            "account": account_or_none(),
            "menu": menu(),
            "lang": locale.language if locale else "en",
            "text_direction": locale.text_direction if locale else "ltr",
            "practice": panel().settings.sandboxed,
            "home": url_for("overview.show"),
        }


def autonym(code: str) -> languages.Language | None:
    """The row of a language, for its own name, script direction and code; None for a code that is not in the table."""
    try:
        return languages.get(code)
    except languages.UnknownLanguageError:
        return None
