"""Letters: composed from the approved text, the person's own file and the rules for where they are, and claimed for the print room
or a mail house.

A letter is the one thing that says what happened, so it says it to one person only: the name, the address and the language are that
person's, and a facility gets nothing on the envelope that it does not demand.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Row, select, text
from sqlalchemy.orm import Session

from outreach.access import codes
from outreach.access.sealing import DataKey, Sealed, create_key, keys_for, vault_of
from outreach.campaigns.outcome import Reason
from outreach.db import new_id, now
from outreach.delivery import return_code
from outreach.delivery.claim import Rules, claim
from outreach.delivery.compose import Compose, Composed, Composer, Destination
from outreach.delivery.letter import AccessCode
from outreach.delivery.message import body_digest
from outreach.notices import blocks, fields
from outreach.notices.blocks import Block, BlockKind
from outreach.notices.channel import Channel
from outreach.notices.house import House
from outreach.notices.letters.letter import Layout, LetterContent, LetterText, as_json
from outreach.notices.letters.typesetting import DoesNotFit, MissingGlyphs, Typesetter
from outreach.notices.letters.vendors import Vendor
from outreach.people import facilities
from outreach.people.addresses.address import mailing_lines, of_stored
from outreach.people.attorney import Attorney
from outreach.people.custody import Custody, Facility
from outreach.people.facilities import MailRules
from outreach.people.person import ANumber, NameKind, Person, PersonName

log = structlog.get_logger()

CODE_DAYS = 365  # how long an access code is good for
CLIENTS = "clients"  # a paragraph of this field alone is where an attorney's letter lists them


@dataclass(frozen=True, slots=True)
class PaperRules:
    """What the settings say about letters. `sender` is the return address, `title` the office that legal mail is marked with."""

    vendor: Vendor
    sender: tuple[str, ...]
    title: str
    english_behind: bool


@dataclass(frozen=True, slots=True)
class ClaimedLetter:
    """A letter whose attempt is committed. `token` is the attempt's id; `content` is everything that it is set from."""

    message_id: UUID
    token: UUID
    content: LetterContent
    country: str
    person_id: UUID | None
    facility_id: UUID | None
    language: str
    code: str | None = field(repr=False)
    duplicate_of: UUID | None = None


def claim_letters(
    session: Session, channel: Channel, size: int, rules: Rules, paper: PaperRules, *, only: UUID | None = None
) -> tuple[list[ClaimedLetter], int]:
    """Take up to `size` due letters and write their attempts, with the access codes printed in them; and how many were looked at.

    `only` this campaign. The caller commits, and only then sets and sends them.
    """
    made: dict[UUID, ClaimedLetter] = {}
    batch = claim(session, channel, size, replace(rules, composer=letters(channel, paper, made)), only=only)
    going = [made[one.envelope.token] for one in batch.claimed]
    vault = vault_of(session)
    session.add_all(
        AccessCode(
            id=new_id(), person_id=one.person_id, attempt_id=one.token,
            code_hash=vault.keyed_hash("access_code", codes.read(one.code)), expires_at=now() + timedelta(days=CODE_DAYS),
        )
        for one in going
        if one.code is not None
    )  # fmt: skip
    session.flush()
    return going, batch.seen


def letters(channel: Channel, paper: PaperRules, made: dict[UUID, ClaimedLetter]) -> Composer:
    """Composes letters, and keeps each in `made` under its token."""
    whose = _to_attorneys if channel.to_attorney else _to_people

    def composer(session: Session, rows: Sequence[Row[Any]], house: House) -> Compose:
        typesetter = Typesetter(paper.vendor)
        compose = whose(session, rows, house, paper, channel)

        def one(row: Row[Any], token: UUID, destination: Destination) -> Composed | Reason:
            draft = compose(row, token, destination)
            if isinstance(draft, Reason):
                return draft
            letter, key = draft
            try:
                typesetter.prepare(letter.content)
            except MissingGlyphs as error:
                log.warning(
                    "paper.missing_glyphs", message=str(row.id), characters=[f"U+{ord(m.character[0]):04X}" for m in error.missing]
                )
                return Reason.MISSING_GLYPH
            except DoesNotFit:
                log.warning("paper.address_does_not_fit", message=str(row.id))
                return Reason.BAD_ADDRESS
            made[token] = letter
            content = as_json(letter.content)
            return Composed(letter, content, key, key.subject, body_digest(vault_of(session), content))

        return one

    return composer


