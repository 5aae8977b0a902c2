"""How many SMS segments a text needs, and what they cost.

3GPP TS 23.038 §6.2.1: the GSM 7-bit alphabet and its extension table; TS 23.040: 160 septets or 70 UTF-16 units alone,
153 or 67 in each part of a longer text. No character is split between parts, neither an extension pair nor a
surrogate pair.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = frozenset("\f^{}\\[~]|€")
_GSM = _BASIC | _EXTENSION


class Encoding(StrEnum):
    GSM_7 = "GSM-7"
    UCS_2 = "UCS-2"


@dataclass(frozen=True, slots=True)
class Segments:
    """`units` are septets or UTF-16 units; `per_segment` is how many fit into each part of a text of this length;
    `first_non_gsm` is the first character that forces UCS-2."""

    encoding: Encoding
    segments: int
    units: int
    per_segment: int
    first_non_gsm: str | None


def _pack(sizes: Iterable[int], room: int) -> int:
    parts, used = 1, 0
    for size in sizes:
        if used + size > room:
            parts, used = parts + 1, 0
        used += size
    return parts


def count(text: str) -> Segments:
    """The segments of a text as it is billed. An empty text has none: it cannot be sent."""
    foreign = set(text) - _GSM
    if not foreign:
        sizes = [2 if c in _EXTENSION else 1 for c in text]
        encoding, alone, part, first = Encoding.GSM_7, 160, 153, None
    else:
        sizes = [2 if c > "\uffff" else 1 for c in text]
        encoding, alone, part = Encoding.UCS_2, 70, 67
        first = next(c for c in text if c in foreign)
    units = sum(sizes)
    if units <= alone:
        return Segments(encoding, 1 if units else 0, units, alone, first)
    return Segments(encoding, _pack(sizes, part), units, part, first)


def cost(text: str, price_per_segment: Decimal) -> Decimal:
    """What one copy costs, in the currency of the price."""
    return count(text).segments * price_per_segment


def forcing_ucs2(text: str) -> tuple[str, ...]:
    """The characters outside GSM-7, once each in the order they occur; without them the text takes less than half."""
    return tuple(dict.fromkeys(c for c in text if c not in _GSM))
