"""Notices: what is said in each language, who drafted it, and who approved it."""

from collections.abc import Iterable
from uuid import UUID

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import LazyString, ngettext
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from outreach.access.accounts import Role
from outreach.delivery import typeset
from outreach.notices import fields, languages, mail, notice
from outreach.notices.channel import Channel
from outreach.notices.house import LONGEST_SUBJECT
from outreach.notices.languages import Language
from outreach.notices.letters.letter import as_json
from outreach.notices.notice import NoNotice, NotApproved, Purpose, RenditionState, Version
from outreach.web import headers, words
from outreach.web.gate import allow
from outreach.web.panel import account, panel
from outreach.web.staff.base import language_name
from outreach.web.staff.text_checks import check, house, render_mail, specimen, values_of

pages = Blueprint("notices", __name__, url_prefix="/notices")

LONGEST_TITLE = 200
LONGEST_TEXT = 1600  # characters: more than any text message that our limit of segments lets through
LONGEST_PROSE = 20_000  # of a mail or a letter: eight pages

TABS: dict[Channel, LazyString] = {
    Channel.SMS: _l("Text message"),
    Channel.EMAIL: _l("E-mail"),
    Channel.LETTER: _l("Letter"),
    Channel.ATTORNEY_EMAIL: _l("Attorney e-mail"),
    Channel.ATTORNEY_LETTER: _l("Attorney letter"),
}
"""The channels that have texts of their own: a letter is the same whether it goes by post or by hand."""

ANSWERED_BY = (Channel.SMS, Channel.EMAIL)  # how automatic answers go out

PDF = "default-src 'none'; style-src 'unsafe-inline'; object-src 'self'; frame-ancestors 'none'; base-uri 'none'"


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
    channel = _channel(request.args.get("channel", Channel.SMS))
    found, texts = _notice(notice_id, channel)
    with panel().sessions.begin() as session:
        standing = notice.standing(session, notice_id)
    newest = {code: versions[0].rendition for code, versions in texts.items()}
    rows = [(code, texts[code], check(channel, one.subject, one.text, code)) for code, one in newest.items()]
    writable = [language.code for language in languages.all_languages() if not channel.to_attorney or language.code == "en"]
    absent = [(code, language_name(code)) for code in writable if code not in texts]
    return render_template(
        "staff/notices/show.html",
        notice=found,
        channel=channel,
        tabs=_tabs(found),
        standing=standing,
        rows=rows,
        absent=sorted(absent, key=lambda choice: choice[1]),
        waiting=_waiting(texts),
        approved=_approved,
    )


@pages.get("/<uuid:notice_id>/<channel>/<language>")
@allow(Role.OFFICER, Role.APPROVER, Role.SUPERVISOR)
def text(notice_id: UUID, channel: str, language: str) -> ResponseReturnValue:
    return _text(notice_id, _channel(channel), language)


@pages.get("/<uuid:notice_id>/<channel>/<language>/edit")
@allow(Role.OFFICER, Role.SUPERVISOR)
def edit(notice_id: UUID, channel: str, language: str) -> ResponseReturnValue:
    kind = _channel(channel)
    found, texts = _notice(notice_id, kind)
    versions = texts.get(language, [])
    newest = versions[0].rendition if versions else None
    return _form(
        found, kind, _language(language, kind), newest.subject or "" if newest else "", newest.text if newest else "", versions
    )


