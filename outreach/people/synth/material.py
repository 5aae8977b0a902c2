"""What synthetic people are made of: `material.toml`, and the phone numbers and A-numbers that belong to nobody."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from pathlib import Path

import phonenumbers

from outreach.notices import languages
from outreach.people.custody import ANumberRule, MailMarking

_FILE = Path(__file__).with_name("material.toml")
_PRIME = 99_999_989
_STEP = 61_803_399
_OLD_A_NUMBERS = 7_000_000


@dataclass(frozen=True, slots=True)
class Facility:
    """A fictional place of detention, with what the system should know of it: its mailing address, and its rules for mail."""

    code: str
    name: str
    time_zone: str
    address: tuple[str, ...]
    a_number_rule: ANumberRule
    mail_marking: MailMarking


@dataclass(frozen=True, slots=True)
class Speakers:
    """The speakers of one language: how they are called, where they come from, and how clerks write the language."""

    code: str
    order: str
    second: str
    countries: tuple[str, ...]
    country_shares: tuple[int, ...]
    given: tuple[tuple[str, str], ...]
    family: tuple[tuple[str, str], ...]
    spellings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Material:
    """Everything to choose from; `..._shares` are running totals for `random.choices`."""

    speakers: tuple[Speakers, ...]
    speaker_shares: tuple[int, ...]
    facilities: tuple[Facility, ...]
    facility_shares: tuple[int, ...]
    towns: tuple[Mapping[str, str], ...]
    streets: tuple[str, ...]
    shelters: tuple[str, ...]
    places: tuple[str, ...]


@cache
def material() -> Material:
    """The parsed file."""
    data = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    return Material(
        speakers=tuple(_speakers(one) for one in data["language"]),
        speaker_shares=tuple(accumulate(one["share"] for one in data["language"])),
        facilities=tuple(
            Facility(
                one["code"],
                one["name"],
                one["time_zone"],
                tuple(one["address"]),
                ANumberRule(one["a_number"]),
                MailMarking(one["marking"]),
            )
            for one in data["facility"]
        ),
        facility_shares=tuple(accumulate(one["share"] for one in data["facility"])),
        towns=tuple(data["town"]),
        streets=tuple(data["streets"]["names"]),
        shelters=tuple(data["shelters"]["names"]),
        places=tuple(data["places"]["names"]),
    )


def _speakers(one: Mapping[str, object]) -> Speakers:
    language = languages.get(str(one["code"]))
    # Clerks write a language by any of its names; those that could mean another one as well are left out.
    names = (language.english, language.english.upper(), language.spanish, language.autonym, language.code)
    countries, given, family = one["countries"], one["given"], one["family"]
    assert isinstance(countries, dict)
    assert isinstance(given, list)
    assert isinstance(family, list)
    return Speakers(
        code=language.code,
        order=str(one["order"]),
        second=str(one.get("second", "")),
        countries=tuple(countries),
        country_shares=tuple(accumulate(countries.values())),
        given=tuple(_with_native(name) for name in given),
        family=tuple(_with_native(name) for name in family),
        spellings=tuple(name for name in names if languages.find(name) is language),
    )


def _with_native(name: str) -> tuple[str, str]:
    recorded, _, native = name.partition("|")
    return recorded, native


def a_number(place: int) -> str:
    """Nine digits that begin with 9, as no number ever issued does; different for the first 99,999,989 places."""
    return f"9{place * _STEP % _PRIME:08d}"


def old_a_number(place: int) -> str:
    """Seven or eight digits, as numbers of earlier decades have; different for the first 7,000,000 places."""
    return str(1_000_000 + place * 13 % (13 * _OLD_A_NUMBERS))


@cache
def area_codes() -> tuple[int, ...]:
    """Area codes of places in the United States; toll-free and personal numbers have no time zone."""
    codes = []
    for area in range(201, 990):
        number = phonenumbers.PhoneNumber(country_code=1, national_number=area * 10_000_000 + 555_0100)
        geographic = phonenumbers.number_type(number) == phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE
        if geographic and phonenumbers.region_code_for_number(number) == "US":
            codes.append(area)
    return tuple(codes)


def phone_count() -> int:
    """How many different numbers there are from 555-0100 to 555-0199, which are given to nobody."""
    return len(area_codes()) * 100


def phone(place: int) -> str:
    """The ten digits of the number at this place of a fixed shuffle, different for all places below `phone_count()`."""
    areas = area_codes()
    round_, at = divmod(place, len(areas))
    # 7919 is prime and no divisor of the number of areas, so each round goes through every area once.
    return f"{areas[(at * 7919 + round_) % len(areas)]}555{100 + round_ % 100:04d}"
