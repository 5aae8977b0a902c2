"""A-numbers, names, e-mail addresses, yes and no: every usual spelling, and a reason for each refusal."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach.people.roster.problems import BadValueError, Fault
from outreach.people.roster.values import (
    clean,
    display_a_number,
    parse_a_number,
    parse_a_numbers,
    parse_emails,
    parse_name,
    parse_yes_or_no,
    restore_number,
)


def fault_of(parse: Callable[[str], object], text: str) -> Fault:
    with pytest.raises(BadValueError) as caught:
        parse(text)
    assert text not in str(caught.value.details)
    return caught.value.code


@pytest.mark.parametrize(
    "text",
    [
        "A012345678", "A012-345-678", "A 012 345 678", "a 012 345 678", "A#012-345-678", "A# 012345678",
        "12345678", "012345678",
        "A12345678", "a12345678", "A-012-345-678", "A.012.345.678", "A No. 012345678",
        "Alien Number 012 345 678", "12345678.0",
        "1.2345678E+7", "1.2345678e7", "A０１２３４５６７８", "Ａ012345678", "A٠١٢٣٤٥٦٧٨", "A०१२३४५६७८",
        " A012345678\u00a0", "A012‑345‑678",
        "\u202aA012345678\u202c", "А012345678",
    ],
)  # fmt: skip
def test_every_usual_spelling_of_an_a_number_is_the_same_number(text: str) -> None:
    assert parse_a_number(text) == "A012345678"


@given(st.integers(1_000_000, 999_999_999), st.sampled_from(["{}", "A{}", "a {}", "A#{}", "{:09d}", "A{:09d}"]))
def test_an_a_number_survives_being_displayed_and_read_again(number: int, spelling: str) -> None:
    canonical = parse_a_number(spelling.format(number))

    assert canonical == f"A{number:09d}"
    assert parse_a_number(display_a_number(canonical)) == canonical
    assert parse_a_number(display_a_number(canonical).replace("-", " ").lower()) == canonical


def test_an_a_number_is_displayed_in_groups() -> None:
    assert display_a_number("A012345678") == "A012-345-678"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("A123456", Fault.A_NUMBER_LENGTH),
        ("A1234567890", Fault.A_NUMBER_LENGTH),
        ("(202) 555-0100", Fault.A_NUMBER_UNREADABLE),
        ("B012345678", Fault.A_NUMBER_UNREADABLE),
        ("A012O45678", Fault.A_NUMBER_UNREADABLE),
        ("pending", Fault.A_NUMBER_UNREADABLE),
        ("A000-000-000", Fault.A_NUMBER_PLACEHOLDER),
        ("9.12346E+08", Fault.DIGITS_LOST),
        ("#N/A", Fault.SPREADSHEET_ERROR),
        ("A012345\ufffd78", Fault.DAMAGED_CHARACTERS),
        ("A012\x00345678", Fault.CONTROL_CHARACTERS),
    ],
)
def test_what_is_no_a_number_is_refused_with_its_reason(text: str, code: Fault) -> None:
    assert fault_of(parse_a_number, text) is code


@pytest.mark.parametrize(
    "text", ["A900-000-001; A900-000-002", "900000001/900000002", "A900000001\nA900000002", "A900000001 and A900000002, A900000001"]
)
def test_a_cell_may_hold_several_a_numbers(text: str) -> None:
    assert parse_a_numbers(text) == ("A900000001", "A900000002")


@pytest.mark.parametrize(
    ("text", "number"),
    [("12345678.0", "12345678"), ("1.2025550101E+10", "12025550101"), ("2,02555E+05", "202555"), ("12.5", "12.5"), ("A1", "A1")],
)
def test_what_a_spreadsheet_did_to_a_number_is_undone_where_no_digit_is_lost(text: str, number: str) -> None:
    assert restore_number(text) == number


@pytest.mark.parametrize(
    "name",
    [
        "FNU", "María José de la Peña-Muestra", "O'Example", "K'ooy", "D’Inventa", "=HYPERLINK(1)", "@sol",
        "+Mar", "-Luz", "Ñ", "试晨星", "مثال التجريبي",
        "ᎣᏏᏲ", "नमूना", "می‌خواهم", "Ficticio, Jr.", "X Æ-12", "<img onerror=alert(1)>", "((name))", "%s {0}",
    ],
)  # fmt: skip
def test_a_name_is_kept_exactly_as_it_is_recorded(name: str) -> None:
    assert parse_name(name) == name


def test_a_name_is_composed_and_loses_only_spaces_and_direction_marks() -> None:
    assert parse_name("  Pen\u0303a\u00a0 \tMuestra ") == "Peña Muestra"
    assert parse_name("\u202bمثال\u202c") == "مثال"


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("Sol\x07", Fault.CONTROL_CHARACTERS),
        ("Sol\x1b[31m", Fault.CONTROL_CHARACTERS),
        ("Roc\ufffdo", Fault.DAMAGED_CHARACTERS),
        ("#REF!", Fault.SPREADSHEET_ERROR),
        ("12345", Fault.NAME_WITHOUT_LETTERS),
        ("---", Fault.NAME_WITHOUT_LETTERS),
        ("Sol " * 60, Fault.NAME_TOO_LONG),
    ],
)
def test_what_is_no_name_is_refused_with_its_reason(name: str, code: Fault) -> None:
    assert fault_of(parse_name, name) is code


@given(st.text(max_size=60))
def test_cleaning_twice_changes_nothing_more(text: str) -> None:
    try:
        once = clean(text)
    except BadValueError:
        return
    assert clean(once) == once
    assert once == once.strip()


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("Sol.Muestra@Example.ORG", ("sol.muestra@example.org",)),
        ("sol+news@mail.example.org", ("sol+news@mail.example.org",)),
        ("mailto:sol@example.org", ("sol@example.org",)),
        ("<sol@example.org>", ("sol@example.org",)),
        ("sol@example.org; mar@example.net, sol@example.org", ("sol@example.org", "mar@example.net")),
        ("sol@example.org/mar@example.net", ("sol@example.org", "mar@example.net")),
        ("sol@peña.example.org", ("sol@xn--pea-8ma.example.org",)),
        ("peña@example.org", ("peña@example.org",)),
    ],
)
def test_an_email_address_is_lower_case_with_an_ascii_domain(text: str, addresses: tuple[str, ...]) -> None:
    assert parse_emails(text) == addresses


@pytest.mark.parametrize(
    "text",
    [
        "sol", "sol@", "@example.org", "sol@example", "sol at example.org", "sol@@example.org",
        "sol@-example.org", "sol@example..org", ".sol@example.org",
        "so..l@example.org", "sol@192.168.0.1", "sol@exa_mple.org", "sol@" + "x" * 64 + ".org",
        "x" * 65 + "@example.org", "sol@example.org mar",
    ],
)  # fmt: skip
def test_what_is_no_email_address_is_refused(text: str) -> None:
    assert fault_of(parse_emails, text) is Fault.EMAIL_INVALID


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Yes", True),
        ("SÍ", True),
        ("y", True),
        ("1", True),
        ("no", False),
        ("F", False),
        ("0", False),
        ("unknown", None),
        ("N/A", None),
    ],
)
def test_yes_and_no_are_read_in_both_languages(text: str, answer: bool | None) -> None:
    assert parse_yes_or_no(text) is answer


def test_what_is_neither_yes_nor_no_is_refused() -> None:
    assert fault_of(parse_yes_or_no, "sometimes") is Fault.YES_OR_NO
