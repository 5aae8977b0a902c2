"""Rows into records, a batch at a time: who is new, who is known, what is added. Nothing known is ever overwritten."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import lru_cache
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, LargeBinary, any_, literal, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from outreach.access.sealing import DataKey, Vault, keys_for, vault_of
from outreach.db import new_id, now
from outreach.people import denied
from outreach.people.addresses.comparing import address_index
from outreach.people.contact import COUNTRY, VALUE, ContactKind, ContactPoint, ContactRole, ContactState, PersonContact, Safety
from outreach.people.custody import Custody, Facility
from outreach.people.incident import Exposure
from outreach.people.person import ANumber, NameKind, Person, Posture
from outreach.people.roster import matching
from outreach.people.roster.imports import RosterImport
from outreach.people.roster.matching import Known, name_key
from outreach.people.roster.problems import Fault, Problem
from outreach.people.roster.representing import Named, Representing
from outreach.people.roster.rows import Contact, CustodyFact, ParsedRow
from outreach.people.roster.writing import NewRows

# What a roster may have exposed; ways to reach people come from the agency's other files.
ELEMENTS = ("name", "a_number", "birth_date", "nationality", "facility")
_CAREFUL = (Safety.UNKNOWN, Safety.YES, Safety.NO, Safety.NEVER)
_NORTH_AMERICA = frozenset({"US", "CA"})


@dataclass(frozen=True, slots=True)
class Refused:
    """A row that reads well and yet cannot go in as it is."""

    number: int
    problem: Problem


@dataclass(slots=True)
class Added:
    """How many of each were added. `new`, `updated` and `unchanged` count rows: each row that went in is one of them."""

    new: int = 0
    updated: int = 0
    unchanged: int = 0
    exposures: int = 0
    contact_points: int = 0
    facilities: int = 0
    attorneys: int = 0
    representations: int = 0


Remark = Callable[[int, Problem], None]


class Merge:
    """One import's work on the database, batch after batch, in the session's transaction.

    The caller holds `lock`. `remark` is told of what staff should know of a row that went in.
    """

    def __init__(self, session: Session, record: RosterImport, remark: Remark) -> None:
        self.added = Added()
        self._session = session
        self._vault: Vault = vault_of(session)
        self._incident_id = record.incident_id
        self._import_id = record.id
        self._as_of = record.as_of
        self._remark = remark
        self._rows = NewRows()
        self._representing = Representing(session, record, self._rows, remark)
        self._now = now()
        # Identical rows without an A-number may be two people. Eight bytes of a keyed hash stand for each row.
        self._copies: dict[int, int] = {}
        facilities = session.execute(select(Facility.id, Facility.code, Facility.name)).all()
        self._by_code = {code.casefold(): facility_id for facility_id, code, _ in facilities}
        self._by_name = {name_key(name): facility_id for facility_id, _, name in facilities}

    def add(self, rows: Sequence[ParsedRow]) -> list[Refused]:
        """Put a batch into the database; what cannot go in comes back. Later rows see what earlier ones added."""
        self._now = now()
        indexed = [(row, self._row_index(row)) for row in rows]
        batch = _Batch(session=self._session, incident_id=self._incident_id, as_of=self._as_of)
        batch.find(indexed, self._vault)
        refused = []
        unchanged = set()
        for row, row_index in indexed:
            before = self.added.unchanged
            if row_index in batch.unchanged:
                self.added.unchanged += 1
            else:
                problem = self._place(row, row_index, batch)
                if problem is not None:
                    refused.append(Refused(row.number, problem))
                    continue
            if self.added.unchanged > before:
                unchanged.add(row.number)
        self._rows.send(self._session)
        batch.update()
        self._represent(indexed, {one.number for one in refused}, unchanged, batch)
        return refused

    def _represent(
        self, indexed: Sequence[tuple[ParsedRow, bytes]], refused: set[int], unchanged: set[int], batch: "_Batch"
    ) -> None:
        """The attorneys of the rows that went in; nothing is added to an erased person."""
        people = {row.number: batch.person_of[index] for row, index in indexed if row.number not in refused and row.counsel}
        there = keys_for(self._session, people.values())
        named = [
            Named(row.number, people[row.number], row.counsel)
            for row, _ in indexed
            if row.counsel is not None and people.get(row.number) in there
        ]
        if not named:
            return
        learnt = self._representing.add(named)
        self._rows.send(self._session)
        self._representing.finish()
        self.added.attorneys, self.added.representations = self._representing.attorneys, self._representing.representations
        self.added.updated += len(learnt & unchanged)
        self.added.unchanged -= len(learnt & unchanged)

    def _place(self, row: ParsedRow, row_index: bytes, batch: "_Batch") -> Problem | None:
        """One row to the person it is about, else to a new one; or what is wrong."""
        numbers = [batch.number_index[number] for number in row.a_numbers]
        owners = {batch.owner[number] for number in numbers if number in batch.owner}
        if row_index in batch.same_row:
            # The very row came with an earlier roster, whoever it is about; this roster may be of a later date.
            owners = {batch.same_row[row_index]}
        elif len(owners) > 1:
            return Problem(Fault.A_NUMBERS_OF_TWO)
        if not owners:
            self._add_person(row, numbers, row_index, batch)
            return None
        known = batch.people.get(owners.pop())
        if known is None or (row_index not in batch.same_row and not known.is_same_person(row)):
            return Problem(Fault.A_NUMBER_OF_ANOTHER)
        changed = self._add_facts(row, numbers, known, batch)
        if not known.exposed:
            self._expose(known.id, row, row_index)
            known.exposed = changed = True
        if changed:
            self.added.updated += 1
        else:
            self.added.unchanged += 1
        batch.unchanged.add(row_index)
        batch.person_of[row_index] = known.id
        return None

    def _add_person(self, row: ParsedRow, numbers: Sequence[bytes], row_index: bytes, batch: "_Batch") -> None:
        person_id = new_id()
        key = self._new_key(person_id)
        events = self._events(row)
        state, facility_id, since = events[-1] if events else (Custody.UNKNOWN, None, None)
        born = row.birth_date.isoformat() if row.birth_date else None
        self._rows.add(
            "person", person_id, key.seal("person.birth_date", person_id, born) if born else None, row.birth_precision,
            key.seal("person.nationality", person_id, row.nationality) if row.nationality else None,
            row.language, row.second_language, row.reads, row.interpreter, row.posture, row.protected,
            # What the custody trigger would write, so that it finds nothing to do.
            state, facility_id, since, self._as_of if events else None, self._now,
        )  # fmt: skip
        known = Known(
            id=person_id, key=key, birth_date=born, birth_precision=row.birth_precision, nationality=row.nationality is not None,
            language=row.language, second_language=row.second_language, reads=row.reads, interpreter=row.interpreter,
            posture=row.posture, protected=row.protected, exposed=True,
        )  # fmt: skip
        for name in row.names:
            self._add_name(known, name.kind, name.whole, name.given, name.family, name.second_family)
        self._add_numbers(known, row.a_numbers, numbers, batch)
        self._add_contacts(row, known, batch)
        self._add_events(known, events)
        self._expose(person_id, row, row_index)
        batch.people[person_id] = known
        batch.unchanged.add(row_index)
        batch.person_of[row_index] = person_id
        self.added.new += 1

    def _add_facts(self, row: ParsedRow, numbers: Sequence[bytes], known: Known, batch: "_Batch") -> bool:
        """Add what the row knows and the record does not; whether there was anything. Contradictions become remarks."""
        changed = self._add_numbers(known, row.a_numbers, numbers, batch)
        for at, name in enumerate(row.names):
            if name_key(name.whole) not in known.names:
                kind = NameKind.ALIAS if at == 0 else name.kind
                self._add_name(known, kind, name.whole, name.given, name.family, name.second_family)
                changed = True
        changed |= self._fill(row, known, batch)
        changed |= self._add_contacts(row, known, batch)
        changed |= self._add_events(known, self._events(row))
        return changed

    def _fill(self, row: ParsedRow, known: Known, batch: "_Batch") -> bool:
        """Fill what is blank in the person's own row."""
        born = row.birth_date.isoformat() if row.birth_date else None
        if born and known.birth_date and born != known.birth_date:
            self._remark(row.number, Problem(Fault.BIRTH_DATE_DIFFERS))
        if row.language and known.language and row.language not in (known.language, known.second_language):
            self._remark(row.number, Problem(Fault.LANGUAGE_DIFFERS))
        values: dict[str, object] = {}
        if born and not known.birth_date:
            values["birth_date_sealed"] = known.key.seal("person.birth_date", known.id, born)
            values["birth_precision"] = known.birth_precision = row.birth_precision
            known.birth_date = born
        if row.nationality and not known.nationality:
            values["nationality_sealed"] = known.key.seal("person.nationality", known.id, row.nationality)
            known.nationality = True
        for column in ("language", "second_language", "reads", "interpreter"):
            value = getattr(row, column)
            if value is not None and getattr(known, column) is None:
                setattr(known, column, value)
                values[column] = value
        if row.posture is not Posture.UNKNOWN and known.posture == Posture.UNKNOWN:
            values["posture"] = known.posture = row.posture
        if row.protected and not known.protected:
            values["protected"] = known.protected = True
        if values:
            batch.filled.setdefault(known.id, {}).update(values)
        return bool(values)

    def _add_name(
        self, known: Known, kind: NameKind, whole: str, given: str | None, family: str | None, second: str | None
    ) -> None:
        name_id = new_id()
        key = known.key
        self._rows.add(
            "person_name", name_id, known.id, kind, key.seal("person_name.whole", name_id, whole),
            key.seal("person_name.given", name_id, given) if given else None,
            key.seal("person_name.family", name_id, family) if family else None,
            key.seal("person_name.second_family", name_id, second) if second else None, self._now,
        )  # fmt: skip
        known.names.add(name_key(whole))

    def _add_numbers(self, known: Known, values: Sequence[str], indexes: Sequence[bytes], batch: "_Batch") -> bool:
        changed = False
        for value, index in zip(values, indexes, strict=True):
            if index not in batch.owner:
                number_id = new_id()
                sealed = known.key.seal("a_number.value", number_id, value)
                self._rows.add("a_number", number_id, known.id, sealed, index, self._now)
                batch.owner[index] = known.id
                changed = True
        return changed

    def _add_contacts(self, row: ParsedRow, known: Known, batch: "_Batch") -> bool:
        changed = False
        for contact in row.contacts:
            point_id = self._contact_point(contact, known, batch)
            link = known.links.get(point_id)
            if link is None:
                link = (contact.role, contact.safety, contact.confirmed_on)
                self._rows.add("person_contact", known.id, point_id, *link, self._now)
            else:
                link = _both(link, contact)
                if link == known.links[point_id]:
                    continue
                batch.links[known.id, point_id] = link
            known.links[point_id] = link
            changed = True
        return changed

    def _contact_point(self, contact: Contact, known: Known, batch: "_Batch") -> UUID:
        """The contact point of this address, made when there is none yet. Postal addresses are one for each person."""
        posts = known.posts if contact.kind is ContactKind.POST else None
        index = None if posts is not None else batch.contact_index[contact.kind, contact.value]
        found = batch.points.get((contact.kind, index)) if index is not None else known.posts.get(contact.value)
        if found is not None:
            return found
        point_id = new_id()
        key = self._new_key(point_id)
        post = contact.kind is ContactKind.POST
        country = key.seal(COUNTRY, point_id, contact.country) if post and contact.country not in (None, "US") else None
        self._rows.add(
            "contact_point", point_id, contact.kind, key.seal(VALUE, point_id, contact.value), index,
            None if post else time_zone(contact.country, contact.time_zones), list(contact.time_zones) if post else None,
            *_state(contact, self._now), contact.grade,
            address_index(self._vault, contact.house), country, self._now,
        )  # fmt: skip
        self.added.contact_points += 1
        if index is not None:
            batch.points[contact.kind, index] = point_id
        else:
            known.posts[contact.value] = point_id
        return point_id

    def _events(self, row: ParsedRow) -> list[matching.Event]:
        return [(fact.state, self._facility(fact), fact.effective_on) for fact in row.custody]

    def _add_events(self, known: Known, events: Iterable[matching.Event]) -> bool:
        changed = False
        for at, event in enumerate(events):
            if event not in known.events:
                known.events.add(event)
                # Of two events of one day, the later in the row is the present: it is recorded a moment later.
                recorded_at = self._now + timedelta(microseconds=at)
                self._rows.add("custody_event", new_id(), known.id, *event, self._as_of, "roster", self._import_id, recorded_at)
                changed = True
        return changed

    def _facility(self, fact: CustodyFact) -> UUID | None:
        """The facility of this code or name, made when there is none yet."""
        code, name = fact.facility_code, fact.facility_name
        if code is None and name is None:
            return None
        found = self._by_code.get(code.casefold()) if code else self._by_name.get(name_key(name or ""))
        if found is None:
            found = new_id()
            code = code or "-".join(name_key(name or "")).upper()[:60]
            self._rows.add("facility", found, code, name or code, self._now)
            self._by_code[code.casefold()] = found
            self._by_name.setdefault(name_key(name or code), found)
            self.added.facilities += 1
        return found

    def _expose(self, person_id: UUID, row: ParsedRow, row_index: bytes) -> None:
        held = (True, row.a_numbers, row.birth_date, row.nationality, row.custody)
        elements = [element for element, there in zip(ELEMENTS, held, strict=True) if there]
        self._rows.add("exposure", self._incident_id, person_id, elements, row_index, self._import_id, self._now)
        self.added.exposures += 1

    def _new_key(self, subject: UUID) -> DataKey:
        new = self._vault.new_key(subject)
        self._rows.add("data_key", subject, new.version, new.wrapped)
        return new.key

    def _row_index(self, row: ParsedRow) -> bytes:
        """What is equal for the same row only. Identical rows without an A-number are counted, and so differ."""
        plain = _normalised(row)
        index = self._vault.blind_index("row", plain)
        if row.a_numbers:
            return index
        short = int.from_bytes(index[:8])
        copies = self._copies.get(short, 0)
        self._copies[short] = copies + 1
        if not copies:
            return index
        self._remark(row.number, Problem(Fault.ROW_TWICE))
        return self._vault.blind_index("row", f"{plain}\x1f{copies}")


