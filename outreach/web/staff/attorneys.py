"""Attorneys: the list, the search, an attorney's file, and whom they represent: entered, verified by a second person, ended."""

from collections.abc import Callable, Sequence
from datetime import date
from uuid import UUID

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext
from sqlalchemy.orm import Session

from outreach.access.accounts import Role
from outreach.db import now
from outreach.people import file as people_file
from outreach.people import search as people_search
from outreach.people.attorney import AppearanceForm, Ending, Representation, Scope, file, record, representation, search
from outreach.people.attorney.file import Listed
from outreach.people.attorney.particulars import Particular, Particulars, Unreadable, read
from outreach.people.roster.problems import Problem
from outreach.proof import counsel
from outreach.web.gate import allow
from outreach.web.panel import account, panel
from outreach.web.staff import attorney_words, roster_words
from outreach.web.staff.base import Pages, page_number
from outreach.web.staff.people import protected_sentence, reader

pages = Blueprint("attorneys", __name__, url_prefix="/attorneys")

SIZE = 25
LONGEST = 500  # characters of what is typed into one field


@pages.get("")
@allow(Role.OFFICER, Role.SUPERVISOR)
def index() -> ResponseReturnValue:
    """Those with something to verify first, then those with the most clients."""
    number, waiting = page_number(), request.args.get("show") == "waiting"
    with panel().sessions.begin() as session:
        found = file.ordered(session, waiting=waiting, limit=SIZE, offset=(number - 1) * SIZE)
    return _render(
        "index.html", attorneys=_with_names(found.attorneys, "list"), pages=Pages(number, SIZE, min(found.total, file.LISTED)),
        total=found.total, as_of=found.as_of, waiting=waiting,
    )  # fmt: skip


@pages.post("/search")
@allow(Role.OFFICER, Role.SUPERVISOR)
def find() -> ResponseReturnValue:
    """Posted, so that what was searched for is in no address, no history and no log."""
    return _found("found.html")


@pages.get("/new")
@allow(Role.OFFICER, Role.SUPERVISOR)
def new() -> ResponseReturnValue:
    return _form({}, person_id=request.args.get("person", type=UUID))


@pages.post("")
@allow(Role.OFFICER, Role.SUPERVISOR)
def add() -> ResponseReturnValue:
    person_id = request.form.get("person", type=UUID)
    typed = _typed()
    try:
        particulars = read(typed)
        with panel().sessions.begin() as session:
            attorney_id = record.enter(session, particulars, by=account().actor)
    except Unreadable as error:
        return _form(typed, problems=error.problems, person_id=person_id), 400
    except record.AlreadyKnown as error:
        return _form(typed, twin=error, person_id=person_id), 409
    except record.Busy:
        return _form(typed, problem=_busy(), person_id=person_id), 409
    flash(_("The attorney is on record."), "success")
    if person_id is not None:
        replaces = request.form.get("replaces", type=UUID)
        return redirect(url_for(".appear", attorney_id=attorney_id, person_id=person_id, replaces=replaces))
    return redirect(url_for(".show", attorney_id=attorney_id))


@pages.get("/<uuid:attorney_id>")
@allow(Role.OFFICER, Role.SUPERVISOR)
def show(attorney_id: UUID) -> ResponseReturnValue:
    permit = _permit(attorney_id)
    with panel().sessions.begin() as session:
        opened = file.open_file(session, permit)
        happenings = counsel.of_attorney(session, permit)
        outcomes = counsel.outcomes(session, attorney_id)
    clients = {one.person_id: one.client for one in opened.appearances}
    mine = sum(one.waiting and one.entered_by == account().id for one in opened.appearances)
    return _render("file.html", file=opened, happenings=happenings, outcomes=outcomes, clients=clients, mine=mine)


@pages.get("/<uuid:attorney_id>/edit")
@allow(Role.OFFICER, Role.SUPERVISOR)
def edit(attorney_id: UUID) -> ResponseReturnValue:
    permit = _permit(attorney_id)
    with panel().sessions.begin() as session:
        particulars = file.open_file(session, permit).particulars
    if particulars is None:
        abort(409, _("This record was erased: there is nothing left to change."))
    return _form({one: getattr(particulars, one) or "" for one in Particular}, attorney_id=attorney_id)