@pages.post("/<uuid:notice_id>/<channel>/<language>")
@allow(Role.OFFICER, Role.SUPERVISOR)
def draft(notice_id: UUID, channel: str, language: str) -> ResponseReturnValue:
    """Keep a new draft; or with the button "check" show the form again, as it does by itself where scripts run."""
    kind = _channel(channel)
    spoken, (subject, typed) = _language(language, kind), _typed(kind)
    found, texts = _notice(notice_id, kind)
    versions = texts.get(language, [])
    if "check" in request.form:
        return _form(found, kind, spoken, subject, typed, versions)
    if not typed:
        return _form(found, kind, spoken, subject, typed, versions, _("Write the text first.")), 400
    if versions and (versions[0].rendition.text, versions[0].rendition.subject or "") == (typed, subject):
        problem = _("Nothing was changed, so there is nothing new to keep.")
        return _form(found, kind, spoken, subject, typed, versions, problem), 400
    with panel().sessions.begin() as session:
        made = notice.draft(session, notice_id, language=language, text=typed, by=account(), channel=kind, subject=subject)
    flash(_("Version %(number)s is kept as a draft. Somebody else has to approve it.", number=made.version), "success")
    return redirect(url_for(".text", notice_id=notice_id, channel=kind, language=language))


@pages.post("/check/<channel>/<language>")
@allow(Role.OFFICER, Role.SUPERVISOR)
def look(channel: str, language: str) -> ResponseReturnValue:
    """What the checks say of a text while it is typed. Posted, so that the text is in no address and no log."""
    kind = _channel(channel)
    spoken, (subject, typed) = _language(language, kind), _typed(kind)
    return render_template(
        "staff/notices/checked.html", checked=check(kind, subject, typed, language), language=spoken, pieces=mail.pieces
    )


@pages.post("/preview/<channel>/<language>")
@allow(Role.OFFICER, Role.SUPERVISOR)
def preview_typed(channel: str, language: str) -> ResponseReturnValue:
    """What is being written, as its reader would get it. Posted, as for `look`."""
    kind = _channel(channel)
    spoken, (subject, typed) = _language(language, kind), _typed(kind)
    return _preview(kind, spoken, subject, typed)


@pages.get("/<uuid:notice_id>/<channel>/<language>/<int:version>/preview")
@allow(Role.OFFICER, Role.APPROVER, Role.SUPERVISOR)
def preview(notice_id: UUID, channel: str, language: str, version: int) -> ResponseReturnValue:
    """One version as its reader gets it: a mail as a page, a letter as a PDF."""
    kind = _channel(channel)
    chosen = _version(_notice(notice_id, kind)[1], language, version).rendition
    return _preview(kind, _language(language, kind), chosen.subject or "", chosen.text)


@pages.post("/<uuid:notice_id>/<channel>/<language>/<int:version>/approve")
@allow(Role.APPROVER, Role.SUPERVISOR)
def approve(notice_id: UUID, channel: str, language: str, version: int) -> ResponseReturnValue:
    kind = _channel(channel)
    chosen = _version(_notice(notice_id, kind)[1], language, version)
    note = request.form.get("note", "")
    try:
        with panel().sessions.begin() as session:
            notice.approve(session, chosen.rendition.id, by=account(), note=note, house=house())
    except NotApproved as error:
        return _text(notice_id, kind, language, str(words.refusal(error.sentence))), 409
    _found, texts = _notice(notice_id, kind)
    after = _next(_waiting(texts), language)
    message = _("%(language)s is approved.", language=language_name(language))
    if after is None:
        flash(message, "success")
        return redirect(url_for(".show", notice_id=notice_id, channel=kind))
    more = ngettext("%(num)s draft is left.", "%(num)s drafts are left.", len(_waiting(texts)))
    flash(f"{message} {more}", "success")
    return redirect(url_for(".text", notice_id=notice_id, channel=kind, language=after))


