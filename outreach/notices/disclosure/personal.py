"""Whether a text says anything that we know about one person: the last look before it leaves.

Names are compared as whole words; a birth date in any usual order, in figures or with the month words of any language
of the table; whatever is mostly digits by its digits.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import date
from functools import cache, lru_cache

from outreach.notices.characters import UNSPACED_SCRIPTS, ascii_digits, fold, script
from outreach.notices.disclosure.words import Tokens, tokens_of
from outreach.notices.languages import all_languages, month_names

_DIGITS = re.compile(r"\d+")
_PIECES = re.compile(r"\d+|[^\d\s.,;:/()\-–—،؛。、]+")
_BETWEEN_DIGITS = re.compile(r"(?<=\d)[\s().\-/]{1,3}(?=\d)")

# A word that can be part of a date: where it stands, the months it can mean, its number.
_Part = tuple[int, frozenset[int], int | None]


@cache
def _months() -> dict[str, frozenset[int]]:
    """Month words of every language, whole and as their first three letters, with the months they can mean."""
    found: dict[str, set[int]] = {}
    for language in all_languages():
        for number, name in enumerate(month_names(language), start=1):
            word = fold(name)
            if " " not in word and not word.isdecimal():
                found.setdefault(word, set()).add(number)
            if word.isascii() and word.isalpha():
                found.setdefault(word[:3], set()).add(number)
    return {word: frozenset(numbers) for word, numbers in found.items()}


def _parts(folded: str) -> list[_Part]:
    """The pieces of a folded text that can be part of a date."""
    months = _months()
    parts: list[_Part] = []
    for index, piece in enumerate(_PIECES.findall(folded)):
        if piece.isdecimal():
            number = int(piece) if len(piece) < 5 else -1
            parts.append((index, frozenset({number}), number))
        elif piece in months:
            parts.append((index, months[piece], None))
    return parts


def _is_date(three: Iterable[_Part], day: date) -> bool:
    items = list(three)
    years = {day.year, day.year % 100, day.year + 543}  # +543: the Thai calendar's count
    for year in range(3):
        if items[year][2] not in years:
            continue
        one, other = (items[index] for index in range(3) if index != year)
        for month, number in ((one, other), (other, one)):
            if day.month in month[1] and number[2] == day.day:
                return True
    return False


@lru_cache(maxsize=1024)
def _dated(folded: str) -> tuple[list[_Part], frozenset[str]]:
    """The parts of dates in a folded text, and its runs of digits."""
    western = ascii_digits(folded)
    return _parts(western), frozenset(_DIGITS.findall(western))


def _says_date(tokens: Tokens, day: date) -> bool:
    parts, runs = _dated(tokens.folded)
    for index in range(len(parts) - 2):
        three = parts[index : index + 3]
        if three[2][0] - three[0][0] <= 6 and _is_date(three, day):
            return True
    d, m, y = f"{day.day:02}", f"{day.month:02}", f"{day.year}"
    return not runs.isdisjoint((y + m + d, d + m + y, m + d + y, y[2:] + m + d, d + m + y[2:], m + d + y[2:]))


@lru_cache(maxsize=4096)
def _prepared(value: str) -> tuple[bool, str]:
    """Whether a value is compared without spaces, and what is looked for: words between spaces, or characters."""
    tokens = tokens_of(value)
    if any(script(c) in UNSPACED_SCRIPTS for c in tokens.folded):
        return True, tokens.folded.replace(" ", "")
    return False, tokens.line if len(tokens.folded.strip()) > 1 else ""


def _says_words(tokens: Tokens, value: str) -> bool:
    unspaced, wanted = _prepared(value)
    if not wanted.strip():
        return False
    if unspaced:
        return wanted in tokens.folded.replace(" ", "")
    return wanted in tokens.line or (bool(tokens.joined) and wanted in f" {' '.join(tokens.joined)} ")


def _says_digits(tokens: Tokens, value: str) -> bool:
    digits = "".join(_DIGITS.findall(ascii_digits(fold(value))))
    if len(digits) < 5:
        return False
    runs = _BETWEEN_DIGITS.sub("", ascii_digits(tokens.folded))
    return any(digits in run or digits.lstrip("0") in run for run in _DIGITS.findall(runs))


def said(tokens: Tokens, known: Iterable[str | date]) -> Iterator[str | date]:
    """Those of the known values that the text says. A value of one character is never found: it would be everywhere."""
    for value in known:
        if isinstance(value, date):
            if _says_date(tokens, value):
                yield value
        elif sum(map(str.isdigit, value)) > len(value) / 2:
            if _says_digits(tokens, value):
                yield value
        elif _says_words(tokens, value):
            yield value


# fmt: off
_PARTICLES = frozenset({
    "abd", "abu", "ben", "bin", "bint", "das", "del", "der", "dos", "fnu", "ibn", "las", "lnu", "los", "ould", "san",
    "santa", "the", "van", "von",
})
# fmt: on


def values_of_person(names: Iterable[str], birth_dates: Iterable[date] = (), others: Iterable[str] = ()) -> tuple[str | date, ...]:
    """What to look for: each name whole and by its parts of three letters or more, birth dates, and other values whole
    (nationality, facility, A-numbers, phone numbers of others)."""
    values: dict[str | date, None] = {}
    for name in names:
        values[name] = None
        for part in re.split(r"[\s\-‐‑,.]+", name):
            long_enough = len(part) > 2 or any(script(c) in UNSPACED_SCRIPTS for c in part)
            if long_enough and fold(part) not in _PARTICLES:
                values[part] = None
    values |= dict.fromkeys(birth_dates)
    values |= dict.fromkeys(other for other in others if other)
    return tuple(value for value in values if isinstance(value, date) or value.strip())
