"""What is asked again when a message is claimed, hours after it was planned."""

from collections.abc import Callable
from datetime import UTC, datetime, time
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from outreach.access.accounts import Role
from outreach.access.sealing import erase
from outreach.campaigns.campaign import Campaign
from outreach.delivery import plan
from outreach.delivery.claim import Batch, Rules, claim, next_opening
from outreach.notices.house import House
from outreach.people.contact import ContactPoint, ContactRole
from outreach.people.custody import Custody
from outreach.people.incident import Exposure
from outreach.people.person import Person
from outreach.providers.contract import Envelope
from tests.delivery.conftest import HOUSE, LEASE
from tests.factories import make_account, make_contact, make_custody_event, make_incident, make_person
from tests.stage import make_notice, make_running, phone


class Planned:
    """People on one phone, in a campaign that was planned."""

    def __init__(self, session: Session, people: int = 1, waits: tuple[int, ...] = (0,)) -> None:
        self.session = session
        incident = make_incident(session)
        approver = make_account(session, Role.APPROVER)
        self.campaign: Campaign = make_running(session, incident, make_notice(session, ("es", "fr"), by=approver), waits=waits)
        self.people: list[Person] = [make_person(session, incident=incident) for _ in range(people)]
        self.phone: ContactPoint = make_contact(session, *self.people, value=phone(1), role=ContactRole.OWN)
        self.plan()

    def plan(self) -> None:
        for step in plan.due_steps(self.session):
            plan.plan(self.session, step)

    def claim(self, house: House = HOUSE) -> Batch:
        return claim(self.session, "sms", 10, Rules(house, LEASE, "twilio"))

    def outcome(self, number: int = 0) -> str:
        return str(
            self.session.scalar(
                sa.text("select concat_ws(':', state, reason) from outcome where person_id = :id"), {"id": self.people[number].id}
            )
        )

    def message(self, column: str = "state") -> object:
        return self.session.scalar(sa.text(f"select {column} from message"))

    def about(self) -> set[UUID]:
        return set(self.session.scalars(sa.text("select person_id from message_person")))

    def set(self, table: str, assignment: str) -> None:
        self.session.execute(sa.text(f"update {table} set {assignment}"))
        self.session.expire_all()


def in_custody(state: Custody) -> Callable[[Planned], object]:
    return lambda planned: make_custody_event(planned.session, planned.people[0], state=state)


def assigned(table: str, assignment: str) -> Callable[[Planned], object]:
    return lambda planned: planned.set(table, assignment)


