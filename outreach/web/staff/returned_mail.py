"""Returned mail: a bench for a barcode scanner or a keyboard. Scan, the reason's number, Enter; and the next."""

from dataclasses import dataclass
from datetime import UTC, datetime, time
from uuid import UUID

from flask import Blueprint, abort, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from outreach.access.accounts import Role
from outreach.db import now
from outreach.delivery import returned_mail
from outreach.delivery.returned_mail import (
    KEYS,
    Address,
    AlreadyThere,
    CampaignOver,
    Found,
    HandedOver,
    NoSuchAddress,
    NotReturned,
    UnknownCode,
    WasPulled,
)
from outreach.people import file
from outreach.people.file import File, ProtectedRecord, Reader, RevealReason
from outreach.web.gate import allow
from outreach.web.panel import account, panel
from outreach.web.staff import paper_words

pages = Blueprint("returned_mail", __name__, url_prefix="/returned-mail")


@dataclass(frozen=True, slots=True)
class Bench:
    """What lies on the bench: the letter that was scanned, or the one just saved with what else can be done about it."""

    found: Found | None = None
    saved: Found | None = None
    again: bool = False
    addresses: tuple[Address, ...] = ()
    opened: File | None = None
    done: str | None = None
    problem: str | None = None


@pages.get("")
@allow(Role.OFFICER, Role.SUPERVISOR, Role.AUDITOR)
def index() -> ResponseReturnValue:
    return _show(Bench())


@pages.post("/scan")
@allow(Role.OFFICER, Role.SUPERVISOR)
def scan() -> ResponseReturnValue:
    """Find a letter by its code. Posted, so that the code stands in no address and no log."""
    try:
        with panel().sessions.begin() as session:
            found = returned_mail.find(session, request.form.get("code", ""))
    except UnknownCode:
        return _show(Bench(problem=_unknown())), 404
    except HandedOver:
        return _show(Bench(problem=_("This letter is of a packet for an officer. Enter it with the packet's receipts."))), 409
    except WasPulled as error:
        with panel().sessions.begin() as session:
            returned_mail.record_escape(session, error.attempt_id, by=account())
        return _show(Bench(problem=_escaped())), 409
    if found.again:
        return _show(_after(found.attempt_id, again=True))
    return _show(Bench(found=found))


@pages.post("")
@allow(Role.OFFICER, Role.SUPERVISOR)
def save() -> ResponseReturnValue:
    found = _letter()
    reason = KEYS.get(request.form.get("key", "").strip())
    if reason is None:
        return _show(Bench(found=found, problem=_("Press the number of a reason, 1 to 9."))), 400
    with panel().sessions.begin() as session:
        before = returned_mail.record_return(
            session, found.attempt_id, reason, by=account(), reuse_limit=panel().settings.address_reuse_limit
        )
    return _show(_after(found.attempt_id, again=before.again))


@pages.post("/person")
@allow(Role.OFFICER, Role.SUPERVISOR)
def reveal() -> ResponseReturnValue:
    """Whose letter it is, and their addresses in full, for this one answer."""
    found = _letter()
    if found.person_id is None:
        abort(404)
    if not found.again:
        return _show(Bench(found=found, problem=_before())), 409
    by = Reader(account().actor, supervises=account().role == Role.SUPERVISOR)
    try:
        with panel().sessions.begin() as session:
            permit = file.ask_to_open(session, found.person_id, by=by, reason=RevealReason.CONTACT)
    except ProtectedRecord:
        abort(403, _("This is a protected person. Only a supervisor can see whose letter it is."))
    with panel().sessions.begin() as session:
        opened = file.open_file(session, permit)
    return _show(_after(found.attempt_id, opened=opened))


@pages.post("/again")
@allow(Role.OFFICER, Role.SUPERVISOR)
def remail() -> ResponseReturnValue:
    """Another letter, to another address of the same person."""
    found = _letter()
    try:
        with panel().sessions.begin() as session:
            returned_mail.remail(session, found.attempt_id, UUID(request.form.get("address", "")), by=account())
    except (ValueError, NoSuchAddress):
        return _show(_after(found.attempt_id, problem=_("Choose one of the addresses below."))), 400
    except NotReturned:
        return _show(Bench(found=found, problem=_before())), 409
    except AlreadyThere:
        return _show(_after(found.attempt_id, problem=_("A letter of this step goes to that address already."))), 409
    except CampaignOver:
        problem = _("The campaign of this letter is over. Make a new campaign to write again.")
        return _show(_after(found.attempt_id, problem=problem)), 409
    return _show(_after(found.attempt_id, done=_("Another letter is on its way into a print run. It says that it is a duplicate.")))


def _letter() -> Found:
    try:
        with panel().sessions.begin() as session:
            return returned_mail.get(session, UUID(request.form.get("letter", "")))
    except (ValueError, UnknownCode, HandedOver, WasPulled):
        abort(404)


def _after(
    attempt_id: UUID, *, again: bool = False, opened: File | None = None, done: str | None = None, problem: str | None = None
) -> Bench:
    with panel().sessions.begin() as session:
        saved = returned_mail.get(session, attempt_id)
        addresses = tuple(returned_mail.addresses(session, attempt_id)) if saved.again else ()
    return Bench(saved=saved, again=again, addresses=addresses, opened=opened, done=done, problem=problem)


def _show(bench: Bench) -> str:
    start = datetime.combine(now().date(), time(0), UTC)
    with panel().sessions.begin() as session:
        everybody, own = returned_mail.tally(session, start), returned_mail.tally(session, start, by=account())
    return render_template(
        "staff/returned_mail/index.html", bench=bench, keys=KEYS, paper=paper_words, everybody=everybody, own=sum(own.values())
    )


def _before() -> str:
    return str(_("Save first why the letter came back."))


def _unknown() -> str:
    return str(_("No letter of ours has this code. Scan it again, or type the ten characters under the square beside the address."))


def _escaped() -> str:
    return str(
        _(
            "This letter was to be taken out of its run, and was mailed all the same. Put it aside unopened and tell your"
            " supervisor. It is in the audit log."
        )
    )
