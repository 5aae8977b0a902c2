"""The attorneys of an import: who is new, who is known, whom they represent. Nothing known is overwritten, and nothing is ended.

An attorney is known by EOIR ID, else by state and number of the bar, else by e-mail address or phone together with the name (a
firm's attorneys share those), else by name among those on record for the same person. What comes from a roster waits for a second
person to verify it.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import ColumnElement, LargeBinary, Update, any_, literal, or_, select, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from outreach.access.sealing import DataKey, Vault, keys_for, vault_of
from outreach.db import new_id, now
from outreach.people import denied
from outreach.people.attorney import SEALED, Attorney, Clue, Representation, Scope, Source
from outreach.people.attorney.particulars import Particulars
from outreach.people.contact import COUNTRY, VALUE, AddressGrade, ContactKind, ContactPoint, ContactState
from outreach.people.roster.counsel import Counsel
from outreach.people.roster.imports import RosterImport
from outreach.people.roster.matching import NameKey, name_key
from outreach.people.roster.problems import Fault, Problem
from outreach.people.roster.writing import NewRows

Remark = Callable[[int, Problem], None]
Point = tuple[ContactKind, str]


@dataclass(frozen=True, slots=True)
class Named:
    """A row that went in and names an attorney, and the person it is about."""

    number: int
    person_id: UUID
    counsel: Counsel


@dataclass(slots=True)
class _Known:
    """An attorney on record, or just added. The indexes are None where the number is not known."""

    id: UUID
    key: DataKey
    name: NameKey
    firm: bool
    eoir_id: bytes | None
    bar: bytes | None
    points: dict[ContactKind, UUID | None]


@dataclass(slots=True)
class _Held:
    """What is on record, or just added, of one attorney for one person by one form."""

    id: UUID
    filed_on: date | None
    settled: bool  # verified, so that staff alone change it
    ended_on: date | None


@dataclass(slots=True)
class _Batch:
    """What the database holds of a batch's attorneys and representations, and what the batch adds."""

    attorneys: dict[UUID, _Known] = field(default_factory=dict)
    by_number: dict[tuple[Clue, bytes], UUID] = field(default_factory=dict)
    by_point: dict[UUID, list[UUID]] = field(default_factory=dict)
    points: dict[Point, UUID] = field(default_factory=dict)
    held: dict[UUID, dict[tuple[UUID, str], _Held]] = field(default_factory=dict)  # by person, then attorney and form
    filled: dict[UUID, dict[str, object]] = field(default_factory=dict)

    def know(self, known: _Known) -> None:
        self.attorneys[known.id] = known
        for clue, index in ((Clue.EOIR_ID, known.eoir_id), (Clue.BAR, known.bar)):
            if index is not None:
                self.by_number[clue, index] = known.id
        for point_id in known.points.values():
            if point_id is not None:
                self.by_point.setdefault(point_id, []).append(known.id)


