"""People: the list, the search, and one person's file."""

from dataclasses import dataclass
from uuid import UUID

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import select
from sqlalchemy.orm import Session

from outreach.access.accounts import Role
from outreach.campaigns.campaign import Campaign
from outreach.notices import languages
from outreach.people import file, search
from outreach.people.attorney import file as attorney_file
from outreach.people.contact import Safety
from outreach.people.file import Brief, Reader, RevealReason
from outreach.people.incident import Incident
from outreach.proof import counsel, listing, standing, timeline
from outreach.proof.listing import NOT_KNOWN, Filters, Row
from outreach.web import words
from outreach.web.gate import allow
from outreach.web.panel import account, panel
from outreach.web.staff import attorney_words, imminent_section
from outreach.web.staff.base import Pages, language_name, page_number

pages = Blueprint("people", __name__, url_prefix="/people")

SIZE = 25


@dataclass(frozen=True, slots=True)
class Listed:
    """A row of the list with its name, or without one: a protected person whom this reader may not see."""

    row: Row
    brief: Brief | None


@pages.get("")
@allow(Role.OFFICER, Role.SUPERVISOR)
def index() -> ResponseReturnValue:
    filters, number = _filters(), page_number()
    with panel().sessions.begin() as session:
        rows, total = listing.people(session, filters, limit=SIZE, offset=(number - 1) * SIZE)
        choices = _choices(session, filters.campaign)
    return render_template(
        "staff/people/index.html",
        people=_with_names(rows, "filter"),
        pages=Pages(number, SIZE, min(total, listing.COUNTED)),
        more=total > listing.COUNTED,
        filters=filters,
        **choices,
    )


@pages.post("/search")
@allow(Role.OFFICER, Role.SUPERVISOR)
def find() -> ResponseReturnValue:
    """Posted, so that what was searched for is in no address, no history and no log."""
    kind = request.form.get("by", "")
    if kind not in set(search.By):
        abort(400)
    try:
        with panel().sessions.begin() as session:
            asked = search.ask(session, search.By(kind), request.form.get("words", ""), reader=reader())
    except search.TooShort:
        return _not_searched(_("Type at least three letters of the name. Nothing was searched."))
    except search.NotANumber:
        return _not_searched(str(UNREADABLE[search.By(kind)]))
    with panel().sessions.begin() as session:
        hits = search.run(session, asked)
        rows = listing.those(session, list(hits.people))
    return render_template("staff/people/found.html", people=_with_names(rows, kind), hits=hits, kind=kind, problem=None)


@pages.get("/<uuid:person_id>")
@allow(Role.OFFICER, Role.SUPERVISOR)
def show(person_id: UUID) -> ResponseReturnValue:
    return _file(person_id)


@pages.post("/<uuid:person_id>/show")
@allow(Role.OFFICER, Role.SUPERVISOR)
def reveal(person_id: UUID) -> ResponseReturnValue:
    """The file with its numbers in full, for this one answer. Reloading the page asks again."""
    reason = request.form.get("reason", "")
    if reason not in set(RevealReason):
        abort(400, _("Choose why you need to see the numbers. It is kept in the audit log."))
    return _file(person_id, RevealReason(reason))


@pages.post("/<uuid:person_id>/contacts/<uuid:contact_point_id>")
@allow(Role.OFFICER, Role.SUPERVISOR)
def set_safety(person_id: UUID, contact_point_id: UUID) -> ResponseReturnValue:
    safety = request.form.get("safety", "")
    if safety not in set(Safety):
        abort(400)
    try:
        with panel().sessions.begin() as session:
            file.set_safety(session, person_id, contact_point_id, Safety(safety), by=reader())
    except (file.NoSuchPerson, file.NoSuchContact):
        abort(404)
    except file.ProtectedRecord:
        abort(403, protected_sentence())
    flash(_("Saved. It counts from the next message on."), "success")
    return redirect(url_for(".show", person_id=person_id, _anchor="contacts"))


@pages.post("/<uuid:person_id>/protected")
@allow(Role.SUPERVISOR)
def set_protected(person_id: UUID) -> ResponseReturnValue:
    protected = request.form.get("protected") == "yes"
    try:
        with panel().sessions.begin() as session:
            file.set_protected(session, person_id, protected=protected, by=reader())
    except file.NoSuchPerson:
        abort(404)
    flash(_("The record is protected.") if protected else _("The record is no longer protected."), "success")
    return redirect(url_for(".show", person_id=person_id))