@pages.post("/<uuid:attorney_id>")
@allow(Role.OFFICER, Role.SUPERVISOR)
def change(attorney_id: UUID) -> ResponseReturnValue:
    typed = _typed()
    try:
        particulars: Particulars = read(typed)
        with panel().sessions.begin() as session:
            record.change(session, attorney_id, particulars, by=account().actor)
    except record.NoSuchAttorney:
        abort(404)
    except Unreadable as error:
        return _form(typed, problems=error.problems, attorney_id=attorney_id), 400
    except record.AlreadyKnown as error:
        return _form(typed, twin=error, attorney_id=attorney_id), 409
    except record.Busy:
        return _form(typed, problem=_busy(), attorney_id=attorney_id), 409
    flash(_("Saved. It counts from the next message on."), "success")
    return redirect(url_for(".show", attorney_id=attorney_id))


@pages.get("/<uuid:attorney_id>/verify")
@allow(Role.OFFICER, Role.SUPERVISOR)
def waiting(attorney_id: UUID) -> ResponseReturnValue:
    return _waiting(attorney_id)


@pages.post("/<uuid:attorney_id>/verify")
@allow(Role.OFFICER, Role.SUPERVISOR)
def verify_many(attorney_id: UUID) -> ResponseReturnValue:
    chosen = {UUID(one) for one in request.form.getlist("representations") if _is_uuid(one)}
    typed = request.form.get("count", "").strip()
    if not (typed.isascii() and typed.isdigit() and len(typed) < 5):
        return _waiting(attorney_id, _("Type in figures how many you have checked, such as 12."), chosen), 400
    try:
        with panel().sessions.begin() as session:
            representation.verify_many(session, attorney_id, chosen, count=int(typed), by=reader())
    except representation.TooMany:
        return _waiting(attorney_id, _("Choose at least one, and no more than %(most)s.", most=representation.AT_ONCE), chosen), 400
    except representation.Miscounted:
        problem = _("The number you typed is not the number you chose. Count again, and look at each form.")
        return _waiting(attorney_id, problem, chosen), 409
    except representation.Changed:
        return _waiting(attorney_id, _("Something changed meanwhile. Look at the list again."), chosen), 409
    except representation.OwnWork:
        return _waiting(attorney_id, _own_work(), chosen), 409
    flash(ngettext("%(num)s appearance is verified.", "%(num)s appearances are verified.", len(chosen)), "success")
    return redirect(url_for(".show", attorney_id=attorney_id))


@pages.get("/for/<uuid:person_id>")
@allow(Role.OFFICER, Role.SUPERVISOR)
def choose(person_id: UUID) -> ResponseReturnValue:
    """Who represents this person? `replaces` is the representation that ends with it."""
    _person_permit(person_id)
    return _render("choose.html", attorneys=[], hits=None, kind=search.By.EOIR_ID, problem=None, **_whom(person_id))


@pages.post("/for/<uuid:person_id>/search")
@allow(Role.OFFICER, Role.SUPERVISOR)
def choose_found(person_id: UUID) -> ResponseReturnValue:
    _person_permit(person_id)
    return _found("choose.html", **_whom(person_id))


@pages.get("/<uuid:attorney_id>/for/<uuid:person_id>")
@allow(Role.OFFICER, Role.SUPERVISOR)
def appear(attorney_id: UUID, person_id: UUID) -> ResponseReturnValue:
    return _appearance_form(attorney_id, person_id)


