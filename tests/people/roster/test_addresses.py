"""Addresses: the lines of an envelope, and whether a letter could get there."""

import pytest

from outreach.people.roster.addresses import Address, from_parts, from_text


def parts(**given: str) -> Address:
    blank = dict.fromkeys(("care_of", "first", "second", "city", "state", "postal_code", "country"), "")
    return from_parts(**(blank | given))


def test_columns_become_the_lines_of_an_envelope() -> None:
    found = parts(care_of="Casa Ejemplo", first="12 Sample Road", second="Apt 4", city="Sampleton", state="tx", postal_code="78701")

    assert found == Address("c/o Casa Ejemplo\n12 Sample Road\nApt 4\nSampleton, TX 78701", "US", complete=True)


@pytest.mark.parametrize("missing", ["first", "city", "state", "postal_code"])
def test_an_american_address_without_one_of_its_parts_is_incomplete(missing: str) -> None:
    whole = {"first": "12 Sample Road", "city": "Sampleton", "state": "TX", "postal_code": "78701"}

    assert parts(**whole).complete
    assert not parts(**(whole | {missing: ""})).complete


@pytest.mark.parametrize(("state", "postal_code"), [("XX", "78701"), ("TX", "7870"), ("Texas", "78701"), ("TX", "ABCDE")])
def test_a_state_or_zip_code_that_does_not_exist_makes_it_incomplete(state: str, postal_code: str) -> None:
    assert not parts(first="12 Sample Road", city="Sampleton", state=state, postal_code=postal_code).complete


def test_a_zero_that_a_spreadsheet_dropped_from_a_zip_code_is_put_back_where_they_have_one() -> None:
    assert parts(first="1 A", city="B", state="MA", postal_code="2139").lines.endswith("B, MA 02139")
    assert parts(first="1 A", city="B", state="TX", postal_code="7870").lines.endswith("B, TX 7870")


def test_a_foreign_address_needs_a_street_a_city_and_a_country() -> None:
    found = parts(first="Calle Inventada 5", city="Ciudad Ejemplo", postal_code="10400", country="Cuba")

    assert found == Address("Calle Inventada 5\n10400 Ciudad Ejemplo\nCuba", "CU", complete=True)
    assert not parts(first="Calle Inventada 5", country="Cuba").complete
    assert not parts(first="Calle Inventada 5", city="Ciudad Ejemplo", country="Atlantis").complete


@pytest.mark.parametrize(
    ("text", "lines", "country", "complete"),
    [
        ("12 Sample Road, Apt 4, Sampleton, TX 78701", "12 Sample Road, Apt 4, Sampleton, TX 78701", "US", True),
        ("12 Sample Road\nSampleton TX 78701-1234", "12 Sample Road\nSampleton TX 78701-1234", "US", True),
        ("12 Sample Road; Sampleton, TX 78701", "12 Sample Road\nSampleton, TX 78701", "US", True),
        ("Sampleton, TX 78701", "Sampleton, TX 78701", "US", False),
        ("12 Sample Road, Sampleton, XX 78701", "12 Sample Road, Sampleton, XX 78701", "US", False),
        ("homeless", "homeless", "US", False),
        ("Calle Inventada 5, Ciudad Ejemplo, Guatemala", "Calle Inventada 5, Ciudad Ejemplo, Guatemala", "GT", True),
    ],
)
def test_an_address_of_one_cell_keeps_its_words(text: str, lines: str, country: str, complete: bool) -> None:
    assert from_text("", text, "") == Address(lines, country, complete)
