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
        phone.e164: phone
        for part in _SEPARATORS.split(western_digits(text))
        if part.strip()
        for phone in (_parse(part, region),)
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
    """Country and zones of an exchange, when all its lines have them alike; the library's plan goes no further there.

    Most numbers of a roster are North American, and asking the library costs 40 microseconds each.
    """
    first, last = (_facts(int(f"{area}{exchange}{line}")) for line in ("0000", "9999"))
    # Two lines stand for ten thousand: where they differ, the slow way decides number by number. So it does for the
    # Caribbean, where the plan goes deeper than the exchange.
    return first if first == last and first[0] in {"US", "CA"} else (None, ())


def _facts(digits: int) -> tuple[str | None, tuple[str, ...]]:
    number = phonenumbers.PhoneNumber(country_code=1, national_number=digits)
    if not phonenumbers.is_valid_number(number):
        return None, ()
    return phonenumbers.region_code_for_number(number), _zones(number)


def _zones(number: phonenumbers.PhoneNumber) -> tuple[str, ...]:
    return tuple(zone for zone in timezone.time_zones_for_number(number) if zone != _UNKNOWN_ZONE)
