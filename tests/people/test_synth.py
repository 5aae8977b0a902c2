"""Synthetic rosters: nobody real, the proportions of the real case, and totals on which the demonstration rests."""

import csv
import io
import re
import tracemalloc
from collections import Counter
from datetime import date
from itertools import islice
from pathlib import Path

import pytest
from click.testing import CliRunner

from outreach.cli.synth import command
from outreach.people.contact import ContactKind
from outreach.people.custody import Custody
from outreach.people.roster.columns import Confidence, DateOrder, recognise
from outreach.people.roster.problems import Fault
from outreach.people.roster.reading import Roster, open_roster
from outreach.people.roster.rows import BadRow, ParsedRow, ParseOptions, row_parser
from outreach.people.synth.bad_rows import bad_rows
from outreach.people.synth.material import a_number, phone, phone_count
from outreach.people.synth.person import AS_OF, HEADERS, person
from outreach.people.synth.rosters import Plan, facilities, first_incident, second_incident, write_csv, write_xlsx

OPTIONS = ParseOptions(today=AS_OF)
PLAN = Plan()


def written(rows: object) -> Roster:
    text = io.StringIO(newline="")
    write_csv(text, rows)  # type: ignore[arg-type]  # any iterable of rows
    return open_roster(io.BytesIO(text.getvalue().encode()))


def parsed(roster: Roster, orders: dict[int, DateOrder] | None = None) -> list[ParsedRow]:
    parse = row_parser(recognise(roster.headers).order_dates(orders or {}), OPTIONS)
    rows = []
    for row in map(parse, roster.rows()):
        assert isinstance(row, ParsedRow), row
        rows.append(row)
    return rows


@pytest.fixture(scope="module")
def first() -> list[ParsedRow]:
    return parsed(written(first_incident(PLAN)))


@pytest.fixture(scope="module")
def second() -> list[ParsedRow]:
    return parsed(written(second_incident(PLAN)))


def phones(row: ParsedRow) -> list[str]:
    return [contact.value for contact in row.contacts if contact.kind is ContactKind.PHONE]


def test_the_two_incidents_are_6309_people_and_6355_exposures(first: list[ParsedRow], second: list[ParsedRow]) -> None:
    assert (len(first), len(second)) == (6_252, 103)
    by_number = {number: row for row in first for number in row.a_numbers}
    assert sum(len(row.a_numbers) for row in first) == len(by_number)
    shared = [(row, by_number[row.a_numbers[0]]) for row in second if row.a_numbers and row.a_numbers[0] in by_number]

    assert len(shared) == 46
    assert all(here.birth_date == there.birth_date and here.birth_date for here, there in shared)
    different = sum(here.names[0].whole != there.names[0].whole for here, there in shared)
    assert 10 <= different <= 20
    assert len(first) + len(second) - len(shared) == 6_309


def test_every_column_is_recognised_by_its_exact_name() -> None:
    assert {column.confidence for column in recognise(HEADERS).columns} == {Confidence.EXACT}


def test_the_same_seed_makes_the_same_people_and_another_seed_others() -> None:
    assert person(1, 5) == person(1, 5)
    assert list(islice(first_incident(Plan(seed=1)), 50)) == list(islice(first_incident(Plan(people=60, seed=1)), 50))
    assert person(1, 5) != person(2, 5)


def test_no_phone_address_or_a_number_can_be_anybodys(first: list[ParsedRow]) -> None:
    for row in first:
        assert all(re.fullmatch(r"\+1[2-9]\d\d55501\d\d", phone) for phone in phones(row))
        for contact in row.contacts:
            if contact.kind is ContactKind.EMAIL:
                assert re.fullmatch(r"[a-z0-9.]+@(consulate\.)?example\.(org|com|net)", contact.value)
    assert sum(number.startswith("A9") for row in first for number in row.a_numbers) > 0.95 * len(first)


def test_every_reserved_number_is_used_before_one_is_used_again() -> None:
    assert phone_count() > 30_000
    assert len({phone(place) for place in range(phone_count())}) == phone_count()
    assert len({a_number(place) for place in range(100_000)}) == 100_000