class Representing:
    """One import's work on attorneys, batch after batch: `add`, then the caller sends `rows`, then `finish`."""

    def __init__(self, session: Session, record: RosterImport, rows: NewRows, remark: Remark) -> None:
        self.attorneys = 0
        self.representations = 0
        self._session = session
        self._vault: Vault = vault_of(session)
        self._import_id = record.id
        self._by = record.created_by
        self._rows = rows
        self._remark = remark
        self._now = now()
        # Attorneys of whom nothing is known that is theirs alone: rows of one file with the same words mean the same one.
        self._nameless: dict[int, UUID] = {}
        self._updates: list[Update] = []

    def add(self, named: Sequence[Named]) -> set[int]:
        """Put a batch's attorneys in; the numbers of the rows by which something became known.

        The batch's people and their contact points are in the database by now.
        """
        self._now = now()
        batch = self._find(named)
        return {one.number for one in named if self._place(one, batch)}

    def finish(self) -> None:
        """Write what was filled in attorneys and representations, once those of the batch are in the database."""
        for statement in self._updates:
            self._session.execute(statement)
        self._updates.clear()

    def _find(self, named: Sequence[Named]) -> _Batch:
        """Look everything up at once."""
        batch = _Batch()
        wanted = {(kind, value) for one in named for kind, value in _points(one.counsel.particulars)}
        indexes = {self._vault.blind_index(kind, value): (kind, value) for kind, value in wanted}
        points = select(ContactPoint.id, ContactPoint.value_index).where(
            ContactPoint.kind.in_([ContactKind.EMAIL, ContactKind.PHONE]), ContactPoint.value_index == _any(indexes)
        )
        for point_id, index in self._session.execute(points):
            if index is not None:
                batch.points[indexes[index]] = point_id
        held = select(Representation).where(Representation.person_id.in_({one.person_id for one in named}))
        for one in self._session.scalars(held):
            slot = batch.held.setdefault(one.person_id, {})
            before = slot.get((one.attorney_id, one.form))
            if before is None or before.ended_on is not None:  # an open one counts before those that ended
                slot[one.attorney_id, one.form] = _Held(one.id, one.filed_on, one.verified_at is not None, one.ended_on)
            self._session.expunge(one)
        self._find_attorneys(named, batch)
        return batch

    def _find_attorneys(self, named: Sequence[Named], batch: _Batch) -> None:
        particulars = [one.counsel.particulars for one in named]
        eoir_ids = {self._vault.blind_index(Clue.EOIR_ID, one.eoir_id) for one in particulars if one.eoir_id}
        bars = {self._vault.blind_index(Clue.BAR, one.bar) for one in particulars if one.bar}
        points = list(batch.points.values())
        theirs = {attorney_id for slot in batch.held.values() for attorney_id, _ in slot}
        words = (self._words(one) for one in particulars if _is_bare(one))
        bare = {self._nameless[one] for one in words if one in self._nameless}
        found = self._session.execute(
            select(Attorney.__table__)
            .where(
                or_(
                    Attorney.eoir_id_index == _any(eoir_ids), Attorney.bar_index == _any(bars),
                    Attorney.email_point_id.in_(points), Attorney.phone_point_id.in_(points),
                    Attorney.id.in_({*theirs, *bare}),
                )
            )
            .order_by(Attorney.id)
        ).all()  # fmt: skip
        keys = keys_for(self._session, [row.id for row in found])
        for row in found:
            key = keys.get(row.id)
            if key is not None:
                batch.know(
                    _Known(
                        row.id, key, name_key(key.open(SEALED["name"], row.id, row.name_sealed)), row.firm_sealed is not None,
                        row.eoir_id_index, row.bar_index,
                        {
                            ContactKind.EMAIL: row.email_point_id,
                            ContactKind.PHONE: row.phone_point_id,
                            ContactKind.POST: row.post_point_id,
                        },
                    )
                )  # fmt: skip

    def _place(self, one: Named, batch: _Batch) -> bool:
        particulars = one.counsel.particulars
        eoir_id = self._vault.blind_index(Clue.EOIR_ID, particulars.eoir_id) if particulars.eoir_id else None
        bar = self._vault.blind_index(Clue.BAR, particulars.bar) if particulars.bar else None
        numbers = [(clue, index) for clue, index in ((Clue.EOIR_ID, eoir_id), (Clue.BAR, bar)) if index is not None]
        owners = {batch.by_number[number] for number in numbers if number in batch.by_number}
        known = batch.attorneys[owners.pop()] if owners else None
        if owners or (known is not None and _is_another(known, particulars, eoir_id)):
            self._remark(one.number, Problem(Fault.ATTORNEYS_OF_TWO))
            return False
        if known is None:
            known = self._by_name(one, eoir_id, bar, batch)
        if known is None:
            known = self._new(particulars, eoir_id, bar, batch)
            changed = True
        else:
            changed = self._fill(one, known, eoir_id, bar, batch)
        return self._represent(one, known, batch) or changed

    def _by_name(self, one: Named, eoir_id: bytes | None, bar: bytes | None, batch: _Batch) -> _Known | None:
        """The attorney of this name at this e-mail address or phone, or on record for this person."""
        particulars = one.counsel.particulars
        name = name_key(particulars.name)
        reached = [batch.points[point] for point in _points(particulars) if point in batch.points]
        own = [attorney_id for attorney_id, _ in batch.held.get(one.person_id, ())]
        candidates = [attorney_id for point_id in reached for attorney_id in batch.by_point.get(point_id, ())] + own
        for attorney_id in candidates:
            known = batch.attorneys.get(attorney_id)
            if known is None or known.name != name:
                continue
            if not (_told_apart(known.eoir_id, eoir_id) or _told_apart(known.bar, bar)):
                return known
        return batch.attorneys.get(self._nameless.get(self._words(particulars), _NOBODY)) if _is_bare(particulars) else None

    def _words(self, particulars: Particulars) -> int:
        """Eight bytes of a keyed hash stand for all that is known of an attorney."""
        plain = "\x1f".join([*sorted(name_key(particulars.name)), "", particulars.firm or "", particulars.post or ""])
        return int.from_bytes(self._vault.keyed_hash("attorney", plain)[:8])

    def _new(self, particulars: Particulars, eoir_id: bytes | None, bar: bytes | None, batch: _Batch) -> _Known:
        attorney_id = new_id()
        key = self._new_key(attorney_id)
        points = {kind: self._point(particulars, kind, batch) for kind in ContactKind}
        known = _Known(attorney_id, key, name_key(particulars.name), particulars.firm is not None, eoir_id, bar, points)

        def sealed(name: str, value: str | None) -> bytes | None:
            return key.seal(SEALED[name], attorney_id, value) if value else None

        self._rows.add(
            "attorney", attorney_id, sealed("name", particulars.name), sealed("firm", particulars.firm), particulars.bar_state,
            sealed("bar_number", particulars.bar_number), sealed("eoir_id", particulars.eoir_id), eoir_id, bar,
            points[ContactKind.EMAIL], points[ContactKind.PHONE], points[ContactKind.POST], self._by, self._now,
        )  # fmt: skip
        batch.know(known)
        if _is_bare(particulars):
            self._nameless[self._words(particulars)] = attorney_id
        self.attorneys += 1
        return known

    def _fill(self, one: Named, known: _Known, eoir_id: bytes | None, bar: bytes | None, batch: _Batch) -> bool:
        """Fill what is blank in a known attorney's record; a contradiction is remarked."""
        particulars = one.counsel.particulars
        values: dict[str, object] = {}
        differs = known.name != name_key(particulars.name) or _told_apart(known.bar, bar)
        if eoir_id is not None and known.eoir_id is None and (Clue.EOIR_ID, eoir_id) not in batch.by_number:
            values["eoir_id_sealed"] = known.key.seal(SEALED["eoir_id"], known.id, str(particulars.eoir_id))
            values["eoir_id_index"] = known.eoir_id = eoir_id
        if bar is not None and known.bar is None and (Clue.BAR, bar) not in batch.by_number:
            values["bar_number_sealed"] = known.key.seal(SEALED["bar_number"], known.id, str(particulars.bar_number))
            values["bar_index"], values["bar_state"] = bar, particulars.bar_state
            known.bar = bar
        if particulars.firm is not None and not known.firm:
            values["firm_sealed"] = known.key.seal(SEALED["firm"], known.id, particulars.firm)
            known.firm = True
        for kind in ContactKind:
            if known.points[kind] is None:
                point_id = self._point(particulars, kind, batch)
                if point_id is not None:
                    values[f"{kind}_point_id"] = known.points[kind] = point_id
            elif kind is ContactKind.EMAIL and particulars.email is not None:
                differs |= batch.points.get((kind, particulars.email)) != known.points[kind]
        if differs:
            self._remark(one.number, Problem(Fault.ATTORNEY_DIFFERS))
        if values:
            batch.know(known)
            self._updates.append(update(Attorney).where(Attorney.id == known.id).values(**values))
        return bool(values)

    def _represent(self, one: Named, known: _Known, batch: _Batch) -> bool:
        """Add the row's filings that are not on record."""
        slot = batch.held.setdefault(one.person_id, {})
        changed = False
        for form, filed_on in one.counsel.filings:
            held = slot.get((known.id, form))
            if held is not None and held.ended_on is not None and not (filed_on and filed_on > held.ended_on):
                self._remark(one.number, Problem(Fault.ATTORNEY_ENDED))
            elif held is not None and held.ended_on is None:
                changed |= self._date(one.number, held, filed_on)
            else:
                if any(attorney_id != known.id and other.ended_on is None for (attorney_id, _), other in slot.items()):
                    self._remark(one.number, Problem(Fault.ATTORNEY_ANOTHER))
                added = _Held(new_id(), filed_on, settled=False, ended_on=None)
                slot[known.id, form] = added
                self._rows.add(
                    "representation", added.id, one.person_id, known.id, form, Scope.ALL, filed_on, Source.ROSTER,
                    self._import_id, self._by, self._now,
                )  # fmt: skip
                self.representations += 1
                changed = True
        return changed

    def _date(self, number: int, held: _Held, filed_on: date | None) -> bool:
        """The day of filing, where it was not known and nobody has verified the representation without it."""
        if filed_on is None or filed_on == held.filed_on:
            return False
        if held.filed_on is not None or held.settled:
            self._remark(number, Problem(Fault.ATTORNEY_DIFFERS))
            return False
        held.filed_on = filed_on
        self._updates.append(update(Representation).where(Representation.id == held.id).values(filed_on=filed_on))
        return True

    def _point(self, particulars: Particulars, kind: ContactKind, batch: _Batch) -> UUID | None:
        """The contact point, made when there is none yet. A postal address is the attorney's own each time it is given."""
        value = {
            ContactKind.EMAIL: particulars.email, ContactKind.PHONE: particulars.phone, ContactKind.POST: particulars.post
        }[kind]  # fmt: skip
        if value is None:
            return None
        if kind is not ContactKind.POST and (kind, value) in batch.points:
            return batch.points[kind, value]
        point_id = new_id()
        key = self._new_key(point_id)
        grade = country = index = None
        refused = kind is ContactKind.EMAIL and denied.is_foreign_mailbox(value)
        if kind is ContactKind.POST:
            grade = particulars.grade
            refused = grade == AddressGrade.DENIED
            if particulars.country not in (None, "US"):
                country = key.seal(COUNTRY, point_id, str(particulars.country))
        else:
            index = self._vault.blind_index(kind, value)
            batch.points[kind, value] = point_id
        state: tuple[str, str | None, datetime | None] = (ContactState.USABLE, None, None)
        if refused:
            state = (ContactState.BAD, denied.REASON, self._now)
        self._rows.add(
            "contact_point", point_id, kind, key.seal(VALUE, point_id, value), index, None, None, *state, grade, None, country,
            self._now,
        )  # fmt: skip
        return point_id

    def _new_key(self, subject: UUID) -> DataKey:
        new = self._vault.new_key(subject)
        self._rows.add("data_key", subject, new.version, new.wrapped)
        return new.key


_NOBODY = UUID(int=0)


def _points(particulars: Particulars) -> list[Point]:
    """The e-mail address and the phone, by which an attorney may be found."""
    found = ((ContactKind.EMAIL, particulars.email), (ContactKind.PHONE, particulars.phone))
    return [(kind, value) for kind, value in found if value is not None]


def _told_apart(one: bytes | None, other: bytes | None) -> bool:
    """Whether both numbers are known, and differ."""
    return one is not None and other is not None and one != other


def _is_another(known: _Known, particulars: Particulars, eoir_id: bytes | None) -> bool:
    """A wrong digit is another attorney's number: so no word of the name in common, or another EOIR ID, is another attorney."""
    return _told_apart(known.eoir_id, eoir_id) or not set(known.name) & set(name_key(particulars.name))


def _is_bare(particulars: Particulars) -> bool:
    """Whether nothing is known that is the attorney's alone."""
    return not (particulars.eoir_id or particulars.bar or particulars.email or particulars.phone)


def _any(indexes: Iterable[bytes]) -> ColumnElement[bytes]:
    return any_(literal(list(indexes), ARRAY(LargeBinary)))  # type: ignore[return-value]  # PostgreSQL's "= any (array)"
