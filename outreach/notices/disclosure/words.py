"""The words that give away what a text is about, and finding them quickly whatever the script or the disguise."""

import hashlib
import re
import tomllib
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from outreach.notices.characters import UNSPACED_SCRIPTS, fold, fold_case, latin_lookalike, script

_FILES = (Path(__file__).with_name("words.toml"), Path(__file__).with_name("countries.toml"))

# In these languages the accents of a country's name are part of it; without them it is some other word.
_ACCENTED = frozenset({"vi", "yo", "ig", "ak", "ee", "ln", "wo"})

_BICAMERAL = frozenset({"Latn", "Cyrl", "Grek", "Armn"})

# Conjunctions, prepositions and the article, which Arabic writes as part of the next word.
_PROCLITICS = re.compile("(?:[وف])?(?:[بکل])?(?:ال|ل)?")

_JOINERS = re.compile("['’‘ʻʼ`´\\-\u2010\u2011_*·]")


class _SpacedTable(dict[int, str]):
    """Keeps the letters, marks and digits of scripts that put spaces between words; the rest becomes a space."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        kept = unicodedata.category(char)[0] in "LMN" and char not in "ʻʼʾʿ" and script(char) not in UNSPACED_SCRIPTS
        self[code] = result = char if kept else " "
        return result


_spaced = _SpacedTable()


@dataclass(slots=True)
class _Matcher:
    """Whole words, beginnings of words, and several words in a row, over the tokens of one kind of folding."""

    whole: set[str] = field(default_factory=set)
    beginnings: dict[str, tuple[str, ...]] = field(default_factory=dict)  # by their first two letters
    rows: dict[str, list[tuple[tuple[str, ...], bool]]] = field(default_factory=dict)  # by their first word

    def add(self, folded: str, *, beginning: bool) -> None:
        tokens = folded.translate(_spaced).split()
        if not tokens:
            raise ValueError(f"disclosure: “{folded}” belongs under `inside`: its script has no spaces.")
        if len(tokens) > 1:
            self.rows.setdefault(tokens[0], []).append((tuple(tokens), beginning))
        elif beginning:
            key = tokens[0][:2]
            self.beginnings[key] = (*self.beginnings.get(key, ()), tokens[0])
        else:
            self.whole.add(tokens[0])

    def hit(self, token: str) -> bool:
        if token in self.whole:
            return True
        beginnings = self.beginnings.get(token[:2])
        return beginnings is not None and token.startswith(beginnings)

    def find(self, tokens: list[str]) -> Iterator[str]:
        for index, token in enumerate(tokens):
            if self.hit(token):
                yield token
            for row, beginning in self.rows.get(token, ()):
                there = tokens[index : index + len(row)]
                same = there[:-1] == list(row[:-1]) and len(there) == len(row)
                if same and (there[-1] == row[-1] or (beginning and there[-1].startswith(row[-1]))):
                    yield " ".join(there)


@dataclass(slots=True)
class _Lexicon:
    folded: _Matcher = field(default_factory=_Matcher)
    accented: _Matcher = field(default_factory=_Matcher)
    arabic: _Matcher = field(default_factory=_Matcher)
    capitalised: set[str] = field(default_factory=set)  # short names of countries: ordinary words in small letters
    inside: dict[str, tuple[str, ...]] = field(default_factory=dict)  # by their first character
    ordinary: dict[str, frozenset[str]] = field(default_factory=dict)  # by language


@dataclass(frozen=True, slots=True)
class Tokens:
    """A text taken apart for comparing. `joined` are the words as they would be without apostrophes and hyphens."""

    folded: str
    words: list[str]
    accented: list[str]
    joined: list[str]
    line: str  # the words with one space between them and at both ends


def tokens_of(text: str) -> Tokens:
    """The words of a text, folded; what has no spaces between words is left to `folded`."""
    folded = fold(text)
    words = folded.translate(_spaced).split()
    accented = words if text.isascii() else fold_case(text).translate(_spaced).split()
    without = _JOINERS.sub("", folded)
    joined = without.translate(_spaced).split() if len(without) != len(folded) else []
    return Tokens(folded, words, accented, joined, f" {' '.join(words)} ")


def _add_inside(lexicon: _Lexicon, word: str) -> None:
    folded = fold(word)
    lexicon.inside[folded[0]] = (*lexicon.inside.get(folded[0], ()), folded)


def _add_country(lexicon: _Lexicon, language: str, name: str, everyday: frozenset[str]) -> None:
    folded = fold(name)
    letters = [c for c in folded if script(c)]
    kind = script(letters[0]) or ""
    if kind in UNSPACED_SCRIPTS or kind == "Hebr":
        _add_inside(lexicon, name)
    elif language in _ACCENTED and not (folded.isascii() and len(folded) <= 5):
        lexicon.accented.add(fold_case(name), beginning=False)
    elif folded in everyday:
        lexicon.capitalised.add(folded)
    elif kind in _BICAMERAL and " " not in folded and language not in ("en", "es"):
        if len(folded) <= 5:
            lexicon.capitalised.add(folded)
        else:
            # The ending changes with the case of the noun: Россия, России, Россией.
            lexicon.folded.add(folded[:-1] if kind != "Latn" else folded, beginning=True)
    elif kind == "Arab":
        (lexicon.arabic if language == "ar" else lexicon.folded).add(folded, beginning=False)
    else:
        lexicon.folded.add(folded, beginning=len(letters) >= (6 if kind == "Latn" else 4))


@cache
def _lexicon() -> _Lexicon:
    data: dict[str, Any] = tomllib.loads(_FILES[0].read_text(encoding="utf-8"))
    lexicon = _Lexicon()
    for language, lists in data["words"].items():
        plain = lexicon.arabic if language == "ar" else lexicon.folded
        for word in lists.get("stems", ()):
            plain.add(fold(word), beginning=True)
        for word in lists.get("words", ()):
            plain.add(fold(word), beginning=False)
        for word in lists.get("exact", ()):
            lexicon.accented.add(fold_case(word), beginning=False)
        for word in lists.get("inside", ()):
            _add_inside(lexicon, word)
    everyday = frozenset(data["capitalised"])
    for language, names in tomllib.loads(_FILES[1].read_text(encoding="utf-8"))["names"].items():
        for name in names:
            _add_country(lexicon, language, name, everyday)
    lexicon.ordinary = {language: frozenset(map(fold, words)) for language, words in data["ordinary"].items()}
    return lexicon


@cache
def settings() -> tuple[frozenset[str], dict[str, frozenset[str]]]:
    """The hosts of public shorteners, and the fields each surface allows."""
    data = tomllib.loads(_FILES[0].read_text(encoding="utf-8"))
    return frozenset(data["shorteners"]), {name: frozenset(fields) for name, fields in data["surfaces"].items()}


@cache
def languages_covered() -> frozenset[str]:
    """The codes of the languages with a list of their own."""
    return frozenset(tomllib.loads(_FILES[0].read_text(encoding="utf-8"))["words"])


def policy_version() -> str:
    """Names the word lists: the first twelve hexadecimal digits of their SHA-256."""
    digest = hashlib.sha256()
    for path in _FILES:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _spelt_out(words: list[str]) -> Iterator[str]:
    """Words written letter by letter ("I C E", "I.C.E."), put together again."""
    run: list[str] = []
    for word in (*words, "  "):
        if len(word) == 1 and word.isalpha():
            run.append(word)
            continue
        if len(run) > 2:
            yield "".join(run)
        run = []


def _capitalised(text: str, tokens: Iterable[str]) -> Iterator[str]:
    """Of the tokens that are short country names, those that the text writes with a capital letter."""
    names = _lexicon().capitalised.intersection(tokens)
    if names:
        for word in unicodedata.normalize("NFKC", text).translate(_spaced).split():
            if word[0].isupper() and fold(word) in names:
                yield fold(word)


def _in_arabic(tokens: list[str]) -> Iterator[str]:
    lexicon = _lexicon().arabic
    yield from lexicon.find(tokens)
    for token in tokens:
        prefix = _PROCLITICS.match(token)
        for length in range(1, prefix.end() + 1 if prefix else 0):
            if lexicon.hit(token[length:]):
                yield token
                break


def _inside(folded: str) -> Iterator[str]:
    starts = _lexicon().inside
    for index, char in enumerate(folded):
        for word in starts.get(char, ()):
            if folded.startswith(word, index):
                yield word


def mixed_scripts(tokens: Tokens) -> Iterator[str]:
    """The words made of letters of two alphabets."""
    for word in tokens.words:
        if not word.isascii() and len({kind for kind in map(script, word) if kind}) > 1:
            yield word


def telling_words(text: str, tokens: Tokens, language: str | None) -> list[str]:
    """The words of a text that tell what it is about, folded, each once."""
    lexicon = _lexicon()
    found = list(lexicon.folded.find(tokens.words))
    found += lexicon.accented.find(tokens.accented)
    found += lexicon.folded.find(tokens.joined)
    found += (word for word in _spelt_out(tokens.words) if lexicon.folded.hit(word) or lexicon.accented.hit(word))
    found += _capitalised(text, tokens.words)
    if not tokens.folded.isascii():
        found += _in_arabic(tokens.words)
        found += _inside(tokens.folded)
        for word in tokens.words:
            twin = latin_lookalike(word)
            if twin and (lexicon.folded.hit(twin) or lexicon.accented.hit(twin)):
                found.append(word)
    harmless = lexicon.ordinary.get(language or "", frozenset())
    return [word for word in dict.fromkeys(found) if word not in harmless]