Draft = tuple[ClaimedLetter, DataKey]
_Draft = Callable[[Row[Any], UUID, Destination], Draft | Reason]


def _to_people(session: Session, rows: Sequence[Row[Any]], house: House, paper: PaperRules, channel: Channel) -> _Draft:
    known = _People.of(session, [row.person_id for row in rows])
    again = _returned_before(session, rows)
    english = _english(session, rows) if paper.english_behind else {}

    def compose(row: Row[Any], token: UUID, destination: Destination) -> Draft | Reason:
        person = known.people[row.person_id]
        key = known.keys.get(row.person_id)
        if key is None or row.person_id not in known.names:
            raise Sealed(f"person {row.person_id} was erased")
        name = known.names[row.person_id]
        country = (
            destination.key.open("contact_point.country", row.contact_point_id, row.country_sealed) if row.country_sealed else "US"
        )
        address = of_stored(destination.to, country)
        inside = person.custody == Custody.DETAINED
        facility = known.facilities.get(person.facility_id) if inside and person.facility_id else None
        if facility is not None and facility.post_point_id != row.contact_point_id:
            facility = None  # To the safe address of a protected person.
        marking: tuple[str, ...] = ()
        if facility is not None:
            try:
                block = facilities.block_for(
                    name, known.a_numbers.get(row.person_id), known.mail_rules[facility.id], sender_title=paper.title
                )
            except (facilities.NoFacilityAddress, facilities.ANumberNeeded, facilities.TitleNeeded) as error:
                log.warning("paper.facility_refuses", message=str(row.id), facility=str(facility.id), error=type(error).__name__)
                return Reason.NO_FACILITY
            recipient, marking = block.lines, block.marking
        else:
            recipient = mailing_lines(name, address)
        code = codes.new(2)
        values = _values(house, token) | {"name": name, "code": code}
        try:
            texts = [LetterText(row.language, blocks.parse(fields.render(row.text, values)))]
            if row.language != "en" and row.id in english:
                texts.append(LetterText("en", blocks.parse(fields.render(english[row.id], values))))
        except fields.FieldError:
            return Reason.BLOCKED
        content = LetterContent(
            layout=Layout.HAND if channel is Channel.HAND else Layout.PERSON,
            recipient=recipient, sender=paper.sender, written=now().date(), texts=tuple(texts),
            site=house.values["site"], phone=house.values["phone"], reference=codes.of(token), return_code=return_code.new(),
            access_code=code, marking=marking if channel is Channel.LETTER else (), taglines=True,
            large_print=person.large_print, duplicate=row.person_id in again,
        )  # fmt: skip
        facility_id = facility.id if facility else None
        return ClaimedLetter(
            row.id, token, content, country, row.person_id, facility_id, row.language, code, again.get(row.person_id)
        ), key

    return compose


def _to_attorneys(session: Session, rows: Sequence[Row[Any]], house: House, paper: PaperRules, _channel: Channel) -> _Draft:
    """One letter to an attorney, about all the clients whom the message is about. Sealed under a key of the message's own."""
    clients: dict[UUID, list[UUID]] = {}
    about = text("select message_id, person_id from message_person where message_id = any(:ids) order by person_id")
    for one in session.execute(about, {"ids": [row.id for row in rows]}):
        clients.setdefault(one.message_id, []).append(one.person_id)
    known = _People.of(session, {person_id for those in clients.values() for person_id in those})
    attorneys = {a.id: a for a in session.scalars(select(Attorney).where(Attorney.id.in_({row.attorney_id for row in rows})))}
    keys = keys_for(session, [*attorneys, *(row.id for row in rows)])

    def compose(row: Row[Any], token: UUID, destination: Destination) -> Draft | Reason:
        attorney = attorneys[row.attorney_id]
        if attorney.id not in keys:
            raise Sealed(f"attorney {attorney.id} was erased")
        name = keys[attorney.id].open("attorney.name", attorney.id, attorney.name_sealed)
        firm = keys[attorney.id].open("attorney.firm", attorney.id, attorney.firm_sealed) if attorney.firm_sealed else None
        named = [known.entry(person_id) for person_id in clients.get(row.id, []) if person_id in known.names]
        if not named:
            return Reason.REPRESENTATION_ENDED
        listed = Block(BlockKind.LIST, tuple(named))
        values = _values(house, token) | {"name": name, "count": str(len(named)), CLIENTS: PLACE}
        try:
            body = blocks.parse(fields.render(row.text, values))
        except fields.FieldError:
            return Reason.BLOCKED
        country = (
            destination.key.open("contact_point.country", row.contact_point_id, row.country_sealed) if row.country_sealed else "US"
        )
        address = of_stored(destination.to, country)
        recipient = mailing_lines(name, address)
        if firm and len(recipient) < MOST_LINES:
            recipient = (recipient[0], firm, *recipient[1:])
        content = LetterContent(
            layout=Layout.ATTORNEY, recipient=recipient, sender=paper.sender, written=now().date(),
            texts=(LetterText(row.language, tuple(listed if block.lines == (PLACE,) else block for block in body)),),
            site=house.values["site"], phone=house.values["phone"], reference=codes.of(token), return_code=return_code.new(),
        )  # fmt: skip
        key = keys.get(row.id) or create_key(session, row.id)
        return ClaimedLetter(row.id, token, content, country, None, None, row.language, None), key

    return compose


