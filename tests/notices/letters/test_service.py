"""The papers of handing letters over."""

import pytest

from outreach.notices.letters import samples
from outreach.notices.letters.service import ReceiptWords, RunSheet, compose_receipts, compose_run_sheet
from outreach.notices.letters.typesetting import MissingGlyphs, Typesetter
from tests.notices.letters.sheets import scanned, words


def test_the_run_sheet_has_everyone_once_with_a_line_to_sign(typesetter: Typesetter) -> None:
    sheet = samples.run_sheet("ar", count=40)
    pdf = compose_run_sheet(typesetter, sheet)
    text = " ".join(words(pdf.data, page) for page in range(pdf.pages))
    assert pdf.pages > 1
    for person in sheet.people:
        assert text.count(person.reference) == 1
    assert text.count("Signature, or R for") == pdf.pages
    assert "A000 000 001" in text.replace("\r\n", " ")
    assert sheet.sheet in scanned(pdf.data)


def test_a_run_sheet_without_a_numbers_has_no_column_for_them(typesetter: Typesetter) -> None:
    people = tuple(person for person in samples.run_sheet("ar").people if person.a_number is None)
    pdf = compose_run_sheet(typesetter, RunSheet("SHEET-1", "Sample Processing Center", samples.DAY, people))
    assert "A-number" not in words(pdf.data)


@pytest.mark.parametrize("language", samples.LANGUAGES)
def test_each_person_has_a_receipt_of_one_page_that_can_be_scanned(language: str, typesetter: Typesetter) -> None:
    sheet = samples.run_sheet(language, count=3)
    pdf = compose_receipts(typesetter, sheet, [samples.receipt_words(language), None, None])
    assert pdf.pages == 3
    for page, person in enumerate(sheet.people):
        text = words(pdf.data, page)
        assert person.name in text
        assert set(scanned(pdf.data, page)) == {person.return_code}
        for part in (
            "Signature of the person",
            "Right thumb print",
            "refused it",
            "Signature of the witness",
            "Interpreter",
            "Officer",
        ):
            assert part in text


def test_a_receipt_speaks_the_persons_language_where_it_was_given_words(typesetter: Typesetter) -> None:
    sheet = samples.run_sheet("es", count=2)
    pdf = compose_receipts(typesetter, sheet, [samples.receipt_words("es"), None])
    assert "Recibí una carta cerrada" in words(pdf.data, 0)
    assert "Recibí" not in words(pdf.data, 1)


def test_neither_paper_says_what_the_letters_are_about(typesetter: Typesetter) -> None:
    sheet = samples.run_sheet("es", count=1)
    text = words(compose_run_sheet(typesetter, sheet).data) + words(compose_receipts(typesetter, sheet, [None]).data)
    assert not [word for word in ("asylum", "breach", "data", "exposed", "incident", "notice") if word in text.lower()]


def test_a_name_or_a_sentence_that_cannot_be_printed_is_refused(typesetter: Typesetter) -> None:
    sheet = samples.run_sheet("es", count=1)
    with pytest.raises(MissingGlyphs, match="receipt 1, words"):
        compose_receipts(typesetter, sheet, [ReceiptWords("\U000130b8", "x", "x")])
    with pytest.raises(MissingGlyphs, match="run sheet"):
        compose_run_sheet(typesetter, RunSheet("S", "\U000130b8", samples.DAY, sheet.people))
