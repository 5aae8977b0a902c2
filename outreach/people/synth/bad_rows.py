"""Rows that must not go in, one kind after another, each with the fault that the import has to find in it."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle, islice

from outreach.people.roster.problems import Fault
from outreach.people.synth.person import HEADERS, Row, person

# What is wrong, the column that holds it ("" for the whole row), and the cell that makes it so.
_CELLS: tuple[tuple[Fault, str, str], ...] = (
    (Fault.A_NUMBER_LENGTH, "A-Number", "A9123456789"),
    (Fault.A_NUMBER_LENGTH, "A-Number", "A912345"),
    (Fault.A_NUMBER_UNREADABLE, "A-Number", "pending"),
    (Fault.A_NUMBER_PLACEHOLDER, "A-Number", "A000-000-000"),
    (Fault.DIGITS_LOST, "A-Number", "9.12346E+08"),
    (Fault.NAME_TOO_LONG, "Family Name", "Ficticio " * 30),
    (Fault.NAME_WITHOUT_LETTERS, "Family Name", "12345"),
    (Fault.CONTROL_CHARACTERS, "Given Name", "Bri\x07sa"),
    (Fault.DAMAGED_CHARACTERS, "Given Name", "Roc\ufffdo"),
    (Fault.SPREADSHEET_ERROR, "Family Name", "#REF!"),
    (Fault.CELL_TOO_LONG, "Address 1", "x" * 2_500),
    (Fault.DATE_IMPOSSIBLE, "Date of Birth", "1990-02-30"),
    (Fault.DATE_IN_FUTURE, "Date of Birth", "2190-04-03"),
    (Fault.DATE_TOO_OLD, "Date of Birth", "1790-04-03"),
    (Fault.DATE_UNREADABLE, "Date of Birth", "in spring"),
    (Fault.DATE_CALENDAR, "Date of Birth", "1369-05-12"),
    (Fault.DATE_CENTURY, "Date of Birth", "3-Apr-12"),
    (Fault.DATE_ORDER_NEEDED, "Date of Birth", "03/04/1990"),
    (Fault.DATE_NOT_EXACT, "Custody Since", "2022"),
    (Fault.CUSTODY_UNKNOWN, "Custody", "somewhere"),
    (Fault.LANGUAGE_UNKNOWN, "Language", "Klingonish"),
    (Fault.LANGUAGE_UNKNOWN, "Language", "Chinese"),
    (Fault.POSTURE_UNKNOWN, "Posture", "maybe"),
    (Fault.YES_OR_NO, "Reads", "sometimes"),
    (Fault.YES_OR_NO, "Protected", "ask"),
    (Fault.SAFETY_UNKNOWN, "Phone Safety", "mornings"),
    (Fault.ROLE_UNKNOWN, "Phone Role", "the blue house"),
    (Fault.PHONE_INVALID, "Phone", "(202) 555-01"),
    (Fault.PHONE_INVALID, "Phone", "+53 123 45"),
    (Fault.PHONE_UNREADABLE, "Phone", "ask the sister"),
    (Fault.DIGITS_LOST, "Phone", "1.20256E+10"),
    (Fault.EMAIL_INVALID, "Email", "brisa at example.org"),
)


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row as its cells (whose number may be wrong), with the fault to be found, its column, and a word on it."""

    cells: tuple[str, ...]
    fault: Fault
    column: str
    comment: str


def bad_rows(seed: int, first_index: int, count: int) -> Iterator[BadRow]:
    """`count` bad rows, going round all kinds. They use people from `first_index` on, who should not be in the file."""
    kinds = (*_CELLS, *((fault, "", "") for fault in _WHOLE_ROWS))
    for index, (fault, column, cell) in enumerate(islice(cycle(kinds), count), first_index):
        row = _sound(seed, index)
        if column:
            row[column] = cell
            yield BadRow(tuple(row.values()), fault, column, f"{column} is bad")
        else:
            yield BadRow(_WHOLE_ROWS[fault](row), fault, "", "the row as a whole is bad")


def _sound(seed: int, index: int) -> Row:
    """Somebody of whom all that the bad cells replace is known."""
    row = person(seed, index)
    row |= {
        "A-Number": f"A9{index:08d}",
        "Date of Birth": "1990-04-13",
        "Family Name": "Muestra",
        "Phone": "+12025550100",
    }
    return row


def _nameless(row: Row) -> tuple[str, ...]:
    names = dict.fromkeys(("Given Name", "Family Name", "Second Family Name", "Native Name"), "")
    return tuple((row | names).values())


def _nobody(row: Row) -> tuple[str, ...]:
    return tuple((row | {"A-Number": "", "Other A-Number": "", "Date of Birth": ""}).values())


def _too_long(row: Row) -> tuple[str, ...]:
    return (*row.values(), "one more")


def _too_short(row: Row) -> tuple[str, ...]:
    return tuple(row.values())[: len(HEADERS) - 3]


_WHOLE_ROWS = {
    Fault.NAME_MISSING: _nameless,
    Fault.IDENTITY_MISSING: _nobody,
    Fault.TOO_MANY_CELLS: _too_long,
    Fault.TOO_FEW_CELLS: _too_short,
}