PLACE = "(clients)"
MOST_LINES = 6


def _values(house: House, token: UUID) -> dict[str, str]:
    today = now().date()
    return {**house.values, "reference": codes.of(token), "date": f"{today:%B} {today.day}, {today.year}"}


@dataclass(frozen=True, slots=True)
class _People:
    """What letters need of the people they are about: their names as recorded, their A-numbers, and where they are held."""

    people: Mapping[UUID, Person]
    keys: Mapping[UUID, DataKey]
    names: Mapping[UUID, str]
    a_numbers: Mapping[UUID, str]
    facilities: Mapping[UUID, Facility]
    mail_rules: Mapping[UUID, MailRules]

    @staticmethod
    def of(session: Session, ids: Sequence[UUID] | set[UUID]) -> "_People":
        people = {p.id: p for p in session.scalars(select(Person).where(Person.id.in_(list(ids))))}
        keys = keys_for(session, people)
        names: dict[UUID, str] = {}
        recorded = select(PersonName).where(PersonName.person_id.in_(list(people)), PersonName.kind == NameKind.RECORDED)
        for one in session.scalars(recorded.order_by(PersonName.created_at.desc(), PersonName.id.desc())):
            if one.person_id in keys:
                names[one.person_id] = keys[one.person_id].open("person_name.whole", one.id, one.whole_sealed)
        numbers: dict[UUID, str] = {}
        for number in session.scalars(select(ANumber).where(ANumber.person_id.in_(list(people))).order_by(ANumber.id.desc())):
            if number.person_id in keys:
                numbers[number.person_id] = keys[number.person_id].open("a_number.value", number.id, number.value_sealed)
        where = {p.facility_id for p in people.values() if p.facility_id}
        places = {f.id: f for f in session.scalars(select(Facility).where(Facility.id.in_(where)))}
        return _People(people, keys, names, numbers, places, facilities.mail_rules(session, places))

    def entry(self, person_id: UUID) -> str:
        """How an attorney's letter names a client: enough to know them by, inside a sealed letter."""
        number = self.a_numbers.get(person_id)
        return f"{self.names[person_id]} (A-number ending in {number[-3:]})" if number else self.names[person_id]


def _returned_before(session: Session, rows: Sequence[Row[Any]]) -> dict[UUID, UUID]:
    """By person, the letter of the campaign that came back last: the next one says on top that it is a duplicate."""
    found = session.execute(
        text("""
            select distinct on (m.person_id) m.person_id, l.attempt_id
            from message m join attempt a on a.message_id = m.id join letter l on l.attempt_id = a.id
            where m.campaign_id = any(:campaigns) and m.person_id = any(:people) and m.attorney_id is null and l.state = 'returned'
            order by m.person_id, l.state_at desc
        """),
        {"campaigns": list({row.campaign_id for row in rows}), "people": [row.person_id for row in rows]},
    )
    return {row.person_id: row.attempt_id for row in found}


def _english(session: Session, rows: Sequence[Row[Any]]) -> dict[UUID, str]:
    """The English letters that were approved when these messages were decided on, as their own texts were; by message."""
    found = session.execute(
        text("""
            select distinct on (m.id) m.id, r.text
            from message m
            join step s on s.id = m.step_id
            join rendition own on own.id = m.rendition_id
            join rendition r on r.notice_id = own.notice_id and r.channel = 'letter' and r.language = 'en' and r.state <> 'draft'
                and r.approved_at <= greatest(s.planned_at, m.created_at, own.approved_at)
            where m.id = any(:messages)
            order by m.id, r.approved_at desc, r.id desc
        """),
        {"messages": [row.id for row in rows]},
    )
    return {row.id: row.text for row in found}
