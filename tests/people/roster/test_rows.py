"""Rows: everything of one person, typed; or everything that is wrong with the row, at once."""

import csv
import io
import time
from datetime import date

import pytest

from outreach.people.contact import AddressGrade, ContactKind, ContactRole, Safety
from outreach.people.custody import Custody
from outreach.people.person import NameKind, Posture, Precision
from outreach.people.roster.columns import DateOrder, recognise
from outreach.people.roster.problems import Fault
from outreach.people.roster.reading import RosterRow, open_roster
from outreach.people.roster.rows import (
    BadRow,
    Contact,
    CustodyFact,
    Name,
    ParsedRow,
    ParseOptions,
    parse_row,
    row_parser,
    survey_dates,
)
from outreach.people.synth.rosters import Plan, first_incident, write_csv

OPTIONS = ParseOptions(today=date(2023, 1, 19))
SOUND = {"A-Number": "A900000001", "Name": "Ficticio, María", "DOB": "1990-04-03", "Language": "Spanish", "Custody": "detained"}


def parsed(cells: dict[str, str], orders: dict[int, DateOrder] | None = None) -> ParsedRow | BadRow:
    mapping = recognise(tuple(cells)).order_dates(orders or {})
    return parse_row(RosterRow(7, tuple(cells.values())), mapping, OPTIONS)


def good(**cells: str) -> ParsedRow:
    """A sound row with these cells added or replaced; underscores stand for spaces in headers."""
    row = parsed(SOUND | {header.replace("_", " "): cell for header, cell in cells.items()})
    assert isinstance(row, ParsedRow), row
    return row


def faults(**cells: str) -> list[tuple[Fault, str]]:
    row = parsed(SOUND | {header.replace("_", " "): cell for header, cell in cells.items()})
    assert isinstance(row, BadRow), row
    return [(problem.code, problem.column) for problem in row.problems if isinstance(problem.code, Fault)]


def test_a_full_row_becomes_typed_values() -> None:
    row = parsed({
        "A-Number": "A# 900 000 001", "Other A-Number": "900000002", "Given Name": "MARÍA",
        "Family Name": "FICTICIO", "Second Family Name": "PEÑA",
        "Native name": "玛丽亚", "DOB": "1990-04-03", "Citizenship": "CUBAN", "Country of Birth": "Spain",
        "Custody": "Released", "Custody since": "2022-12-05",
        "Book-In Date": "2022-10-01", "Facility code": "FICTXA", "Language": "Español",
        "Second language": "English", "Reads": "yes", "Interpreter": "no",
        "Posture": "final order", "Protected": "", "Phone": "(202) 555-0101", "Phone role": "self",
        "Phone safe": "yes", "Phone confirmed on": "2023-01-02",
        "Phone 2": "305-555-0102", "Phone 2 role": "sister", "Email": "Maria@Example.org",
        "Street": "12 Sample Road", "City": "Sampleton", "State": "TX",
        "ZIP": "78701", "Date exposed": "2022-11-28",
    })  # fmt: skip

    assert row == ParsedRow(
        number=7,
        names=(
            Name(NameKind.RECORDED, "MARÍA FICTICIO PEÑA", "MARÍA", "FICTICIO", "PEÑA"),
            Name(NameKind.NATIVE, "玛丽亚"),
        ),
        a_numbers=("A900000001", "A900000002"),
        birth_date=date(1990, 4, 3),
        birth_precision=Precision.DAY,
        nationality="CUBAN",
        nationality_code="CU",
        birth_country="Spain",
        birth_country_code="ES",
        language="es",
        second_language="en",
        reads=True,
        interpreter=False,
        posture=Posture.FINAL_ORDER,
        protected=False,
        custody=(
            CustodyFact(Custody.DETAINED, date(2022, 10, 1), "FICTXA"),
            CustodyFact(Custody.RELEASED, date(2022, 12, 5)),
        ),
        contacts=(
            Contact(ContactKind.PHONE, "+12025550101", ContactRole.OWN, Safety.YES, date(2023, 1, 2), "US", ("America/New_York",)),
            Contact(ContactKind.PHONE, "+13055550102", ContactRole.FAMILY, Safety.UNKNOWN, None, "US", ("America/New_York",)),
            Contact(ContactKind.EMAIL, "maria@example.org", ContactRole.OTHER, Safety.UNKNOWN, None),
            Contact(
                ContactKind.POST,
                "12 Sample Road\nSampleton, TX 78701",
                ContactRole.OTHER,
                Safety.UNKNOWN,
                None,
                "US",
                time_zones=("America/Chicago", "America/Denver"),
                grade=AddressGrade.GOOD,
                house=("12 sample rd 78701", "12 sample rd 78701"),
            ),
        ),
        exposed_on=date(2022, 11, 28),
        remarks=(),
    )


