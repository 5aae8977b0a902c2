"""Packets: the letters that an officer hands over at a facility, their papers, and what the receipts say afterwards."""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from flask import Blueprint, Response, abort, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from outreach.access.accounts import Role
from outreach.db import now
from outreach.delivery import hand_service, print_room, run_list, typeset
from outreach.delivery.hand_service import (
    AlreadyEntered,
    BadTime,
    NoPacketLetter,
    NotHandedOver,
    OfficerMissing,
    WitnessMissing,
)
from outreach.delivery.letter import PrintRun, RunKind, ServiceResult
from outreach.delivery.message import Attempt, Message
from outreach.delivery.print_room import NoLetter
from outreach.notices import languages
from outreach.notices.languages import UnknownLanguageError
from outreach.people.custody import Facility
from outreach.web.gate import allow
from outreach.web.panel import account, panel
from outreach.web.staff import paper_words

pages = Blueprint("packets", __name__, url_prefix="/packets")

KEYS = {str(key): result for key, result in enumerate(ServiceResult, start=1)}
LONGEST = 200  # characters of a name and title


@dataclass(frozen=True, slots=True)
class Form:
    """A receipt as it is typed. What is the same for a whole round stays from one to the next: day, officer, interpreter."""

    letter: str = ""
    result: str = ""
    day: str = ""
    time: str = ""
    officer: str = ""
    interpreter: str = ""
    witness: str = ""
    language: str = ""


@dataclass(frozen=True, slots=True)
class Said:
    """What the page answers to a form: a problem and the field to mend it in, or the number of the letter that was entered."""

    problem: str | None = None
    field: str = "letter"
    entered: int | None = None
    result: str | None = None


@pages.get("/<uuid:run_id>")
@allow()
def show(run_id: UUID) -> ResponseReturnValue:
    return _show(run_id, Form(), Said())


@pages.post("/<uuid:run_id>")
@allow(Role.OFFICER, Role.SUPERVISOR)
def enter(run_id: UUID) -> ResponseReturnValue:
    """One receipt. A scanner ends its code with Enter: then the result is still missing, and the page asks for it."""
    form = Form(**{name: request.form.get(name, "").strip()[:LONGEST] for name in Form.__slots__})
    with panel().sessions.begin() as session:
        _packet(session, run_id)
        try:
            letter = print_room.find_letter(session, run_id, form.letter)
        except NoLetter:
            return _show(run_id, form, Said(_("This packet has no such letter. Scan its receipt, or type its number."))), 404
        if not form.language:
            message = session.get_one(Message, session.get_one(Attempt, letter.attempt_id).message_id)
            form = replace(form, language=message.language)
    if form.result not in KEYS:
        problem = _("Press the number of a result, 1 to 5.") if form.result else None
        return _show(run_id, form, Said(problem, "result")), 400 if problem else 200
    result = KEYS[form.result]
    try:
        with panel().sessions.begin() as session:
            served_at = _served_at(session, run_id, form)
            hand_service.enter(
                session, letter.attempt_id, result, served_at, form.officer, form.interpreter, form.witness, form.language,
                account(),
            )  # fmt: skip
    except (ValueError, UnknownLanguageError, AlreadyEntered, NotHandedOver, NoPacketLetter) as error:
        sentence, field = _refusal(error)
        return _show(run_id, form, Said(sentence, field)), 409 if field == "letter" else 400
    said = Said(entered=letter.sequence, result=str(paper_words.SERVICE_RESULTS[result]))
    return _show(run_id, replace(form, letter="", result="", witness="", language=""), said)


@pages.post("/<uuid:run_id>/papers")
@allow(Role.OFFICER, Role.SUPERVISOR)
def papers(run_id: UUID) -> ResponseReturnValue:
    """The run sheet and the receipts. Posted, because it is written into the audit log before any name is opened."""
    try:
        with panel().sessions.begin() as session:
            permit = hand_service.ask_for_papers(session, run_id, by=account())
    except NoPacketLetter:
        abort(404)
    except NotHandedOver:
        abort(409, _("This packet has left the house, or is void: its papers are not printed any more."))
    with panel().sessions.begin() as session:
        sheet, words = hand_service.papers(session, permit, day=now().date())
    try:
        pdf = typeset.set_packet(sheet, words, panel().settings.print_vendor)
    except typeset.NotSet:
        abort(500, _("The papers could not be set. Tell the person who runs this system."))
    name = f"{sheet.sheet.lower()}-papers.pdf"
    return Response(pdf, mimetype="application/pdf", headers={"Content-Disposition": f'attachment; filename="{name}"'})


def _packet(session: Session, run_id: UUID) -> PrintRun:
    run = session.get(PrintRun, run_id)
    if run is None or run.kind != RunKind.HAND:
        abort(404)
    return run


def _zone(session: Session, run: PrintRun) -> ZoneInfo:
    """The facility's own, by whose clock a receipt is written; UTC where we do not know it."""
    facility = session.get(Facility, run.facility_id) if run.facility_id else None
    try:
        return ZoneInfo(facility.time_zone or "UTC") if facility else ZoneInfo("UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def _served_at(session: Session, run_id: UUID, form: Form) -> datetime:
    try:
        typed = datetime.fromisoformat(f"{form.day}T{form.time}")
    except ValueError:
        raise BadTime from None
    return typed.replace(tzinfo=_zone(session, _packet(session, run_id)))


def _refusal(error: Exception) -> tuple[str, str]:
    """What is wrong, and the field to mend it in."""
    match error:
        case AlreadyEntered():
            return _("This receipt was entered before. What was entered stays."), "letter"
        case NotHandedOver():
            return _("The officer does not have this letter: it was taken out, or the packet is not marked as given yet."), "letter"
        case OfficerMissing():
            return _("Write the name and title of the officer who handed it over."), "officer"
        case WitnessMissing():
            return _("A refusal counts only with a witness, and with the language in which it was explained."), "witness"
        case UnknownLanguageError():
            return _("Choose the language from the list."), "language"
        case BadTime():
            return _("Give the day and the time of it: not in the future, and not before the packet was made."), "day"
    return _("This is no letter of a packet."), "letter"


def _show(run_id: UUID, form: Form, said: Said) -> str:
    with panel().sessions.begin() as session:
        run = _packet(session, run_id)
        line = run_list.line(session, run_id)
        letters = run_list.letters(session, run_id)
        zone = _zone(session, run)
    today = now().astimezone(zone).date().isoformat()
    if not form.letter and not form.day:
        form = replace(form, day=today)
    return render_template(
        "staff/packets/show.html", run=run, line=line, letters=letters, zone=zone.key, form=form, said=said, keys=KEYS,
        paper=paper_words, spoken=languages.all_languages(), today=today,
    )  # fmt: skip
