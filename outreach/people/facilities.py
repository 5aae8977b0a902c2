"""Places of detention and their rules for mail: the address, how much of the A-number it demands outside, and its marking.

Mail to somebody in custody has no other address than their facility's. What stands on the outside is the least that brings it
into the right hands: the name as booked, and of the A-number nothing, unless this facility demands it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from zoneinfo import available_timezones

from sqlalchemy import select
from sqlalchemy.orm import Session

from outreach.access import audit
from outreach.access.audit import Actor
from outreach.access.sealing import create_key, keys_for
from outreach.db import new_id
from outreach.people.addresses import address as postal
from outreach.people.addresses.american import Flaw
from outreach.people.addresses.zones import zones_of_lines
from outreach.people.contact import VALUE, AddressGrade, ContactKind, ContactPoint
from outreach.people.custody import ANumberRule, Facility, MailMarking
from outreach.tally import Tally

LONGEST_NAME = 120
_MARKINGS = {MailMarking.LEGAL_MAIL: "LEGAL MAIL", MailMarking.SPECIAL_CORRESPONDENCE: "SPECIAL CORRESPONDENCE"}


class NoSuchFacility(LookupError):
    """There is no facility with this id."""


class NoName(ValueError):
    """A facility's name is blank or longer than an envelope is wide."""


class NoSuchZone(ValueError):
    """This is not the name of a time zone."""


class BadAddress(ValueError):
    """No letter can be sent to this address. `flaw` says why."""

    def __init__(self, flaw: Flaw | None) -> None:
        super().__init__("No letter can be sent to this address.")
        self.flaw = flaw


class NoFacilityAddress(Exception):
    """The facility's mailing address is not on file, so nobody in it can be written to."""


class ANumberNeeded(Exception):
    """The facility demands the A-number on the outside, and the person has none on file."""


class TitleNeeded(Exception):
    """Mail is marked as legal mail or special correspondence only with the title of its sender (the setting `sender_title`)."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A facility in the list. `people` are those held there now."""

    id: UUID
    code: str
    name: str
    time_zone: str | None
    has_address: bool
    a_number_rule: ANumberRule
    mail_marking: MailMarking
    people: int


@dataclass(frozen=True, slots=True)
class MailRules:
    """What an envelope to a facility needs. `address` is its lines, none when it is not on file."""

    name: str
    address: tuple[str, ...]
    a_number_rule: ANumberRule
    mail_marking: MailMarking


@dataclass(frozen=True, slots=True)
class AddressBlock:
    """`marking`: what stands above the address in capitals, then the sender's title. Empty for ordinary mail."""

    lines: tuple[str, ...]
    marking: tuple[str, ...] = ()


def block_for(name: str, a_number: str | None, rules: MailRules, *, sender_title: str) -> AddressBlock:
    """The outside of a letter to somebody in this facility. `name` as booked; `a_number` is "A" and nine digits.

    Raises NoFacilityAddress, ANumberNeeded, or TitleNeeded: a facility may open or refuse what lacks its marks, so such a letter
    is not sent.
    """
    if not rules.address:
        raise NoFacilityAddress
    number: tuple[str, ...] = ()
    if rules.a_number_rule is not ANumberRule.NONE:
        if a_number is None:
            raise ANumberNeeded
        digits = a_number.removeprefix("A").zfill(9)
        whole = rules.a_number_rule is ANumberRule.FULL
        number = (f"A{digits[:3]}-{digits[3:6]}-{digits[6:]}" if whole else f"A# ending {digits[-4:]}",)
    marking = _MARKINGS.get(rules.mail_marking)
    if marking is not None and not sender_title:
        raise TitleNeeded
    return AddressBlock((name, *number, rules.name, *rules.address), (marking, sender_title) if marking else ())


_HELD = Tally("facilities", "select facility_id, count(*) as people from person where facility_id is not null group by 1")


