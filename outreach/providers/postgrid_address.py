"""An address block as the fields that PostGrid prints it from: https://postgrid.readme.io/docs/send-a-letter"""

import re
from dataclasses import dataclass

# The states, the District, the territories and the three "states" of military mail: USPS Publication 28, appendix B.
STATES = re.compile(
    "A[AEKLPRSZ]|C[AOT]|D[CE]|F[LM]|G[AU]|HI|I[ADLN]|K[SY]|LA|M[ADEHINOPST]|N[CDEHJMVY]|O[HKR]|P[ARW]|RI|S[CD]|T[NX]|UT|V[AIT]|W[AIVY]"
)
# Where the mail is that of the United States, though the country's code is another: addresses there end in a state and a ZIP.
DOMESTIC = frozenset({"US", "AS", "FM", "GU", "MH", "MP", "PR", "PW", "VI", "UM"})

LAST_LINE = re.compile(r"(?P<city>\S.*?),?\s+(?P<state>[A-Za-z]{2})\.?\s+(?P<zip>[0-9]{5}(?:-[0-9]{4})?)")
# A line that a carrier can walk to: it has a number, or is a post office box or general delivery.
STREET = re.compile(r"\d|\bP\.?\s?O\.?\s+Box\b|\bGeneral Delivery\b", re.IGNORECASE)


class Unreadable(ValueError):
    """An address block does not fit PostGrid's fields. `code` says why; the block itself is not in the text."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Contact:
    """An addressee in the United States. `name` may be of a person or of an office; `company` is the line below it, if any."""

    name: str
    company: str
    line1: str
    line2: str
    city: str
    state: str
    zip_code: str

    def fields(self, *, secret: bool) -> dict[str, object]:
        """As the package takes them. `secret`: PostGrid prints it, and shows it to nobody."""
        # It prints both names with a space between: the line as it was, without a guess at which part is whose.
        first, _, last = self.name.rpartition(" ")
        known = {
            "first_name": first or last,
            "last_name": last if first else "",
            "company_name": self.company,
            "address_line1": self.line1,
            "address_line2": self.line2,
            "city": self.city,
            "province_or_state": self.state,
            "postal_or_zip": self.zip_code,
            "country_code": "US",
        }
        return {name: value for name, value in known.items() if value} | {"secret": secret}


def contact(block: tuple[str, ...], country: str) -> Contact:
    """The block from the name down to `City, ST 12345`. Raises Unreadable: a line in a wrong field is a letter at a wrong door."""
    if country.upper() not in DOMESTIC:
        raise Unreadable("foreign_block")
    lines = [" ".join(line.split()) for line in block]
    if len(lines) < 3 or not all(lines):
        raise Unreadable("short_block")
    last = LAST_LINE.fullmatch(lines[-1])
    if last is None or not STATES.fullmatch(last["state"].upper()):
        raise Unreadable("last_line")
    name, *middle = lines[:-1]
    company = middle.pop(0) if len(middle) > 1 and not STREET.search(middle[0]) else ""
    if not STREET.search(middle[0]):
        raise Unreadable("no_street")
    if len(middle) > 2:
        raise Unreadable("long_block")
    line1, line2 = middle[0], middle[1] if len(middle) == 2 else ""
    return Contact(name, company, line1, line2, last["city"].rstrip(","), last["state"].upper(), last["zip"])
