"""Synthetic attorneys: functions of the seed and a place, so that the same one is named in the rows of all their clients.

A third of the people have one. In each thousand people there are a few clinics with some forty clients, offices with a dozen, and
many attorneys with one or two. Nobody in here is registered anywhere: EOIR IDs begin with ZZ.
"""

from datetime import date, timedelta
from itertools import accumulate
from random import Random

from outreach.people.synth.material import material, phone, phone_count

HEADERS = (
    "Attorney", "Law Firm", "EOIR ID", "Attorney Bar State", "Attorney Bar Number", "Attorney Email", "Attorney Phone",
    "Attorney Address", "G-28 Filed", "EOIR-28 Filed",
)  # fmt: skip
REPRESENTED = 0.35

_GIVEN = (
    "Avery", "Blake", "Casey", "Devon", "Ellis", "Finley", "Gray", "Harper", "Indigo", "Jordan", "Kendall", "Logan", "Marlow",
    "Noor", "Oakley", "Parker", "Quinn", "Reese", "Sage", "Taylor",
)  # fmt: skip
_FAMILY = (
    "Sample", "Example", "Placeholder", "Specimen", "Fictional", "Invented", "Imaginary", "Nowhere", "Muestra", "Ejemplo",
    "Ficticio", "Inventado", "Exemplar", "Template", "Pretend", "Madeup", "Dummy", "Standin", "Makebelieve", "Notreal",
)  # fmt: skip
_KINDS = ("Legal Aid Clinic", "Immigrant Justice Project", "Community Law Center")
_CLINICS, _OFFICES, _ALONE = 2, 8, 60  # attorneys of each kind in a thousand people
_SHARES = tuple(accumulate([118] * _CLINICS + [32] * _OFFICES + [8] * _ALONE))
_THOUSAND = 1_000
_BEFORE = date(2022, 11, 1)


def attorney(seed: int, block: int, place: int) -> dict[str, str]:
    """The attorney at this place of a block of a thousand people, by header. Some have no e-mail address, and some no number."""
    random = Random(f"{seed}:attorney:{block}:{place}")  # noqa: S311  # invented people need no secrets
    cells = dict.fromkeys(HEADERS, "")
    given, family = random.choice(_GIVEN), random.choice(_FAMILY)
    cells["Attorney"] = f"{given} {random.choice('ABCDEFGHJKLMNPRSTW')}. {family}"
    town = random.choice(material().towns)
    firm = place if place < _CLINICS + _OFFICES else None
    if firm is None:
        cells["Law Firm"] = f"Law Office of {given} {family}"
    else:
        names = Random(f"{seed}:firm:{block}:{firm // 2}")  # noqa: S311  # likewise
        kind = names.choice(_KINDS) if place < _CLINICS else f"& {names.choice(_FAMILY)} LLP"
        cells["Law Firm"] = f"{names.choice(_FAMILY)} {kind}"
    number = block * 100 + place
    if random.random() < 0.85:
        cells["EOIR ID"] = f"ZZ{number:06d}"
    if random.random() < 0.6:
        cells["Attorney Bar State"], cells["Attorney Bar Number"] = town["state"], f"00{number:05d}"
    chance = random.random()
    if firm is not None and chance < 0.35:
        cells["Attorney Email"] = f"intake.{block}.{firm // 2}@example.org"  # two colleagues read it
    elif chance < 0.85:
        cells["Attorney Email"] = f"{given}.{family}.{number}@example.{random.choice(('org', 'com', 'net'))}".lower()
    if random.random() < 0.8:
        cells["Attorney Phone"] = _phone(seed, number)
    if random.random() < 0.93:
        street = f"{random.randrange(100, 9900)} {random.choice(material().streets)}, Suite {random.randrange(100, 900)}"
        cells["Attorney Address"] = f"{street}\n{town['city']}, {town['state']} {int(town['zip']) + random.randrange(99):05d}"
    return cells


def represented(seed: int, index: int, *, dates: str) -> dict[str, str]:
    """What the roster says of a person's attorney, by header; all blank for who has none. `dates` is a format of strftime."""
    random = Random(f"{seed}:represented:{index}")  # noqa: S311  # likewise
    if random.random() >= REPRESENTED:
        return dict.fromkeys(HEADERS, "")
    place = random.choices(range(len(_SHARES)), cum_weights=_SHARES)[0]
    return attorney(seed, index // _THOUSAND, place) | _filed(random, dates)


def another(seed: int, place: int, *, dates: str) -> dict[str, str]:
    """A second attorney of somebody in both incidents, as the second one's roster names them."""
    random = Random(f"{seed}:another:{place}")  # noqa: S311  # likewise
    return attorney(seed, 0, _CLINICS + place % (_OFFICES + _ALONE)) | _filed(random, dates)


def _filed(random: Random, dates: str) -> dict[str, str]:
    """By which forms: G-28 before the agency, EOIR-28 before the court."""
    way = random.random()
    day = (_BEFORE - timedelta(days=random.randrange(300))).strftime(dates)
    g28 = day if way < 0.7 else "yes" if way < 0.78 else ""
    eoir28 = day if way > 0.55 else ""
    return {"G-28 Filed": g28, "EOIR-28 Filed": eoir28}


def _phone(seed: int, number: int) -> str:
    """Of the numbers for shelters, one that no shelter of the first twenty thousand people has."""
    shelters = phone_count() // 50
    digits = phone((seed + 20 + number % (shelters - 40)) % shelters)
    return f"({digits[:3]}) {digits[3:6]}-{digits[6:]}"
