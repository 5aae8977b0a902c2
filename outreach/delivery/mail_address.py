"""Addresses that name one attempt of ours: where a reply or a bounce goes, and the link that stops e-mail.

They are opaque, signed, and each for one purpose: whoever can answer a mail cannot therefore unsubscribe anybody. Mail servers may
fold the case of an address, so the code is base32, 48 characters of it; a local part may have 64 (RFC 5321 §4.5.3.1.1).
"""

import base64
import hmac
import re
from enum import StrEnum
from uuid import UUID

from outreach.access.sealing import Vault

MAC = 14  # bytes; with the 16 of a token it fills base32 without a spare bit, so that a code has one spelling only.


class Purpose(StrEnum):
    """What an address is for, and how it begins. An unsubscribe code stands in a URL, where a plus may become a space."""

    REPLY = "r+"
    BOUNCE = "b+"
    UNSUBSCRIBE = "u-"


def sign(vault: Vault, purpose: Purpose, token: UUID) -> str:
    """The local part, as `r+` and 48 characters of a to z and 2 to 7, that names this attempt."""
    code = base64.b32encode(token.bytes + _mac(vault, purpose, token))
    return purpose + code.decode().lower()


def read(vault: Vault, purpose: Purpose, text: str) -> UUID | None:
    """The attempt that an address names, None when none of ours does: forged, of another purpose, or no address at all.

    `text` is a local part, an address, or a header line with several; of several the first that was signed counts.
    """
    for match in _CODES[purpose].finditer(text):
        data = base64.b32decode(match[1].upper())
        token = UUID(bytes=data[:16])
        if hmac.compare_digest(data[16:], _mac(vault, purpose, token)):
            return token
    return None


def _mac(vault: Vault, purpose: Purpose, token: UUID) -> bytes:
    return vault.keyed_hash(f"mail_address.{purpose.name.lower()}", token.hex)[:MAC]


# Only ASCII: without that, "ſ" and "K" (the Kelvin sign) would be letters of the code too.
_CODES = {
    purpose: re.compile(rf"(?<![\w.+=-]){re.escape(purpose)}([a-z2-7]{{48}})(?![\w.+-])", re.ASCII | re.IGNORECASE)
    for purpose in Purpose
}
