"""Notices: what is said in each language, who drafted it, and who approved it."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext

from outreach import jobs
from outreach.access.accounts import Role
from outreach.notices import fields, languages, notice, segments
from outreach.notices.house import House
from outreach.notices.languages import Language
from outreach.notices.notice import NoNotice, NotApproved, RenditionState, Version
from outreach.notices.segments import Segments
from outreach.web import words
from outreach.web.gate import allow
from outreach.web.panel import account, panel
from outreach.web.staff.base import language_name

pages = Blueprint("notices", __name__, url_prefix="/notices")

LONGEST_TITLE = 200
LONGEST_TEXT = 1600  # characters: more than any text that our limit of segments lets through


@dataclass(frozen=True, slots=True)
class Problem:
    """What keeps a text from being approved. `found` is the word or mark that was found, and in which `language`."""

    found: str | None
    sentence: str


@dataclass(frozen=True, slots=True)
class Checked:
    """A text as it would be sent. `rendered` is None where its ((fields)) are misspelt; `foreign` are what forces UCS-2."""

    rendered: str | None
    counted: Segments | None
    foreign: tuple[str, ...]
    price: Decimal
    problems: tuple[Problem, ...]


@pages.get("")
@allow(Role.OFFICER, Role.APPROVER, Role.SUPERVISOR)
def index() -> ResponseReturnValue:
    with panel().sessions.begin() as session:
        found = notice.summaries(session)
    return render_template("staff/notices/index.html", notices=found, problem=None)


@pages.post("")
@allow(Role.OFFICER, Role.SUPERVISOR)
def add() -> ResponseReturnValue:
    title = request.form.get("title", "").strip()
    if not title or len(title) > LONGEST_TITLE:
        with panel().sessions.begin() as session:
            found = notice.summaries(session)
        problem = _("Give the notice a title of at most %(number)s characters, by which staff will know it.", number=LONGEST_TITLE)
        return render_template("staff/notices/index.html", notices=found, problem=problem), 400
    with panel().sessions.begin() as session:
        made = notice.create(session, title=title, by=account())
    flash(_("The notice is made. It needs a text in each language."), "success")
    return redirect(url_for(".show", notice_id=made.id))


@pages.post("/starters")
@allow(Role.OFFICER, Role.SUPERVISOR)
def add_starters() -> ResponseReturnValue:
    with panel().sessions.begin() as session:
        notice.create_starters(session)
    flash(_("The texts that come with the program are here, as drafts. None can be sent before it is approved."), "success")
    return redirect(url_for(".index"))


@pages.get("/<uuid:notice_id>")
@allow(Role.OFFICER, Role.APPROVER, Role.SUPERVISOR)
def show(notice_id: UUID) -> ResponseReturnValue:
    found, texts = _notice(notice_id)
    rows = [(code, versions, check(versions[0].rendition.text, code)) for code, versions in texts.items()]
    absent = [(language.code, language_name(language.code)) for language in languages.all_languages() if language.code not in texts]
    return render_template(
        "staff/notices/show.html",
        notice=found,
        rows=rows,
        absent=sorted(absent, key=lambda choice: choice[1]),
        waiting=_waiting(texts),
        approved=_approved,
    )


@pages.get("/<uuid:notice_id>/<language>")
@allow(Role.OFFICER, Role.APPROVER, Role.SUPERVISOR)
def text(notice_id: UUID, language: str) -> ResponseReturnValue:
    return _text(notice_id, language)


@pages.get("/<uuid:notice_id>/<language>/edit")
@allow(Role.OFFICER, Role.SUPERVISOR)
def edit(notice_id: UUID, language: str) -> ResponseReturnValue:
    found, texts = _notice(notice_id)
    versions = texts.get(language)
    return _form(found, _language(language), versions[0].rendition.text if versions else "", versions or [])


@pages.post("/<uuid:notice_id>/<language>")
@allow(Role.OFFICER, Role.SUPERVISOR)
def draft(notice_id: UUID, language: str) -> ResponseReturnValue:
    """Keep a new draft; or with the button "check" show the form again, as it does by itself where scripts run."""
    spoken, typed = _language(language), _typed()
    found, texts = _notice(notice_id)
    versions = texts.get(language, [])
    if "check" in request.form:
        return _form(found, spoken, typed, versions)
    if not typed:
        return _form(found, spoken, typed, versions, _("Write the text first.")), 400
    if versions and versions[0].rendition.text == typed:
        return _form(found, spoken, typed, versions, _("Nothing was changed, so there is nothing new to keep.")), 400
    with panel().sessions.begin() as session:
        made = notice.draft(session, notice_id, language=language, text=typed, by=account())
    flash(_("Version %(number)s is kept as a draft. Somebody else has to approve it.", number=made.version), "success")
    return redirect(url_for(".text", notice_id=notice_id, language=language))


@pages.post("/check/<language>")
@allow(Role.OFFICER, Role.SUPERVISOR)
def look(language: str) -> ResponseReturnValue:
    """What the checks say of a text while it is typed. Posted, so that the text is in no address and no log."""
    spoken = _language(language)
    return render_template("staff/notices/checked.html", checked=check(_typed(), language), language=spoken)


@pages.post("/<uuid:notice_id>/<language>/<int:version>/approve")
@allow(Role.APPROVER, Role.SUPERVISOR)
def approve(notice_id: UUID, language: str, version: int) -> ResponseReturnValue:
    _found, texts = _notice(notice_id)
    chosen = next((one for one in texts.get(language, []) if one.rendition.version == version), None)
    if chosen is None:
        abort(404)
    note = request.form.get("note", "")
    try:
        with panel().sessions.begin() as session:
            notice.approve(session, chosen.rendition.id, by=account(), note=note, house=_house())
    except NotApproved as error:
        return _text(notice_id, language, str(words.refusal(error.sentence))), 409
    _found, texts = _notice(notice_id)
    after = _next(_waiting(texts), language)
    message = _("%(language)s is approved.", language=language_name(language))
    if after is None:
        flash(message, "success")
        return redirect(url_for(".show", notice_id=notice_id))
    more = ngettext("%(num)s draft is left.", "%(num)s drafts are left.", len(_waiting(texts)))
    flash(f"{message} {more}", "success")
    return redirect(url_for(".text", notice_id=notice_id, language=after))


def check(source: str, language: str) -> Checked:
    """The text as it would be sent, with everything that keeps it from being approved, in the panel's language."""
    house = _house()
    try:
        rendered = house.render(source)
    except fields.FieldError:
        offered = ", ".join(f"(({name}))" for name in sorted(house.values))
        sentence = _("A field in brackets is misspelt or is none of ours. These can be used: %(fields)s.", fields=offered)
        return Checked(None, None, (), Decimal(0), (Problem(None, sentence),))
    counted = segments.count(rendered)
    problems = [Problem(finding.word, str(words.FINDINGS[finding.code])) for finding in house.findings(rendered, language)]
    if counted.segments > house.max_segments:
        over = counted.units - house.max_segments * counted.per_segment
        problems.append(
            Problem(
                None,
                _(
                    "The text takes %(segments)s segments, and %(most)s are allowed. Shorten it by about %(over)s characters.",
                    segments=counted.segments, most=house.max_segments, over=over,
                ),
            )
        )  # fmt: skip
    if not rendered.strip():
        problems.append(Problem(None, _("The text is empty.")))
    return Checked(rendered, counted, segments.forcing_ucs2(rendered), counted.segments * house.segment_price, tuple(problems))


