"""The attorney whom a row names. What cannot be read of them is left out and remarked: it never keeps a person out."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Protocol

from outreach.people.attorney import AppearanceForm
from outreach.people.attorney.particulars import Particular, Particulars, Unreadable, read
from outreach.people.person import Precision
from outreach.people.roster import values
from outreach.people.roster.columns import DateOrder
from outreach.people.roster.dates import parse_date
from outreach.people.roster.fields import ATTORNEY_FIELDS, Field
from outreach.people.roster.problems import BadValueError, Fault, Problem

Filing = tuple[AppearanceForm, date | None]

_PARTICULARS = {
    Particular.NAME: Field.ATTORNEY_NAME,
    Particular.FIRM: Field.ATTORNEY_FIRM,
    Particular.EOIR_ID: Field.ATTORNEY_EOIR_ID,
    Particular.BAR_STATE: Field.ATTORNEY_BAR_STATE,
    Particular.BAR_NUMBER: Field.ATTORNEY_BAR_NUMBER,
    Particular.EMAIL: Field.ATTORNEY_EMAIL,
    Particular.PHONE: Field.ATTORNEY_PHONE,
    Particular.POST: Field.ATTORNEY_ADDRESS,
}
_FORMS = {AppearanceForm.G28: Field.ATTORNEY_G28, AppearanceForm.EOIR28: Field.ATTORNEY_EOIR28}


@dataclass(frozen=True, slots=True)
class Counsel:
    """Who represents the person, and by which forms, each with the day on which it was filed where that is known."""

    particulars: Particulars
    filings: tuple[Filing, ...]


class Work(Protocol):
    """The cells of one row, by field."""

    cells: dict[Field, str]
    headers: dict[Field, str]
    orders: dict[Field, DateOrder]
    remarks: list[Problem]


def counsel(work: Work, *, today: date) -> Counsel | None:
    """The row's attorney, or None when it names none who could be entered."""
    if ATTORNEY_FIELDS.isdisjoint(work.cells):
        return None
    cells = tuple(work.cells.get(field, "") for field in _PARTICULARS.values())
    found, problems = _particulars(cells)
    for particular, problem in problems.items():
        work.remarks.append(Problem(problem.code, work.headers.get(_PARTICULARS[particular], ""), problem.details))
    filings = _filings(work, today) if found is not None else None
    return Counsel(found, filings) if found is not None and filings is not None else None


@lru_cache(maxsize=1024)
def _particulars(cells: tuple[str, ...]) -> tuple[Particulars | None, Mapping[Particular, Problem]]:
    """What can be read of these cells, and what cannot. Remembered, since an attorney's clients have the same cells."""
    typed = dict(zip(_PARTICULARS, cells, strict=True))
    try:
        return read(typed), {}
    except Unreadable as error:
        problems = error.problems
    if Particular.NAME in problems:
        return None, problems
    rest = {particular: text for particular, text in typed.items() if particular not in problems}
    if Particular.BAR_STATE in problems:
        rest.pop(Particular.BAR_NUMBER, None)
    return read(rest), problems


def _filings(work: Work, today: date) -> tuple[Filing, ...] | None:
    """None when the row says that no form is filed."""
    filings: list[Filing] = []
    denied = False
    for form, field in _FORMS.items():
        cell = work.cells.get(field, "")
        if not cell.strip():
            continue
        try:
            filed, on = _filed(cell, work.orders[field], today)
        except BadValueError as error:
            work.remarks.append(Problem(error.code, work.headers.get(field, ""), error.details))
            continue
        denied |= filed is False
        if filed:
            filings.append((form, on))
    if filings:
        return tuple(filings)
    if denied:
        work.remarks.append(Problem(Fault.APPEARANCE_NONE))
        return None
    work.remarks.append(Problem(Fault.APPEARANCE_MISSING))
    return ((AppearanceForm.G28, None),)


def _filed(cell: str, order: DateOrder, today: date) -> tuple[bool | None, date | None]:
    """Whether the form was filed, and when: the cell says yes, no, or the day."""
    try:
        return values.parse_yes_or_no(cell), None
    except BadValueError:
        pass  # then it is a date
    try:
        found = parse_date(cell, order=order, today=today)
    except BadValueError as error:
        if error.code is Fault.DATE_UNREADABLE:
            raise BadValueError(Fault.APPEARANCE_UNREADABLE) from None
        raise
    if found.precision is not Precision.DAY:
        raise BadValueError(Fault.DATE_NOT_EXACT)
    return True, found.value