def _preview(channel: Channel, language: Language, subject: str, source: str) -> ResponseReturnValue:
    """With values of a reader who does not exist. A text message is shown on its page, and has no preview of its own."""
    if channel is Channel.SMS:
        abort(404)
    try:
        if channel.is_mail:
            return Response(render_mail(subject, source, language.code).html, headers=headers.MAIL_PREVIEW)
        content = specimen(channel, source, language.code)
    except fields.FieldError:
        abort(409, _("A field in brackets is misspelt or is none of ours. Mend it, then look again."))
    if house().missing_glyphs(source, language.code):
        abort(409, _("The letter has characters that no font of ours can print: the checks name them. Mend them, then look again."))
    try:
        pdf = typeset.set_letter(as_json(content), panel().settings.print_vendor)
    except typeset.NotSet:
        abort(500, _("The letter could not be set. Tell the person who runs this system."))
    disposition = f'inline; filename="sample-{channel}-{language.code}.pdf"'
    return Response(pdf, mimetype="application/pdf", headers={"Content-Disposition": disposition, "Content-Security-Policy": PDF})


def _typed(channel: Channel) -> tuple[str, str]:
    """Subject and text of the form, with line ends as phones have them."""
    typed = request.form.get("text", "").replace("\r\n", "\n").strip()
    subject = request.form.get("subject", "").strip() if channel.is_mail else ""
    longest = _longest(channel)
    if len(typed) > longest or len(subject) > LONGEST_TITLE:
        abort(400, _("A text has at most %(number)s characters. Nothing was kept.", number=longest))
    return subject, typed


def _longest(channel: Channel) -> int:
    return LONGEST_TEXT if channel is Channel.SMS else LONGEST_PROSE


def _channel(code: str) -> Channel:
    if code not in TABS:
        abort(404)
    return Channel(code)


def _language(code: str, channel: Channel) -> Language:
    """Attorneys are written to in English only."""
    try:
        found = languages.get(code)
    except languages.UnknownLanguageError:
        abort(404)
    if channel.to_attorney and found.code != "en":
        abort(404)
    return found


def _notice(notice_id: UUID, channel: Channel) -> tuple[notice.Notice, dict[str, list[Version]]]:
    """The notice with its texts for a channel, in the order of the languages' names."""
    try:
        with panel().sessions.begin() as session:
            found, texts = notice.get(session, notice_id), notice.versions(session, notice_id, channel=channel)
    except NoNotice:
        abort(404)
    return found, dict(sorted(texts.items(), key=lambda item: language_name(item[0]).casefold()))


def _version(texts: dict[str, list[Version]], language: str, number: int) -> Version:
    found = next((one for one in texts.get(language, []) if one.rendition.version == number), None)
    if found is None:
        abort(404)
    return found


def _tabs(found: notice.Notice) -> dict[Channel, LazyString]:
    return {channel: word for channel, word in TABS.items() if found.purpose == Purpose.NOTICE or channel in ANSWERED_BY}


def _text(notice_id: UUID, channel: Channel, language: str, problem: str | None = None) -> str:
    """One text. `?version=` shows an older one."""
    found, texts = _notice(notice_id, channel)
    if language not in texts:
        abort(404)
    versions = texts[language]
    shown = _version(texts, language, request.args.get("version", versions[0].rendition.version, type=int))
    waiting = _waiting(texts)
    return render_template(
        "staff/notices/text.html",
        notice=found,
        channel=channel,
        tab=TABS[channel],
        language=_language(language, channel),
        shown=shown,
        newest=shown is versions[0],
        versions=versions,
        approved=_approved(versions),
        checked=check(channel, shown.rendition.subject, shown.rendition.text, language),
        pieces=mail.pieces,
        own=shown.rendition.drafted_by == account().id,
        after=_next(waiting, language),
        waiting=waiting,
        problem=problem,
    )


def _form(
    found: notice.Notice,
    channel: Channel,
    language: Language,
    subject: str,
    typed: str,
    versions: list[Version],
    problem: str | None = None,
) -> str:
    return render_template(
        "staff/notices/edit.html",
        notice=found,
        channel=channel,
        tab=TABS[channel],
        language=language,
        subject=subject,
        typed=typed,
        versions=versions,
        checked=check(channel, subject, typed, language.code),
        pieces=mail.pieces,
        fields=values_of(channel),
        longest=_longest(channel),
        longest_subject=LONGEST_SUBJECT,
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
