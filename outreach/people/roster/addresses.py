"""Postal addresses: from columns or one cell to the lines of an envelope, and whether a letter could get there."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from outreach.people.roster.words import country_code

_ZIP = re.compile(r"\d{5}(?:-?\d{4})?")
_CITY_STATE_ZIP = re.compile(r"(?P<city>[^\W\d][^,\n]*?)[,\s]+(?P<state>[A-Za-z]{2})\.?[,\s]+(?P<zip>\d{5}(?:-\d{4})?)")
_STATES = re.compile(
    "A[AEKLPRSZ]|C[AOT]|D[CE]|FL|G[AU]|HI|I[ADLN]|K[SY]|LA|M[ADEINOPST]|N[CDEHJMVY]|O[HKR]|P[AR]|RI|S[CD]|T[NX]|UT|V[AIT]|W[AIVY]"
)
# Their ZIP codes start with zeros, which a spreadsheet drops when it takes them for numbers.
_ZERO_STATES = frozenset({"CT", "MA", "ME", "NH", "NJ", "PR", "RI", "VI", "VT", "AE"})


@dataclass(frozen=True, slots=True)
class Address:
    """`lines` joined by line ends, as printed below the name; `country` is an ISO code or None for one not known."""

    lines: str
    country: str | None
    complete: bool


def from_parts(*, care_of: str, first: str, second: str, city: str, state: str, postal_code: str, country: str) -> Address:
    """An address from its columns, each cleaned or blank."""
    code = country_code(country) if country else "US"
    if code == "US":
        state = state.upper() if len(state) == 2 else state
        if postal_code.isdigit() and 3 <= len(postal_code) <= 4 and state in _ZERO_STATES:
            postal_code = postal_code.zfill(5)
        complete = bool(first and city and _STATES.fullmatch(state) and _ZIP.fullmatch(postal_code))
        last = " ".join(part for part in (f"{city}," if city and state else city, state, postal_code) if part)
        lines = [_care_of(care_of), first, second, last]
    else:
        complete = bool(first and city and code)
        last = " ".join(part for part in (postal_code, city, state) if part)
        lines = [_care_of(care_of), first, second, last, country]
    return Address("\n".join(line for line in lines if line), code, complete)


def from_text(care_of: str, text: str, country: str) -> Address:
    """An address from one cell. Lines are parted by line ends or semicolons, else it stays as it is written."""
    lines = [" ".join(line.split()).strip(",") for line in re.split(r"[\n\r;|]+", text)]
    lines = [line for line in lines if line]
    code = country_code(country) if country else _country_of(lines)
    if code == "US":
        ends = list(_CITY_STATE_ZIP.finditer(text))
        complete = bool(ends and _STATES.fullmatch(ends[-1].group("state").upper()) and text[: ends[-1].start()].strip(" ,;\n"))
    else:
        complete = code is not None and len(lines) + lines[-1].count(",") > 1
    extra = [country] if country and code != "US" else []
    return Address("\n".join([*filter(None, [_care_of(care_of)]), *lines, *extra]), code, complete)


def _country_of(lines: Sequence[str]) -> str | None:
    """The country that the last line ends with, else the United States."""
    last = lines[-1].rpartition(",")[2].strip() if lines else ""
    return (country_code(last) if len(last) > 2 else None) or "US"


def _care_of(text: str) -> str:
    return text if not text or text.casefold().startswith("c/o") else f"c/o {text}"
