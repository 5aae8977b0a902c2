"""The few words that every letter needs in each language, from taglines.toml."""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from outreach.notices.languages import get

_FILE = Path(__file__).with_name("taglines.toml")


@dataclass(frozen=True, slots=True)
class Words:
    """`important` has a ((phone)) in it."""

    language: str
    important: str
    answer: str
    code: str
    duplicate: str


@cache
def all_words() -> tuple[Words, ...]:
    """Every language there are words in, in the order of the file."""
    rows = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    return tuple(Words(get(code).code, **row) for code, row in rows.items())


def words(language: str) -> Words:
    """In one language. In English for a language without them: beside a code, English words beat none."""
    return next((each for each in all_words() if each.language == language), all_words()[0])
