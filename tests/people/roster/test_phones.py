"""Phone numbers: every usual spelling to E.164, with the country and the time zones that go with it."""

import phonenumbers
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from phonenumbers import timezone

from outreach.people.roster.phones import parse_phones
from outreach.people.roster.problems import BadValueError, Fault


@pytest.mark.parametrize(
    "text",
    [
        "+12025550101", "(202) 555-0101", "202-555-0101", "202.555.0101", "2025550101", "1-202-555-0101",
        "1 (202) 555 0101", "+1 202 555 0101",
        "2025550101.0", "1.2025550101E+10", "tel: 202-555-0101", "Cell (202) 555-0101", "２０２-５５５-０１０１",
        "\u202a+1 202-555-0101\u202c",
        "٢٠٢٥٥٥٠١٠١", "001 1 202 555 0101".replace("001 ", ""),
    ],
)  # fmt: skip
def test_every_usual_spelling_is_the_same_number(text: str) -> None:
    (phone,) = parse_phones(text)

    assert (phone.e164, phone.country, phone.time_zones, phone.extension) == ("+12025550101", "US", ("America/New_York",), None)


@pytest.mark.parametrize(
    ("text", "e164", "country", "zone"),
    [
        ("+53 7 8381234", "+5378381234", "CU", "America/Havana"),
        ("+502 2232 1234", "+50222321234", "GT", "America/Guatemala"),
        ("+1 809 555 0101", "+18095550101", "DO", "America/Santo_Domingo"),
        ("+1 787 555 0101", "+17875550101", "PR", "America/Puerto_Rico"),
        ("602-555-0101", "+16025550101", "US", "America/Phoenix"),
    ],
)
def test_numbers_of_other_countries_keep_their_own_country_and_zone(text: str, e164: str, country: str, zone: str) -> None:
    (phone,) = parse_phones(text)

    assert (phone.e164, phone.country) == (e164, country)
    assert zone in phone.time_zones


@pytest.mark.parametrize("between", [" / ", "/", "; ", ", ", "\n", " or ", " y ", " | "])
def test_a_cell_may_hold_several_numbers(between: str) -> None:
    found = parse_phones(f"202-555-0101{between}(305) 555-0102{between}+1 202 555 0101")

    assert [phone.e164 for phone in found] == ["+12025550101", "+13055550102"]


def test_an_extension_is_kept_apart() -> None:
    (phone,) = parse_phones("202-555-0101 ext. 12")

    assert (phone.e164, phone.extension) == ("+12025550101", "12")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("555-0101", Fault.PHONE_INVALID),
        ("(202) 555-01", Fault.PHONE_INVALID),
        ("123-456-7890", Fault.PHONE_INVALID),
        ("+53 1234", Fault.PHONE_INVALID),
        ("202-555-0101-2222", Fault.PHONE_INVALID),
        ("ask the sister", Fault.PHONE_UNREADABLE),
        ("none", Fault.PHONE_UNREADABLE),
        ("+999 123 456 789", Fault.PHONE_UNREADABLE),
        ("1.20256E+10", Fault.DIGITS_LOST),
        ("202-555-\ufffd101", Fault.DAMAGED_CHARACTERS),
    ],
)
def test_what_is_no_number_is_refused_with_its_reason(text: str, code: Fault) -> None:
    with pytest.raises(BadValueError) as caught:
        parse_phones(text)

    assert caught.value.code is code


@given(st.integers(2_000_000_000, 9_999_999_999))
@example(2_465_210_000)  # Barbados: the first line of this exchange is a number and the next one is none
@example(2_465_211_000)
def test_the_quick_way_for_north_american_numbers_agrees_with_the_library(digits: int) -> None:
    number = phonenumbers.PhoneNumber(country_code=1, national_number=digits)
    try:
        (phone,) = parse_phones(str(digits))
    except BadValueError:
        assert not phonenumbers.is_valid_number(number)
        return
    assert phonenumbers.is_valid_number(number)
    assert phone.country == phonenumbers.region_code_for_number(number)
    assert phone.time_zones == timezone.time_zones_for_number(number)
