"""Columns: recognised in two languages, corrected by staff, remembered by the layout's fingerprint."""

import json

import pytest

from outreach.people.roster.columns import ColumnMapping, Confidence, DateOrder, count_known, field_of, fingerprint, recognise
from outreach.people.roster.fields import Field


@pytest.mark.parametrize(
    ("header", "field"),
    [
        ("A-Number", Field.A_NUMBER),
        ("A#", Field.A_NUMBER),
        ("ALIEN REGISTRATION NO.", Field.A_NUMBER),
        ("AFileNumber", Field.A_NUMBER),
        ("Número A", Field.A_NUMBER),
        ("Other A-Number", Field.A_NUMBER_2),
        ("A-Number 3", Field.A_NUMBER_3),
        ("Full_Name", Field.FULL_NAME),
        ("Apellidos y nombres", Field.FULL_NAME),
        ("First Name(s)", Field.GIVEN_NAME),
        ("Apellido Paterno", Field.FAMILY_NAME),
        ("Segundo apellido", Field.SECOND_FAMILY_NAME),
        ("Name (native script)", Field.NATIVE_NAME),
        ("DOB (MM/DD/YYYY)", Field.BIRTH_DATE),
        ("Fecha de Nacimiento*", Field.BIRTH_DATE),
        ("Country of Citizenship", Field.NATIONALITY),
        ("País de nacimiento", Field.BIRTH_COUNTRY),
        ("Custody Status", Field.CUSTODY),
        ("Book-In Date", Field.BOOKED_IN_ON),
        ("Fecha de liberación", Field.RELEASED_ON),
        ("Departed Date", Field.REMOVED_ON),
        ("DETLOC", Field.FACILITY_CODE),
        ("Centro de detención", Field.FACILITY_NAME),
        ("Preferred Language", Field.LANGUAGE),
        ("Idioma 2", Field.SECOND_LANGUAGE),
        ("¿Sabe leer?", Field.READS),
        ("Needs interpreter", Field.INTERPRETER),
        ("Case Posture", Field.POSTURE),
        ("Section 1367", Field.PROTECTED),
        ("Teléfono celular", Field.PHONE),
        ("Phone 2", Field.PHONE_2),
        ("Phone 2 Safety", Field.PHONE_2_SAFETY),
        ("Phone (3)", Field.PHONE_3),
        ("OK to call?", Field.PHONE_SAFETY),
        ("Correo electrónico", Field.EMAIL),
        ("ZIP", Field.POSTAL_CODE),
        ("C/O", Field.CARE_OF),
        ("Date exposed", Field.EXPOSED_ON),
        ("Abogado", Field.ATTORNEY_NAME),
        ("G-28", Field.ATTORNEY_G28),
        ("EOIR-28 filed on", Field.ATTORNEY_EOIR28),
        ("Attorney's EOIR ID", Field.ATTORNEY_EOIR_ID),
        ("Bar No.", Field.ATTORNEY_BAR_NUMBER),
    ],
)
def test_a_header_is_known_by_its_exact_name_in_english_and_spanish(header: str, field: Field) -> None:
    assert field_of(header) == (field, Confidence.EXACT)


@pytest.mark.parametrize(
    ("header", "field"),
    [
        ("Detainee cell phone w/ area code", Field.PHONE),
        ("Attorney daytime phone", Field.ATTORNEY_PHONE),
        ("Detainee's current facility", Field.FACILITY_NAME),
        ("Número de teléfono de contacto", Field.PHONE),
    ],
)
def test_a_header_with_more_words_is_only_likely(header: str, field: Field) -> None:
    assert field_of(header) == (field, Confidence.LIKELY)


@pytest.mark.parametrize("header", ["", "Remarks", "List of all persons by name and a number of the phone", "Bed", "x"])
def test_what_is_no_known_name_has_no_meaning(header: str) -> None:
    assert field_of(header) == (None, Confidence.NONE)


def test_titles_and_people_count_fewer_known_names_than_a_header() -> None:
    assert count_known(["Name", "DOB", "A#", "Bed"]) == 3
    assert count_known(["Sol Ficticio", "1990-04-03", "A900000001", "4"]) == 0


