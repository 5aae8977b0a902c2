"""Whole synthetic rosters, and files of them."""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from itertools import count
from typing import IO, BinaryIO

import openpyxl

from outreach.people.synth import attorneys
from outreach.people.synth.material import Facility, material
from outreach.people.synth.person import DATES, HEADERS, DateStyle, Row, person

_CUBA = frozenset({"Cuba", "CUBA", "CU"})


@dataclass(frozen=True, slots=True)
class Plan:
    """What to make. Of the second incident's people, `shared` are also in the first one, under the same A-number."""

    people: int = 6_252
    seed: int = 1
    second: int = 103
    shared: int = 46
    dates: DateStyle = "iso"


def facilities() -> tuple[Facility, ...]:
    """The fictional facilities that the rosters name, with their time zones."""
    return material().facilities


def first_incident(plan: Plan) -> Iterator[Row]:
    """The first incident's people, one row by header each."""
    return (person(plan.seed, index, dates=plan.dates) for index in range(plan.people))


def second_incident(plan: Plan) -> Iterator[Row]:
    """The second incident's people: the shared ones, a third of them spelt a little differently, then the new ones.

    Some of the shared ones have another attorney in it.
    """
    for place, row in enumerate(_shared(plan)):
        other = attorneys.another(plan.seed, place, dates=DATES[plan.dates]) if place % 2 and row["Attorney"] else {}
        yield (_respelt(row) if place % 3 == 0 else row) | other
    for index in range(plan.people, plan.people + plan.second - plan.shared):
        yield person(plan.seed, index, dates=plan.dates, second_incident=True)


def _shared(plan: Plan) -> list[Row]:
    """Who is in both: Cubans first, as in the case this is built from, and only who can be matched by two facts."""
    cubans: list[Row] = []
    others: list[Row] = []
    for row in first_incident(plan):
        if row["A-Number"] and len(row["Date of Birth"]) > 4:
            if row["Nationality"] in _CUBA:
                cubans.append(row)
            elif len(others) < plan.shared:
                others.append(row)
        if len(cubans) == plan.shared:
            break
    chosen = (cubans + others)[: plan.shared]
    if len(chosen) < plan.shared or plan.shared > plan.second:
        raise ValueError("There are not that many people to share between the two incidents.")
    return chosen


def _respelt(row: Row) -> Row:
    """The same person as another clerk wrote the name: surnames joined, or a letter lost."""
    row = dict(row)
    if row["Second Family Name"]:
        row["Family Name"], row["Second Family Name"] = f"{row['Family Name']}-{row['Second Family Name']}", ""
    else:
        row["Family Name"] = row["Family Name"][:-1] or row["Family Name"]
    return row


def write_csv(file: IO[str], rows: Iterable[Row]) -> int:
    """Write a roster to a text file opened with `newline=""`; the number of people written."""
    writer = csv.DictWriter(file, HEADERS, lineterminator="\r\n")
    writer.writeheader()
    written = 0
    for row in rows:
        writer.writerow(row)
        written += 1
    return written


def write_xlsx(file: BinaryIO, rows: Iterable[Row]) -> int:
    """Write a roster as a workbook, with ISO dates as true dates; the number of people written."""
    workbook = openpyxl.Workbook(write_only=True)
    sheet = workbook.create_sheet("Roster")
    sheet.append(HEADERS)
    dates = {"Date of Birth", "Custody Since", "Phone Confirmed On", "G-28 Filed", "EOIR-28 Filed"}
    written = count()
    for row in rows:
        sheet.append([_true_date(cell) if header in dates else cell or None for header, cell in row.items()])
        next(written)
    workbook.save(file)
    return next(written)


def _true_date(text: str) -> date | str | None:
    return date.fromisoformat(text) if len(text) == 10 and text[4] == "-" else text or None
