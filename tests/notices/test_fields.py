"""Fields: only what is named is filled, and nothing inside a value has power."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach.notices.fields import (
    MAX_VALUE_LENGTH,
    FieldError,
    MalformedFieldError,
    MissingFieldError,
    UnknownFieldError,
    ValueTooLongError,
    clean,
    fields,
    render,
    require_known,
)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("no fields", set()),
        ("((phone))", {"phone"}),
        ("call ((Phone)) or (( site ))", {"phone", "site"}),
        ("((access code)) ((ACCESS_CODE)) ((access-code))", {"accesscode"}),
        ("a (bracket) and ((phone))", {"phone"}),
        ("(((phone)))", {"phone"}),
        ("((téléphone))", {"téléphone"}),
    ],
)
def test_fields_are_found_whatever_their_case_and_spaces(text: str, names: set[str]) -> None:
    assert fields(text) == names


@pytest.mark.parametrize("text", ["((", "))", "((phone)", "(phone))", "(( ))", "(())", "((a|b))", "((a.b))", "((%s))", "((_x))"])
def test_half_a_field_is_refused(text: str) -> None:
    with pytest.raises(MalformedFieldError):
        fields(text)


def test_a_text_is_filled() -> None:
    text = "((Program)): call ((phone)), ((PHONE))."
    assert render(text, {"program": "Notice Line", "Phone": "+1 202-555-0100", "unused": "x"}) == (
        "Notice Line: call +1 202-555-0100, +1 202-555-0100."
    )


@pytest.mark.parametrize("value", ["", "  ", "\u200b\u202e", "\n"])
def test_a_field_with_nothing_to_show_is_missing(value: str) -> None:
    with pytest.raises(MissingFieldError, match=r"\(\(phone\)\)"):
        render("((phone))", {"phone": value})


def test_an_absent_field_is_missing() -> None:
    with pytest.raises(MissingFieldError):
        render("((phone)) ((site))", {"phone": "1"})


def test_a_field_the_channel_does_not_offer_is_refused_by_name() -> None:
    require_known("((phone))", {"phone", "site"})
    with pytest.raises(UnknownFieldError, match=r"\(\(name\)\)"):
        require_known("((name)) ((phone))", {"phone", "site"})


def test_brackets_in_a_value_are_never_read_as_a_field() -> None:
    assert render("((a)) ((b))", {"a": "((b))", "b": "secret"}) == "((b)) secret"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("  two   words\n", "two words"),
        ("a\u202eb\u2066c\u2069", "abc"),
        ("a\u200bb\u00adc\ufeffd", "abcd"),
        ("ＡＢ１", "AB1"),
        ("line\r\nbreak\u2028again", "line break again"),
        ("bell\x07\x1b[31m", "bell[31m"),
        ("می\u200cخواهیم", "می\u200cخواهیم"),
        ("අප්\u200dරේල්", "අප්\u200dරේල්"),
        ("O\u2019Brien", "O\u2019Brien"),
    ],
)
def test_values_are_cleaned_but_spelling_stays(value: str, shown: str) -> None:
    assert clean(value) == shown


def test_a_value_that_is_too_long_is_refused_and_not_cut() -> None:
    assert clean("x" * MAX_VALUE_LENGTH)
    with pytest.raises(ValueTooLongError):
        render("((a))", {"a": "x" * (MAX_VALUE_LENGTH + 1)})


@given(st.text(max_size=80), st.text(max_size=80))
def test_whatever_the_value_the_text_around_it_stays_as_it_was(first: str, second: str) -> None:
    try:
        text = render("start ((a)) middle ((b)) end", {"a": first, "b": second})
    except MissingFieldError:
        return
    assert text == f"start {clean(first)} middle {clean(second)} end"
    assert "\n" not in text
    assert not any(unicodedata.bidirectional(c) in ("RLO", "LRO", "RLE", "LRE", "PDF", "LRI", "RLI", "FSI") for c in text)


@given(st.text(alphabet="(() a|)\u200b", max_size=30))
def test_any_text_is_either_understood_or_refused(text: str) -> None:
    try:
        names = fields(text)
        render(text, dict.fromkeys(names, "value"))
    except FieldError:
        return
    assert "((" not in render(text, dict.fromkeys(names, "value")) or "((" in "".join(names)
