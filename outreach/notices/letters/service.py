"""The papers of handing letters over at a facility: a run sheet for the officer, and a receipt for each person to sign.

They name people, and so are kept and destroyed as the facility's own papers are. Neither says what the letters are about.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from outreach.notices.languages import get
from outreach.notices.letters import glyphs, qr
from outreach.notices.letters.pieces import split
from outreach.notices.letters.typesetting import Field, Pdf, Typesetter, as_pdf, english_date, require_glyphs, speech


@dataclass(frozen=True, slots=True)
class Served:
    """One person to be handed a letter. `a_number` only where the facility's rules ask for it; `language` is a code."""

    name: str
    language: str
    reference: str
    return_code: str
    a_number: str | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class RunSheet:
    """Everyone to be served at one facility on one day. `sheet` is the name under which it is filed."""

    sheet: str
    facility: str
    day: date
    people: tuple[Served, ...]
    instructions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReceiptWords:
    """What a receipt says in the person's own language, from approved texts."""

    received: str
    refused: str
    interpreted: str


def compose_run_sheet(typesetter: Typesetter, sheet: RunSheet) -> Pdf:
    """The officer's list, in English. Raises MissingGlyphs."""
    faces = glyphs.faces_of("en")
    texts = (sheet.sheet, sheet.facility, *sheet.instructions)
    fields = [(faces, "run sheet", text) for text in texts]
    require_glyphs([*fields, *(field for number, each in enumerate(sheet.people, 1) for field in _fields(each, number))])
    data = {
        "fonts": faces,
        "title": f"Run sheet {sheet.sheet}",
        "sheet": sheet.sheet,
        "sheet_qr": qr.draw(sheet.sheet),
        "facility": sheet.facility,
        "day": english_date(sheet.day),
        "instructions": sheet.instructions,
        "people": [_person(each) for each in sheet.people],
        "a_numbers": any(each.a_number for each in sheet.people),
    }
    return as_pdf(typesetter.compile("run_sheet.typ", data, standard="ua-1"))


def compose_receipts(typesetter: Typesetter, sheet: RunSheet, words: Sequence[ReceiptWords | None]) -> Pdf:
    """One page for each person of a sheet, in its order. `words` of each, None for English only. Raises MissingGlyphs."""
    faces = glyphs.faces_of("en")
    receipts = list(zip(sheet.people, words, strict=True))
    fields: list[Field] = [(faces, "receipt", text) for text in (sheet.sheet, sheet.facility)]
    for number, (person, said) in enumerate(receipts, 1):
        fields += _fields(person, number)
        own = glyphs.faces_of(person.language)
        fields += [(own, f"receipt {number}, words", text) for text in (_words(said) if said else ())]
    require_glyphs(fields)
    data = {
        "fonts": faces,
        "title": f"Receipts {sheet.sheet}",
        "sheet": sheet.sheet,
        "facility": sheet.facility,
        "day": english_date(sheet.day),
        "receipts": [
            {
                **_person(person),
                "number": number,
                "qr": qr.draw(person.return_code),
                "speech": speech(get(person.language)),
                "words": [split(text) for text in _words(said)] if said else None,
            }
            for number, (person, said) in enumerate(receipts, 1)
        ],
    }
    return as_pdf(typesetter.compile("receipts.typ", data, standard="ua-1"))


def _words(words: ReceiptWords) -> tuple[str, str, str]:
    return words.received, words.refused, words.interpreted


def _fields(person: Served, number: int) -> Iterator[Field]:
    faces = glyphs.faces_of("en")
    for name in ("name", "reference", "return_code", "a_number", "note"):
        yield faces, f"person {number}, {name.replace('_', ' ')}", getattr(person, name) or ""


def _person(person: Served) -> dict[str, Any]:
    language = get(person.language)
    return {
        "name": person.name,
        "language": language.english,
        "reference": person.reference,
        "code": person.return_code,
        "a_number": person.a_number,
        "note": person.note,
    }
