"""Who represents whom: entered by one person, verified by another, ended at once and for good.

An end cancels nothing by itself: whatever waits for the attorney asks again, when it leaves, whether the representation is live.
"""

from collections.abc import Collection, Sequence
from datetime import date
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from outreach.access import audit
from outreach.access.audit import ActorKind
from outreach.access.sealing import key_for
from outreach.db import new_id, now
from outreach.people.attorney import EVIDENCE, AppearanceForm, Attorney, Ending, Representation, Scope, Source
from outreach.people.attorney.record import NoSuchAttorney
from outreach.people.file import Reader, check_visible
from outreach.people.person import Person

AT_ONCE = 50
"""How many representations may be verified together."""


class NoSuchRepresentation(LookupError):
    """There is no representation with this id."""


class AlreadyEntered(Exception):
    """The attorney appears for this person by this form already, and it has not ended."""


class AlreadyEnded(Exception):
    """This representation has ended; a new one is entered instead."""


class InTheFuture(Exception):
    """A form is not filed, and a representation not ended, before the day has come."""


class EndsBeforeFiled(Exception):
    """A representation does not end before its form was filed."""


class OwnWork(Exception):
    """Whoever entered a representation does not verify it: a second person does."""


class TooMany(Exception):
    """More than `AT_ONCE` were to be verified together, or none at all."""


class Changed(Exception):
    """These are no longer the representations that wait: look at the list again."""


class Miscounted(Exception):
    """The number typed is not the number of representations to be verified."""


def enter(
    session: Session, *, person_id: UUID, attorney_id: UUID, form: AppearanceForm, scope: Scope = Scope.ALL,
    filed_on: date | None = None, evidence: str | None = None, by: Reader,
) -> Representation:  # fmt: skip
    """An unverified representation. `evidence` says where the form can be seen.

    Raises NoSuchPerson, ProtectedRecord, NoSuchAttorney, InTheFuture or AlreadyEntered.
    """
    check_visible(session, person_id, by)
    if session.get(Attorney, attorney_id) is None:
        raise NoSuchAttorney
    if filed_on is not None and filed_on > now().date():
        raise InTheFuture
    found = Representation(
        id=new_id(), person_id=person_id, attorney_id=attorney_id, form=form, scope=scope, filed_on=filed_on,
        source=Source.STAFF, entered_by=by.actor.id if by.actor.kind is ActorKind.STAFF else None,
    )  # fmt: skip
    if evidence:
        found.evidence_sealed = key_for(session, person_id).seal(EVIDENCE, found.id, evidence)
    try:
        with session.begin_nested():
            session.add(found)
    except IntegrityError:  # only the index of open representations can refuse it now
        raise AlreadyEntered from None
    _note(session, found, "enter", by)
    return found


def verify(session: Session, representation_id: UUID, *, by: Reader) -> Representation:
    """A second person has seen the form: from now on the attorney may be told. Safe to repeat: the first one stays named.

    Raises NoSuchRepresentation, ProtectedRecord, AlreadyEnded or OwnWork.
    """
    found = _locked(session, representation_id)
    check_visible(session, found.person_id, by)
    if found.ended_at is not None:
        raise AlreadyEnded
    if found.verified_at is None:
        _sign(found, by)
        session.flush()
        _note(session, found, "verify", by)
    return found


def verify_many(session: Session, attorney_id: UUID, chosen: Collection[UUID], *, count: int, by: Reader) -> None:
    """Verify at most AT_ONCE representations of one attorney together, with their number as it was counted and typed.

    All or none. Raises TooMany, Changed (one has ended, was verified, is another attorney's or a protected person's), Miscounted
    or OwnWork.
    """
    wanted = set(chosen)
    if not 0 < len(wanted) <= AT_ONCE:
        raise TooMany
    waiting = _waiting(attorney_id, supervises=by.supervises).where(Representation.id.in_(wanted))
    found = session.scalars(waiting.order_by(Representation.id).with_for_update(of=Representation)).all()
    if len(found) != len(wanted):
        raise Changed
    if count != len(found):
        raise Miscounted
    for one in found:
        _sign(one, by)
    session.flush()
    audit.record(
        session, by.actor, "representation.verify", "attorney", attorney_id, count=len(found),
        ids=[str(one.id) for one in found],
    )  # fmt: skip


