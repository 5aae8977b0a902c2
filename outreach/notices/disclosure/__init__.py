"""The non-disclosure check: nothing that others can read may tell what it is about or whom it concerns.

It looks at an SMS, an e-mail or an envelope: at saving, at approval and again on the rendered text
before each send. It errs towards refusing: a wrong refusal costs a better wording, a wrong pass may cost somebody's
safety. It cannot know everything; two people still read each text before it is approved.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from functools import lru_cache

from outreach.notices.characters import ZWJ, ZWNJ, is_invisible, joins_properly
from outreach.notices.disclosure import personal, places, words
from outreach.notices.disclosure.personal import values_of_person
from outreach.notices.fields import MalformedFieldError, fields, name_of

__all__ = ["POLICY_VERSION", "Code", "Finding", "Surface", "check", "values_of_person"]

POLICY_VERSION = words.policy_version()

_ISOLATES = "\u2066\u2067\u2068"
_POP_ISOLATE = "\u2069"
_DIRECTION_CHANGERS = frozenset("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u206a\u206b\u206c\u206d\u206e\u206f")


class Surface(StrEnum):
    """What others can read without opening anything, or at a provider. A letter's inside and a coded page are no such surface."""

    SMS = "sms"
    EMAIL_SUBJECT = "email_subject"  # and the sender's name, which stands beside it
    EMAIL_BODY = "email_body"
    ENVELOPE = "envelope"


class Code(StrEnum):
    """What kind of thing a finding is."""

    WORD = "word"
    A_NUMBER = "a_number"
    DATE = "date"
    KNOWN_VALUE = "known_value"
    PHONE = "phone"
    ADDRESS = "address"
    SHORTENER = "shortener"
    IMITATED_HOST = "imitated_host"
    EMAIL = "email"
    FIELD = "field"
    MIXED_SCRIPT = "mixed_script"
    DIRECTION = "direction"
    INVISIBLE = "invisible"


