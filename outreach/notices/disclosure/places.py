"""Web addresses, e-mail addresses and numbers in a text, and whether they are ours."""

import re
import unicodedata
from collections.abc import Collection, Iterator
from functools import lru_cache

from outreach.notices.characters import ascii_digits

_SEPARATOR = r"[\s().\-‐‑‒–—/·_]{0,3}"

# Letters, digits and hyphens of alphabets in which host names are registered and with which they are imitated; scripts
# without spaces stay outside, or "请访问notices.example.org" would be one name.
_LABEL = r"[0-9a-z\u00df-\u02af\u0370-\u058f\u1e00-\u1fff_-]+"
_HOST = re.compile(rf"(?:(?P<scheme>[a-z][a-z0-9+.-]*)://)?(?P<user>[^\s/@]*@)?(?P<host>{_LABEL}(?:\.{_LABEL})+\.?)(?::\d+)?")
_SCHEME = re.compile(r"[a-z][a-z0-9+-]*://\S*")
_TOP_LEVEL = re.compile(r"(?:[^\W\d_]{2,}|xn--[0-9a-z-]+)", re.ASCII | re.IGNORECASE)
_IP_ADDRESS = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")

_A_NUMBER = re.compile(rf"(?<![^\W\d_])[aаα]{_SEPARATOR}[#№:]?{_SEPARATOR}\d(?:{_SEPARATOR}\d){{6,8}}(?!\d)")
_NUMBER = re.compile(rf"\+?\d(?:{_SEPARATOR}\d)*")
_GLUED_NUMBER = re.compile(r"\d+")
_VANITY = re.compile(r"\d{3}[-. ][a-z]{6,8}(?![a-z])|\d{3}[-. ][a-z]{3}[-. ][a-z]{4}(?![a-z])")
_DATE = re.compile(
    r"(?<!\d)(?:(?:19|20)\d\d[-./](?:0?[1-9]|1[0-2])[-./](?:[0-2]?\d|3[01])"
    r"|(?:[0-2]?\d|3[01])[-./](?:[0-2]?\d|3[01])[-./](?:(?:19|20)\d\d|\d\d))(?!\d)"
)


def plain(text: str) -> str:
    """A text as addresses and numbers are read in it: half width, small letters, digits 0-9, nothing invisible."""
    normal = unicodedata.normalize("NFKC", text).casefold()
    if not normal.isascii():
        normal = "".join(c for c in normal if unicodedata.category(c) not in ("Cf", "Mn", "Me"))
        normal = re.sub(r"(?<=[0-9a-z])[。｡․](?=[0-9a-z])", ".", normal)
    return ascii_digits(normal)


@lru_cache(maxsize=256)
def _ours(phones: frozenset[str]) -> re.Pattern[str]:
    spelled = []
    for phone in phones:
        digits = [c for c in ascii_digits(unicodedata.normalize("NFKC", phone)) if c.isdigit()]
        country = ""
        if len(digits) == 11 and digits[0] == "1":
            country, digits = rf"(?:\+?1{_SEPARATOR})?\(?", digits[1:]
        spelled.append(rf"\+?{country}{_SEPARATOR.join(digits)}")
    return re.compile(rf"(?<![\d+])(?:{'|'.join(spelled)})(?!\d)" if spelled else r"(?!)")


def without_phones(text: str, phones: Collection[str]) -> str:
    """A `plain` text with our own numbers taken out, however they are spaced."""
    return _ours(frozenset(phones)).sub(" § ", text)


def hosts(text: str) -> Iterator[tuple[str, str]]:
    """Each host in a `plain` text, with the whole of what was read as its address."""
    for match in _HOST.finditer(text):
        host = match["host"].strip(".-_")
        last = host.rpartition(".")[2]
        if _IP_ADDRESS.fullmatch(host):
            yield host, match[0]
        elif "." in host and (_TOP_LEVEL.fullmatch(last) or (last.isalpha() and len(last) > 1)):
            initials = all(len(part) == 1 for part in host.split(".")[:-1]) and len(last) == 1
            if not initials:
                yield host, match[0]
    for match in _SCHEME.finditer(text):
        if not _HOST.match(match[0]):
            yield "", match[0]


def is_imitation(host: str) -> bool:
    """Whether a host name puts letters of another alphabet, or accented ones, among ASCII letters."""
    return "xn--" in host or (not host.isascii() and any(c.isascii() and c.isalpha() for c in host))


def dates(text: str) -> list[str]:
    """Full dates in figures in a `plain` text."""
    return [match[0] for match in _DATE.finditer(text)]


def a_numbers(text: str) -> Iterator[str]:
    """Runs of seven to nine digits in a `plain` text without our phones, with or without an A before them."""
    rest = text
    for match in _A_NUMBER.finditer(text):
        rest = rest.replace(match[0], " § ")
        yield match[0]
    rest = _DATE.sub(" § ", rest)
    for match in _NUMBER.finditer(rest):
        if 7 <= sum(c.isdigit() for c in match[0]) <= 9 and not match[0].startswith("+"):
            yield match[0]


def other_phones(text: str) -> Iterator[str]:
    """What can be dialled in a `plain` text without our phones: long numbers, short codes, numbers spelt as words."""
    rest = _DATE.sub(" § ", _A_NUMBER.sub(" § ", text))
    for match in _NUMBER.finditer(rest):
        digits = sum(c.isdigit() for c in match[0])
        if digits > 9 or (digits > 6 and match[0].startswith("+")):
            yield match[0]
        elif digits < 7:
            yield from (run[0] for run in _GLUED_NUMBER.finditer(match[0]) if len(run[0]) > 4)
    for match in _VANITY.finditer(rest):
        yield match[0]
