"""How a person can be reached: added and replaced by hand, signed off by a safety review, allowed by a written consent."""

from collections.abc import Mapping
from datetime import date
from uuid import UUID

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from werkzeug import Response

from outreach.access.accounts import Role
from outreach.db import now
from outreach.people import file, reaching
from outreach.people.addresses import address
from outreach.people.contact import AddressGrade, ContactKind, ContactRole, Safety
from outreach.people.file import Reader
from outreach.people.reaching import Found
from outreach.people.roster import values
from outreach.people.roster.correcting import Busy
from outreach.people.roster.problems import BadValueError
from outreach.web import words
from outreach.web.gate import allow
from outreach.web.panel import account, panel

pages = Blueprint("contacts", __name__, url_prefix="/people/<uuid:person_id>/contacts")

LONGEST = 200  # characters of one field
_PARTS = ("care_of", "first", "second", "city", "state", "postal_code", "country")


@pages.get("/new")
@allow(Role.OFFICER, Role.SUPERVISOR)
def new(person_id: UUID) -> ResponseReturnValue:
    kind = request.args.get("kind", "")
    if kind not in set(ContactKind):
        abort(404)
    try:
        with panel().sessions.begin() as session:
            file.check_visible(session, person_id, _reader())
    except file.NoSuchPerson:
        abort(404)
    except file.ProtectedRecord:
        abort(403, _protected())
    return _form(person_id, ContactKind(kind))


@pages.post("")
@allow(Role.OFFICER, Role.SUPERVISOR)
def add(person_id: UUID) -> ResponseReturnValue:
    kind, role = request.form.get("kind", ""), request.form.get("role", "")
    if kind not in set(ContactKind) or role not in set(ContactRole):
        abort(400)
    return _put(person_id, ContactKind(kind), role=ContactRole(role))


@pages.get("/<uuid:contact_point_id>/replace")
@allow(Role.OFFICER, Role.SUPERVISOR)
def replacing(person_id: UUID, contact_point_id: UUID) -> ResponseReturnValue:
    return _form(person_id, _kind_of(person_id, contact_point_id), contact_point_id)


@pages.post("/<uuid:contact_point_id>/replace")
@allow(Role.OFFICER, Role.SUPERVISOR)
def replace(person_id: UUID, contact_point_id: UUID) -> ResponseReturnValue:
    return _put(person_id, _kind_of(person_id, contact_point_id), old=contact_point_id)


@pages.post("/<uuid:contact_point_id>/review")
@allow(Role.SUPERVISOR)
def review(person_id: UUID, contact_point_id: UUID) -> ResponseReturnValue:
    """The safety review of somebody who was removed."""
    try:
        with panel().sessions.begin() as session:
            reaching.sign_off(session, person_id, contact_point_id, by=_reader())
    except (file.NoSuchPerson, file.NoSuchContact):
        abort(404)
    except reaching.OwnEntry:
        abort(409, _("You entered this contact yourself. Another supervisor has to review it."))
    except reaching.NoReview:
        abort(409, _("This contact is not safe, does not work, or cannot get a letter: there is nothing to sign off."))
    flash(_("Signed off. It may be used from the next message on."), "success")
    return _back(person_id)


@pages.post("/<uuid:contact_point_id>/consent")
@allow(Role.OFFICER, Role.SUPERVISOR)
def consent(person_id: UUID, contact_point_id: UUID) -> ResponseReturnValue:
    """The person's written consent to write to somebody else. A blank day withdraws it."""
    try:
        on = date.fromisoformat(request.form["on"]) if request.form.get("on") else None
    except ValueError:
        abort(400, _("Write the day as year-month-day, like 2022-11-28."))
    try:
        with panel().sessions.begin() as session:
            reaching.record_consent(session, person_id, contact_point_id, on, by=_reader(), today=now().date())
    except (file.NoSuchPerson, file.NoSuchContact):
        abort(404)
    except file.ProtectedRecord:
        abort(403, _protected())
    except reaching.NotYet:
        abort(400, _("A consent that is on file is of today or of an earlier day."))
    flash(_("The consent is recorded.") if on else _("The consent is withdrawn: nothing more is sent there."), "success")
    return _back(person_id)


