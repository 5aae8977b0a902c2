"""What one character is: its script, whether it shows, what it can be mistaken for.

The non-disclosure check, the fields, the language look-up and the reply words all compare texts that people typed.
They share these answers so that a trick which one of them sees is seen by all.
"""

import re
import unicodedata
from functools import lru_cache

# The first word of a character's Unicode name, and the ISO 15924 code of its script.
_SCRIPTS = {
    "LATIN": "Latn",
    "CYRILLIC": "Cyrl",
    "GREEK": "Grek",
    "ARMENIAN": "Armn",
    "GEORGIAN": "Geor",
    "ARABIC": "Arab",
    "HEBREW": "Hebr",
    "DEVANAGARI": "Deva",
    "BENGALI": "Beng",
    "GURMUKHI": "Guru",
    "GUJARATI": "Gujr",
    "TAMIL": "Taml",
    "TELUGU": "Telu",
    "KANNADA": "Knda",
    "MALAYALAM": "Mlym",
    "SINHALA": "Sinh",
    "ETHIOPIC": "Ethi",
    "MYANMAR": "Mymr",
    "KHMER": "Khmr",
    "THAI": "Thai",
    "LAO": "Laoo",
    "TIBETAN": "Tibt",
    "MONGOLIAN": "Mong",
    "CJK": "Hani",
    "HIRAGANA": "Hira",
    "KATAKANA": "Kana",
    "HANGUL": "Hang",
}

RTL_SCRIPTS = frozenset({"Arab", "Hebr"})

# Scripts written without spaces between words, and Ethiopic, whose small words are glued to the front of the next one.
UNSPACED_SCRIPTS = frozenset({"Hani", "Hira", "Kana", "Thai", "Laoo", "Mymr", "Khmr", "Tibt", "Ethi"})

_JOINING_SCRIPTS = frozenset(
    {"Arab", "Deva", "Beng", "Guru", "Gujr", "Taml", "Telu", "Knda", "Mlym", "Sinh", "Mymr", "Khmr", "Mong"}
)

ZWNJ, ZWJ = "\u200c", "\u200d"

# Letters of other alphabets that look like Latin ones, after case folding. A small part of Unicode's confusables
# (https://www.unicode.org/reports/tr39/): those that a telephone's font draws alike.
_LOOKALIKES = str.maketrans(
    "авеёкмнорстухіїјѕһԁԛԝӏɡɑıαβεηικνορτυχօսոհյցզ",
    "abeekmhopctyxiijshdqwlgaiabenikvoptuxounhjgq",
)

# Letters that Unicode does not decompose although readers take them for the plain one.
_PLAIN = {ord(k): v for k, v in {"đ": "d", "ð": "d", "ł": "l", "ø": "o", "ı": "i", "ŧ": "t", "ħ": "h"}.items()}
# Arabic-script letters that keyboards of different countries swap.
_PLAIN |= {ord(k): v for k, v in {"ي": "ی", "ى": "ی", "ك": "ک", "ة": "ه", "ۀ": "ه", "ې": "ی", "ۍ": "ی"}.items()}

_INVISIBLE_EXTRA = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u2800\u3164\uffa0")


@lru_cache(maxsize=8192)
def script(char: str) -> str | None:
    """The ISO 15924 code of a letter's script; None for what belongs to no script, 'Zzzz' for one not known here."""
    if not char.isalpha():
        return None
    first = unicodedata.name(char, "").partition(" ")[0]
    if first in ("MODIFIER", "FEMININE", "MASCULINE"):
        return None
    return _SCRIPTS.get(first, "Zzzz")


@lru_cache(maxsize=8192)
def _script_of_mark(char: str) -> str | None:
    return _SCRIPTS.get(unicodedata.name(char, "").partition(" ")[0])


@lru_cache(maxsize=8192)
def is_invisible(char: str) -> bool:
    """Whether a character leaves no ink: format characters, fillers, selectors, unassigned and private ones."""
    if char in _INVISIBLE_EXTRA or "\ufe00" <= char <= "\ufe0f" or "\U000e0100" <= char <= "\U000e01ef":
        return True
    return unicodedata.category(char) in ("Cf", "Cn", "Co", "Cs") or (unicodedata.category(char) == "Cc" and char not in "\t\n\r")


def joins_properly(text: str, index: int) -> bool:
    """Whether the joiner (U+200C or U+200D) at an index is spelling and no trick, as in Persian or Sinhala."""
    if index == 0 or text[index] not in (ZWNJ, ZWJ):
        return False
    before = _script_of_mark(text[index - 1])
    after = _script_of_mark(text[index + 1]) if index + 1 < len(text) else None
    return before in _JOINING_SCRIPTS and (after == before or text[index] == ZWJ)


class _FoldTable(dict[int, str]):
    """Filled as characters are met: drops accents and what does not show, keeps the vowel signs of Asia."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        accent = "\u0300" <= char <= "\u036f" or "\u064b" <= char <= "\u065f" or char in "\u0670\u0640"
        result = "" if accent or is_invisible(char) else _PLAIN.get(code, char)
        self[code] = result
        return result


_fold_table = _FoldTable()
_COMBINING = re.compile("[\u0300-\u036f\u064b-\u065f\u0670\u0640]")


def fold(text: str) -> str:
    """A text without case, width, accents and invisible characters, for comparing; never for showing."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", folded).translate(_fold_table))


def fold_case(text: str) -> str:
    """As `fold`, but accents stay: for languages in which they make another word (Vietnamese above all)."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(c for c in unicodedata.normalize("NFC", folded) if not is_invisible(c))


def ascii_digits(text: str) -> str:
    """Every decimal digit of any script as 0-9, the rest as it was."""
    if text.isascii():
        return text
    return "".join(str(unicodedata.digit(c)) if not c.isascii() and c.isdecimal() else c for c in text)


def latin_lookalike(word: str) -> str | None:
    """The Latin word that a folded word of another alphabet looks like, or None when a letter gives it away."""
    if word.isascii():
        return None
    latin = word.translate(_LOOKALIKES)
    return latin if latin.isascii() else None
