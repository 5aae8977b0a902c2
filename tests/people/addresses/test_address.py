"""One address: the lines of an envelope, and what its own text says about it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach.people.addresses.address import MOST_LINES, Address, from_parts, from_text, mailing_lines, of_stored
from outreach.people.addresses.american import Flaw
from outreach.people.contact import AddressGrade as G

WHOLE = {"first": "12 Sample Road", "city": "Sampleton", "state": "TX", "postal_code": "78701"}


def parts(**given: str) -> Address:
    blank = dict.fromkeys(("care_of", "first", "second", "city", "state", "postal_code", "country"), "")
    return from_parts(**(blank | given))


def test_columns_become_the_lines_of_an_envelope() -> None:
    found = parts(**WHOLE, care_of="Muestra FICTICIO", second="Apt 4")

    assert found == Address("c/o Muestra FICTICIO\n12 Sample Road\nApt 4\nSampleton, TX 78701", "US")
    assert found.grade is G.GOOD


@pytest.mark.parametrize(
    ("change", "flaw"),
    [
        ({"first": ""}, Flaw.STREET),
        ({"first": "Sample Road"}, Flaw.STREET),
        ({"first": "PO Box"}, Flaw.STREET),
        ({"city": ""}, Flaw.CITY),
        ({"state": ""}, Flaw.STATE),
        ({"state": "XX"}, Flaw.STATE),
        ({"postal_code": ""}, Flaw.ZIP),
        ({"postal_code": "7870"}, Flaw.ZIP),
        ({"postal_code": "ABCDE"}, Flaw.ZIP),
        ({"postal_code": "10001"}, Flaw.ZIP_OF_ANOTHER_STATE),
        ({"postal_code": "00000"}, Flaw.ZIP_OF_ANOTHER_STATE),
    ],
)
def test_an_american_address_without_one_of_its_parts_is_incomplete(change: dict[str, str], flaw: Flaw) -> None:
    found = parts(**(WHOLE | change))

    assert (found.grade, found.flaw) == (G.INCOMPLETE, flaw)


@pytest.mark.parametrize(
    ("state", "postal_code", "last"),
    [
        ("Texas", "78701", "Sampleton, TX 78701"),
        ("tx", "78701-1234", "Sampleton, TX 78701-1234"),
        ("TX", "787011234", "Sampleton, TX 78701-1234"),
        ("MA", "2139", "Sampleton, MA 02139"),
        ("New Jersey", "7001", "Sampleton, NJ 07001"),
        ("AP", "96201", "Sampleton, AP 96201"),
    ],
)
def test_a_state_and_a_zip_code_are_written_as_the_post_writes_them(state: str, postal_code: str, last: str) -> None:
    found = parts(**(WHOLE | {"state": state, "postal_code": postal_code}))

    assert found.lines.endswith(last)
    assert found.grade is G.GOOD


def test_a_territorys_mail_is_domestic() -> None:
    found = parts(first="5 Calle Inventada", city="San Ejemplo", postal_code="907", country="Puerto Rico")

    assert found == Address("5 Calle Inventada\nSan Ejemplo, PR 00907", "US")


@pytest.mark.parametrize(
    ("street", "grade"),
    [
        # Blank: words that stand for nothing.
        ("homeless", G.BLANK),
        ("N/A", G.BLANK),
        ("no fixed address", G.BLANK),
        ("Sin domicilio", G.BLANK),
        # A home.
        ("12 Sample Road", G.GOOD),
        ("12 Sample Road Apt 4", G.GOOD),
        ("12 Sample Road # 4B", G.GOOD),
        ("PO Box 12", G.GOOD),
        ("P.O. Box 12", G.GOOD),
        ("General Delivery", G.GOOD),
        ("One Sample Plaza", G.GOOD),
        ("RR 2 Box 5", G.GOOD),
        ("Casa Ejemplo Shelter, 12 Sample Road", G.GOOD),
        ("Old Hospital Shelter, 12 Sample Road", G.GOOD),
        ("Iglesia La Ejemplar, 12 Sample Road", G.GOOD),
        ("Motel Muestra, 12 Sample Road, Room 5", G.GOOD),
        # A street called after a place, and no place.
        ("12 Hospital Road", G.GOOD),
        ("12 Airport Blvd", G.GOOD),
        ("12 Old Bridge Rd", G.GOOD),
        ("12 Apartments Way", G.GOOD),
        ("12 Bakery Sample Street", G.GOOD),
        # Where nobody lives.
        ("Taqueria La Ficticia, 12 Sample Road", G.NOT_RESIDENTIAL),
        ("Greyhound, 12 Sample Road", G.NOT_RESIDENTIAL),
        ("Sample Bus Station, 12 Sample Road", G.NOT_RESIDENTIAL),
        ("Law Office of Placeholder, PO Box 12", G.NOT_RESIDENTIAL),
        ("ERO Field Office, 12 Sample Road", G.NOT_RESIDENTIAL),
        ("Mesa Ficticia Processing Center, 12 Sample Road", G.NOT_RESIDENTIAL),
        # Many units and none given.
        ("12 Sample Road Apt", G.NO_UNIT),
        ("12 Sample Road Apt #", G.NO_UNIT),
        ("Sample Apartments, 12 Sample Road", G.NO_UNIT),
        ("Sample Apartments, 12 Sample Road, 4B", G.GOOD),
        ("Ficticia Mobile Home Park, 12 Sample Road", G.NO_UNIT),
        ("Ficticia Mobile Home Park, 12 Sample Road, Space 7", G.GOOD),
        # Never.
        ("Embassy of Utopia, 12 Sample Road", G.DENIED),
    ],
)
def test_a_street_is_graded_by_what_it_says(street: str, grade: G) -> None:
    first, _, second = street.partition(", ")

    assert parts(**(WHOLE | {"first": first, "second": second})).grade is grade
    assert from_text("", f"{street}, Sampleton, TX 78701", "").grade is grade
    assert from_text("", f"{street}\nSampleton, TX 78701", "").grade is grade
    assert from_text("c/o Muestra FICTICIO", f"{street}\nSampleton, TX 78701", "").grade is grade


@pytest.mark.parametrize("text", ["", "homeless", "unknown", "c/o Muestra FICTICIO"])
def test_a_text_without_an_address_is_blank(text: str) -> None:
    assert from_text("", text, "").grade is G.BLANK


@pytest.mark.parametrize(
    ("given", "lines"),
    [
        ({"city": "Ciudad Ejemplo", "postal_code": "10400", "country": "Cuba"}, "Calle Inventada 5\nCiudad Ejemplo\n10400"),
        ({"city": "Ciudad Ejemplo", "country": "GUATEMALA"}, "Calle Inventada 5\nCiudad Ejemplo"),
        ({"city": "Jakmèl Egzanp", "country": "HT"}, "Calle Inventada 5\nJakmèl Egzanp"),
        ({"city": "Jakmèl Egzanp", "postal_code": "9110", "country": "HT"}, "Calle Inventada 5\nHT9110 Jakmèl Egzanp"),
        ({"city": "Bogotá", "country": "Colombia"}, "Calle Inventada 5\nBogotá"),
        (
            {"city": "Exemplo", "state": "SP", "postal_code": "01310-100", "country": "BR"},
            "Calle Inventada 5\nExemplo-SP\n01310-100",
        ),
        (
            {"city": "Ejemplo", "state": "Jalisco", "postal_code": "44100", "country": "México"},
            "Calle Inventada 5\n44100 Ejemplo, Jalisco",
        ),
    ],
)
def test_a_foreign_address_is_written_in_its_countrys_order(given: dict[str, str], lines: str) -> None:
    found = parts(first="Calle Inventada 5", **given)

    assert found.lines == lines
    assert (found.grade, found.flaw) == (G.FOREIGN, None)


@pytest.mark.parametrize(
    ("given", "flaw"),
    [
        ({"first": "Calle 5", "country": "Cuba"}, Flaw.CITY),
        ({"city": "Ejemplo", "country": "Cuba"}, Flaw.STREET),
        ({"first": "Calle 5", "city": "Ejemplo", "country": "Atlantis"}, Flaw.COUNTRY),
        ({"first": "Calle 5", "city": "Ejemplo", "postal_code": "123", "country": "Cuba"}, Flaw.POSTAL_CODE),
        ({"first": "Calle 5", "city": "Ejemplo", "state": "Jalisco", "country": "Mexico"}, Flaw.POSTAL_CODE),
        ({"first": "Calle 5", "city": "Ejemplo", "postal_code": "44100", "country": "Mexico"}, Flaw.PROVINCE),
        # A postal code of another province.
        (
            {"first": "Calle 5", "city": "Ejemplo", "state": "Jalisco", "postal_code": "97000", "country": "Mexico"},
            Flaw.POSTAL_CODE,
        ),
    ],
)
def test_a_foreign_address_needs_what_its_country_requires(given: dict[str, str], flaw: Flaw) -> None:
    found = parts(**given)

    assert (found.grade, found.flaw) == (G.INCOMPLETE, flaw)


def test_a_country_that_is_not_known_stays_on_the_envelope_and_the_address_is_incomplete() -> None:
    found = parts(first="Calle 5", city="Ejemplo", country="Atlantis")

    assert found.country is None
    assert found.lines == "Calle 5\nEjemplo\nAtlantis"


@pytest.mark.parametrize(
    ("text", "lines", "country", "grade"),
    [
        ("12 Sample Road, Apt 4, Sampleton, TX 78701", "12 Sample Road, Apt 4, Sampleton, TX 78701", "US", G.GOOD),
        ("12 Sample Road\nSampleton TX 78701-1234", "12 Sample Road\nSampleton TX 78701-1234", "US", G.GOOD),
        ("12 Sample Road; Sampleton, TX 78701", "12 Sample Road\nSampleton, TX 78701", "US", G.GOOD),
        ("12 Sample Road\nSampleton\nTX 78701", "12 Sample Road\nSampleton\nTX 78701", "US", G.GOOD),
        ("12 Sample Road\nTX 78701", "12 Sample Road\nTX 78701", "US", G.INCOMPLETE),
        ("Sampleton, TX 78701", "Sampleton, TX 78701", "US", G.INCOMPLETE),
        ("12 Sample Road, Sampleton, XX 78701", "12 Sample Road, Sampleton, XX 78701", "US", G.INCOMPLETE),
        ("12 Sample Road, Atlanta, Georgia", "12 Sample Road, Atlanta, Georgia", "US", G.INCOMPLETE),
        ("Calle Inventada 5, Ciudad Ejemplo, Guatemala", "Calle Inventada 5, Ciudad Ejemplo", "GT", G.FOREIGN),
        ("Calle Inventada 5\nCiudad Ejemplo\nGUATEMALA", "Calle Inventada 5\nCiudad Ejemplo", "GT", G.FOREIGN),
        ("Calle Inventada, Guatemala", "Calle Inventada", "GT", G.INCOMPLETE),
        ("Calle 5, Ejemplo 44100, Jalisco, Mexico", "Calle 5, Ejemplo 44100, Jalisco", "MX", G.FOREIGN),
        ("Calle 5, Ejemplo, Jalisco, Mexico", "Calle 5, Ejemplo, Jalisco", "MX", G.INCOMPLETE),
    ],
)
def test_an_address_of_one_cell_keeps_its_words(text: str, lines: str, country: str, grade: G) -> None:
    found = from_text("", text, "")

    assert (found.lines, found.country, found.grade) == (lines, country, grade)


def test_the_column_of_countries_decides_what_georgia_is() -> None:
    assert from_text("", "Nimusha 5, Magalitashvili, Georgia", "Georgia").country == "GE"


def test_an_address_is_graded_the_same_when_it_is_read_again() -> None:
    for text in ("12 Sample Road, Sampleton, TX 78701", "homeless", "Calle Inventada 5, Ciudad Ejemplo, Guatemala"):
        found = from_text("", text, "")
        stored = None if found.country == "US" else found.country

        assert of_stored(found.lines, stored) == found


def test_a_letter_abroad_ends_with_the_country_in_english_and_in_capitals() -> None:
    found = parts(first="Calle Inventada 5", city="Ciudad Ejemplo", postal_code="10400", country="Cuba")

    assert mailing_lines("Sol FICTICIO", found) == ("Sol FICTICIO", "Calle Inventada 5", "Ciudad Ejemplo", "10400", "CUBA")


@pytest.mark.parametrize(
    ("address", "lines"),
    [
        (
            parts(**(WHOLE | {"postal_code": "78701-1234"}), care_of="Casa Ejemplo"),
            ("Sol FICTICIO", "c/o Casa Ejemplo", "12 Sample Road", "Sampleton, TX 78701-1234"),
        ),
        (
            from_text("", "12 Sample Road, Apt 4, Sampleton, TX 78701", ""),
            ("Sol FICTICIO", "12 Sample Road, Apt 4", "Sampleton, TX 78701"),
        ),
        (
            from_text("", "Calle Inventada 5, Ciudad Ejemplo, Guatemala", ""),
            ("Sol FICTICIO", "Calle Inventada 5", "Ciudad Ejemplo", "GUATEMALA"),
        ),
        (
            from_text("c/o Luz", "Casa Ejemplo\nEdificio 3\n12 Sample Road\nApt 4\nPiso 2\nSampleton, TX 78701", ""),
            ("Sol FICTICIO", "c/o Luz, Casa Ejemplo", "Edificio 3", "12 Sample Road", "Apt 4, Piso 2", "Sampleton, TX 78701"),
        ),
    ],
)  # fmt: skip
def test_the_lines_of_a_letter(address: Address, lines: tuple[str, ...]) -> None:
    assert mailing_lines("Sol FICTICIO", address) == lines


@given(
    st.lists(st.text(st.characters(categories=["L", "Nd"], include_characters=" ,#-"), min_size=1, max_size=40), max_size=9),
    st.sampled_from(["", "US", "MX", "CU", "JP"]),
)
def test_whatever_is_written_there_are_at_most_six_lines_and_no_word_is_lost(rows: list[str], country: str) -> None:
    found = from_text("", "\n".join(rows), country)
    lines = mailing_lines("Sol FICTICIO", found)

    assert 1 <= len(lines) <= MOST_LINES
    assert lines[0] == "Sol FICTICIO"
    written = "".join(lines[1:]).replace(",", "").replace(" ", "").casefold()
    assert all(word.strip(",").replace(",", "").casefold() in written for word in found.lines.split())