def _put(person_id: UUID, kind: ContactKind, *, role: ContactRole | None = None, old: UUID | None = None) -> ResponseReturnValue:
    safety = request.form.get("safety", "")
    if safety not in set(Safety):
        abort(400)
    try:
        found = _read(kind, request.form)
    except BadValueError:
        return _form(person_id, kind, old, _unreadable(kind)), 400
    limit = panel().settings.address_reuse_limit
    try:
        with panel().sessions.begin() as session:
            if old is None:
                assert role is not None
                grade = reaching.add(session, person_id, found, role=role, safety=Safety(safety), by=_reader(), reuse_limit=limit)
            else:
                grade = reaching.replace(session, person_id, old, found, safety=Safety(safety), by=_reader(), reuse_limit=limit)
    except (file.NoSuchPerson, file.NoSuchContact):
        abort(404)
    except file.ProtectedRecord:
        abort(403, _protected())
    except reaching.AlreadyThere:
        return _form(person_id, kind, old, _("This is on the person's file already.")), 409
    except Busy:
        return _form(person_id, kind, old, _("A roster is being imported. Try again in a minute.")), 409
    _tell(found, grade)
    return _back(person_id)


def _tell(found: Found, grade: AddressGrade | None) -> None:
    """What came of it: an address to which no letter can go is on file, and is no way to reach anybody."""
    if found.denied:
        flash(_("This belongs to a foreign government. It is kept, and nothing is ever sent there."), "warning")
    elif grade is None or grade.mailable:
        flash(_("Saved. It counts from the next message on."), "success")
    else:
        flaw = found.address.flaw if found.address else None
        why = words.FLAWS[flaw] if flaw else words.GRADES[grade]
        flash(_("Saved, but no letter can be sent there. %(why)s", why=why), "warning")


def _read(kind: ContactKind, form: Mapping[str, str]) -> Found:
    """What was typed. Raises BadValueError."""
    match kind:
        case ContactKind.PHONE:
            return reaching.read_phone(form.get("value", "")[:LONGEST])
        case ContactKind.EMAIL:
            return reaching.read_email(form.get("value", "")[:LONGEST])
    parts = {part: values.clean(form.get(part, "")[:LONGEST]) for part in _PARTS}
    return reaching.read_address(address.from_parts(**parts))


def _unreadable(kind: ContactKind) -> str:
    match kind:
        case ContactKind.PHONE:
            return str(_("This is not one phone number. Outside the United States begin with + and the country's code."))
        case ContactKind.EMAIL:
            return str(_("This is not one e-mail address. Write it like name@example.org."))
    return str(_("The address holds characters that cannot be printed. Type it again."))


def _kind_of(person_id: UUID, contact_point_id: UUID) -> ContactKind:
    try:
        with panel().sessions.begin() as session:
            return reaching.kind_of(session, person_id, contact_point_id, by=_reader())
    except (file.NoSuchPerson, file.NoSuchContact):
        abort(404)
    except file.ProtectedRecord:
        abort(403, _protected())


def _form(person_id: UUID, kind: ContactKind, old: UUID | None = None, problem: str | None = None) -> str:
    return render_template(
        "staff/people/contact.html", person_id=person_id, kind=kind, old=old, problem=problem, typed=request.form,
        longest=LONGEST,
    )  # fmt: skip


def _back(person_id: UUID) -> Response:
    return redirect(url_for("people.show", person_id=person_id, _anchor="contacts"))


def _reader() -> Reader:
    return Reader(account().actor, supervises=account().role == Role.SUPERVISOR)


def _protected() -> str:
    return str(_("This is a protected record. Only a supervisor can open it."))
