"""Return codes: what is printed on a letter so that whoever gets its envelope back can say which it was. No secret."""

import re
import secrets

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's: without I, L, O and U
LENGTH = 12

CANONICAL = """translate(upper(regexp_replace(return_code, '[^A-Za-z0-9]', '', 'g')), 'OIL', '011')"""
"""SQL: `letter.return_code` as `canonical` makes it."""


def new() -> str:
    """Such as 7K3M-9QTZ-4B1X: 60 bits, so that a misread one is nobody else's."""
    code = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
    return "-".join(re.findall("....", code))


def canonical(typed: str) -> str:
    """A code as it is compared: case, spaces and dashes do not matter, nor O for 0, nor I or L for 1."""
    return re.sub("[^0-9A-Z]", "", typed.upper()).translate(str.maketrans("OIL", "011"))
