"""Words of fixed lists, in English and Spanish: custody, posture, roles, safety, countries, languages.

The words themselves are data: `words.toml`.
"""

import tomllib
from functools import cache, lru_cache
from pathlib import Path

from babel import Locale
from babel.core import get_global

from outreach.notices import languages
from outreach.people.contact import ContactRole, Safety
from outreach.people.custody import Custody
from outreach.people.person import Posture, Precision
from outreach.people.roster.columns import plain
from outreach.people.roster.problems import BadValueError, Fault

_FILE = Path(__file__).with_name("words.toml")
# What CLDR lists beside countries: unions, test regions, the unknown.
_NO_COUNTRIES = frozenset({"EU", "EZ", "QO", "UN", "XA", "XB", "ZZ"})


@cache
def _meanings() -> dict[str, dict[str, str]]:
    """By table, what each of its words means."""
    tables = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    return {table: {word: meaning for meaning, words in lists.items() for word in words} for table, lists in tables.items()}


@cache
def _countries() -> dict[str, str]:
    """Every spelling we know of a country or nationality, as `plain` leaves it, to its ISO 3166 code."""
    codes: dict[str, str] = {}
    for locale in ("en", "es"):
        for code, name in Locale.parse(locale).territories.items():
            if len(code) == 2 and code.isalpha() and code not in _NO_COUNTRIES:
                codes.setdefault(plain(name), code)
                codes.setdefault(code.lower(), code)
    for alias, targets in get_global("territory_aliases").items():
        if len(alias) == 3 and alias.isalpha() and len(targets) == 1:
            codes.setdefault(alias.lower(), targets[0])
    return codes | _meanings()["country"]


@lru_cache(maxsize=4096)
def country_code(text: str) -> str | None:
    """The ISO 3166 code of a country or nationality, or None for what is not known here."""
    return _countries().get(plain(text))


@lru_cache(maxsize=4096)
def language_code(text: str) -> str:
    """The code of the one language a roster's word means. Raises BadValueError when that is none, or one of several."""
    found = languages.find(text)
    if found is None:
        raise BadValueError(Fault.LANGUAGE_UNKNOWN)
    return found.code


def _meaning(table: str, text: str, fault: Fault) -> str:
    meaning = _meanings()[table].get(plain(text))
    if meaning is None:
        raise BadValueError(fault)
    return meaning


def parse_custody(text: str) -> Custody:
    """The state a roster's word means. "Yes" and "no" answer the question whether somebody is detained."""
    try:
        return Custody(_meaning("custody", text, Fault.CUSTODY_UNKNOWN))
    except BadValueError:
        # Programs add the reason or place: `Released - Bond`, `Detained (transfer)`.
        first = text.replace("(", "-").replace(":", "-").partition("-")[0]
        return Custody(_meaning("custody", first, Fault.CUSTODY_UNKNOWN))


def parse_posture(text: str) -> Posture:
    """The stage of the case that a roster's word means."""
    return Posture(_meaning("posture", text, Fault.POSTURE_UNKNOWN))


def parse_role(text: str) -> ContactRole:
    """Whose a contact is."""
    return ContactRole(_meaning("role", text, Fault.ROLE_UNKNOWN))


def parse_safety(text: str) -> Safety:
    """Whether a contact is safe, as the person said."""
    return Safety(_meaning("safety", text, Fault.SAFETY_UNKNOWN))


def parse_precision(text: str) -> Precision:
    """How exact a date of birth is."""
    return Precision(_meaning("precision", text, Fault.PRECISION_UNKNOWN))
