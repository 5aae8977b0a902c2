"""One postal address: from columns, one cell or a form to the lines of an envelope, and how far its own text can be believed."""

import re
from dataclasses import dataclass

from outreach.people import denied
from outreach.people.addresses import american, foreign
from outreach.people.addresses.american import Flaw
from outreach.people.contact import AddressGrade
from outreach.people.roster.words import country_code

MOST_LINES = 6  # of an address with its name: what the window of a #10 envelope shows
_WIDE = 44  # characters of a line that the window shows
# Their ZIP codes start with zeros, which a spreadsheet drops when it takes them for numbers.
_ZERO_STATES = frozenset({"CT", "MA", "ME", "NH", "NJ", "PR", "RI", "VI", "VT", "AE"})
_GRADES = {
    None: AddressGrade.GOOD,
    Flaw.EMPTY: AddressGrade.BLANK,
    Flaw.PLACE: AddressGrade.NOT_RESIDENTIAL,
    Flaw.UNIT: AddressGrade.NO_UNIT,
    Flaw.GOVERNMENT: AddressGrade.DENIED,
}


@dataclass(frozen=True, slots=True)
class Address:
    """`lines` joined by line ends, as printed below the name, without the country, which is an ISO code or None (not known).

    The grade is by the address's own text. What everybody else's addresses say about it comes later: `regrading`.
    """

    lines: str
    country: str | None
    flaw: Flaw | None = None

    @property
    def grade(self) -> AddressGrade:
        if self.flaw is None and self.country != "US":
            return AddressGrade.FOREIGN
        return _GRADES.get(self.flaw, AddressGrade.INCOMPLETE)

    @property
    def shelter(self) -> bool:
        """Whether its text names a shelter."""
        return self.country == "US" and american.read(self.lines).shelter


def from_parts(*, care_of: str, first: str, second: str, city: str, state: str, postal_code: str, country: str) -> Address:
    """An address from its columns or fields, each cleaned or blank. No country means the United States."""
    code = country_code(country) if country else "US"
    if code is not None and american.is_territory(code):
        state, code = code, "US"
    if code == "US":
        state = american.state_code(state)
        if postal_code.isdigit() and 3 <= len(postal_code) <= 4 and state in _ZERO_STATES:
            postal_code = postal_code.zfill(5)
        elif postal_code.isdigit() and len(postal_code) == 9:
            postal_code = f"{postal_code[:5]}-{postal_code[5:]}"
        last = " ".join(part for part in (f"{city}," if city and state else city, state, postal_code) if part)
        return _american([_care_of(care_of), first, second, last])
    street = tuple(part for part in (first, second) if part)
    lines = foreign.written(street=street, city=city, area=state, postal_code=postal_code, country=code)
    wrong = foreign.flaw(street=" ".join(street), city=city, area=state, postal_code=postal_code, country=code)
    return _foreign([_care_of(care_of), *lines, country if code is None else ""], code, wrong)


def from_text(care_of: str, text: str, country: str, *, office: bool = False) -> Address:
    """An address from one cell or box. Lines are parted by line ends or semicolons, else it stays as it is written.

    `office`: it is where somebody works, and need not be a home.
    """
    lines = [" ".join(line.split()).strip(",") for line in re.split(r"[\n\r;|]+", text)]
    lines = [line for line in lines if line]
    code = country_code(country) if country else None
    if lines and (not country or code is not None):
        # The country has a line of its own on the envelope, in English, whatever it was called here.
        before, _, last = lines[-1].rpartition(",")
        named = country_code(last.strip()) if len(last.strip()) > 2 else None
        # Georgia, and a street called after a country, are known by what is said elsewhere.
        if named is not None and (code in (None, named)) and not (named == "GE" and code is None):
            code = named
            lines = [*lines[:-1], *([before.strip()] if before.strip() else [])]
    if not country and code is None:
        code = "US"
    if code is not None and american.is_territory(code):
        code = "US"
    if code == "US":
        return _american([_care_of(care_of), *lines], office=office)
    extra = country if code is None else ""
    return _foreign([_care_of(care_of), *lines, extra], code, foreign.flaw_of_text(lines, code))


def of_stored(lines: str, country: str | None) -> Address:
    """The address of a contact point, graded again by its text. `country` is None where none is stored: the United States."""
    if country is None or country == "US":
        return _american(lines.splitlines())
    return _foreign(lines.splitlines(), country, foreign.flaw_of_text([row for row in lines.splitlines() if row], country))


def mailing_lines(name: str, address: Address) -> tuple[str, ...]:
    """The lines of an ordinary letter's address: the name, "c/o", the address, and the country when it is not the United States.

    At most `MOST_LINES`: where there are more, the lines in the middle are joined. Nothing is put into capitals but the country.
    """
    rows = [row for row in address.lines.splitlines() if row]
    if address.country == "US":
        rows = _city_apart(rows)
        country = ""
    else:
        country = foreign.country_name(address.country) if address.country else ""
        rows = [part.strip() for part in rows[0].split(",")] if len(rows) == 1 else rows
    room = MOST_LINES - 1 - bool(country)
    while len(rows) > room:
        # The lines that are shortest together, and never the city's.
        at = min(range(len(rows) - 2), key=lambda at: len(rows[at]) + len(rows[at + 1]))
        rows[at : at + 2] = [f"{rows[at]}, {rows[at + 1]}"]
    return tuple(line for line in (name, *rows, country) if line)


def _city_apart(rows: list[str]) -> list[str]:
    """An address that was written in one line, as the lines of an envelope."""
    if not rows:
        return rows
    whole = american.read(rows[-1])
    if not (whole.city and whole.segments) or whole.segments[0].isdigit():
        return rows
    last = f"{whole.city}, {whole.state} {whole.zip_code}"
    street = ", ".join(whole.segments)
    return [*rows[:-1], *([street] if len(street) <= _WIDE else whole.segments), last]


def _american(rows: list[str], *, office: bool = False) -> Address:
    lines = "\n".join(row for row in rows if row)
    wrong = Flaw.GOVERNMENT if denied.is_foreign_office(lines) else american.flaw(american.read(lines), office=office)
    return Address(lines, "US", wrong)


def _foreign(rows: list[str], country: str | None, wrong: Flaw | None) -> Address:
    lines = "\n".join(row for row in rows if row)
    return Address(lines, country, Flaw.GOVERNMENT if denied.is_foreign_office(lines) else wrong)


def _care_of(text: str) -> str:
    return text if not text or american.is_care_of(text) else f"c/o {text}"