@pages.post("/<uuid:attorney_id>/for/<uuid:person_id>")
@allow(Role.OFFICER, Role.SUPERVISOR)
def add_appearance(attorney_id: UUID, person_id: UUID) -> ResponseReturnValue:
    form, replaces = request.form, request.form.get("replaces", type=UUID)
    if form.get("form") not in set(AppearanceForm) or form.get("scope") not in set(Scope):
        return _appearance_form(attorney_id, person_id, _("Say by which form the attorney appears, and for what.")), 400
    try:
        filed_on = _day(form.get("filed_on", ""))
    except ValueError:
        return _appearance_form(attorney_id, person_id, _("Write the day as year-month-day, such as 2023-01-19.")), 400
    what = {
        "attorney_id": attorney_id, "form": AppearanceForm(form["form"]), "scope": Scope(form["scope"]), "filed_on": filed_on,
        "evidence": form.get("evidence", "").strip()[:LONGEST] or None, "by": reader(),
    }  # fmt: skip

    def act(session: Session) -> object:
        if replaces is None:
            return representation.enter(session, person_id=person_id, **what)  # type: ignore[arg-type]  # as typed above
        return representation.substitute(session, replaces, on=now().date(), **what)  # type: ignore[arg-type]  # likewise

    problem = _refused(act)
    if problem is not None:
        return _appearance_form(attorney_id, person_id, problem), 409
    flash(_("Entered. It counts as soon as a second person has verified it."), "success")
    return redirect(url_for("people.show", person_id=person_id, _anchor="counsel"))


@pages.post("/representations/<uuid:representation_id>/verify")
@allow(Role.OFFICER, Role.SUPERVISOR)
def verify(representation_id: UUID) -> ResponseReturnValue:
    problem = _refused(lambda session: representation.verify(session, representation_id, by=reader()))
    flash(*((problem, "error") if problem else (_("Verified. The attorney may be told about this person."), "success")))
    return redirect(_back(representation_id))


@pages.get("/representations/<uuid:representation_id>/end")
@allow(Role.OFFICER, Role.SUPERVISOR)
def ending(representation_id: UUID) -> ResponseReturnValue:
    return _ending(representation_id)


@pages.post("/representations/<uuid:representation_id>/end")
@allow(Role.OFFICER, Role.SUPERVISOR)
def end(representation_id: UUID) -> ResponseReturnValue:
    ended_as = request.form.get("ended_as", "")
    if ended_as not in set(Ending):
        return _ending(representation_id, _("Say how it ended.")), 400
    try:
        on = _day(request.form.get("on", "")) or now().date()
    except ValueError:
        return _ending(representation_id, _("Write the day as year-month-day, such as 2023-01-19.")), 400
    problem = _refused(
        lambda session: representation.end(session, representation_id, ended_as=Ending(ended_as), on=on, by=reader())
    )
    if problem is not None:
        return _ending(representation_id, problem), 409
    flash(_("Ended. Nothing more is sent to this attorney about this person."), "success")
    return redirect(_back(representation_id))


def _refused(act: Callable[[Session], object]) -> str | None:
    """Do it, or say why it cannot be done."""
    try:
        with panel().sessions.begin() as session:
            act(session)
    except (people_file.NoSuchPerson, record.NoSuchAttorney, representation.NoSuchRepresentation):
        abort(404)
    except people_file.ProtectedRecord:
        abort(403, protected_sentence())
    except representation.AlreadyEntered:
        return str(_("This attorney appears for this person by this form already."))
    except representation.AlreadyEnded:
        return str(_("This appearance has ended, and that is for good. Enter a new one instead."))
    except representation.InTheFuture:
        return str(_("This day has not come yet."))
    except representation.EndsBeforeFiled:
        return str(_("It cannot have ended before the form was filed. Correct the day."))
    except representation.OwnWork:
        return _own_work()
    return None


def _own_work() -> str:
    return str(_("You entered this yourself. A second person has to look at the form and verify it."))


def _busy() -> str:
    return str(_("A roster is being imported, or somebody else enters an attorney. Try again in a minute; what you typed is kept."))


def _render(template: str, **values: object) -> str:
    return render_template(f"staff/attorneys/{template}", attorney_words=attorney_words, **values)


def _permit(attorney_id: UUID) -> file.Permit:
    try:
        with panel().sessions.begin() as session:
            return file.ask_to_open(session, attorney_id, by=reader())
    except record.NoSuchAttorney:
        abort(404)


def _person_permit(person_id: UUID) -> people_file.Permit:
    try:
        with panel().sessions.begin() as session:
            return people_file.ask_to_open(session, person_id, by=reader())
    except people_file.NoSuchPerson:
        abort(404)
    except people_file.ProtectedRecord:
        abort(403, protected_sentence())