@pages.post("/<uuid:person_id>/large-print")
@allow(Role.OFFICER, Role.SUPERVISOR)
def set_large_print(person_id: UUID) -> ResponseReturnValue:
    large = request.form.get("large_print") == "yes"
    try:
        with panel().sessions.begin() as session:
            file.set_large_print(session, person_id, large_print=large, by=reader())
    except file.NoSuchPerson:
        abort(404)
    except file.ProtectedRecord:
        abort(403, protected_sentence())
    flash(
        _("Letters to this person are set in large type.") if large else _("Letters to this person are set in usual type."),
        "success",
    )
    return redirect(url_for(".show", person_id=person_id))


def reader() -> Reader:
    """Whoever is signed in, as a reader of files."""
    return Reader(account().actor, supervises=account().role == Role.SUPERVISOR)


def protected_sentence() -> str:
    """Why a page stays closed."""
    return str(_("This is a protected record. Only a supervisor can open it."))


def _with_names(rows: list[Row], query: str) -> list[Listed]:
    """The rows with their names, once the audit log says who is shown to whom. The entry is committed before any is opened."""
    if not rows:
        return []
    with panel().sessions.begin() as session:
        permit = file.ask_to_list(session, [row.person_id for row in rows], query=query, by=reader())
    with panel().sessions.begin() as session:
        briefs = file.briefs(session, permit)
    return [Listed(row, briefs.get(row.person_id)) for row in rows]


def _file(person_id: UUID, reason: RevealReason | None = None) -> ResponseReturnValue:
    try:
        with panel().sessions.begin() as session:
            permit = file.ask_to_open(session, person_id, by=reader(), reason=reason)
    except file.NoSuchPerson:
        abort(404)
    except file.ProtectedRecord:
        abort(403, protected_sentence())
    with panel().sessions.begin() as session:
        opened = file.open_file(session, permit)
        happenings = timeline.of(session, permit)
        standings = standing.of_person(session, person_id)
        appearances = attorney_file.of_person(session, permit)
        attorneys = attorney_file.names(session, {one.attorney_id for one in appearances})
        told = counsel.of_person(session, person_id)
        imminent_removals = imminent_section.section(session, permit)
    return render_template(
        "staff/people/file.html",
        file=opened,
        person=opened.person,
        timeline=happenings,
        standings=standings,
        appearances=appearances,
        attorneys=attorneys,
        counsel=told,
        imminent=imminent_removals,
        attorney_words=attorney_words,
        contacts={contact.id: contact for contact in opened.contacts},
        reasons=RevealReason,
        safeties=Safety,
    )


def _not_searched(problem: str) -> ResponseReturnValue:
    kind = request.form.get("by", "")
    return render_template("staff/people/found.html", people=[], hits=None, kind=kind, problem=problem), 400


UNREADABLE = {
    search.By.A_NUMBER: _l("This is not an A-number: it has 7 to 9 digits, such as A012 345 678. Nothing was searched."),
    search.By.PHONE: _l("This is not a phone number. Outside the United States begin with + and the country's code."),
    search.By.EMAIL: _l("This is not an e-mail address. Nothing was searched."),
}


def _filters() -> Filters:
    """From the address. A value that is not one of the choices answers 404: nothing of ours links to it."""
    asked = {name: value for name, value in request.args.items() if value}
    try:
        return Filters(
            incident=UUID(asked["incident"]) if "incident" in asked else None,
            campaign=UUID(asked["campaign"]) if "campaign" in asked else None,
            outcome=_one_of(words.OUTCOMES, asked.get("outcome")),
            reason=_one_of(words.REASONS, asked.get("reason")),
            custody=_one_of(words.CUSTODY, asked.get("custody")),
            language=asked.get("language"),
            posture=_one_of(words.POSTURES, asked.get("posture")),
            protected=asked["protected"] == "yes" if "protected" in asked else None,
            no_phone="no_phone" in asked,
        )
    except ValueError:
        abort(404)


def _one_of(choices: words.Words, asked: str | None) -> str | None:
    if asked is not None and asked not in choices:
        raise ValueError
    return asked


def _choices(session: Session, campaign_id: UUID | None) -> dict[str, object]:
    """What the filters offer: also the campaign that is looked at, when it was not launched yet."""
    campaigns = [(found.id, found.title) for found in standing.campaigns(session)]
    draft = session.get(Campaign, campaign_id) if campaign_id else None
    if draft is not None and draft.state not in standing.LAUNCHED:
        campaigns.insert(0, (draft.id, draft.title))
    incidents = session.execute(select(Incident.id, Incident.code, Incident.title).order_by(Incident.code))
    names = sorted((language_name(language.code), language.code) for language in languages.all_languages())
    return {
        "incidents": [(incident_id, f"{code}: {title}") for incident_id, code, title in incidents],
        "campaigns": campaigns,
        "languages": [(code, name) for name, code in names] + [(NOT_KNOWN, language_name(None))],
    }