def test_custody_is_as_in_the_case_this_is_built_from(first: list[ParsedRow]) -> None:
    states = Counter(row.custody[-1].state for row in first)

    assert 2_100 < states[Custody.DETAINED] < 2_350
    assert 2_750 < states[Custody.RELEASED] < 3_050
    assert 900 < states[Custody.REMOVED] < 1_100
    assert states[Custody.IN_TRANSIT] > 20
    assert states[Custody.UNKNOWN] > 20
    codes = {fact.facility_code for row in first for fact in row.custody if fact.facility_code}
    assert codes == {facility.code for facility in facilities()}
    assert len(codes) == 12


def test_languages_are_many_and_mostly_spanish(first: list[ParsedRow]) -> None:
    spoken = Counter(row.language for row in first)

    assert 0.55 < spoken["es"] / len(first) < 0.65
    assert {
        "pt-BR",
        "ht",
        "zh-Hans",
        "pa-Guru",
        "ru",
        "tr",
        "hi",
        "ar",
        "fr",
        "ro",
        "uz-Latn",
        "ne",
        "bn",
        "am",
        "ti",
        "ka",
        "hy",
    } <= set(spoken)
    assert {"so", "vi", "fa", "ps", "mam", "quc", "kjb"} <= set(spoken)
    assert min(spoken.values()) >= 5


def test_phones_are_missing_and_shared_as_they_are_in_life(first: list[ParsedRow]) -> None:
    released = [row for row in first if row.custody[-1].state is Custody.RELEASED]
    with_phone = [row for row in first if phones(row)]
    people_of = Counter(phone for row in first for phone in set(phones(row)))
    sharing = sum(any(people_of[phone] > 1 for phone in phones(row)) for row in with_phone)

    assert 0.60 < sum(bool(phones(row)) for row in released) / len(released) < 0.70
    assert 0.14 < sharing / len(with_phone) < 0.22
    assert 15 <= max(people_of.values()) <= 40


def test_addresses_are_missing_and_bad_as_they_are_in_life(first: list[ParsedRow]) -> None:
    released = [row for row in first if row.custody[-1].state is Custody.RELEASED]
    addresses = [contact for row in released for contact in row.contacts if contact.kind is ContactKind.POST]

    assert 0.7 < len(addresses) / len(released) < 0.9
    assert 0.12 < sum(not (address.grade and address.grade.mailable) for address in addresses) / len(addresses) < 0.24


def test_awkward_people_are_among_them(first: list[ParsedRow]) -> None:
    names = [row.names[0] for row in first]
    natives = "".join(row.names[1].whole for row in first if len(row.names) > 1)

    assert any(name.given == "FNU" for name in names)
    assert any(name.family == "LNU" for name in names)
    assert any(name.given is None for name in names)
    assert any(name.second_family for name in names)
    assert any("'" in name.whole for name in names)
    assert any("-" in name.whole for name in names)
    assert any("\u4e00" <= letter <= "\u9fff" for letter in natives)
    assert any("\u0600" <= letter <= "\u06ff" for letter in natives)
    assert any(len(row.a_numbers) == 2 for row in first)
    assert any(not row.a_numbers for row in first)
    assert any(row.birth_date is None for row in first)
    assert (
        0.05
        < sum(row.birth_date is not None and (row.birth_date.month, row.birth_date.day) == (1, 1) for row in first) / len(first)
        < 0.15
    )


@pytest.mark.parametrize(("dates", "order"), [("dmy", DateOrder.DMY), ("mdy", DateOrder.MDY)])
def test_ambiguous_dates_can_be_asked_for_and_are_the_same_days(dates: str, order: DateOrder) -> None:
    plan = Plan(people=200, dates=dates)  # type: ignore[arg-type]  # a parameter of the table
    roster = written(first_incident(plan))
    columns = {column.index: order for column in recognise(roster.headers).date_columns}

    ambiguous = parsed(roster, columns)

    assert [row.birth_date for row in ambiguous] == [row.birth_date for row in parsed(written(first_incident(Plan(people=200))))]


