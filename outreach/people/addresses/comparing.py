"""When two postal addresses are the same, and the keyed hash by which the database finds out without seeing them."""

import re
import tomllib
from functools import cache
from pathlib import Path

from outreach.access.sealing import Vault
from outreach.people.addresses import american
from outreach.people.roster.columns import plain

_FILE = Path(__file__).with_name("abbreviations.toml")
_BOX = re.compile(r"\b(?:p o box|po box|post office box|pob)\b")
HALF = 16
"""Bytes of an index that are of the house; as many more are of the house with its unit. Without a unit both halves are equal."""

House = tuple[str, str]


@cache
def _short() -> dict[str, str]:
    tables = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    return {long: short for table in tables.values() for short, words in table.items() for long in words}


def compared(lines: str, country: str | None) -> House | None:
    """The house, and the house with its unit, as texts that are equal for equal addresses however they were written.

    None for what is no one place: nothing at all, or general delivery, which is at each town's post office for anybody.
    """
    if country not in (None, "US"):
        rows = [row for row in lines.splitlines() if not american.is_care_of(row)]
        whole = plain(" ".join(rows))
        return (f"{country} {whole}", f"{country} {whole}") if whole else None
    address = american.read(lines)
    street = _shortened(address.without_unit)
    if not street or address.general_delivery:
        return None
    if street.isdigit():  # Written in one line without commas: the street was taken for a part of the city's name.
        street = _shortened(f"{street} {plain(address.city)}")
    # The ZIP code stands for town and state, whose names are spelt in many ways.
    house = f"{street} {address.zip_code[:5] or plain(address.city)}"
    return house, f"{house} # {address.unit}" if address.unit else house


def address_index(vault: Vault, house: House | None) -> bytes | None:
    """The keyed hash: two halves, so that one house's units are found by the first and the very address by both."""
    if house is None:
        return None
    building, place = (vault.blind_index("address", part)[:HALF] for part in house)
    return building + place


def _shortened(text: str) -> str:
    short = _short()
    return " ".join(short.get(word, word) for word in _BOX.sub("pobox", text).split())
