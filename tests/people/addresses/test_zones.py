"""In which time zones a place may lie, so that nobody there is texted at night."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import phonenumbers
import pytest
from phonenumbers import geocoder, timezone

from outreach.people.addresses import american, zones
from outreach.people.addresses.zones import in_the_states, zones_of, zones_of_lines
from outreach.people.roster.columns import plain

EAST, CENTRAL, MOUNTAIN, WEST = "America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles"
STATES = sorted(set(american._zip_codes()) - {"AA", "AE", "AP"})
PLACES = [
    ("the east coast", "US", "ME", "04101", {EAST}),
    ("the middle", "US", "IL", "62701", {CENTRAL}),
    ("the mountains", "US", "CO", "80202", {MOUNTAIN}),
    ("the west coast", "US", "WA", "98101", {WEST}),
    ("Indiana, which a line cuts", "US", "IN", "46204", {EAST, CENTRAL}),
    ("Texas, which a line cuts", "US", "TX", "79901", {CENTRAL, MOUNTAIN}),
    ("Oregon, which a line cuts", "US", "OR", "97201", {MOUNTAIN, WEST}),
    ("Arizona, where the Navajo Nation alone has summer time", "US", "AZ", "85001", {"America/Phoenix", MOUNTAIN}),
    ("Alaska with its islands", "US", "AK", "99501", {"America/Anchorage", "America/Adak"}),
    ("Hawaii", "US", "HI", "96801", {"Pacific/Honolulu"}),
    ("Puerto Rico", "US", "PR", "00901", {"America/Puerto_Rico"}),
    ("Puerto Rico as a country", "PR", "", "", {"America/Puerto_Rico"}),
    ("Guam", "US", "GU", "96910", {"Pacific/Guam"}),
    ("the Virgin Islands", "US", "VI", "00802", {"America/St_Thomas"}),
    ("American Samoa", "US", "AS", "96799", {"Pacific/Pago_Pago"}),
    ("the Northern Marianas", "US", "MP", "96950", {"Pacific/Saipan"}),
    ("a state without a ZIP code", "US", "NY", "", {EAST}),
    ("a ZIP code without a state", "US", "", "10001", {EAST}),
    ("a ZIP code of another state", "US", "NY", "90012", {EAST, WEST}),
    ("a ZIP code of the forces, who may be anywhere", "US", "AE", "09012", set()),
    ("somewhere in the United States", "US", "", "", set()),
    ("a state that is none", "US", "ZZ", "", set()),
    ("Guatemala", "GT", "", "01001", {"America/Guatemala"}),
    ("Spain with the Canaries", "ES", "", "", {"Europe/Madrid", "Africa/Ceuta", "Atlantic/Canary"}),
    ("a country whose code a state has as well", "GA", "", "", {"Africa/Libreville"}),
    ("a country that is none", "XX", "", "", set()),
    ("no country", None, "NY", "10001", set()),
]  # fmt: skip


@pytest.mark.parametrize(("country", "region", "postcode", "expected"), [p[1:] for p in PLACES], ids=[p[0] for p in PLACES])
def test_a_place_lies_in_every_zone_that_its_address_leaves_open(
    country: str | None, region: str, postcode: str, expected: set[str]
) -> None:
    assert set(zones_of(country, region, postcode)) == expected


def test_the_state_is_found_in_the_lines_of_an_address() -> None:
    assert zones_of_lines("12 Sample St Apt 4\nEl Paso, TX 79901", "US") == (CENTRAL, MOUNTAIN)
    assert zones_of_lines("12 Calle Muestra\nCiudad de Guatemala", "GT") == ("America/Guatemala",)
    assert zones_of_lines("somewhere", "US") == ()


def test_every_state_and_territory_has_zones_that_exist() -> None:
    for state in STATES:
        found = zones_of("US", state, "")
        assert found, state
        assert [ZoneInfo(zone).key for zone in found] == list(found)


def clocks(zone: str) -> tuple[timedelta | None, ...]:
    """What the clocks of a zone show through three years, each week."""
    first = datetime(2026, 1, 4, 12, tzinfo=UTC)
    return tuple((first + timedelta(weeks=week)).astimezone(ZoneInfo(zone)).utcoffset() for week in range(156))


def test_no_zone_of_the_states_is_left_out_but_for_those_whose_clocks_agree_with_one_that_is_there() -> None:
    there = {clocks(zone) for state in STATES for zone in zones_of("US", state, "")}
    ours = zones._countries()["US"]
    assert {"America/Detroit", "America/Indiana/Knox", "America/Metlakatla"} <= set(ours)
    assert {zone for zone in ours if clocks(zone) not in there} == set()


def test_a_zone_of_a_territory_or_of_another_country_is_none_of_the_states() -> None:
    assert in_the_states("America/Detroit")
    assert not any(in_the_states(zone) for zone in ("America/Puerto_Rico", "Pacific/Guam", "America/Toronto", "Moon/Tranquility"))


def test_the_area_codes_of_a_state_lie_in_its_zones() -> None:
    """By another book: the numbering plan as the package `phonenumbers` knows it, which names the state of most area codes."""
    names = american._state_names()
    checked = set()
    for area in range(201, 990):
        number = phonenumbers.PhoneNumber(country_code=1, national_number=area * 10**7 + 5550100)
        state = names.get(plain(geocoder.description_for_number(number, "en")))
        found = timezone.time_zones_for_number(number)
        if state is not None and len(found) == 1:
            checked.add(state)
            assert clocks(found[0]) in {clocks(zone) for zone in zones_of("US", state, "")}, f"{area} of {state}"
    assert len(checked) > 40
