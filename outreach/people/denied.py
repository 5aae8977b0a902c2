"""Contact points that are never used, whoever gave them: those of foreign governments, their embassies and consulates.

Somebody who fled a state is not to be found by it through us. The lists are data: `denied.toml`. Offices of the United States
are allowed: they are addresses like any other.
"""

import re
import tomllib
import unicodedata
from functools import cache
from pathlib import Path

REASON = "denied:foreign_government"
"""The `state_reason` of such a contact point."""

_FILE = Path(__file__).with_name("denied.toml")
_PARTS = re.compile(r"[^\w]+|_")
_STREET = re.compile(
    r"\s+(?:\w+\s+)?(?:st|street|ave|avenue|rd|road|dr|drive|ln|lane|blvd|ct|court|cir|circle|way|row|pl|ter|loop|suites)\b"
)
_STREET_BEFORE = re.compile(r"\b(?:calle|avenida|av|rua|rue|via|paseo|ulitsa|jalan|colonia|barrio)(?:\s+\w+)?\s+$")


@cache
def _lists() -> dict[str, frozenset[str]]:
    tables = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    return {name: frozenset(words) for name, words in tables.items()}


@cache
def _office() -> re.Pattern[str]:
    words = sorted(_lists()["office_words"], key=len, reverse=True)
    return re.compile(rf"\b(?:{'|'.join(map(re.escape, words))})\b")


def is_foreign_mailbox(address: str) -> bool:
    """Whether an e-mail address is a foreign government's. `address` may be in any case."""
    local, _, domain = address.strip().casefold().rpartition("@")
    labels = domain.rstrip(".").split(".")
    lists = _lists()
    if labels[-1] in ("gov", "mil"):
        return False
    return (
        bool(set(_PARTS.split(_folded(local))) & lists["office_names"])
        or any(".".join(labels[at:]) in lists["domains"] for at in range(len(labels)))
        or any(label in lists["ministry_labels"] for label in labels[:-1])
        or any(name in label for label in labels[:-1] for name in lists["office_in_label"])
        or (labels[-1] != "us" and len(labels[-1]) == 2 and bool(set(labels[-2:-1]) & lists["government_labels"]))
    )


def is_foreign_office(lines: str) -> bool:
    """Whether a postal address is an embassy's, a consulate's or a foreign ministry's. A street called after one is not."""
    for part in re.split(r"[\n,;]", lines):
        text = " ".join(_folded(part).split())
        if any(word in text for word in _lists()["office_signs"]):
            return True
        for found in _office().finditer(text):
            if not _STREET.match(text, found.end()) and not _STREET_BEFORE.search(text, 0, found.start()):
                return True
    return False


def _folded(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text.casefold().replace("ı", "i"))
    return "".join(letter for letter in letters if not unicodedata.combining(letter))
