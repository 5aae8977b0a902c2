"""Dates: every usual way of writing one, and no guess where two people would read two days."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach.people.person import Precision
from outreach.people.roster.columns import DateOrder
from outreach.people.roster.dates import DateOrderTally, RosterDate, parse_date
from outreach.people.roster.problems import BadValueError, Fault

TODAY = date(2023, 1, 19)
UNKNOWN, DMY, MDY, YMD = DateOrder.UNKNOWN, DateOrder.DMY, DateOrder.MDY, DateOrder.YMD


def read(text: str, order: DateOrder = UNKNOWN) -> RosterDate:
    return parse_date(text, order=order, today=TODAY)


def fault_of(text: str, order: DateOrder = UNKNOWN) -> Fault:
    with pytest.raises(BadValueError) as caught:
        read(text, order)
    return caught.value.code


@pytest.mark.parametrize(
    "text",
    [
        "1990-04-03", "1990-4-3", "1990-04-03 00:00:00", "1990-04-03T13:05:00Z", "1990/04/03", "1990.4.3",
        "19900403", "3 April 1990", "April 3, 1990",
        "Apr. 3, 1990", "3-Apr-1990", "03-APR-90", "3rd of April 1990", "3 de abril de 1990", "3 ABR 1990",
        "03/abr/1990", "1990年4月3日", "١٩٩٠-٠٤-٠٣",
        "1990-04-03\u00a0", "1990 April 3",
    ],
)  # fmt: skip
@pytest.mark.parametrize("order", list(DateOrder))
def test_a_date_that_can_be_read_in_one_way_needs_no_order(text: str, order: DateOrder) -> None:
    assert read(text, order) == RosterDate(date(1990, 4, 3))


@pytest.mark.parametrize(
    "text", ["03/04/1990", "3.4.1990", "03-04-1990", "3/4/90", "25/12/1990", "12/25/1990", "03/04/1990 10:30 PM"]
)
def test_a_date_of_numbers_is_asked_about_and_never_guessed(text: str) -> None:
    assert fault_of(text) is Fault.DATE_ORDER_NEEDED


@pytest.mark.parametrize("text", ["03/04/1990", "3.4.1990", "03-04-1990", "3/4/90", "3 / 4 / 1990", "03/04/1990 10:30"])
def test_the_order_that_somebody_chose_decides(text: str) -> None:
    assert read(text, DMY).value == date(1990, 4, 3)
    assert read(text, MDY).value == date(1990, 3, 4)


def test_equal_day_and_month_are_the_same_day_in_every_order() -> None:
    assert {read("04/04/1990", order).value for order in (UNKNOWN, DMY, MDY)} == {date(1990, 4, 4)}


@pytest.mark.parametrize(("text", "order"), [("25/12/1990", MDY), ("12/25/1990", DMY), ("03/04/1990", YMD)])
def test_a_date_against_the_chosen_order_is_refused_and_not_turned_round(text: str, order: DateOrder) -> None:
    assert fault_of(text, order) is Fault.DATE_AGAINST_ORDER


@given(st.dates(date(1903, 1, 1), TODAY))
def test_every_written_form_of_a_day_is_read_as_that_day(day: date) -> None:
    assert read(day.isoformat()).value == day
    assert read(day.strftime("%d/%m/%Y"), DMY).value == day
    assert read(day.strftime("%m/%d/%Y"), MDY).value == day
    assert read(f"{day.day} {day:%B} {day.year}").value == day


@pytest.mark.parametrize(
    ("text", "value", "precision"),
    [
        ("1985", date(1985, 1, 1), Precision.YEAR),
        ("1985-06", date(1985, 6, 1), Precision.MONTH),
        ("06/1985", date(1985, 6, 1), Precision.MONTH),
        ("June 1985", date(1985, 6, 1), Precision.MONTH),
        ("junio de 1985", date(1985, 6, 1), Precision.MONTH),
        ("00/00/1985", date(1985, 1, 1), Precision.YEAR),
        ("XX/XX/1985", date(1985, 1, 1), Precision.YEAR),
        ("1985-00-00", date(1985, 1, 1), Precision.YEAR),
        ("about 1985", date(1985, 1, 1), Precision.ESTIMATED),
        ("c. 1985", date(1985, 1, 1), Precision.ESTIMATED),
        ("aprox. 1985", date(1985, 1, 1), Precision.ESTIMATED),
        ("1985?", date(1985, 1, 1), Precision.ESTIMATED),
        ("1985-06-02 (est.)", date(1985, 6, 2), Precision.ESTIMATED),
        ("1985年6月", date(1985, 6, 1), Precision.MONTH),
    ],
)
def test_what_is_known_only_in_part_keeps_its_precision(text: str, value: date, precision: Precision) -> None:
    assert read(text) == RosterDate(value, precision)


def test_a_day_number_of_a_spreadsheet_is_read_and_remarked_on() -> None:
    assert read("32966") == RosterDate(date(1990, 4, 3), remark=Fault.DATE_FROM_SERIAL)


@pytest.mark.parametrize(
    ("text", "order", "code"),
    [
        ("1990-02-30", UNKNOWN, Fault.DATE_IMPOSSIBLE),
        ("31/04/1990", DMY, Fault.DATE_IMPOSSIBLE),
        ("31/31/1990", UNKNOWN, Fault.DATE_IMPOSSIBLE),
        ("1990-13-01", UNKNOWN, Fault.DATE_IMPOSSIBLE),
        ("2023-01-20", UNKNOWN, Fault.DATE_IN_FUTURE),
        ("1899-12-31", UNKNOWN, Fault.DATE_TOO_OLD),
        ("1369-05-12", UNKNOWN, Fault.DATE_CALENDAR),
        ("2533-05-12", UNKNOWN, Fault.DATE_CALENDAR),
        ("3-Apr-12", UNKNOWN, Fault.DATE_CENTURY),
        ("03/04/12", DMY, Fault.DATE_CENTURY),
        ("in spring", UNKNOWN, Fault.DATE_UNREADABLE),
        ("April", UNKNOWN, Fault.DATE_UNREADABLE),
        ("3 April", UNKNOWN, Fault.DATE_UNREADABLE),
        ("15", UNKNOWN, Fault.DATE_UNREADABLE),
        ("1990-04-03-02", UNKNOWN, Fault.DATE_UNREADABLE),
        ("#VALUE!", UNKNOWN, Fault.SPREADSHEET_ERROR),
    ],
)
def test_what_is_no_date_is_refused_with_its_reason(text: str, order: DateOrder, code: Fault) -> None:
    assert fault_of(text, order) is code


def test_two_digits_of_a_year_are_enough_where_only_one_century_fits() -> None:
    assert read("3-Apr-85").value == date(1985, 4, 3)


@given(st.text(alphabet="0123456789/-. aprilde年月", max_size=14), st.sampled_from(DateOrder))
def test_any_text_is_a_date_of_the_last_120_years_or_refused(text: str, order: DateOrder) -> None:
    try:
        found = read(text, order).value
    except BadValueError:
        return
    assert date(1903, 1, 1) <= found <= TODAY


def tally(*texts: str) -> DateOrderTally:
    counted = DateOrderTally()
    for text in texts:
        counted.add(text)
    return counted


def test_a_column_of_iso_dates_needs_no_order() -> None:
    counted = tally("1990-04-03", "3 April 1990", "", "04/04/1990")

    assert not counted.needed
    assert counted.suggestion is UNKNOWN


def test_rows_that_fit_one_order_suggest_it() -> None:
    assert tally("03/04/1990", "25/12/1990").suggestion is DMY
    assert tally("03/04/1990", "12/25/1990").suggestion is MDY
    assert tally("03/04/1990", "05/06/1990").suggestion is UNKNOWN
    assert tally("03/04/1990", "25/12/1990").needed


def test_rows_that_contradict_each_other_are_said() -> None:
    assert tally("25/12/1990", "12/25/1990").contradictory
    assert not tally("25/12/1990", "03/04/1990").contradictory


def test_true_dates_beside_day_first_texts_are_said_to_be_perhaps_swapped() -> None:
    assert tally("1990-04-03", "25/12/1990").perhaps_swapped
    assert not tally("1990-04-03").perhaps_swapped