def _with_names(ids: Sequence[UUID], query: str) -> list[Listed]:
    """The attorneys with their names, once the audit log says who is shown to whom."""
    if not ids:
        return []
    with panel().sessions.begin() as session:
        permit = file.ask_to_list(session, ids, query=query, by=reader())
    with panel().sessions.begin() as session:
        return file.listed(session, permit)


def _found(template: str, **about: object) -> ResponseReturnValue:
    kind = request.form.get("by", "")
    if kind not in set(search.By):
        abort(400)
    try:
        with panel().sessions.begin() as session:
            asked = search.ask(session, search.By(kind), request.form.get("words", ""), reader=reader())
    except (people_search.TooShort, people_search.NotANumber):
        problem = attorney_words.UNREADABLE[search.By(kind)]
        return _render(template, attorneys=[], hits=None, kind=kind, problem=problem, **about), 400
    with panel().sessions.begin() as session:
        hits = search.run(session, asked)
    return _render(template, attorneys=_with_names(hits.attorneys, kind), hits=hits, kind=kind, problem=None, **about)


def _whom(person_id: UUID) -> dict[str, object]:
    replaces = request.values.get("replaces", type=UUID)
    return {"person_id": person_id, "replaces": replaces}


def _typed() -> dict[Particular, str]:
    return {particular: request.form.get(particular, "")[: LONGEST + 1] for particular in Particular}


def _form(
    typed: dict[Particular, str],
    *,
    attorney_id: UUID | None = None,
    person_id: UUID | None = None,
    problems: object = None,
    problem: str | None = None,
    twin: record.AlreadyKnown | None = None,
) -> str:
    found = problems if isinstance(problems, dict) else {}
    sentences = {particular: _sentence(one) for particular, one in found.items()}
    return _render(
        "form.html", typed=typed, attorney_id=attorney_id, person_id=person_id,
        replaces=request.values.get("replaces", type=UUID), problems=sentences, problem=problem, twin=twin,
        particulars=Particular,
    )  # fmt: skip


def _sentence(problem: Problem) -> str:
    word = attorney_words.PARTICULARS[Particular(problem.column)]
    return roster_words.problem_text(Problem(problem.code, str(word), problem.details))


def _waiting(attorney_id: UUID, problem: str | None = None, chosen: set[UUID] | None = None) -> str:
    permit = _permit(attorney_id)
    with panel().sessions.begin() as session:
        ids = [one.id for one in representation.waiting(session, attorney_id, by=reader())]
        opened = file.open_file(session, permit)
    shown = [one for one in opened.appearances if one.id in set(ids)]
    left = sum(one.waiting for one in opened.appearances) - len(shown)
    return _render("verify.html", file=opened, shown=shown, left=left, problem=problem, chosen=chosen)


def _appearance_form(attorney_id: UUID, person_id: UUID, problem: str | None = None) -> str:
    person = _person_permit(person_id)
    permit = _permit(attorney_id)
    with panel().sessions.begin() as session:
        opened = file.open_file(session, permit)
        client = people_file.briefs(session, person)[person_id]
    return _render(
        "appear.html", file=opened, client=client, problem=problem, forms=AppearanceForm, scopes=Scope, today=now().date(),
        **_whom(person_id),
    )  # fmt: skip


def _ending(representation_id: UUID, problem: str | None = None) -> str:
    with panel().sessions.begin() as session:
        found = _get(session, representation_id)
    person = _person_permit(found.person_id)
    with panel().sessions.begin() as session:
        (one,) = (one for one in file.of_person(session, person) if one.id == representation_id)
        name = file.names(session, [one.attorney_id]).get(one.attorney_id)
    return _render("end.html", one=one, name=name, problem=problem, endings=Ending, today=now().date())


def _get(session: Session, representation_id: UUID) -> Representation:
    found = session.get(Representation, representation_id)
    if found is None:
        abort(404)
    return found


def _back(representation_id: UUID) -> str:
    """To the page the button was on: the attorney's file, or the person's."""
    with panel().sessions.begin() as session:
        found = _get(session, representation_id)
    if request.form.get("back") == "attorney":
        return url_for(".show", attorney_id=found.attorney_id)
    return url_for("people.show", person_id=found.person_id, _anchor="counsel")


def _day(text: str) -> date | None:
    """Raises ValueError."""
    return date.fromisoformat(text.strip()) if text.strip() else None


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
