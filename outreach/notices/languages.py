"""The languages the system can name, how rosters spell them, and how each writes a date.

One table, `languages.toml`, and nothing else decides what a language is. Codes stored with people and texts come from
it; Babel is only ever asked for the locale that the table gives, because it refuses some of our codes and has wrong
data for others (docs/languages.md).
"""

import re
import tomllib
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Literal

from babel import Locale

from outreach.notices.characters import fold

FIRST_STRONG_ISOLATE, POP_ISOLATE = "\u2068", "\u2069"

_FILE = Path(__file__).with_name("languages.toml")


class UnknownLanguageError(LookupError):
    """A code that is not in the table. Stored codes come from the table, so this means a fault or a hand-made row."""


@dataclass(frozen=True, slots=True)
class Language:
    """One row. `babel` is None where Babel has no data or wrong data; `months` then comes from the table.

    `audio_first`: most speakers do not read it. `sms_encoding`: what ordinary text will need, a hint, not a count.
    """

    code: str
    english: str
    spanish: str
    autonym: str
    script: str
    direction: Literal["ltr", "rtl"]
    sms_encoding: Literal["GSM-7", "UCS-2"]
    babel: str | None = None
    audio_first: bool = False
    date: str = "{day} {month} {year}"
    months: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Table:
    languages: dict[str, Language]
    known: dict[str, tuple[Language, ...]]  # folded spelling -> what it can mean, best known first


def _key(text: str) -> str:
    return "".join(c for c in fold(text) if unicodedata.category(c)[0] in "LMN" and c not in "ʻʼʾʿ")


def _add(known: dict[str, tuple[Language, ...]], spelling: str, meaning: tuple[Language, ...]) -> None:
    key = _key(spelling)
    if known.setdefault(key, meaning) != meaning:
        raise ValueError(f"languages.toml: “{spelling}” is given to {known[key][0].code} and to {meaning[0].code}.")


@cache
def _table() -> _Table:
    data = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    languages: dict[str, Language] = {}
    known: dict[str, tuple[Language, ...]] = {}
    for row in data["language"]:
        lists = {name: tuple(row.get(name, ())) for name in ("months", "aliases")}
        language = Language(**{**row, **lists})
        if language.code in languages:
            raise ValueError(f"languages.toml: {language.code} is there twice.")
        languages[language.code] = language
        for spelling in (language.code, language.english, language.spanish, language.autonym, *language.aliases):
            _add(known, spelling, (language,))
    for row in data["ambiguous"]:
        meaning = tuple(languages[code] for code in row["candidates"])
        for spelling in (row["name"], *row["aliases"]):
            _add(known, spelling, meaning)
    return _Table(languages, known)


def get(code: str) -> Language:
    """The language of a stored code, spelt exactly as in the table. Raises UnknownLanguageError."""
    try:
        return _table().languages[code]
    except KeyError:
        raise UnknownLanguageError(
            f"There is no language “{code}” in the table. Choose one from the list, or add a row to languages.toml."
        ) from None


def all_languages() -> tuple[Language, ...]:
    """Every language, in the order of the table."""
    return tuple(_table().languages.values())


_TAG = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})+")
_PARENTHESES = re.compile(r"\(([^()]*)\)")
_BETWEEN_TWO = re.compile(r"[/;,+&|]| and | or | y | o ", re.IGNORECASE)


def candidates(text: str) -> tuple[Language, ...]:
    """What a roster's word for a language can mean: nothing, one language, or several among which somebody must choose.

    Case, accents and punctuation do not matter. A region that has no row of its own is dropped (es-MX, "Spanish
    (Mexico)"). Two languages in one cell are both returned; "Chinese (Mandarin)" narrows to what fits both words.
    """
    known = _table().known
    whole = known.get(_key(text))
    if whole:
        return whole
    tag = text.strip()
    while _TAG.fullmatch(tag):
        tag = re.split(r"[-_](?=[^-_]*$)", tag)[0]
        if found := known.get(_key(tag)):
            return found
    inside = [known.get(_key(part)) for part in _PARENTHESES.findall(text)]
    outside = [known.get(_key(part)) for part in _BETWEEN_TWO.split(_PARENTHESES.sub(" ", text))]
    if not all(outside):
        return ()
    meanings = [meaning for meaning in (*outside, *inside) if meaning]
    common = tuple(language for language in meanings[0] if all(language in meaning for meaning in meanings))
    return common or tuple(dict.fromkeys(language for meaning in meanings for language in meaning))


def find(text: str) -> Language | None:
    """The one language a roster's word means, or None when it means none or several (`candidates` tells which)."""
    found = candidates(text)
    return found[0] if len(found) == 1 else None


def find_by_name(text: str) -> tuple[Language, ...]:
    """As `candidates`, but codes and very short Latin words do not count: in a person's answer "hi" is not Hindi."""
    key = _key(text)
    if len(key) < 4 and key.isascii():
        return ()
    return _table().known.get(key, ())


@cache
def _babel_months(locale: str) -> tuple[str, ...]:
    words = Locale.parse(locale).months["format"]["wide"]
    return tuple(str(words[number]) for number in range(1, 13))


def month_names(language: Language) -> tuple[str, ...]:
    """January to December, in the form that stands beside a day."""
    return language.months or _babel_months(language.babel or "en_GB")


def format_date(language: Language, day: date) -> str:
    """A day in the language's words and as ISO 8601: '28 November 2022 (2022-11-28)'. Digits are always 0-9.

    Both, because readers use other calendars (Ethiopian, Solar Hijri) and some month words mean other months there.
    In right-to-left text the ISO date is isolated: after Arabic letters it would be shown with its parts reversed
    (UAX #9, rule W2).
    """
    words = language.date.format(day=day.day, month=month_names(language)[day.month - 1], month_number=day.month, year=day.year)
    iso = day.isoformat()
    if language.direction == "rtl":
        iso = f"{FIRST_STRONG_ISOLATE}{iso}{POP_ISOLATE}"
    return f"{words} ({iso})"


def spellings() -> Iterator[tuple[str, tuple[Language, ...]]]:
    """Every folded spelling with its meaning, for checks of the table."""
    yield from _table().known.items()


def codes(languages: Iterable[Language]) -> tuple[str, ...]:
    """The codes of some languages, in their order."""
    return tuple(language.code for language in languages)
