"""The table of languages: every row is whole, and rosters' spellings lead to the right one or to a question."""

import unicodedata
from datetime import date

import pytest
from babel import Locale
from hypothesis import given
from hypothesis import strategies as st

from outreach.notices.characters import RTL_SCRIPTS, script
from outreach.notices.languages import (
    Language,
    UnknownLanguageError,
    all_languages,
    candidates,
    codes,
    find,
    find_by_name,
    format_date,
    get,
    month_names,
    spellings,
)

EVERY = pytest.mark.parametrize("language", all_languages(), ids=lambda language: language.code)

# fmt: off
REQUIRED = {
    "en", "es", "pt-BR", "ht", "pa-Guru", "pa-Arab", "zh-Hans", "zh-Hant", "ar", "fr", "ru", "uk", "tr", "ro",
    "vi", "hi", "gu", "ne", "bn", "ta", "te", "si", "ur", "am", "ti", "so", "om", "sw", "ln", "wo", "ff", "yo",
    "ig", "ak", "hy", "ka", "kk", "ky", "tg", "uz-Latn", "uz-Cyrl", "az", "mn", "fa", "fa-AF", "ps", "ckb",
    "my", "km", "th", "fil", "quc", "mam", "kjb", "ixl", "kek", "cak", "kri", "snk",
}
# fmt: on


def test_the_languages_of_the_affected_people_are_there() -> None:
    assert set(codes(all_languages())) >= REQUIRED


@EVERY
def test_the_babel_locale_exists_or_the_months_are_our_own(language: Language) -> None:
    if language.babel is None:
        assert len(language.months) == 12
    else:
        assert Locale.parse(language.babel).text_direction == language.direction


@EVERY
def test_the_direction_is_that_of_the_script(language: Language) -> None:
    assert language.direction == ("rtl" if language.script in RTL_SCRIPTS else "ltr")


@EVERY
def test_the_autonym_is_written_in_the_script(language: Language) -> None:
    kinds = {kind for kind in map(script, language.autonym) if kind}
    assert kinds == {language.script}


@EVERY
def test_there_are_twelve_different_month_words_in_the_script_of_the_language(language: Language) -> None:
    months = month_names(language)
    assert len(set(months)) == 12
    kinds = {kind for month in months for kind in map(script, month) if kind}
    assert kinds <= ({"Hani", "Hang"} if language.code == "ko" else {language.script})
    assert not any(month.startswith("M") and month[1:].isdigit() for month in months), "a stub of Babel's"


@EVERY
def test_a_date_has_the_words_the_iso_date_and_only_european_digits(language: Language) -> None:
    text = format_date(language, date(2022, 11, 28))
    assert "28" in text.partition(" (")[0]
    assert "2022" in text.partition(" (")[0]
    assert text.endswith("(\u20682022-11-28\u2069)" if language.direction == "rtl" else "(2022-11-28)")
    assert all(char.isascii() for char in text if unicodedata.category(char) == "Nd")


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("en", "28 November 2022 (2022-11-28)"),
        ("es", "28 de noviembre de 2022 (2022-11-28)"),
        ("ht", "28 novanm 2022 (2022-11-28)"),
        ("quc", "28 de noviembre de 2022 (2022-11-28)"),
        ("zh-Hans", "2022年11月28日 (2022-11-28)"),
        ("ru", "28 ноября 2022 г. (2022-11-28)"),
        ("fa-AF", "28 نومبر 2022 (\u20682022-11-28\u2069)"),
    ],
)
def test_dates_read_as_speakers_write_them(code: str, expected: str) -> None:
    assert format_date(get(code), date(2022, 11, 28)) == expected


@pytest.mark.parametrize("code", ["prs", "xx", "EN", "", "mam-GT"])
def test_a_code_outside_the_table_is_refused_with_a_sentence(code: str) -> None:
    with pytest.raises(UnknownLanguageError, match="Choose one from the list"):
        get(code)


@EVERY
def test_the_code_and_the_names_lead_back_to_the_language(language: Language) -> None:
    for spelling in (language.code, language.english, language.spanish, language.autonym, *language.aliases):
        assert find(spelling) == language
        assert find(f"  {spelling.upper()}. ") == language


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("SPANISH", "es"),
        ("es-MX", "es"),
        ("Spanish (Mexico)", "es"),
        ("Spanish; Castilian", "es"),
        ("español", "es"),
        ("Espanol", "es"),
        ("Creole", "ht"),
        ("Kreyol Ayisyen", "ht"),
        ("french creole", "ht"),
        ("Mandarin", "zh-Hans"),
        ("Chinese (Mandarin)", "zh-Hans"),
        ("zh_TW", "zh-Hant"),
        ("Farsi", "fa"),
        ("Dari", "fa-AF"),
        ("prs", "fa-AF"),
        ("fa_AF", "fa-AF"),
        ("PA-IN", "pa-Guru"),
        ("Punjabi (Gurmukhi)", "pa-Guru"),
        ("Quiché", "quc"),
        ("K\u2019iche\u2019", "quc"),
        ("Kanjobal", "kjb"),
        ("Tagalog", "fil"),
        ("Moldovan", "ro"),
        ("Portugese", "pt-BR"),
        ("Ｗｏｌｏｆ", "wo"),
        ("Sorani", "ckb"),
        ("Kurmanji", "kmr"),
    ],
)
def test_rosters_spellings_are_understood(written: str, code: str) -> None:
    assert find(written) == get(code)


@pytest.mark.parametrize(
    ("written", "choices"),
    [
        ("Chinese", {"zh-Hans", "zh-Hant"}),
        ("zh", {"zh-Hans", "zh-Hant"}),
        ("Cantonese", {"zh-Hant", "zh-Hans"}),
        ("Punjabi", {"pa-Guru", "pa-Arab"}),
        ("PAN", {"pa-Guru", "pa-Arab"}),
        ("Uzbek", {"uz-Latn", "uz-Cyrl"}),
        ("Kurdish", {"ckb", "kmr"}),
        ("Serbo", {"bs", "hr", "sr-Latn", "sr-Cyrl"}),
        ("Afghan", {"fa-AF", "ps"}),
        ("Spanish/English", {"es", "en"}),
        ("Mam (Spanish)", {"mam", "es"}),
    ],
)
def test_what_can_mean_several_languages_is_asked_and_never_guessed(written: str, choices: set[str]) -> None:
    assert find(written) is None
    assert set(codes(candidates(written))) == choices


@pytest.mark.parametrize("written", ["", "  ", "?", "Unknown", "Not English", "None", "N/A", "No Spanish, English", "xx-YY"])
def test_what_names_no_language_leads_nowhere(written: str) -> None:
    assert candidates(written) == ()


@pytest.mark.parametrize("word", ["hi", "so", "no", "am", "my", "ha", "mam", "HI!"])
def test_codes_and_very_short_words_are_no_names_of_languages(word: str) -> None:
    assert find_by_name(word) == ()


def test_no_spelling_is_empty() -> None:
    assert all(spelling for spelling, _ in spellings())


@given(st.text(max_size=60))
def test_looking_up_never_fails(text: str) -> None:
    found = find(text)
    assert found is None or found in all_languages()