def listed(session: Session) -> tuple[list[Listed], datetime]:
    """Every facility, by name; and as of when it is who is held there."""
    held = _HELD.rows(session)
    people = {row["facility_id"]: row["people"] for row in held.rows}
    found = [
        Listed(
            id=one.id, code=one.code, name=one.name, time_zone=one.time_zone, has_address=one.post_point_id is not None,
            a_number_rule=ANumberRule(one.a_number_rule), mail_marking=MailMarking(one.mail_marking),
            people=people.get(str(one.id), 0),
        )
        for one in session.scalars(select(Facility).order_by(Facility.name, Facility.code))
    ]  # fmt: skip
    return found, held.as_of


def get(session: Session, facility_id: UUID) -> Facility:
    """Raises NoSuchFacility."""
    found = session.get(Facility, facility_id)
    if found is None:
        raise NoSuchFacility
    return found


def mail_rules(session: Session, facility_ids: Iterable[UUID]) -> dict[UUID, MailRules]:
    """What envelopes to these facilities need, by facility."""
    found = session.scalars(select(Facility).where(Facility.id.in_(set(facility_ids)))).all()
    points = select(ContactPoint.id, ContactPoint.value_sealed).where(ContactPoint.id.in_([one.post_point_id for one in found]))
    sealed = {row.id: row.value_sealed for row in session.execute(points)}
    keys = keys_for(session, sealed)
    lines = {point_id: tuple(keys[point_id].open(VALUE, point_id, value).splitlines()) for point_id, value in sealed.items()}
    return {
        one.id: MailRules(
            one.name,
            lines[one.post_point_id] if one.post_point_id else (),
            ANumberRule(one.a_number_rule),
            MailMarking(one.mail_marking),
        )
        for one in found
    }


def change(
    session: Session, facility_id: UUID, *, name: str, time_zone: str | None, address: str, a_number_rule: ANumberRule,
    mail_marking: MailMarking, by: Actor,
) -> None:  # fmt: skip
    """Say what a facility is called and how it takes mail. `address`: lines, or blank while it is not known.

    Letters that are already printed keep the address that is on them. Raises NoSuchFacility, NoName, NoSuchZone or BadAddress.
    """
    facility = session.get(Facility, facility_id, with_for_update={"key_share": True})
    if facility is None:
        raise NoSuchFacility
    name = " ".join(name.split())
    if not name or len(name) > LONGEST_NAME:
        raise NoName
    if time_zone is not None and time_zone not in available_timezones():
        raise NoSuchZone
    point_id = _post_point(session, facility, address)
    after = {
        "name": name, "time_zone": time_zone, "post_point_id": point_id, "a_number_rule": a_number_rule,
        "mail_marking": mail_marking,
    }  # fmt: skip
    changed = sorted(column for column, value in after.items() if getattr(facility, column) != value)
    for column in changed:
        setattr(facility, column, after[column])
    session.flush()
    if changed:
        audit.record(
            session, by, "facility.change", "facility", facility_id, changed=changed, a_number_rule=a_number_rule,
            mail_marking=mail_marking,
        )  # fmt: skip


def _post_point(session: Session, facility: Facility, text: str) -> UUID | None:
    """The contact point of a mailing address: the present one when it says the same, else a new one: letters refer to the old."""
    if not text.strip():
        return None
    found = postal.from_text("", text, "", office=True)
    if found.grade is not AddressGrade.GOOD:
        raise BadAddress(found.flaw)
    now = mail_rules(session, [facility.id])[facility.id]
    if "\n".join(now.address) == found.lines:
        return facility.post_point_id
    point_id = new_id()
    sealed = create_key(session, point_id).seal(VALUE, point_id, found.lines)
    zones = list(zones_of_lines(found.lines, found.country))
    session.add(ContactPoint(id=point_id, kind=ContactKind.POST, value_sealed=sealed, grade=found.grade, place_zones=zones))
    session.flush()
    return point_id