def waiting(session: Session, attorney_id: UUID, *, by: Reader) -> Sequence[Representation]:
    """The next AT_ONCE representations of an attorney that `by` could verify: not their own entries, nor what they may not see."""
    wanted = _waiting(attorney_id, supervises=by.supervises).where(Representation.entered_by.is_distinct_from(by.actor.id))
    return session.scalars(wanted.order_by(Representation.entered_at, Representation.id).limit(AT_ONCE)).all()


def end(session: Session, representation_id: UUID, *, ended_as: Ending, on: date, by: Reader) -> Representation:
    """The attorney is told nothing more about this person. Obeyed at once, and for good. `on` is the day it ended, not later.

    Raises NoSuchRepresentation, ProtectedRecord, AlreadyEnded, InTheFuture or EndsBeforeFiled.
    """
    found = _locked(session, representation_id)
    check_visible(session, found.person_id, by)
    if found.ended_at is not None:
        raise AlreadyEnded
    if on > now().date():
        raise InTheFuture
    # What never was has no dates that could contradict each other.
    if found.filed_on is not None and on < found.filed_on and ended_as is not Ending.MISTAKEN:
        raise EndsBeforeFiled
    found.ended_on, found.ended_as, found.ended_at, found.ended_by = on, ended_as, now(), by.actor.id
    session.flush()
    _note(session, found, "end", by, ended_as=ended_as)
    return found


def substitute(
    session: Session, representation_id: UUID, *, attorney_id: UUID, form: AppearanceForm, scope: Scope = Scope.ALL,
    filed_on: date | None = None, evidence: str | None = None, on: date, by: Reader,
) -> Representation:  # fmt: skip
    """Another attorney takes over: the old representation ends on that day, and the new one waits to be verified.

    Raises what `end` and `enter` raise; the caller then rolls back.
    """
    old = end(session, representation_id, ended_as=Ending.SUBSTITUTED, on=on, by=by)
    return enter(
        session,
        person_id=old.person_id,
        attorney_id=attorney_id,
        form=form,
        scope=scope,
        filed_on=filed_on,
        evidence=evidence,
        by=by,
    )


def live(session: Session, person_id: UUID) -> Sequence[Representation]:
    """The representations by which somebody may be told about this person, now."""
    return session.scalars(_live().where(Representation.person_id == person_id).order_by(Representation.id)).all()


def clients(session: Session, attorney_id: UUID) -> list[UUID]:
    """The people about whom this attorney may be told, now; each once, by whatever forms."""
    found = session.scalars(_live().where(Representation.attorney_id == attorney_id).order_by(Representation.id))
    return list(dict.fromkeys(one.person_id for one in found))


def _live() -> Select[Representation]:
    return select(Representation).where(Representation.verified_at.is_not(None), Representation.ended_at.is_(None))


def _waiting(attorney_id: UUID, *, supervises: bool) -> Select[Representation]:
    found = select(Representation).join(Person, Person.id == Representation.person_id)
    found = found.where(
        Representation.attorney_id == attorney_id, Representation.verified_at.is_(None), Representation.ended_at.is_(None)
    )
    return found if supervises else found.where(~Person.protected)


def _locked(session: Session, representation_id: UUID) -> Representation:
    found = session.get(Representation, representation_id, with_for_update=True, populate_existing=True)
    if found is None:
        raise NoSuchRepresentation
    return found


def _sign(found: Representation, by: Reader) -> None:
    if found.entered_by is not None and found.entered_by == by.actor.id:
        raise OwnWork
    found.verified_by, found.verified_at = by.actor.id, now()


def _note(session: Session, found: Representation, verb: str, by: Reader, **detail: object) -> None:
    audit.record(
        session, by.actor, f"representation.{verb}", "representation", found.id, person=str(found.person_id),
        attorney=str(found.attorney_id), **detail,
    )  # fmt: skip