@dataclass(slots=True)
class _Batch:
    """What the database holds of a batch's rows, and what the batch adds to it as it goes."""

    session: Session
    incident_id: UUID
    as_of: date
    number_index: dict[str, bytes] = field(default_factory=dict)
    contact_index: dict[tuple[ContactKind, str], bytes] = field(default_factory=dict)
    unchanged: set[bytes] = field(default_factory=set)  # rows that were here before, with a roster of the same date
    same_row: dict[bytes, UUID] = field(default_factory=dict)  # rows that were here before, with a roster of another date
    person_of: dict[bytes, UUID] = field(default_factory=dict)  # whom a row that went in is about
    owner: dict[bytes, UUID] = field(default_factory=dict)
    people: dict[UUID, Known] = field(default_factory=dict)
    points: dict[tuple[str, bytes], UUID] = field(default_factory=dict)
    filled: dict[UUID, dict[str, object]] = field(default_factory=dict)
    links: dict[tuple[UUID, UUID], matching.Link] = field(default_factory=dict)

    def find(self, indexed: Sequence[tuple[ParsedRow, bytes]], vault: Vault) -> None:
        """Look everything up at once: rows, A-numbers, people, contact points."""
        indexes = [index for _, index in indexed]
        there = (
            select(Exposure.row_index, Exposure.person_id, RosterImport.as_of)
            .outerjoin(RosterImport, RosterImport.id == Exposure.import_id)
            .where(Exposure.incident_id == self.incident_id, Exposure.row_index == _any(indexes))
        )
        for index, person_id, as_of in self.session.execute(there):
            assert index is not None
            if as_of == self.as_of:
                self.unchanged.add(index)
                self.person_of[index] = person_id
            else:
                self.same_row[index] = person_id
        rows = [row for row, index in indexed if index not in self.unchanged]
        self.number_index = {number: vault.blind_index("a_number", number) for row in rows for number in row.a_numbers}
        numbers = select(ANumber.value_index, ANumber.person_id)
        owned = self.session.execute(numbers.where(ANumber.value_index == _any(self.number_index.values())))
        self.owner = {row.value_index: row.person_id for row in owned}
        people = {*self.owner.values(), *self.same_row.values()}
        self.people = matching.load(self.session, people, incident_id=self.incident_id, as_of=self.as_of)
        self.contact_index = {
            (contact.kind, contact.value): vault.blind_index(contact.kind, contact.value)
            for row in rows
            for contact in row.contacts
            if contact.kind is not ContactKind.POST
        }
        points = select(ContactPoint.kind, ContactPoint.value_index, ContactPoint.id)
        # An index of one kind is no other kind's: each kind has its own key.
        found = points.where(
            ContactPoint.kind.in_([ContactKind.PHONE, ContactKind.EMAIL]),
            ContactPoint.value_index == _any(self.contact_index.values()),
        )
        for kind, index, point_id in self.session.execute(found):
            if index is not None:
                self.points[kind, index] = point_id

    def update(self) -> None:
        """Write what the batch filled in rows that were there before."""
        for person_id, values in self.filled.items():
            self.session.execute(update(Person).where(Person.id == person_id).values(**values))
        for (person_id, point_id), (role, safety, confirmed_on) in self.links.items():
            link = update(PersonContact).where(PersonContact.person_id == person_id, PersonContact.contact_point_id == point_id)
            self.session.execute(link.values(role=role, safety=safety, confirmed_on=confirmed_on))


