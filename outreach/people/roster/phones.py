"""Phone numbers as people write them, to E.164 with the country and time zones that go with them."""

import re
from dataclasses import dataclass
from functools import lru_cache

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat, timezone

from outreach.people.roster.problems import BadValueError, Fault
from outreach.people.roster.values import clean, restore_number, western_digits

_SEPARATORS = re.compile(r"[;,|\n\r]+|\s*/\s*|\s+(?:or|and|o|y)\s+", re.IGNORECASE)
_LABEL = re.compile(r"^[^\W\d]+[.:]?\s+(?=[+(\d])|^[^\W\d]+[.:](?=[+(\d])")
_AMERICAN = re.compile(r"(?:\+?1[\s.-]*)?\(?([2-9]\d\d)\)?[\s.-]*([2-9]\d\d)[\s.-]*(\d{4})")
_UNKNOWN_ZONE = "Etc/Unknown"


@dataclass(frozen=True, slots=True)
class Phone:
    """A number that exists by its country's plan. `time_zones` are all it may be in: mostly one, for some many."""

    e164: str
    country: str | None
    time_zones: tuple[str, ...]
    extension: str | None = None


def parse_phones(text: str, *, region: str = "US") -> tuple[Phone, ...]:
    """All numbers of one cell, each once. A number without a country's code is of `region`. Raises BadValueError."""
    phones = {
        phone.e164: phone for part in _SEPARATORS.split(western_digits(text)) if part.strip() for phone in (_parse(part, region),)
    }
    return tuple(phones.values())


def _parse(text: str, region: str) -> Phone:
    plain = restore_number(clean(text))
    if region == "US" and (parts := _AMERICAN.fullmatch(plain)):
        area, exchange, line = parts.groups()
        country, zones = _north_american(area, exchange)
        if country is not None:
            return Phone(f"+1{area}{exchange}{line}", country, zones)
    plain = _LABEL.sub("", plain)
    try:
        number = phonenumbers.parse(plain, region)
    except NumberParseException:
        raise BadValueError(Fault.PHONE_UNREADABLE) from None
    if not phonenumbers.is_valid_number(number):
        raise BadValueError(Fault.PHONE_INVALID)
    return Phone(
        e164=phonenumbers.format_number(number, PhoneNumberFormat.E164),
        country=phonenumbers.region_code_for_number(number),
        time_zones=_zones(number),
        extension=number.extension or None,
    )


@lru_cache(maxsize=65_536)
def _north_american(area: str, exchange: str) -> tuple[str | None, tuple[str, ...]]:
    """Country and zones of an exchange of the United States or Canada; (None, ()) for any other.

    Most numbers of a roster are there, and asking the library costs 60 microseconds each. Its plan of those two countries
    goes no deeper than the exchange, so one line stands for all; in the Caribbean it goes deeper.
    """
    number = phonenumbers.PhoneNumber(country_code=1, national_number=int(f"{area}{exchange}0000"))
    if not phonenumbers.is_valid_number(number):
        return None, ()
    country = phonenumbers.region_code_for_number(number)
    return (country, _zones(number)) if country in {"US", "CA"} else (None, ())


def _zones(number: phonenumbers.PhoneNumber) -> tuple[str, ...]:
    return tuple(zone for zone in timezone.time_zones_for_number(number) if zone != _UNKNOWN_ZONE)
