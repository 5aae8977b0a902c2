"""Facilities: their rules for mail, and what stands on the outside of a letter to somebody there."""

from dataclasses import replace
from uuid import uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from outreach.access.audit import COMMAND, AuditEntry
from outreach.db import new_id
from outreach.people import facilities
from outreach.people.addresses.address import from_text
from outreach.people.addresses.american import Flaw
from outreach.people.contact import AddressGrade, ContactPoint
from outreach.people.custody import ANumberRule, Custody, Facility, MailMarking
from outreach.people.facilities import AddressBlock, MailRules, block_for
from outreach.people.synth.furnishing import furnish
from outreach.people.synth.rosters import facilities as synthetic
from tests.factories import make_custody_event, make_person

RULES = MailRules("Mesa Ficticia Center", ("PO Box 5001", "Sampleton, TX 78799"), ANumberRule.NONE, MailMarking.NONE)
TITLE = "Office of Notices"


@pytest.fixture
def facility(session: Session) -> Facility:
    found = Facility(id=new_id(), code="FICTXA", name="Mesa Ficticia Center")
    session.add(found)
    session.flush()
    return found


def change(session: Session, facility: Facility, **changes: object) -> None:
    values: dict[str, object] = {
        "name": "Mesa Ficticia Center", "time_zone": "America/Chicago", "address": "PO Box 5001\nSampleton, TX 78799",
        "a_number_rule": ANumberRule.LAST_FOUR, "mail_marking": MailMarking.LEGAL_MAIL,
    }  # fmt: skip
    facilities.change(session, facility.id, **(values | changes), by=COMMAND)  # type: ignore[arg-type]  # as in the form


@pytest.mark.parametrize(
    ("rule", "number"),
    [(ANumberRule.NONE, ()), (ANumberRule.LAST_FOUR, ("A# ending 5678",)), (ANumberRule.FULL, ("A912-345-678",))],
)
def test_no_more_of_the_a_number_stands_outside_than_the_facility_demands(rule: ANumberRule, number: tuple[str, ...]) -> None:
    block = block_for("FICTICIO, Sol", "A912345678", replace(RULES, a_number_rule=rule), sender_title=TITLE)

    assert block == AddressBlock(("FICTICIO, Sol", *number, "Mesa Ficticia Center", "PO Box 5001", "Sampleton, TX 78799"))


@pytest.mark.parametrize(
    ("marking", "words"), [(MailMarking.LEGAL_MAIL, "LEGAL MAIL"), (MailMarking.SPECIAL_CORRESPONDENCE, "SPECIAL CORRESPONDENCE")]
)
def test_marked_mail_carries_its_marking_and_the_senders_title(marking: MailMarking, words: str) -> None:
    assert block_for("FICTICIO, Sol", None, replace(RULES, mail_marking=marking), sender_title=TITLE).marking == (words, TITLE)
    with pytest.raises(facilities.TitleNeeded):
        block_for("FICTICIO, Sol", None, replace(RULES, mail_marking=marking), sender_title="")


def test_a_letter_that_the_facility_would_refuse_is_not_addressed() -> None:
    with pytest.raises(facilities.NoFacilityAddress):
        block_for("FICTICIO, Sol", "A912345678", replace(RULES, address=()), sender_title=TITLE)
    with pytest.raises(facilities.ANumberNeeded):
        block_for("FICTICIO, Sol", None, replace(RULES, a_number_rule=ANumberRule.LAST_FOUR), sender_title=TITLE)


def test_a_facilitys_rules_are_kept_and_who_changed_them(session: Session, facility: Facility) -> None:
    change(session, facility)

    assert facilities.mail_rules(session, [facility.id]) == {
        facility.id: MailRules(
            "Mesa Ficticia Center", ("PO Box 5001", "Sampleton, TX 78799"), ANumberRule.LAST_FOUR, MailMarking.LEGAL_MAIL
        )
    }
    entry = session.scalars(sa.select(AuditEntry).where(AuditEntry.action == "facility.change")).one()
    assert entry.object_id == facility.id
    assert entry.detail["changed"] == ["a_number_rule", "post_point_id", "time_zone"]
    change(session, facility)
    assert session.scalar(sa.select(sa.func.count()).where(AuditEntry.action == "facility.change")) == 1, "nothing was changed"


def test_a_new_address_is_a_new_contact_point_and_the_same_one_is_not(session: Session, facility: Facility) -> None:
    change(session, facility)
    first = facility.post_point_id
    change(session, facility, name="Mesa Ficticia Processing Center")
    assert facility.post_point_id == first

    change(session, facility, address="PO Box 5002\nSampleton, TX 78799")
    assert facility.post_point_id not in (None, first)
    assert session.get_one(ContactPoint, facility.post_point_id).place_zones == ["America/Chicago", "America/Denver"]
    change(session, facility, address=" ")
    assert not facilities.listed(session)[0][0].has_address
    assert facilities.mail_rules(session, [facility.id])[facility.id].address == ()


@pytest.mark.parametrize(
    ("address", "flaw"),
    [
        ("PO Box 5001", Flaw.ZIP),
        ("Sampleton, TX 78799", Flaw.STREET),
        ("PO Box 5001\nSampleton, TX 10001", Flaw.ZIP_OF_ANOTHER_STATE),
    ],
)
def test_an_address_to_which_no_letter_can_go_is_refused(session: Session, facility: Facility, address: str, flaw: Flaw) -> None:
    with pytest.raises(facilities.BadAddress) as raised:
        change(session, facility, address=address)
    assert raised.value.flaw is flaw


def test_a_facilitys_own_name_in_its_address_is_no_fault(session: Session, facility: Facility) -> None:
    change(session, facility, address="Mesa Ficticia Detention Center\n5 Sample Road\nSampleton, TX 78799")

    assert facility.post_point_id is not None


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"name": " "}, facilities.NoName),
        ({"name": "x" * 121}, facilities.NoName),
        ({"time_zone": "Utopia/Capital"}, facilities.NoSuchZone),
    ],
)
def test_what_cannot_be_is_refused(session: Session, facility: Facility, wrong: dict[str, str], error: type[Exception]) -> None:
    with pytest.raises(error):
        change(session, facility, **wrong)
    with pytest.raises(facilities.NoSuchFacility):
        change(session, Facility(id=uuid4()))


def test_the_list_counts_who_is_held_there_now(session: Session, facility: Facility) -> None:
    held = make_person(session, custody=Custody.UNKNOWN)
    make_custody_event(session, held, state=Custody.DETAINED, facility_id=facility.id, as_of=held.custody_as_of)
    make_person(session)

    assert [(one.code, one.has_address, one.people) for one in facilities.listed(session)[0] if one.id == facility.id] == [
        ("FICTXA", False, 1)
    ]


def test_synthetic_facilities_have_addresses_and_rules_of_every_kind(session: Session, facility: Facility) -> None:
    assert furnish(session, by=COMMAND) == 1
    assert furnish(session, by=COMMAND) == 0

    assert facility.time_zone == "America/Chicago"
    assert facilities.mail_rules(session, [facility.id])[facility.id].address == ("PO Box 5001", "Sampleton, TX 78799")
    assert {one.a_number_rule for one in synthetic()} == set(ANumberRule)
    assert {one.mail_marking for one in synthetic()} == set(MailMarking)
    assert all(from_text("", "\n".join(one.address), "").grade is AddressGrade.GOOD for one in synthetic())
