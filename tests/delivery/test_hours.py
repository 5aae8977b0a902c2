"""The hours in which a text may arrive."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from outreach.delivery.hours import ABROAD, HORIZON, PLACE, SOMEWHERE, next_opening, zones_of
from outreach.people.contact import ContactKind, ContactRole, ContactState, Safety
from outreach.people.custody import Custody
from outreach.people.person import Person
from tests.factories import make_contact, make_custody_event, make_facility, make_person

NEW_YORK, CHICAGO, PHOENIX, HONOLULU = "America/New_York", "America/Chicago", "America/Phoenix", "Pacific/Honolulu"
SAN_JUAN, GUAM, SAMOA, NAIROBI = "America/Puerto_Rico", "Pacific/Guam", "Pacific/Pago_Pago", "Africa/Nairobi"
STATES = (NEW_YORK, HONOLULU)
OPENINGS = [
    # zones, now in UTC, opening in UTC (None: open now); the hours are 9 to 20
    ("morning in New York", [NEW_YORK], "2026-01-15T13:59", "2026-01-15T14:00"),
    ("nine sharp", [NEW_YORK], "2026-01-15T14:00", None),
    ("a minute to eight", [NEW_YORK], "2026-01-16T00:59", None),
    ("eight sharp", [NEW_YORK], "2026-01-16T01:00", "2026-01-16T14:00"),
    ("after midnight", [NEW_YORK], "2026-01-16T05:30", "2026-01-16T14:00"),
    ("the night the clocks go forward", [NEW_YORK], "2026-03-08T05:30", "2026-03-08T13:00"),
    ("the night the clocks go back", [NEW_YORK], "2026-11-01T05:30", "2026-11-01T14:00"),
    ("the evening before the clocks go back", [NEW_YORK], "2026-11-01T00:30", "2026-11-01T14:00"),
    ("Arizona in winter", [PHOENIX], "2026-01-15T15:59", "2026-01-15T16:00"),
    ("Arizona in summer, which has no summer time", [PHOENIX], "2026-07-15T15:59", "2026-07-15T16:00"),
    ("Arizona in summer with the Navajo Nation", [PHOENIX, "America/Denver"], "2026-07-15T15:30", "2026-07-15T16:00"),
    ("Indiana, by both of its clocks", ["America/Indiana/Indianapolis", CHICAGO], "2026-07-15T13:30", "2026-07-15T14:00"),
    ("Puerto Rico, an hour before New York in winter", [SAN_JUAN], "2026-01-15T13:00", None),
    ("Guam, where it is tomorrow", [GUAM], "2026-01-15T22:59", "2026-01-15T23:00"),
    ("American Samoa, where it is yesterday", [SAMOA], "2026-01-16T07:00", "2026-01-16T20:00"),
    ("Guam and American Samoa", [GUAM, SAMOA], "2026-01-15T12:00", "2026-01-15T23:00"),
    ("Hawaii", [HONOLULU], "2026-07-15T06:00", "2026-07-15T19:00"),
    ("Hawaii by day", [HONOLULU], "2026-07-15T20:00", None),
    ("nowhere known, noon in New York", STATES, "2026-07-15T16:00", "2026-07-15T19:00"),
    ("nowhere known, open from east to west", STATES, "2026-07-15T19:30", None),
    ("nowhere known, evening in New York", STATES, "2026-07-16T00:30", "2026-07-16T19:00"),
    ("a zone that does not exist", ["Moon/Tranquility"], "2026-07-15T16:00", "2026-07-15T19:00"),
    ("a zone that is a path", ["../../etc/passwd"], "2026-07-15T19:30", None),
    ("no zone at all", [""], "2026-07-15T16:00", "2026-07-15T19:00"),
]  # fmt: skip


def utc(written: str) -> datetime:
    return datetime.fromisoformat(written).replace(tzinfo=UTC)


@pytest.mark.parametrize(("zones", "at", "opens"), [case[1:] for case in OPENINGS], ids=[case[0] for case in OPENINGS])
def test_texts_go_at_hours_that_are_decent_in_every_zone(zones: list[str], at: str, opens: str | None) -> None:
    opening = next_opening(utc(at), time(9), time(20), zones)
    assert opening is not None
    assert opening.opens == utc(opens or at)


@pytest.mark.parametrize(
    ("zones", "at", "closes"),
    [
        ([NEW_YORK], "2026-01-15T15:00", "2026-01-16T01:00"),
        (STATES, "2026-01-15T20:00", "2026-01-16T01:00"),
        ([CHICAGO, "America/Denver"], "2026-07-15T16:00", "2026-07-16T01:00"),
    ],
)
def test_they_close_where_it_is_evening_first(zones: list[str], at: str, closes: str) -> None:
    opening = next_opening(utc(at), time(9), time(20), zones)
    assert opening is not None
    assert opening.closes == utc(closes)


def test_hours_that_begin_in_the_gap_of_the_clocks_begin_right_after_it() -> None:
    opening = next_opening(utc("2026-03-08T05:30"), time(2, 30), time(20), [NEW_YORK])  # that night, no clock shows 02:30
    assert opening is not None
    assert opening.opens == utc("2026-03-08T07:00")


def test_hours_that_end_while_an_hour_is_told_twice_end_at_the_first_and_come_back() -> None:
    first = next_opening(utc("2026-11-01T05:00"), time(0, 30), time(1, 30), [NEW_YORK])
    again = next_opening(utc("2026-11-01T05:30"), time(0, 30), time(1, 30), [NEW_YORK])
    assert first is not None
    assert again is not None
    assert (first.closes, again.opens, again.closes) == (utc("2026-11-01T05:30"), utc("2026-11-01T06:00"), utc("2026-11-01T06:30"))


def test_any_hour_is_decent_where_the_campaign_says_so() -> None:
    opening = next_opening(utc("2026-01-01T05:00"), time(0), time(0), [NEW_YORK])
    assert opening is not None
    assert (opening.opens, opening.closes) == (utc("2026-01-01T05:00"), None)


def test_hours_with_too_little_left_of_them_are_left_out() -> None:
    soon = timedelta(minutes=5)
    for at, opens in (("2026-01-16T00:55", "2026-01-16T00:55"), ("2026-01-16T00:56", "2026-01-16T14:00")):
        opening = next_opening(utc(at), time(9), time(20), [NEW_YORK], lasting=soon)
        assert opening is not None
        assert opening.opens == utc(opens)


@pytest.mark.parametrize("zones", [[NEW_YORK, HONOLULU, NAIROBI], [NEW_YORK, "Asia/Shanghai"]])
def test_where_the_hours_never_open_together_there_is_none(zones: list[str]) -> None:
    assert next_opening(utc("2026-07-15T12:00"), time(9), time(20), zones) is None


ZONES = [NEW_YORK, CHICAGO, PHOENIX, HONOLULU, SAN_JUAN, GUAM, "Asia/Kolkata", "Australia/Lord_Howe", "Africa/Casablanca"]
# A third of the moments lie close to a change of some zone's clocks.
CHANGES = [utc(day) for day in ("2026-03-08T07:00", "2026-11-01T06:00", "2026-04-04T15:00", "2026-02-15T02:00")]
MOMENTS = st.one_of(
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)).map(lambda moment: moment.replace(tzinfo=UTC)),  # noqa: DTZ001  # strategies take no zones
    st.builds(lambda change, minutes: change + timedelta(minutes=minutes), st.sampled_from(CHANGES), st.integers(-2000, 200)),
)


@given(
    at=MOMENTS,
    zones=st.sets(st.sampled_from(ZONES), min_size=1, max_size=3),
    hours=st.tuples(st.integers(0, 1439), st.integers(0, 1439)).filter(lambda h: h[0] != h[1]).map(sorted),
)
@example(at=utc("2026-03-08T05:30"), zones={NEW_YORK}, hours=[150, 1200])
@example(at=utc("2026-11-01T05:30"), zones={NEW_YORK}, hours=[30, 90])
def test_an_opening_is_the_first_minute_that_is_decent_everywhere_and_lasts_to_the_last(
    at: datetime, zones: set[str], hours: list[int]
) -> None:
    at = at.replace(second=0, microsecond=0)
    start, end = (time(*divmod(minutes, 60)) for minutes in hours)
    places = [ZoneInfo(zone) for zone in zones]

    def decent(moment: datetime) -> bool:
        return all(start <= moment.astimezone(place).time() < end for place in places)

    minutes = (at + timedelta(minutes=passed) for passed in range(int(HORIZON / timedelta(minutes=1)) + 1))
    first = next((minute for minute in minutes if decent(minute)), None)
    opening = next_opening(at, start, end, zones)
    assert (opening and opening.opens) == first
    if opening is not None:
        assert opening.closes is not None
        assert not decent(opening.closes)
        assert decent(opening.closes - timedelta(minutes=1))


@pytest.mark.parametrize(
    ("places", "number", "zones"),
    [
        (CHICAGO, HONOLULU, {CHICAGO}),
        (f"{CHICAGO} {GUAM}", None, {CHICAGO, GUAM}),
        (SOMEWHERE, None, set(STATES)),
        (SOMEWHERE, "America/Los_Angeles", set(STATES)),
        (SOMEWHERE, GUAM, {*STATES, GUAM}),
        (SOMEWHERE, NAIROBI, {*STATES, NAIROBI}),
        (SOMEWHERE, "Moon/Tranquility", set(STATES)),
        (f"{CHICAGO} {SOMEWHERE}", None, {CHICAGO, *STATES}),
        (ABROAD, NAIROBI, {NAIROBI}),
        (ABROAD, CHICAGO, set(STATES)),
        (f"{ABROAD} {CHICAGO}", NAIROBI, {NAIROBI, CHICAGO}),
    ],
)
def test_the_number_counts_only_where_the_place_is_not_known(places: str, number: str | None, zones: set[str]) -> None:
    assert zones_of(places, number) == zones


def place_of(session: Session, person: Person) -> set[str]:
    session.flush()
    return set(str(session.scalar(sa.text(f"select {PLACE} from person p where p.id = :id"), {"id": person.id})).split())


def live_in(session: Session, person: Person, *zones: str, **columns: object) -> None:
    make_contact(session, person, value="12 Sample Road", kind=ContactKind.POST, place_zones=list(zones), **columns)  # type: ignore[arg-type]  # columns of either table


def hold(session: Session, person: Person, day: date, **facility: object) -> None:
    held_in = make_facility(session, **facility)
    make_custody_event(session, person, state=Custody.DETAINED, facility_id=held_in.id, as_of=day)


@pytest.mark.parametrize(
    ("custody", "home", "zones"),
    [
        (Custody.RELEASED, {}, {CHICAGO}),
        (Custody.RELEASED, {"safety": Safety.YES, "role": ContactRole.FAMILY}, {CHICAGO}),
        (Custody.RELEASED, {"role": ContactRole.FAMILY}, {PHOENIX}),
        (Custody.RELEASED, {"role": ContactRole.ATTORNEY, "safety": Safety.YES}, {PHOENIX}),
        (Custody.RELEASED, {"safety": Safety.NO}, {PHOENIX}),
        (Custody.RELEASED, {"grade": "known_bad"}, {PHOENIX}),
        (Custody.RELEASED, {"state": ContactState.BAD}, {PHOENIX}),
        (Custody.RELEASED, {"country_sealed": b"sealed"}, {PHOENIX}),
        (Custody.UNKNOWN, {"country_sealed": b"sealed"}, {CHICAGO}),
        (Custody.REMOVED, {"country_sealed": b"sealed"}, {CHICAGO}),
        (Custody.REMOVED, {}, {ABROAD}),
        (Custody.DETAINED, {}, {PHOENIX}),
    ],
)
def test_a_person_is_at_home_or_where_they_were_held_last(
    session: Session, custody: Custody, home: dict[str, object], zones: set[str]
) -> None:
    person = make_person(session)
    live_in(session, person, CHICAGO, **home)
    hold(session, person, date(2023, 1, 1), time_zone=HONOLULU)
    hold(session, person, date(2023, 2, 1), time_zone=PHOENIX)
    if custody is not Custody.DETAINED:
        make_custody_event(session, person, state=custody, as_of=date(2023, 3, 1))
    assert place_of(session, person) == zones


def test_a_person_may_be_at_each_of_their_addresses(session: Session) -> None:
    person = make_person(session)
    live_in(session, person, CHICAGO, "America/Denver")
    live_in(session, person, PHOENIX)
    assert place_of(session, person) == {CHICAGO, "America/Denver", PHOENIX}


def test_without_an_address_and_a_facility_they_are_somewhere(session: Session) -> None:
    person = make_person(session)
    live_in(session, person)
    assert place_of(session, person) == {SOMEWHERE}


def test_a_facility_whose_zone_nobody_gave_lies_where_its_address_does(session: Session) -> None:
    person = make_person(session)
    address = make_contact(session, kind=ContactKind.POST, place_zones=[PHOENIX])
    hold(session, person, date(2023, 1, 1), post_point_id=address.id)
    assert place_of(session, person) == {PHOENIX}