def fields_of(*headers: str) -> list[Field | None]:
    return [column.field for column in recognise(headers).columns]


def test_a_repeated_column_is_the_next_of_its_kind() -> None:
    assert fields_of("Name", "Phone", "Phone", "Phone", "Phone", "DOB", "DOB") == [
        Field.FULL_NAME, Field.PHONE, Field.PHONE_2, Field.PHONE_3, None, Field.BIRTH_DATE, None,
    ]  # fmt: skip


def test_an_exact_name_comes_before_a_likely_one_to_its_left() -> None:
    assert fields_of("Phone of somebody near", "Phone") == [Field.PHONE_2, Field.PHONE]


@pytest.mark.parametrize(
    ("headers", "fields"),
    [
        (("Nombre", "A#"), [Field.FULL_NAME, Field.A_NUMBER]),
        (("Nombre", "Apellido"), [Field.GIVEN_NAME, Field.FAMILY_NAME]),
        (("Address", "City"), [Field.ADDRESS_LINE_1, Field.CITY]),
        (("Address", "Name"), [Field.ADDRESS, Field.FULL_NAME]),
        (("Estado", "Ciudad"), [Field.STATE, Field.CITY]),
        (("Estado", "Nombre"), [Field.CUSTODY, Field.FULL_NAME]),
    ],
)
def test_some_names_mean_something_else_beside_others(headers: tuple[str, ...], fields: list[Field]) -> None:
    assert fields_of(*headers) == fields


def test_a_roster_needs_a_name_and_an_identity() -> None:
    assert recognise(("Name", "A#")).missing == ()
    assert recognise(("Name", "DOB")).missing == ()
    assert recognise(("Name", "Phone")).missing == ((Field.A_NUMBER, Field.BIRTH_DATE),)
    assert Field.FAMILY_NAME in recognise(("A#", "DOB")).missing[0]
    assert recognise(("Name", "DOB")).advisable == (Field.A_NUMBER, Field.LANGUAGE, Field.CUSTODY)


def test_columns_about_attorneys_are_imported_like_the_others() -> None:
    mapping = recognise(("Name", "Attorney", "Attorney phone", "G-28", "Bed"))

    assert set(mapping.fields) == {Field.FULL_NAME, Field.ATTORNEY_NAME, Field.ATTORNEY_PHONE, Field.ATTORNEY_G28}
    assert [column.header for column in mapping.unmapped] == ["Bed"]


def test_a_chosen_meaning_is_taken_from_the_column_that_had_it() -> None:
    mapping = recognise(("Name", "DOB", "Bed")).choose(2, Field.FULL_NAME).choose(1, Field.IGNORED)

    assert [column.field for column in mapping.columns] == [None, Field.IGNORED, Field.FULL_NAME]
    assert mapping.columns[2].confidence is Confidence.CHOSEN
    assert mapping.unmapped == (mapping.columns[0],)


def test_a_mapping_survives_being_stored_as_json() -> None:
    mapping = recognise(("Name", "DOB", "Bed", "Attorney")).order_dates({1: DateOrder.DMY}).choose(2, Field.PHONE)

    assert ColumnMapping.from_json(json.loads(json.dumps(mapping.as_json()))) == mapping


@pytest.mark.parametrize(
    "stored",
    [
        {},
        {"columns": "all"},
        {"columns": [{"header": "Name", "field": "nom"}]},
        {"columns": [{"header": "Name", "field": "full_name"}, {"header": "Who", "field": "full_name"}]},
        {"columns": [{"header": "DOB", "field": "birth_date", "date_order": "up"}]},
    ],
)
def test_what_is_no_mapping_is_refused(stored: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"."):
        ColumnMapping.from_json(stored)


def test_a_remembered_mapping_fits_a_file_of_the_same_layout() -> None:
    first, second = ("A-Number", "Fecha de nacimiento"), ("a number ", "FECHA DE NACIMIENTO")

    assert fingerprint(first) == fingerprint(second)
    assert fingerprint(first) != fingerprint(second[::-1])
    assert recognise(first).for_headers(second).headers == second
    with pytest.raises(ValueError, match="other columns"):
        recognise(first).for_headers(("Name",))
