"""Words of fixed lists in two languages: custody, posture, roles, safety, countries, languages."""

import tomllib
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

import pytest

from outreach.people.contact import ContactRole, Safety
from outreach.people.custody import Custody
from outreach.people.person import Posture, Precision
from outreach.people.roster import words
from outreach.people.roster.columns import plain
from outreach.people.roster.fields import Field
from outreach.people.roster.problems import BadValueError, Fault

FOLDER = Path(words.__file__).parent


@pytest.mark.parametrize(
    ("parse", "text", "meaning"),
    [
        (words.parse_custody, "DETAINED", Custody.DETAINED),
        (words.parse_custody, "En custodia", Custody.DETAINED),
        (words.parse_custody, "Yes", Custody.DETAINED),
        (words.parse_custody, "No", Custody.RELEASED),
        (words.parse_custody, "Released - Bond", Custody.RELEASED),
        (words.parse_custody, "Liberada", Custody.RELEASED),
        (words.parse_custody, "ATD", Custody.RELEASED),
        (words.parse_custody, "Deported", Custody.REMOVED),
        (words.parse_custody, "Transferred", Custody.IN_TRANSIT),
        (words.parse_custody, "Transferred to other agency", Custody.OTHER_AGENCY),
        (words.parse_custody, "Voluntary Departure", Custody.DEPARTED),
        (words.parse_custody, "Fallecido", Custody.DECEASED),
        (words.parse_custody, "n/a", Custody.UNKNOWN),
        (words.parse_posture, "Final Order of Removal", Posture.FINAL_ORDER),
        (words.parse_posture, "CF Positive", Posture.CREDIBLE_FEAR_POSITIVE),
        (words.parse_posture, "credible_fear_negative", Posture.CREDIBLE_FEAR_NEGATIVE),
        (words.parse_posture, "En proceso", Posture.IN_PROCEEDINGS),
        (words.parse_role, "Esposa", ContactRole.FAMILY),
        (words.parse_role, "self", ContactRole.OWN),
        (words.parse_role, "Albergue", ContactRole.SHELTER),
        (words.parse_role, "sponsor", ContactRole.OTHER),
        (words.parse_safety, "SÍ", Safety.YES),
        (words.parse_safety, "Do not contact", Safety.NEVER),
        (words.parse_safety, "unsafe", Safety.NO),
        (words.parse_precision, "Year only", Precision.YEAR),
    ],
)
def test_a_word_means_the_same_in_both_languages(parse: Callable[[str], StrEnum], text: str, meaning: StrEnum) -> None:
    assert parse(text) is meaning


@pytest.mark.parametrize(
    ("parse", "code"),
    [
        (words.parse_custody, Fault.CUSTODY_UNKNOWN),
        (words.parse_posture, Fault.POSTURE_UNKNOWN),
        (words.parse_role, Fault.ROLE_UNKNOWN),
        (words.parse_safety, Fault.SAFETY_UNKNOWN),
        (words.parse_precision, Fault.PRECISION_UNKNOWN),
        (words.language_code, Fault.LANGUAGE_UNKNOWN),
    ],
)
def test_a_word_that_is_not_known_is_refused_and_not_guessed(parse: Callable[[str], object], code: Fault) -> None:
    with pytest.raises(BadValueError) as caught:
        parse("somewhat")

    assert caught.value.code is code


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Cuba", "CU"), ("CUBAN", "CU"), ("cubana", "CU"), ("CU", "CU"), ("CUB", "CU"), ("México", "MX"),
        ("Estados Unidos", "US"), ("Rusia", "RU"),
        ("Russian Federation", "RU"), ("Türkiye", "TR"), ("Turkey", "TR"), ("Côte d'Ivoire", "CI"),
        ("Ivory Coast", "CI"), ("People's Republic of China", "CN"),
        ("El Salvador", "SV"), ("Dem. Rep.", None), ("Congolese", None), ("Atlantis", None),
    ],
)  # fmt: skip
def test_a_country_or_nationality_is_known_by_its_usual_names(text: str, code: str | None) -> None:
    assert words.country_code(text) == code


def test_a_language_that_may_be_one_of_several_is_not_chosen_for_somebody() -> None:
    assert words.language_code("Español") == "es"
    with pytest.raises(BadValueError):
        words.language_code("Chinese")


@pytest.mark.parametrize(
    ("table", "meanings"),
    [
        ("custody", set(Custody)),
        ("posture", set(Posture)),
        ("role", set(ContactRole)),
        ("safety", set(Safety)),
        ("precision", set(Precision)),
    ],
)
def test_every_state_has_words_and_every_stored_value_is_one_of_them(table: str, meanings: set[StrEnum]) -> None:
    lists = tomllib.loads((FOLDER / "words.toml").read_text(encoding="utf-8"))[table]

    assert set(lists) == set(meanings)
    for meaning in meanings:
        assert plain(meaning) in lists[meaning], f"the roster of an earlier export would not be read: {meaning}"


def test_each_word_and_header_stands_once_and_as_it_is_looked_up() -> None:
    lists = tomllib.loads((FOLDER / "words.toml").read_text(encoding="utf-8"))
    lists["headers"] = tomllib.loads((FOLDER / "headers.toml").read_text(encoding="utf-8"))["exact"]

    for table, meanings in lists.items():
        listed = [word for words_ in meanings.values() for word in words_]
        assert len(listed) == len(set(listed)), (table, sorted({word for word in listed if listed.count(word) > 1}))
        assert [word for word in listed if plain(word) != word] == []


def test_every_field_but_the_ignored_has_a_header() -> None:
    exact = tomllib.loads((FOLDER / "headers.toml").read_text(encoding="utf-8"))["exact"]
    numbered = {field for field in Field if field.startswith(("phone_2_", "phone_3_"))}  # known by "phone role 2" and the like

    assert set(exact) == set(Field) - numbered - {Field.IGNORED}
