"""What is asked again when a message is claimed, hours after it was planned."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from outreach.access.accounts import Account, Role
from outreach.access.sealing import erase
from outreach.campaigns.campaign import Campaign
from outreach.db import now
from outreach.delivery import hours, plan, progress, stopping
from outreach.delivery.claim import Batch, Rules, claim
from outreach.delivery.projection import finish
from outreach.notices.house import House
from outreach.people import imminent
from outreach.people.contact import ContactKind, ContactPoint, ContactRole
from outreach.people.custody import Custody
from outreach.people.file import Reader
from outreach.people.incident import Exposure
from outreach.people.person import Person
from outreach.providers.contract import Envelope
from tests.delivery.conftest import HOUSE, LEASE
from tests.factories import (
    make_account,
    make_campaign,
    make_contact,
    make_custody_event,
    make_incident,
    make_message,
    make_person,
)
from tests.stage import make_notice, make_running, phone


def reader(account: Account) -> Reader:
    return Reader(account.actor, supervises=account.role == Role.SUPERVISOR)


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

    def claim(self, house: House = HOUSE, **rules: timedelta) -> Batch:
        return claim(self.session, "sms", 10, Rules(house, LEASE, "twilio", **rules))  # type: ignore[arg-type]  # those of time

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


def where_it_is(hour: int) -> str:
    """A zone where the clocks show this hour now, within half of one."""
    ahead = (hour - round(now().hour + now().minute / 60) + 12) % 24 - 12
    return f"Etc/GMT{-ahead:+d}" if ahead else "Etc/GMT"


DAY = "window_start = '09:00', window_end = '16:00'"
ANY_HOUR = "window_start = '00:00', window_end = '00:00'"


def live(planned: Planned, number: int, zone: str) -> ContactPoint:
    """Give the person an address there."""
    return make_contact(planned.session, planned.people[number], value="12 Sample Road", kind=ContactKind.POST, place_zones=[zone])


def test_at_night_a_text_waits_for_the_opening_and_then_goes(session: Session) -> None:
    planned = Planned(session)
    live(planned, 0, where_it_is(0))
    planned.set("contact_point", f"time_zone = '{where_it_is(12)}' where kind = 'phone'")
    planned.set("campaign", DAY)
    assert planned.claim().claimed == ()
    assert (planned.message(), planned.message("reason")) == ("ready", "quiet_hours")
    assert planned.message("due_at between now() + interval '8 hours' and now() + interval '10 hours'")
    planned.set("campaign", ANY_HOUR)
    planned.set("message", "due_at = now()")
    assert len(planned.claim().claimed) == 1
    assert planned.message("reason") is None


def test_by_day_where_the_person_lives_it_goes_whatever_the_number_says(session: Session) -> None:
    planned = Planned(session)
    live(planned, 0, where_it_is(12))
    planned.set("contact_point", f"time_zone = '{where_it_is(0)}' where kind = 'phone'")
    planned.set("campaign", DAY)
    assert len(planned.claim().claimed) == 1


def test_a_shared_phone_is_texted_when_it_is_day_for_everybody_who_is_written_about(session: Session) -> None:
    planned = Planned(session, people=2)
    live(planned, 0, where_it_is(12))
    live(planned, 1, where_it_is(6))
    planned.set("campaign", DAY)
    assert planned.claim().claimed == ()
    planned.set("message", "due_at = now()")
    make_custody_event(session, planned.people[1], state=Custody.DETAINED)
    assert len(planned.claim().claimed) == 1, "who is left out does not keep the others waiting"


def test_where_no_hour_is_decent_for_everybody_the_text_waits_and_says_so(session: Session) -> None:
    planned = Planned(session, people=2)
    live(planned, 0, where_it_is(12))
    night = live(planned, 1, where_it_is(0))
    planned.set("campaign", DAY)
    assert planned.claim().claimed == ()
    assert (planned.message(), planned.message("reason")) == ("ready", "no_decent_hour")
    assert planned.message("due_at > now()")
    assert progress.of(session, planned.campaign.id).without_hour == 1
    assert [planned.outcome(number) for number in range(2)] == ["exhausted:no_decent_hour"] * 2, "nobody waits with it"
    for hour, standing in ((6, ("quiet_hours", "planned")), (0, ("no_decent_hour", "exhausted:no_decent_hour"))):
        night.place_zones = [where_it_is(hour)]
        session.flush()
        planned.set("message", "due_at = now()")
        assert planned.claim().claimed == ()
        assert (planned.message("reason"), planned.outcome()) == standing
    night.place_zones = [where_it_is(12)]
    session.flush()
    planned.set("message", "due_at = now()")
    assert len(planned.claim().claimed) == 1


def test_a_text_that_has_an_hour_again_but_finds_its_phone_busy_waits_like_any_other(session: Session) -> None:
    planned = Planned(session, people=2)
    live(planned, 0, where_it_is(12))
    night = live(planned, 1, where_it_is(0))
    planned.set("campaign", DAY)
    assert planned.claim().claimed == ()
    assert planned.outcome() == "exhausted:no_decent_hour"
    make_message(session, make_campaign(session), planned.phone, planned.people[0], state="unknown")
    night.place_zones = [where_it_is(12)]
    session.flush()
    planned.set("message", "due_at = now() where state = 'ready'")
    assert planned.claim().claimed == ()
    assert planned.outcome() == "planned"


def test_a_text_that_finds_no_decent_hour_keeps_its_campaign_open_for_a_week_from_then_on(session: Session) -> None:
    planned = Planned(session)
    planned.set("step", "planned_at = now()")
    planned.set("message", "reason = 'no_decent_hour', created_at = now() - interval '8 days'")
    planned.set("outcome", "state = 'exhausted', reason = 'no_decent_hour', updated_at = now() - interval '6 days'")
    assert finish(session) == []
    planned.set("outcome", "updated_at = now() - interval '8 days'")
    assert finish(session) == [planned.campaign.id]
    stopping.cancel(session)
    assert (planned.message(), planned.outcome()) == ("cancelled", "exhausted:no_decent_hour")


def test_a_text_lives_no_longer_at_the_carrier_than_its_hours(session: Session) -> None:
    planned = Planned(session, people=2)
    live(planned, 0, where_it_is(12))
    live(planned, 1, where_it_is(13))
    planned.set("campaign", DAY)
    (claimed,) = planned.claim(validity=timedelta(hours=10)).claimed
    assert isinstance(claimed.envelope, Envelope)
    closes = now().astimezone(ZoneInfo(where_it_is(13))).replace(hour=16, minute=0, second=0, microsecond=0)
    left = (closes - now() - LEASE).total_seconds()
    assert left - 1 <= claimed.envelope.validity <= left + 60


@pytest.mark.parametrize("hours", [DAY, ANY_HOUR])
def test_a_carrier_never_tries_for_longer_than_the_settings_say(session: Session, hours: str) -> None:
    planned = Planned(session)
    live(planned, 0, where_it_is(12))
    planned.set("campaign", hours)
    (claimed,) = planned.claim(validity=timedelta(minutes=7)).claimed
    assert isinstance(claimed.envelope, Envelope)
    assert claimed.envelope.validity == 420


def test_a_text_with_too_little_left_of_its_hours_waits_for_the_next(session: Session) -> None:
    planned = Planned(session)
    live(planned, 0, where_it_is(12))
    planned.set("campaign", DAY)
    assert planned.claim(shortest_validity=timedelta(hours=5)).claimed == ()
    assert planned.message("reason") == "quiet_hours"
    assert planned.message("due_at > now() + interval '12 hours'")
    planned.set("message", "due_at = now()")
    assert len(planned.claim(shortest_validity=timedelta(hours=3)).claimed) == 1


def test_an_imminent_removal_of_one_of_them_goes_at_any_hour_and_at_once(session: Session) -> None:
    planned = Planned(session, people=2)
    for number in (0, 1):
        live(planned, number, where_it_is(0))
    planned.set("campaign", DAY)
    assert planned.claim().claimed == ()
    assert hours.hasten(session) == 0

    asker, approver = make_account(session), make_account(session, Role.APPROVER)
    removal = imminent.ask(session, planned.people[1].id, "Removal flight tonight", now() + timedelta(hours=8), by=reader(asker))
    assert hours.hasten(session) == 0, "one person alone hurries nothing"
    imminent.approve(session, removal, by=reader(approver))
    assert hours.hasten(session) == 1
    assert planned.outcome() == "planned", "it waits no more for want of an hour"
    (claimed,) = planned.claim().claimed
    assert isinstance(claimed.envelope, Envelope)
    assert claimed.envelope.validity == 4 * 3600