@pytest.mark.parametrize(
    ("cells", "name"),
    [
        ({"Name": "Ficticio Peña, María Sol"}, Name(NameKind.RECORDED, "Ficticio Peña, María Sol", "María Sol", "Ficticio Peña")),
        ({"Name": "María Sol Ficticio"}, Name(NameKind.RECORDED, "María Sol Ficticio")),
        ({"Name": "FNU, Setara"}, Name(NameKind.RECORDED, "FNU, Setara", "Setara", "FNU")),
        ({"First name": "FNU", "Last name": "SETARA"}, Name(NameKind.RECORDED, "FNU SETARA", "FNU", "SETARA")),
        ({"Last name": "Setara"}, Name(NameKind.RECORDED, "Setara", None, "Setara")),
        ({"First name": "Sol", "Middle name": "Mar", "Last name": "Luz", "Suffix": "Jr."},
         Name(NameKind.RECORDED, "Sol Mar Luz Jr.", "Sol Mar", "Luz")),
        ({"Native name": "试晨星"}, Name(NameKind.RECORDED, "试晨星")),
    ],
)  # fmt: skip
def test_a_name_is_taken_as_recorded_and_parted_only_where_the_roster_parts_it(cells: dict[str, str], name: Name) -> None:
    row = parsed({"A-Number": "A900000001", "DOB": "1990-04-03"} | cells)

    assert isinstance(row, ParsedRow)
    assert row.names == (name,)


def test_all_that_is_wrong_with_a_row_is_said_at_once_by_its_own_column() -> None:
    row = parsed(SOUND | {"A-Number": "A12", "DOB": "1990-02-30", "Phone": "12", "Phone safe": "maybe", "Email": "x"})
    assert isinstance(row, BadRow)
    assert [(problem.code, problem.column) for problem in row.problems] == [
        (Fault.A_NUMBER_LENGTH, "A-Number"),
        (Fault.DATE_IMPOSSIBLE, "DOB"),
        (Fault.PHONE_INVALID, "Phone"),
        (Fault.SAFETY_UNKNOWN, "Phone safe"),
        (Fault.EMAIL_INVALID, "Email"),
    ]
    assert row.cells[0] == "A12"
    assert row.number == 7


def test_a_problem_never_quotes_the_cell() -> None:
    secret = "Zyxwvu"
    row = parsed(
        dict.fromkeys(("A-Number", "DOB", "Custody", "Language", "Phone", "Email", "Reads", "Posture"), secret)
        | {"Name": "x" * 300}
    )

    assert isinstance(row, BadRow)
    assert len(row.problems) == 9
    for problem in row.problems:
        assert secret not in str(problem.as_json())


@pytest.mark.parametrize("cell", ["", " ", "\u00a0"])
def test_a_row_without_any_name_is_refused(cell: str) -> None:
    assert faults(Name=cell) == [(Fault.NAME_MISSING, "")]


def test_a_row_without_a_number_and_birth_date_could_be_anybody() -> None:
    row = parsed(SOUND | {"A-Number": "", "DOB": ""})

    assert isinstance(row, BadRow)
    assert [problem.code for problem in row.problems] == [Fault.IDENTITY_MISSING]


def test_what_is_missing_and_matters_later_is_remarked_on() -> None:
    row = parsed(SOUND | {"A-Number": "", "Language": "", "Custody": ""})

    assert isinstance(row, ParsedRow)
    assert [remark.code for remark in row.remarks] == [Fault.A_NUMBER_MISSING, Fault.LANGUAGE_MISSING, Fault.CUSTODY_MISSING]
    assert row.a_numbers == ()
    assert row.custody == ()