def _house() -> House:
    return jobs.house(panel().settings)


def _typed() -> str:
    """The text of the form, with line ends as phones have them."""
    typed = request.form.get("text", "").replace("\r\n", "\n").strip()
    if len(typed) > LONGEST_TEXT:
        abort(400, _("A text has at most %(number)s characters. Nothing was kept.", number=LONGEST_TEXT))
    return typed


def _language(code: str) -> Language:
    try:
        return languages.get(code)
    except languages.UnknownLanguageError:
        abort(404)


def _notice(notice_id: UUID) -> tuple[notice.Notice, dict[str, list[Version]]]:
    """The notice with its texts, in the order of the languages' names."""
    try:
        with panel().sessions.begin() as session:
            found, texts = notice.get(session, notice_id), notice.versions(session, notice_id)
    except NoNotice:
        abort(404)
    return found, dict(sorted(texts.items(), key=lambda item: language_name(item[0]).casefold()))


def _text(notice_id: UUID, language: str, problem: str | None = None) -> str:
    """One text. `?version=` shows an older one."""
    found, texts = _notice(notice_id)
    if language not in texts:
        abort(404)
    versions = texts[language]
    number = request.args.get("version", versions[0].rendition.version, type=int)
    shown = next((one for one in versions if one.rendition.version == number), None)
    if shown is None:
        abort(404)
    waiting = _waiting(texts)
    return render_template(
        "staff/notices/text.html",
        notice=found,
        language=_language(language),
        shown=shown,
        newest=shown is versions[0],
        versions=versions,
        approved=_approved(versions),
        checked=check(shown.rendition.text, language),
        own=shown.rendition.drafted_by == account().id,
        after=_next(waiting, language),
        waiting=waiting,
        problem=problem,
    )


def _form(found: notice.Notice, language: Language, typed: str, versions: list[Version], problem: str | None = None) -> str:
    return render_template(
        "staff/notices/edit.html",
        notice=found,
        language=language,
        typed=typed,
        versions=versions,
        checked=check(typed, language.code),
        fields=sorted(_house().values.items()),
        longest=LONGEST_TEXT,
        problem=problem,
    )


def _approved(versions: Iterable[Version]) -> Version | None:
    return next((one for one in versions if one.rendition.state == RenditionState.APPROVED), None)


def _waiting(texts: dict[str, list[Version]]) -> list[str]:
    """The languages whose newest text is a draft that this account could approve."""
    return [
        code
        for code, versions in texts.items()
        if versions[0].rendition.state == RenditionState.DRAFT and versions[0].rendition.drafted_by != account().id
    ]


def _next(waiting: list[str], language: str) -> str | None:
    """The draft to look at after this language: the next by name, and after the last the first."""
    others = [code for code in waiting if code != language]
    later = [code for code in others if language_name(code).casefold() > language_name(language).casefold()]
    return next(iter(later or others), None)
