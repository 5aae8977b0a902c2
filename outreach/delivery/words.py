"""What a short answer means, in any language we write in: STOP, START, HELP, the digits, "wrong person".

The whole message must be a known word. A sentence that only contains one is text for staff to read: "I must STOP this
bill" ends nothing. The exception is a phrase that asks us to stop ("please don't text me any more"): it is obeyed at
once and a person confirms it, since revocation counts however it is worded (47 CFR 64.1200(a)(10)).
"""

import re
import tomllib
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path

from outreach.notices import languages
from outreach.notices.characters import UNSPACED_SCRIPTS, ascii_digits, fold, fold_case, script

_FILE = Path(__file__).with_name("words.toml")
_APOSTROPHES = re.compile("['’‘ʻʼ`´]")
_KEYCAP = "\u20e3"  # the frame of 1️⃣
_LONGEST = 1600  # Twilio joins at most this many characters into one inbound message.


class ReplyKind(StrEnum):
    """What a reply asks for. TEXT is whatever has to be read; AUTO_REPLY is told by a mail's headers and never by its words."""

    STOP = "stop"
    WRONG_PERSON = "wrong_person"
    HELP = "help"
    CALL_ME = "call_me"
    OTHER_LANGUAGE = "other_language"
    ACKNOWLEDGE = "acknowledge"
    START = "start"
    AUTO_REPLY = "auto_reply"  # a machine wrote it: it answers nothing
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reply means. `language` is what it was recognised in, or for OTHER_LANGUAGE the one that it asks for.

    `needs_human`: act at once and let a person confirm it; for TEXT, simply read it.
    """

    kind: ReplyKind
    needs_human: bool = False
    language: str | None = None


@dataclass(frozen=True, slots=True)
class _Words:
    whole: dict[str, tuple[ReplyKind, tuple[str, ...]]]  # normal form -> what it means, in which languages
    stop_phrases: tuple[tuple[str, str], ...]  # normal form, language
    negations: tuple[str, ...]


def _tidy(folded: str) -> str:
    kept = (c if unicodedata.category(c)[0] in "LMN" else " " for c in _APOSTROPHES.sub("", folded))
    return " ".join("".join(c for c in kept if c != _KEYCAP).split())


def normal(text: str) -> str:
    """A message as it is compared: no case, width, accents, punctuation, emoji or hidden marks; digits as 0-9."""
    return _tidy(ascii_digits(fold(text[:_LONGEST])))


def normal_with_accents(text: str) -> str:
    """As `normal`, with the accents kept: Vietnamese words differ by nothing else."""
    return _tidy(ascii_digits(fold_case(text[:_LONGEST])))


@cache
def _words() -> _Words:
    """The table. Raises ValueError when a word would mean two things: then somebody has to decide which."""
    data = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    whole: dict[str, tuple[ReplyKind, tuple[str, ...]]] = {digit: (ReplyKind(kind), ()) for kind, digit in data["digits"].items()}
    phrases: list[tuple[str, str]] = []
    for code, lists in data["language"].items():
        language = languages.get(code).code
        phrases += ((normal(phrase), language) for phrase in lists.pop("stop_phrases"))
        for kind, words in ((ReplyKind(name), words) for name, words in lists.items()):
            for form in dict.fromkeys(form for word in words for form in (normal(word), normal_with_accents(word))):
                before, spoken_in = whole.get(form, (kind, ()))
                if before is not kind:
                    raise ValueError(f"words.toml: “{form}” means {before} in {spoken_in} and {kind} in {language}.")
                whole[form] = (kind, (*spoken_in, language))
    return _Words(whole, tuple(phrases), tuple(normal(word) for word in data["not_stop"]["before"]))


def _asks_to_stop(message: str, phrase: str, negations: tuple[str, ...]) -> bool:
    if any(script(c) in UNSPACED_SCRIPTS for c in phrase):
        return phrase in message
    before, found, _ = f" {message} ".partition(f" {phrase} ")
    if not found:
        return False
    return not any(f" {before}".rstrip().endswith(f" {negation}") for negation in negations)


def classify(text: str, language_hint: str | None = None) -> Reading:
    """What a reply means. Never raises.

    `language_hint` is the language of our last text to that phone. A word means the same whatever the hint; it only
    settles in which language the word was said when several share it.
    """
    words = _words()
    for form in dict.fromkeys((normal_with_accents(text), normal(text))):
        if form in words.whole:
            kind, spoken_in = words.whole[form]
            first = spoken_in[0] if spoken_in else None
            return Reading(kind, language=language_hint if language_hint in spoken_in else first)
    message = normal(text)
    for phrase, language in words.stop_phrases:
        if _asks_to_stop(message, phrase, words.negations):
            return Reading(ReplyKind.STOP, needs_human=True, language=language)
    asked = languages.find_by_name(text[:100])
    if asked:
        only = asked[0].code if len(asked) == 1 else None
        return Reading(ReplyKind.OTHER_LANGUAGE, needs_human=only is None, language=only)
    return Reading(ReplyKind.TEXT, needs_human=True)