def test_a_first_of_january_stays_a_day_and_is_remarked_on() -> None:
    row = good(DOB="1990-01-01")

    assert (row.birth_date, row.birth_precision) == (date(1990, 1, 1), Precision.DAY)
    assert [remark.code for remark in row.remarks] == [Fault.DATE_FIRST_OF_JANUARY]


def test_a_column_of_precision_says_how_exact_the_birth_date_is() -> None:
    assert good(DOB="1990-01-01", Birth_precision="year").birth_precision is Precision.YEAR
    assert good(DOB="1990", Birth_precision="exact").birth_precision is Precision.YEAR


def test_the_order_chosen_for_a_column_is_used_for_that_column() -> None:
    cells = SOUND | {"DOB": "03/04/1990", "Release date": "03/04/2022", "Custody": "released"}
    row = parsed(cells, {2: DateOrder.DMY, 5: DateOrder.MDY})

    assert isinstance(row, ParsedRow)
    assert row.birth_date == date(1990, 4, 3)
    assert row.custody == (CustodyFact(Custody.RELEASED, date(2022, 3, 4)),)


@pytest.mark.parametrize(
    ("cells", "custody"),
    [
        ({"Custody": "detained", "Facility": "Mesa"}, (CustodyFact(Custody.DETAINED, None, None, "Mesa"),)),
        ({"Custody": "released", "Facility": "Mesa"}, (CustodyFact(Custody.RELEASED, None),)),
        ({"Custody": "", "Facility": "Mesa"}, (CustodyFact(Custody.DETAINED, None, None, "Mesa"),)),
        (
            {"Custody": "", "Book-in date": "2022-10-01", "Removal date": "2022-12-01", "Facility": "Mesa"},
            (CustodyFact(Custody.DETAINED, date(2022, 10, 1), None, "Mesa"), CustodyFact(Custody.REMOVED, date(2022, 12, 1))),
        ),
        ({"Custody": "released", "Book-in date": "2022-10-01"}, (CustodyFact(Custody.RELEASED, None),)),
        (
            {"Custody": "detained", "Release date": "2022-01-01", "Book-in date": "2022-10-01"},
            (CustodyFact(Custody.RELEASED, date(2022, 1, 1)), CustodyFact(Custody.DETAINED, date(2022, 10, 1))),
        ),
    ],
)
def test_custody_is_told_oldest_first_and_the_last_is_the_present(cells: dict[str, str], custody: tuple[CustodyFact, ...]) -> None:
    row = parsed(SOUND | cells)

    assert isinstance(row, ParsedRow)
    assert row.custody == custody


@pytest.mark.parametrize(
    "cells",
    [
        {"Custody": "detained", "Release date": "2022-12-01"},
        {"Custody": "detained", "Book-in date": "2022-10-01", "Release date": "2022-12-01"},
        {"Custody": "released", "Release date": "2022-10-01", "Removal date": "2022-12-01"},
    ],
)
def test_a_word_that_a_later_date_contradicts_is_for_staff_to_decide(cells: dict[str, str]) -> None:
    row = parsed(SOUND | cells)

    assert isinstance(row, BadRow)
    assert [problem.code for problem in row.problems] == [Fault.CUSTODY_DATES]


def test_several_numbers_of_a_cell_are_several_contacts_and_the_same_one_twice_is_one() -> None:
    row = good(Phone="202-555-0101 / 305-555-0102", Phone_2="+1 202 555 0101", Phone_role="cousin")

    assert [(contact.value, contact.role) for contact in row.contacts] == [
        ("+12025550101", ContactRole.FAMILY),
        ("+13055550102", ContactRole.FAMILY),
    ]


def test_an_address_of_several_lines_in_one_cell_keeps_its_lines() -> None:
    row = good(Address="12 Sample Road\nSampleton, TX 78701", Address_safety="never")

    assert row.contacts == (
        Contact(
            ContactKind.POST,
            "12 Sample Road\nSampleton, TX 78701",
            ContactRole.OTHER,
            Safety.NEVER,
            None,
            "US",
            time_zones=("America/Chicago", "America/Denver"),
            grade=AddressGrade.GOOD,
            house=("12 sample rd 78701", "12 sample rd 78701"),
        ),
    )