def _any(indexes: Iterable[bytes]) -> ColumnElement[bytes]:
    return any_(literal(list(indexes), ARRAY(LargeBinary)))  # type: ignore[return-value]  # PostgreSQL's "= any (array)"


def lock(session: Session) -> None:
    """Wait until no other import is being written, until the transaction ends: two at once could both make one person."""
    session.execute(text("select pg_advisory_xact_lock(hashtext('outreach.roster'))"))


def try_lock(session: Session) -> bool:
    """`lock`, without waiting: False while an import is being written."""
    return bool(session.scalar(text("select pg_try_advisory_xact_lock(hashtext('outreach.roster'))")))


@lru_cache(maxsize=1024)
def time_zone(country: str | None, zones: tuple[str, ...]) -> str | None:
    """The zone for quiet hours. None, which means "anywhere in the United States", when its number may be in several.

    Elsewhere the middle one of a number's zones is taken: it is hours nearer than any of ours.
    """
    if len(zones) == 1:
        return zones[0]
    if not zones or country in _NORTH_AMERICA:
        return None
    moment = datetime(2022, 1, 1)  # noqa: DTZ001  # a wall clock's time, of which each zone says its own offset
    by_offset = sorted(zones, key=lambda zone: (ZoneInfo(zone).utcoffset(moment) or timedelta(), zone))
    return by_offset[len(by_offset) // 2]


def _state(contact: Contact, at: datetime) -> tuple[ContactState, str | None, datetime | None]:
    return (ContactState.BAD, denied.REASON, at) if contact.denied else (ContactState.USABLE, None, None)


def _both(link: matching.Link, contact: Contact) -> matching.Link:
    """What is known of a contact from both sources: blanks filled, and of two words on safety the more careful one."""
    role, safety, confirmed_on = link
    return (
        contact.role if role == ContactRole.OTHER else role,
        max(Safety(safety), contact.safety, key=_CAREFUL.index),
        max(confirmed_on or date.min, contact.confirmed_on) if contact.confirmed_on else confirmed_on,
    )


def _normalised(row: ParsedRow) -> str:
    """All that a row says, in one text that is equal for equal rows, whatever the file's format and order of columns."""
    parts: list[object] = [
        row.birth_date, row.birth_precision, row.nationality, row.birth_country, row.language, row.second_language, row.reads,
        row.interpreter, row.posture, row.protected, row.exposed_on, *sorted(row.a_numbers),
    ]  # fmt: skip
    for name in row.names:
        parts += ("name", name.kind, name.whole, name.given, name.family, name.second_family)
    for fact in row.custody:
        parts += ("custody", fact.state, fact.effective_on, fact.facility_code, fact.facility_name)
    for contact in row.contacts:
        parts += (contact.kind, contact.value, contact.role, contact.safety, contact.confirmed_on)
    return "\x1f".join(["" if part is None else str(part) for part in parts])
