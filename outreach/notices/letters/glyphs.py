"""Which faces a language is set in, and what they cannot write. typst prints an empty box for a missing glyph and says nothing."""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from fontTools.ttLib import TTFont

from outreach.notices.languages import Language, get

FONTS = Path(__file__).with_name("fonts")
"""Filled by `make setup`, from npm."""

_LATIN = "Noto Sans"
# Of each script, the face that draws it. Everything else (digits, names in another script) falls to the faces behind it.
_FACES = {
    "Latn": _LATIN,
    "Cyrl": _LATIN,
    "Arab": "Noto Sans Arabic",
    "Armn": "Noto Sans Armenian",
    "Beng": "Noto Sans Bengali",
    "Deva": "Noto Sans Devanagari",
    "Ethi": "Noto Sans Ethiopic",
    "Geor": "Noto Sans Georgian",
    "Gujr": "Noto Sans Gujarati",
    "Guru": "Noto Sans Gurmukhi",
    "Hani": "Noto Sans SC",
}
_TRADITIONAL = "Noto Sans TC"

# Joiners, marks of direction and isolates need no glyph: the shaper takes them out. Overrides would print a line in another
# order than it was checked in, so they count as what nobody can write.
_JOINING = frozenset("\u200b\u200c\u200d\u200e\u200f\u2060\u2066\u2067\u2068\u2069")
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e")


class FontsMissing(RuntimeError):
    """The folder of fonts is not filled."""


@dataclass(frozen=True, slots=True)
class Missing:
    """A character that no face can write. `where` names the field and the line, never what stands there."""

    character: str
    where: str

    def __str__(self) -> str:
        points = " ".join(f"U+{ord(c):04X} {unicodedata.name(c, 'without a name')}" for c in self.character)
        return f"{points} in {self.where}"


def faces(language: Language) -> tuple[str, ...]:
    """The families to try for a language, in order: its own, the Latin one, then all the others."""
    own = _TRADITIONAL if language.code == "zh-Hant" else _FACES.get(language.script, _LATIN)
    return tuple(dict.fromkeys((own, _LATIN, *_FACES.values(), _TRADITIONAL)))


def faces_of(code: str) -> tuple[str, ...]:
    """As `faces`, by a language's code."""
    return faces(get(code))


def missing(text: str, families: tuple[str, ...]) -> list[str]:
    """What of a text cannot be written: characters, each with the marks upon it, since one face must draw them together."""
    if set(text) <= _drawn(families[0]):
        return []
    return [
        cluster
        for cluster in dict.fromkeys(_clusters(text))
        if not any(set(cluster) <= _drawn(family) for family in families)
    ]  # fmt: skip


def width(text: str, size: float, families: tuple[str, ...], weight: str = "400Regular") -> float:
    """How wide a line is, in points: exact but for kerning where letters stand side by side, too much where they join."""
    total = 0.0
    for character in text:
        family = next((family for family in families if ord(character) in _font(family, weight).cmap), families[0])
        font = _font(family, weight)
        total += font.widths.get(font.cmap.get(ord(character), ".notdef"), 0) / font.units
    return total * size


@dataclass(frozen=True, slots=True)
class _Font:
    cmap: dict[int, str]
    widths: dict[str, int]
    units: int


@cache
def _font(family: str, weight: str) -> _Font:
    path = FONTS / f"{family.replace(' ', '')}_{weight}.ttf"
    if not path.exists():
        raise FontsMissing(f"The font {path.name} is not in {FONTS}. Bring the fonts with: make setup")
    with TTFont(path, lazy=True) as font:
        metrics: Any = font["hmtx"]
        units: Any = font["head"]
        return _Font(dict(font.getBestCmap()), {name: advance for name, (advance, _) in metrics.metrics.items()}, units.unitsPerEm)


@cache
def _drawn(family: str) -> frozenset[str]:
    return frozenset(map(chr, _font(family, "400Regular").cmap)) - _TURNING | _JOINING


def _clusters(text: str) -> Iterator[str]:
    cluster = ""
    for character in text:
        if cluster and not unicodedata.combining(character) and unicodedata.category(character) not in ("Mn", "Mc", "Me", "Cf"):
            yield cluster
            cluster = ""
        cluster += character
    if cluster:
        yield cluster