def test_an_incomplete_address_is_kept_and_remarked_on() -> None:
    row = good(Address="homeless")

    assert [contact.grade for contact in row.contacts] == [AddressGrade.BLANK]
    assert [(remark.code, remark.column) for remark in row.remarks] == [(Fault.ADDRESS_INCOMPLETE, "Address")]


@pytest.mark.parametrize(
    ("street", "fault"),
    [
        ("Sample Apartments, 12 Sample Road", Fault.ADDRESS_WITHOUT_UNIT),
        ("Taqueria Ficticia, 12 Sample Road", Fault.ADDRESS_NO_HOME),
        ("Embassy of Utopia, 12 Sample Road", Fault.CONTACT_DENIED),
    ],
)
def test_why_no_letter_can_go_there_is_remarked_on(street: str, fault: Fault) -> None:
    row = good(Address=f"{street}, Sampleton, TX 78701")

    assert [(remark.code, remark.column) for remark in row.remarks] == [(fault, "Address")]
    assert [contact.denied for contact in row.contacts] == [fault is Fault.CONTACT_DENIED]


def test_a_foreign_governments_mailbox_is_kept_and_remarked_on() -> None:
    row = good(Email="archive@consulate.example.org; sol@example.org")

    assert [(contact.value, contact.denied) for contact in row.contacts] == [
        ("archive@consulate.example.org", True), ("sol@example.org", False),
    ]  # fmt: skip
    assert [remark.code for remark in row.remarks] == [Fault.CONTACT_DENIED]


def test_an_address_that_names_a_shelter_is_a_shelters_unless_the_roster_says_otherwise() -> None:
    text = "Casa Ejemplo Shelter, 12 Sample Road, Sampleton, TX 78701"

    assert [contact.role for contact in good(Address=text).contacts] == [ContactRole.SHELTER]
    assert [contact.role for contact in good(Address=text, Address_role="own").contacts] == [ContactRole.OWN]


def test_somebody_released_with_no_contact_is_remarked_on() -> None:
    assert [remark.code for remark in good(Custody="released").remarks] == [Fault.NO_CONTACT]


def test_a_cell_beyond_the_limit_is_a_problem_of_its_column() -> None:
    assert (Fault.CELL_TOO_LONG, "Address") in faults(Address="x" * 2_001)


def test_a_mapping_without_a_name_or_an_identity_is_refused_before_any_row() -> None:
    with pytest.raises(ValueError, match="full_name or"):
        row_parser(recognise(("A#", "Phone")), OPTIONS)


def test_the_survey_counts_the_dates_of_every_date_column() -> None:
    mapping = recognise(("Name", "DOB", "Release date"))
    rows = [RosterRow(2, ("Sol", "03/04/1990", "2022-12-01")), RosterRow(3, ("Mar", "25/12/1990", ""))]

    survey = survey_dates(rows, mapping)

    assert set(survey) == {1, 2}
    assert survey[1].needed
    assert survey[1].suggestion is DateOrder.DMY
    assert not survey[2].needed


def test_a_row_is_parsed_in_well_under_a_millisecond() -> None:
    """The aim is 8,000 rows a second on one core; the bound leaves room for a busy machine."""
    text = io.StringIO(newline="")
    write_csv(text, first_incident(Plan(people=2_000)))
    roster = open_roster(io.BytesIO(text.getvalue().encode()))
    rows = list(roster.rows())
    parse = row_parser(recognise(roster.headers), OPTIONS)
    parse(rows[0])

    started = time.process_time()
    for row in rows:
        parse(row)

    assert time.process_time() - started < 2_000 / 3_000


def test_hostile_texts_come_out_as_they_went_in() -> None:
    hostile = [
        "=cmd|' /C calc'!A0",
        "+Sol",
        "-Sol",
        "@Sol",
        "<script>alert(1)</script>",
        "{{config}}",
        "((code))",
        "%s%n",
        "Robert'); DROP TABLE person;--",
    ]
    text = io.StringIO(newline="")
    csv.writer(text).writerows([["Name", "A#"], *([name, f"A90000000{number}"] for number, name in enumerate(hostile))])
    roster = open_roster(io.BytesIO(text.getvalue().encode()))
    parse = row_parser(recognise(roster.headers), OPTIONS)

    names = [row.names[0].whole for row in map(parse, roster.rows()) if isinstance(row, ParsedRow)]

    assert names == hostile