def test_a_workbook_holds_the_same_people_as_a_csv_file() -> None:
    plan = Plan(people=300)
    data = io.BytesIO()
    write_xlsx(data, first_incident(plan))

    assert parsed(open_roster(data)) == parsed(written(first_incident(plan)))


def test_more_people_need_no_more_memory() -> None:
    def peak_of(people: int) -> int:
        tracemalloc.start()
        try:
            for _ in first_incident(Plan(people=people)):
                pass
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak_of(4_000)  # What is read once and kept, the rules of a country's addresses say, is no memory of people.
    assert peak_of(4_000) < peak_of(400) + 50_000


def test_the_command_writes_both_rosters_and_says_what_is_wrong_with_each_bad_row(tmp_path: Path) -> None:
    out, out2 = tmp_path / "roster.csv", tmp_path / "second.csv"
    result = CliRunner().invoke(command, ["--people", "400", "--out", str(out), "--out2", str(out2), "--bad-rows", "80"])
    assert result.exit_code == 0, result.output

    with out.open("rb") as file:
        roster = open_roster(file)
        parse = row_parser(recognise(roster.headers), OPTIONS)
        bad = {row.number: row for row in map(parse, roster.rows()) if isinstance(row, BadRow)}
    with (tmp_path / "roster.expected.csv").open(encoding="utf-8", newline="") as file_:
        expected = list(csv.DictReader(file_))

    assert len(expected) == 80
    assert set(bad) == {int(one["row"]) for one in expected}
    for one in expected:
        found = [(problem.code.value, problem.column) for problem in bad[int(one["row"])].problems]
        assert found == [(one["code"], one["column"])]
    with out2.open("rb") as file:
        assert sum(1 for _ in open_roster(file).rows()) == 103


def test_bad_rows_are_of_every_kind_a_row_can_be_bad() -> None:
    remarks_only = {
        Fault.A_NUMBER_MISSING, Fault.BIRTH_DATE_MISSING, Fault.DATE_FIRST_OF_JANUARY, Fault.DATE_FROM_SERIAL,
        Fault.PHONE_EXTENSION,
        Fault.ADDRESS_INCOMPLETE, Fault.ADDRESS_WITHOUT_UNIT, Fault.ADDRESS_NO_HOME, Fault.CONTACT_DENIED,
        Fault.NO_CONTACT, Fault.COUNTRY_UNKNOWN, Fault.LANGUAGE_MISSING, Fault.CUSTODY_MISSING,
    }  # fmt: skip
    remarks_only |= {fault for fault in Fault if fault.startswith(("attorney", "appearance", "bar_", "eoir_"))}
    # What only the database can tell: which rows and records the row does not agree with.
    against_others = {
        Fault.A_NUMBER_OF_ANOTHER, Fault.A_NUMBERS_OF_TWO, Fault.BIRTH_DATE_DIFFERS, Fault.LANGUAGE_DIFFERS, Fault.ROW_TWICE,
    }  # fmt: skip
    # These need a chosen date order, a broken line, or columns that the synthetic roster does not have.
    elsewhere = {Fault.DATE_AGAINST_ORDER, Fault.BROKEN_QUOTES, Fault.PRECISION_UNKNOWN, Fault.CUSTODY_DATES}

    assert {bad.fault for bad in bad_rows(1, 10_000, 200)} == set(Fault) - remarks_only - against_others - elsewhere


def test_too_few_people_to_share_is_said_plainly(tmp_path: Path) -> None:
    result = CliRunner().invoke(command, ["--people", "10", "--out", str(tmp_path / "a.csv"), "--out2", str(tmp_path / "b.csv")])

    assert result.exit_code == 2
    assert "Lower --shared" in result.output


def test_nothing_is_dated_after_the_date_the_roster_was_true() -> None:
    dated = [
        date.fromisoformat(row[header])
        for row in first_incident(Plan(people=500))
        for header in ("Custody Since", "Phone Confirmed On")
        if row[header]
    ]

    assert max(dated) <= AS_OF
