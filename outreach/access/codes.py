"""Codes that people read from paper and type or scan: nothing in them can be taken for something else.

Crockford's base 32 has no I, L, O or U: https://www.crockford.com/base32.html
"""

import secrets
from uuid import UUID

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_AS_MEANT = str.maketrans("ILO", "110")


def new(groups: int, *, group: int = 4) -> str:
    """A random code: groups of characters with a hyphen between, five bits a character."""
    return "-".join("".join(secrets.choice(ALPHABET) for _ in range(group)) for _ in range(groups))


def of(token: UUID, groups: int = 2, *, group: int = 4) -> str:
    """The code that names this token to people. Made of its first bits, so it can be given at any time again."""
    value, characters = token.int, groups * group
    picked = "".join(ALPHABET[(value >> (128 - 5 * (at + 1))) & 31] for at in range(characters))
    return "-".join(picked[at : at + group] for at in range(0, characters, group))


def read(typed: str) -> str:
    """What somebody typed or scanned, as it is compared: capitals, no signs, and the letters that look alike as they were meant."""
    return "".join(c for c in typed.upper().translate(_AS_MEANT) if c in ALPHABET)
