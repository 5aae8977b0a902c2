"""Reading an attorney's file. Whom somebody represents is as secret as the list of people: every reading is audited first.

with sessions.begin() as session:
    permit = file.ask_to_open(session, attorney_id, by=reader)   # writes the entries; the block commits them
with sessions.begin() as session:
    opened = file.open_file(session, permit)
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from outreach.access import audit
from outreach.access.accounts import Account
from outreach.access.sealing import DataKey, keys_for
from outreach.people import file as people_file
from outreach.people.attorney import EVIDENCE, SEALED, Attorney, Representation
from outreach.people.attorney.particulars import Particulars
from outreach.people.attorney.record import NoSuchAttorney
from outreach.people.contact import VALUE, AddressGrade, ContactKind, ContactPoint, ContactState
from outreach.people.file import Brief, Reader
from outreach.tally import Tally

_NOBODY = people_file.Permit(())


@dataclass(frozen=True, slots=True)
class Permit:
    """These attorneys' fields may be opened, because the audit log says so; and of their clients' names, `clients`'."""

    attorneys: tuple[UUID, ...]
    clients: people_file.Permit = _NOBODY


@dataclass(frozen=True, slots=True)
class Listed:
    """What a list shows of an attorney. `name` is None when the attorney was erased. The counts are of people."""

    id: UUID
    name: str | None
    firm: str | None
    live: int
    waiting: int


@dataclass(frozen=True, slots=True)
class Point:
    """How the attorney is reached. `value` is None when it was erased; `grade` is of postal addresses."""

    id: UUID
    kind: str
    value: str | None
    state: str
    state_reason: str | None
    grade: str | None
    others: int  # attorneys who use it too

    @property
    def works(self) -> bool:
        return self.state == ContactState.USABLE

    @property
    def deliverable(self) -> bool:
        """Whether something can be sent there; to an address that nobody has graded, nothing can."""
        graded = self.grade is not None and AddressGrade(self.grade).mailable
        return self.works and (self.kind != ContactKind.POST or graded)


@dataclass(frozen=True, slots=True)
class Appearance:
    """A representation as a file shows it. `client` is None when the reader may not see that person; `evidence` likewise."""

    id: UUID
    person_id: UUID
    attorney_id: UUID
    client: Brief | None
    form: str
    scope: str
    filed_on: date | None
    evidence: str | None
    source: str
    entered_by: UUID | None
    entered_name: str | None
    entered_at: datetime
    verified_name: str | None
    verified_at: datetime | None
    ended_as: str | None
    ended_on: date | None
    ended_at: datetime | None
    ended_name: str | None

    @property
    def live(self) -> bool:
        return self.verified_at is not None and self.ended_at is None

    @property
    def waiting(self) -> bool:
        return self.verified_at is None and self.ended_at is None


@dataclass(frozen=True, slots=True)
class File:
    """All that is known of an attorney, but for what they were sent (`proof.counsel`). `erased`: the key is gone."""

    attorney: Attorney
    particulars: Particulars | None
    points: tuple[Point, ...]
    appearances: tuple[Appearance, ...]

    @property
    def erased(self) -> bool:
        return self.particulars is None


def ask_to_list(session: Session, attorneys: Sequence[UUID], *, query: str, by: Reader) -> Permit:
    """Leave to show attorneys' names in a list: one entry with who is on it."""
    ids = [str(attorney_id) for attorney_id in attorneys]
    audit.record(session, by.actor, "attorney.list", "attorney", query=query, attorneys=len(ids), ids=ids)
    return Permit(tuple(attorneys))


def ask_to_open(session: Session, attorney_id: UUID, *, by: Reader) -> Permit:
    """Leave to open one file, with the names of the clients whom `by` may see. Raises NoSuchAttorney."""
    if session.get(Attorney, attorney_id) is None:
        raise NoSuchAttorney
    people = session.scalars(
        select(Representation.person_id).where(Representation.attorney_id == attorney_id).group_by(Representation.person_id)
    ).all()
    # First, since the second entry's lock on the end of the log is held until the commit either way.
    clients = people_file.ask_to_list(session, people, query="attorney", by=by) if people else people_file.Permit(())
    audit.record(session, by.actor, "attorney.open", "attorney", attorney_id)
    return Permit((attorney_id,), clients)


LISTED = 1_000  # attorneys; whoever looks for another one searches

# The ids only: what stands beside a name is asked for when it is shown.
_ORDER = Tally(
    "attorneys",
    f"""
    with mine as (
        select attorney_id, count(distinct person_id) filter (where verified_at is not null) as clients,
            count(distinct person_id) filter (where verified_at is null) as waiting
        from representation where ended_at is null group by attorney_id
    ), sorted as (
        select a.id, coalesce(mine.waiting, 0) as waiting,
            row_number() over (order by coalesce(mine.waiting, 0) desc, coalesce(mine.clients, 0) desc, a.id desc) as place
        from attorney a left join mine on mine.attorney_id = a.id
    )
    select count(*) as everybody, count(*) filter (where waiting > 0) as waiting,
        coalesce(array_agg(id order by place) filter (where place <= {LISTED}), '{{}}') as ids
    from sorted
    """,  # noqa: S608  # of the constant above
)


@dataclass(frozen=True, slots=True)
class Ordered:
    """A page of the list of attorneys, and how many there are in all, of whom the first LISTED can be leafed through."""

    attorneys: Sequence[UUID]
    total: int
    as_of: datetime


def ordered(session: Session, *, waiting: bool, limit: int, offset: int) -> Ordered:
    """Those with something to verify first (`waiting`: only those), then those with the most clients."""
    counted = _ORDER.rows(session)
    (row,) = counted.rows
    total = row["waiting"] if waiting else row["everybody"]
    ids = [UUID(one) for one in row["ids"][: min(total, LISTED)][offset : offset + limit]]
    return Ordered(ids, total, counted.as_of)