CHANGES: dict[str, tuple[Callable[[Planned], object], str, str]] = {
    "detained again": (in_custody(Custody.DETAINED), "cancelled", "exhausted:in_custody"),
    "in transit": (in_custody(Custody.IN_TRANSIT), "cancelled", "exhausted:in_custody"),
    "removed": (in_custody(Custody.REMOVED), "cancelled", "exhausted:removed"),
    "departed": (in_custody(Custody.DEPARTED), "cancelled", "exhausted:removed"),
    "died": (in_custody(Custody.DECEASED), "cancelled", "exhausted:deceased"),
    "lost sight of": (in_custody(Custody.UNKNOWN), "cancelled", "exhausted:custody_unknown"),
    "opted out": (assigned("contact_point", "state = 'opted_out'"), "cancelled", "exhausted:opted_out"),
    "a wrong number": (assigned("contact_point", "state = 'quarantined'"), "cancelled", "exhausted:wrong_number"),
    "a dead number": (assigned("contact_point", "state = 'bad'"), "cancelled", "exhausted:bad_contact"),
    "unsafe": (assigned("person_contact", "safety = 'no'"), "cancelled", "exhausted:unsafe_contact"),
    "never safe": (assigned("person_contact", "safety = 'never'"), "cancelled", "exhausted:unsafe_contact"),
    "somebody else's after all": (assigned("person_contact", "role = 'family'"), "cancelled", "exhausted:unsafe_contact"),
    "protected": (assigned("person", "protected = true"), "cancelled", "exhausted:protected"),
    "no longer theirs": (
        lambda planned: planned.session.execute(sa.text("delete from person_contact")), "cancelled", "exhausted:unsafe_contact",
    ),
    "cannot read": (assigned("person", "reads = false"), "cancelled", "exhausted:cannot_read"),
    "speaks another language": (assigned("person", "language = 'fr'"), "cancelled", "exhausted:needs_translation"),
    "told meanwhile": (assigned("outcome", "state = 'told'"), "cancelled", "told"),
    "erased": (lambda planned: erase(planned.session, planned.phone.id), "cancelled", "exhausted:bad_contact"),
    "the number does not open": (
        assigned("contact_point", "value_sealed = set_byte(value_sealed, 20, get_byte(value_sealed, 20) # 1)"),
        "blocked", "exhausted:bad_contact",
    ),
    "the number was cut off": (assigned("contact_point", "value_sealed = 'x'"), "blocked", "exhausted:bad_contact"),
    "paused": (assigned("campaign", "state = 'paused'"), "ready", "planned"),
    "done": (assigned("campaign", "state = 'done'"), "ready", "planned"),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_what_changed_since_planning_keeps_a_text_back(session: Session, change: str) -> None:
    planned = Planned(session)
    happen, state, outcome = CHANGES[change]
    happen(planned)
    assert planned.claim().claimed == ()
    assert (planned.message(), planned.outcome()) == (state, outcome)


def test_without_a_change_it_goes(session: Session) -> None:
    planned = Planned(session)
    (claimed,) = planned.claim().claimed
    assert isinstance(claimed.envelope, Envelope)
    assert (claimed.envelope.to, planned.message(), planned.outcome()) == (phone(1), "submitting", "planned")


def test_the_text_that_was_approved_for_the_campaign_goes_though_a_newer_one_was_approved_since(session: Session) -> None:
    planned = Planned(session)
    planned.set("rendition", "state = 'retired'")
    assert len(planned.claim().claimed) == 1


def test_a_text_that_our_own_check_refuses_today_is_blocked(session: Session) -> None:
    planned = Planned(session)
    telling = House(HOUSE.values | {"program": "Asylum Office"}, HOUSE.max_segments, HOUSE.segment_price)
    assert planned.claim(telling).claimed == ()
    assert (planned.message(), planned.outcome()) == ("blocked", "exhausted:blocked")


def test_a_text_with_a_field_that_has_no_value_is_blocked(session: Session) -> None:
    planned = Planned(session)
    values = {name: value for name, value in HOUSE.values.items() if name != "site"}
    assert planned.claim(House(values, 3, HOUSE.segment_price)).claimed == ()
    assert planned.message() == "blocked"


def test_a_shared_phones_text_goes_on_about_those_whom_it_may_still_be_about(session: Session) -> None:
    planned = Planned(session, people=2)
    make_custody_event(session, planned.people[0], state=Custody.DETAINED)
    assert len(planned.claim().claimed) == 1
    assert planned.about() == {planned.people[1].id}
    assert [planned.outcome(0), planned.outcome(1)] == ["exhausted:in_custody", "planned"]


def test_somebody_who_no_longer_uses_a_shared_phone_leaves_its_text(session: Session) -> None:
    planned = Planned(session, people=2)
    session.execute(sa.text("delete from person_contact where person_id = :id"), {"id": planned.people[0].id})
    assert len(planned.claim().claimed) == 1
    assert planned.about() == {planned.people[1].id}
    assert [planned.outcome(0), planned.outcome(1)] == ["exhausted:unsafe_contact", "planned"]


def test_people_of_one_phone_who_are_all_left_out_each_keep_their_own_reason(session: Session) -> None:
    planned = Planned(session, people=2)
    make_custody_event(session, planned.people[0], state=Custody.DETAINED)
    make_custody_event(session, planned.people[1], state=Custody.REMOVED)
    assert planned.claim().claimed == ()
    assert planned.message() == "cancelled"
    assert [planned.outcome(0), planned.outcome(1)] == ["exhausted:in_custody", "exhausted:removed"]


@pytest.mark.parametrize(
    ("first", "outcome"), [("delivered", "reached"), ("accepted", "in_progress"), ("failed", "exhausted:refused")]
)
def test_whoever_leaves_a_later_text_stands_where_the_earlier_one_left_them(session: Session, first: str, outcome: str) -> None:
    planned = Planned(session, people=2, waits=(0, 24))
    planned.claim()
    refused = first == "failed"
    planned.set("attempt", f"state = '{'refused' if refused else first}'")
    planned.set("message", f"state = '{first}'" + (", reason = 'refused'" if refused else ""))
    planned.set("outcome", "state = 'in_progress'" if first != "delivered" else "state = 'reached'")
    planned.set("campaign", "launched_at = launched_at - interval '2 days'")
    planned.plan()
    make_custody_event(session, planned.people[0], state=Custody.DETAINED)
    assert len(planned.claim().claimed) == 1
    assert planned.outcome(0) == outcome


def test_one_undecided_attempt_holds_back_everything_else_to_that_phone(session: Session) -> None:
    planned = Planned(session)
    planned.claim()
    incident = make_incident(session)
    session.add(Exposure(incident_id=incident.id, person_id=planned.people[0].id, elements=["name"]))
    make_running(session, incident, make_notice(session, by=make_account(session, Role.APPROVER)))
    planned.plan()
    batch = planned.claim()
    assert (batch.seen, batch.claimed) == (1, ())
    assert session.scalar(sa.text("select count(*) from message where state = 'ready' and due_at > now()")) == 1


NEW_YORK, PHOENIX, HONOLULU = "America/New_York", "America/Phoenix", "Pacific/Honolulu"
OPENINGS = [
    # zone, now in UTC, opening in UTC (None: open now); the hours are 9 to 20
    ("morning in New York", NEW_YORK, "2026-01-15T13:59", "2026-01-15T14:00"),
    ("nine sharp", NEW_YORK, "2026-01-15T14:00", None),
    ("a minute to eight", NEW_YORK, "2026-01-16T00:59", None),
    ("eight sharp", NEW_YORK, "2026-01-16T01:00", "2026-01-16T14:00"),
    ("after midnight", NEW_YORK, "2026-01-16T05:30", "2026-01-16T14:00"),
    ("the night the clocks go forward", NEW_YORK, "2026-03-08T05:30", "2026-03-08T13:00"),
    ("the night the clocks go back", NEW_YORK, "2026-11-01T05:30", "2026-11-01T14:00"),
    ("the evening before the clocks go back", NEW_YORK, "2026-11-01T00:30", "2026-11-01T14:00"),
    ("Arizona in winter", PHOENIX, "2026-01-15T15:59", "2026-01-15T16:00"),
    ("Arizona in summer, which has no summer time", PHOENIX, "2026-07-15T15:59", "2026-07-15T16:00"),
    ("Hawaii", HONOLULU, "2026-07-15T06:00", "2026-07-15T19:00"),
    ("Hawaii by day", HONOLULU, "2026-07-15T20:00", None),
    ("nowhere known, noon in New York", None, "2026-07-15T16:00", "2026-07-15T19:00"),
    ("nowhere known, open from east to west", None, "2026-07-15T19:30", None),
    ("nowhere known, evening in New York", None, "2026-07-16T00:30", "2026-07-16T19:00"),
    ("a zone that does not exist", "Moon/Tranquility", "2026-07-15T16:00", "2026-07-15T19:00"),
    ("a zone that is a path", "../../etc/passwd", "2026-07-15T19:30", None),
    ("no zone at all", "", "2026-07-15T19:30", None),
]  # fmt: skip


@pytest.mark.parametrize(("zone", "at", "opening"), [case[1:] for case in OPENINGS], ids=[case[0] for case in OPENINGS])
def test_texts_go_at_decent_hours_of_the_phones_own_place_only(zone: str | None, at: str, opening: str | None) -> None:
    expected = datetime.fromisoformat(opening).replace(tzinfo=UTC) if opening else None
    assert next_opening(datetime.fromisoformat(at).replace(tzinfo=UTC), time(9), time(20), zone) == expected


def test_hours_that_begin_in_the_gap_of_the_clocks_begin_right_after_it() -> None:
    at = datetime(2026, 3, 8, 5, 30, tzinfo=UTC)  # 00:30 in New York, where 02:30 does not exist that night
    assert next_opening(at, time(2, 30), time(20), NEW_YORK) == datetime(2026, 3, 8, 7, 30, tzinfo=UTC)


def test_any_hour_is_decent_where_the_campaign_says_so() -> None:
    assert next_opening(datetime(2026, 1, 1, 5, tzinfo=UTC), time(0), time(0), NEW_YORK) is None


@pytest.mark.parametrize("zone", [NEW_YORK, "Pacific/Kiritimati", None, "Moon/Tranquility"])
def test_at_night_a_text_waits_for_the_opening_and_then_goes(session: Session, zone: str | None) -> None:
    planned = Planned(session)
    session.execute(sa.text("update contact_point set time_zone = :zone"), {"zone": zone})
    # A window of one minute that is over, wherever the phone may be.
    planned.set("campaign", "window_start = '00:00', window_end = '00:00:01'")
    assert planned.claim().claimed == ()
    assert planned.message() == "ready"
    assert planned.message("due_at > now()")
    planned.set("campaign", "window_start = '00:00', window_end = '00:00'")
    planned.set("message", "due_at = now()")
    assert len(planned.claim().claimed) == 1
