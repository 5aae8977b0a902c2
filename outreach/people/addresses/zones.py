"""The time zones that a place may lie in, for the hours in which whoever lives there may be texted.

The zones of a country are those of the IANA's `zone.tab`, as the package `tzdata` carries it (https://www.iana.org/time-zones). The
zones of a state are those of 49 CFR Part 71 (https://www.ecfr.gov/current/title-49/subtitle-A/part-71): a line between two zones
cuts fourteen states, most of them along counties, which no postal address names. A state that it cuts is taken to lie in both.
"""

from functools import cache
from importlib.resources import files

from outreach.people.addresses import american

# Zones of the IANA that differ from these in the past only, such as America/Detroit, are left out: their clocks agree.
_STATES = {
    "America/New_York": "CT DC DE FL GA IN KY MA MD ME MI NC NH NJ NY OH PA RI SC TN VA VT WV",
    "America/Chicago": "AL AR FL IA IL IN KS KY LA MI MN MO MS ND NE OK SD TN TX WI",
    # In Arizona the Navajo Nation alone has summer time; West Wendover in Nevada has kept Mountain time since 1999.
    "America/Denver": "AZ CO ID KS MT ND NE NM NV OR SD TX UT WY",
    "America/Phoenix": "AZ",
    "America/Los_Angeles": "CA ID NV OR WA",
    "America/Anchorage": "AK",
    "America/Adak": "AK",
    "Pacific/Honolulu": "HI",
}


def zones_of(country: str | None, region: str, postcode: str) -> tuple[str, ...]:
    """Every zone that a place may lie in, in alphabetical order; none where that cannot be told.

    `country` is an ISO code, None where it is not known. Within the United States `region` is the two letters of a state or a
    territory and `postcode` a ZIP code, either of them blank or wrong: what they say of the state counts together. A post office
    of the forces (AA, AE, AP) may be anywhere.
    """
    if country != "US":
        return _countries().get(country or "", ())
    states = american.states_of_zip(postcode) | ({region} if american.is_state(region) else frozenset())
    if states & {"AA", "AE", "AP"}:
        return ()
    return tuple(sorted({zone for state in states for zone in (*_of_state().get(state, ()), *_territory(state))}))


def zones_of_lines(lines: str, country: str | None) -> tuple[str, ...]:
    """As `zones_of`, of the lines of a postal address."""
    if country != "US":
        return zones_of(country, "", "")
    address = american.read(lines)
    return zones_of(country, address.state, address.zip_code)


def in_the_states(zone: str) -> bool:
    """Whether this is a zone of a state, and so lies between New York and Honolulu."""
    return zone in _countries()["US"]


def _territory(state: str) -> tuple[str, ...]:
    """The zones of a territory, or of a state in free association, whose two letters are a country's in ISO 3166 as well."""
    return _countries().get(state, ()) if state in {"AS", "FM", "GU", "MH", "MP", "PR", "PW", "VI"} else ()


@cache
def _of_state() -> dict[str, tuple[str, ...]]:
    states = {state for those in _STATES.values() for state in those.split()}
    return {state: tuple(zone for zone, those in _STATES.items() if state in those.split()) for state in states}


@cache
def _countries() -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for line in files("tzdata").joinpath("zoneinfo", "zone.tab").read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            country, _, zone, *_ = line.split("\t")
            found.setdefault(country, []).append(zone)
    return {country: tuple(sorted(zones)) for country, zones in found.items()}