def listed(session: Session, permit: Permit) -> list[Listed]:
    """The attorneys of the permit, in its order."""
    wanted = select(Attorney).where(Attorney.id.in_(permit.attorneys))
    attorneys = {attorney.id: attorney for attorney in session.scalars(wanted)}
    keys = keys_for(session, attorneys)
    counts = {
        attorney_id: (live, waiting)
        for attorney_id, live, waiting in session.execute(
            select(
                Representation.attorney_id,
                func.count(Representation.person_id.distinct()).filter(Representation.verified_at.is_not(None)),
                func.count(Representation.person_id.distinct()).filter(Representation.verified_at.is_(None)),
            )
            .where(Representation.attorney_id.in_(attorneys), Representation.ended_at.is_(None))
            .group_by(Representation.attorney_id)
        )
    }
    return [
        Listed(
            attorney_id, _open("name", attorneys[attorney_id].name_sealed, attorney_id, keys.get(attorney_id)),
            _open("firm", attorneys[attorney_id].firm_sealed, attorney_id, keys.get(attorney_id)),
            *counts.get(attorney_id, (0, 0)),
        )
        for attorney_id in permit.attorneys if attorney_id in attorneys
    ]  # fmt: skip


def open_file(session: Session, permit: Permit) -> File:
    """One attorney's file. Raises Sealed when a field was moved or altered."""
    (attorney_id,) = permit.attorneys
    attorney = session.get_one(Attorney, attorney_id)
    points = _points(session, attorney)
    key = keys_for(session, [attorney_id]).get(attorney_id)
    particulars = None
    if key is not None:
        values = {point.kind: point.value for point in points}
        particulars = Particulars(
            name=key.open(SEALED["name"], attorney_id, attorney.name_sealed),
            firm=_open("firm", attorney.firm_sealed, attorney_id, key),
            eoir_id=_open("eoir_id", attorney.eoir_id_sealed, attorney_id, key),
            bar_state=attorney.bar_state,
            bar_number=_open("bar_number", attorney.bar_number_sealed, attorney_id, key),
            email=values.get(ContactKind.EMAIL),
            phone=values.get(ContactKind.PHONE),
            post=values.get(ContactKind.POST),
            grade=next((point.grade for point in points if point.kind == ContactKind.POST), None),
        )
    appearances = _appearances(session, Representation.attorney_id == attorney_id, permit.clients)
    return File(attorney, particulars, points, tuple(appearances))


def of_person(session: Session, permit: people_file.Permit) -> list[Appearance]:
    """The representations of the one person whose file may be opened, those that count first."""
    (person_id,) = permit.people
    found = _appearances(session, Representation.person_id == person_id, permit)
    return sorted(found, key=lambda one: (not one.live, not one.waiting))


def names(session: Session, attorneys: Iterable[UUID]) -> dict[UUID, str]:
    """What attorneys are called, for a page whose reading is in the audit log already. The erased are left out."""
    keys = keys_for(session, attorneys)
    sealed = session.execute(select(Attorney.id, Attorney.name_sealed).where(Attorney.id.in_(keys)))
    return {attorney_id: keys[attorney_id].open(SEALED["name"], attorney_id, name) for attorney_id, name in sealed}


def _open(field: str, sealed: bytes | None, attorney_id: UUID, key: DataKey | None) -> str | None:
    return key.open(SEALED[field], attorney_id, sealed) if key and sealed else None


def _points(session: Session, attorney: Attorney) -> tuple[Point, ...]:
    columns = (Attorney.email_point_id, Attorney.phone_point_id, Attorney.post_point_id)
    found = []
    for column in columns:
        point_id = getattr(attorney, column.key)
        if point_id is None:
            continue
        point = session.get_one(ContactPoint, point_id)
        key = keys_for(session, [point_id]).get(point_id)
        users = session.scalar(select(func.count()).select_from(Attorney).where(column == point_id)) or 1
        value = key.open(VALUE, point_id, point.value_sealed) if key else None
        found.append(Point(point_id, point.kind, value, point.state, point.state_reason, point.grade, users - 1))
    return tuple(found)


def _appearances(session: Session, which: object, permit: people_file.Permit) -> list[Appearance]:
    entered, verified, ended = aliased(Account), aliased(Account), aliased(Account)
    rows = session.execute(
        select(Representation, entered.name, verified.name, ended.name)
        .outerjoin(entered, entered.id == Representation.entered_by)
        .outerjoin(verified, verified.id == Representation.verified_by)
        .outerjoin(ended, ended.id == Representation.ended_by)
        .where(which)  # type: ignore[arg-type]  # a comparison of one of its columns
        .order_by(Representation.entered_at, Representation.id)
    ).all()
    briefs = people_file.briefs(session, permit)
    keys = keys_for(session, permit.people)
    return [
        Appearance(
            id=one.id, person_id=one.person_id, attorney_id=one.attorney_id, client=briefs.get(one.person_id), form=one.form,
            scope=one.scope, filed_on=one.filed_on, evidence=_evidence(one, keys.get(one.person_id)), source=one.source,
            entered_by=one.entered_by, entered_name=by, entered_at=one.entered_at, verified_name=seen_by,
            verified_at=one.verified_at, ended_as=one.ended_as, ended_on=one.ended_on, ended_at=one.ended_at, ended_name=over_by,
        )
        for one, by, seen_by, over_by in rows
    ]  # fmt: skip


def _evidence(one: Representation, key: DataKey | None) -> str | None:
    return key.open(EVIDENCE, one.id, one.evidence_sealed) if key and one.evidence_sealed else None