_MENDING = {
    Code.WORD: "This word tells what the message is about. Write only that there is an important message.",
    Code.A_NUMBER: "Seven to nine digits read as an A-Number. Leave the number out, or add it as one of our phones.",
    Code.DATE: "A full date may be a birth date or a hearing. Leave it to the letter.",
    Code.KNOWN_VALUE: "This is something we know about the person. Take it out.",
    Code.PHONE: "This number is not one of ours. Use ((phone)).",
    Code.ADDRESS: "This web address is not ours. Use ((site)), and put a space after each full stop.",
    Code.SHORTENER: "Links by public shorteners are blocked by carriers and seen by others. Use ((site)).",
    Code.IMITATED_HOST: "This web address imitates letters of another alphabet. Use ((site)).",
    Code.EMAIL: "No e-mail address belongs here. Use ((phone)) or ((site)).",
    Code.FIELD: "This field is not allowed here or was not filled.",
    Code.MIXED_SCRIPT: "This word mixes two alphabets. Type it again in one, or put a space between them.",
    Code.DIRECTION: "A hidden mark changes the direction of the text. Only pairs of isolates (U+2066 to U+2069)"
    " may stand around a field.",
    Code.INVISIBLE: "A character that does not show stands here. Type the text again without it.",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to mend. `word` is what was found, folded; it may be personal, so it never goes to a log."""

    code: Code
    word: str = field(repr=False)
    sentence: str = field(repr=False)


def _finding(code: Code, word: str) -> Finding:
    return Finding(code, word, f"“{word}”: {_MENDING[code]}")


def _hidden(text: str) -> Iterator[Finding]:
    """Characters that do not show. Isolates may, in pairs: without them a phone number in Arabic is shown with its
    groups in the wrong order. They cannot reorder letters outside themselves, which is why overrides and marks,
    which can, are refused."""
    open_isolates = 0
    for index, char in enumerate(text):
        if char in _ISOLATES:
            open_isolates += 1
        elif char == _POP_ISOLATE:
            open_isolates -= 1
        elif char in _DIRECTION_CHANGERS:
            yield _finding(Code.DIRECTION, f"U+{ord(char):04X}")
            continue
        elif is_invisible(char):
            emoji = char == "\ufe0f" and index > 0 and not text[index - 1].isalnum()
            if not emoji and not (char in (ZWJ, ZWNJ) and joins_properly(text, index)):
                yield _finding(Code.INVISIBLE, f"U+{ord(char):04X}")
            continue
        if open_isolates not in (0, 1):
            yield _finding(Code.DIRECTION, f"U+{ord(char):04X}")
            return
    if open_isolates:
        yield _finding(Code.DIRECTION, "U+2069")


def _fields(text: str, surface: Surface, *, template: bool) -> Iterator[Finding]:
    if "((" not in text and "))" not in text:
        return
    try:
        names = fields(text)
    except MalformedFieldError:
        yield _finding(Code.FIELD, "((")
        return
    allowed = {name_of(name) for name in words.settings()[1][surface]} if template else set()
    for name in sorted(names - allowed):
        yield _finding(Code.FIELD, f"(({name}))")


def _addresses(plain: str, hosts: Collection[str]) -> Iterator[Finding]:
    ours = {host.casefold().rstrip(".") for host in hosts}
    ours |= {f"www.{host}" for host in ours}
    shorteners = words.settings()[0]
    for host, address in places.hosts(plain):
        if "@" in address:
            yield _finding(Code.EMAIL, address)
        elif host.removeprefix("www.") in shorteners:
            yield _finding(Code.SHORTENER, address)
        elif host not in ours:
            yield _finding(Code.IMITATED_HOST if places.is_imitation(host) else Code.ADDRESS, address)


def _check_text(
    text: str,
    surface: Surface,
    language: str | None,
    hosts: tuple[str, ...],
    phones: tuple[str, ...],
    *,
    template: bool,
) -> tuple[tuple[Finding, ...], words.Tokens]:
    found = list(_hidden(text))
    found += _fields(text, surface, template=template)
    tokens = words.tokens_of(text)
    found += (_finding(Code.WORD, word) for word in words.telling_words(text, tokens, language))
    found += (_finding(Code.MIXED_SCRIPT, word) for word in words.mixed_scripts(tokens))
    plain = places.plain(text)
    found += _addresses(plain, hosts)
    numbers = places.without_phones(plain, phones)
    found += (_finding(Code.A_NUMBER, number) for number in places.a_numbers(numbers))
    found += (_finding(Code.PHONE, number) for number in places.other_phones(numbers))
    found += (_finding(Code.DATE, day) for day in places.dates(numbers))
    return tuple(dict.fromkeys(found)), tokens


# Most rendered texts of a campaign are one text: nothing in an SMS but its code differs between people.
_check_again = lru_cache(maxsize=1024)(_check_text)


def check(
    text: str,
    channel: str,
    *,
    allowed_hosts: Collection[str],
    allowed_phones: Collection[str],
    known_values: Collection[str | date] = (),
    language: str | None = None,
    template: bool = False,
    allowed_values: Collection[str] = (),
) -> list[Finding]:
    """Everything in a text that must not stand on a surface that others can read; an empty list lets it pass.

    `channel` is a `Surface`. `known_values` come from `values_of_person`. `language` is the text's own: it exempts the
    few words that are harmless there (French "court") and nothing else. With `template` the fields of the channel may
    stand unfilled; without it any field is a finding. `allowed_values` are values that were rendered into the text and
    may look like numbers: the access code, nothing else.
    """
    for value in allowed_values:
        text = text.replace(value, " ")
    surface = Surface(channel)
    hosts, phones = tuple(allowed_hosts), tuple(allowed_phones)
    found, tokens = _check_again(text, surface, language, hosts, phones, template=template)
    if not known_values:
        return list(found)
    return [*found, *(_finding(Code.KNOWN_VALUE, str(value)) for value in personal.said(tokens, known_values))]
