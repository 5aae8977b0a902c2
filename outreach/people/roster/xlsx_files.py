"""Rows of an Excel workbook, read in pieces with openpyxl's read-only mode.

A workbook is a zip of XML written by a stranger: sizes are limited before anything is unpacked, entities are refused
(openpyxl parses with defusedxml when it is installed, as it is here), and every cell becomes plain text, so the rest of
the import cannot tell it from CSV. A true date becomes YYYY-MM-DD, which nobody can read in two ways.
"""

import re
import warnings
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import BinaryIO

import openpyxl
from openpyxl.utils import get_column_letter
from openpyxl.workbook import Workbook
from openpyxl.worksheet.worksheet import Worksheet
from openpyxl.xml import DEFUSEDXML

from outreach.people.roster.limits import Limits
from outreach.people.roster.problems import FileFault, FileRemark, Problem, RosterError

if not DEFUSEDXML:
    raise ImportError("defusedxml must be installed: without it a workbook's XML entities would be expanded")

# Parts that openpyxl holds in memory as a tree; a workbook with thousands of cell styles stays under 4 MB.
_PART_BYTES = 8_000_000
_PARTS = 5_000
_RATIO_MATTERS_FROM = 20_000_000
_PIECE = 1 << 20
_FORMULA = re.compile(rb"<f[ />]")
# A formula of type "str" may well have an empty text as its result.
_FORMULA_WITHOUT_VALUE = re.compile(
    rb"<c\b(?![^>]*\bt=\"str\")[^>]*>\s*<f(?:\s[^>]*)?(?:/>|>[^<]*</f>)\s*(?:<v\s*/>|<v>\s*</v>)?\s*</c>"
)
_ROW = re.compile(rb"<row[ >]")
_HIDDEN_ROW = re.compile(rb"<row\s[^>]*\bhidden=\"(?:1|true)\"")
_COLUMN = re.compile(rb"<col\s[^>]*>")
_ATTRIBUTE = re.compile(rb"\b(min|max|hidden)=\"([^\"]*)\"")


@dataclass(frozen=True, slots=True)
class Sheet:
    """The sheet that is read. `rows` counts the rows that the file stores; blank ones between them may be left out."""

    name: str
    names: tuple[str, ...]
    rows: int
    remarks: tuple[Problem, ...]


def check_zip(stream: BinaryIO, limits: Limits) -> None:
    """Refuse what is no workbook, or unpacks to more than the limits. Entries never yield more than they declare."""
    size = stream.seek(0, 2)
    if size > limits.file_bytes:
        raise RosterError(FileFault.FILE_TOO_LARGE, size=size, limit=limits.file_bytes)
    entries, kind = _contents(stream)
    if kind is not None:
        raise RosterError(FileFault.WRONG_KIND, kind=kind)
    unpacked = sum(entry.file_size for entry in entries)
    if unpacked > limits.unpacked_bytes:
        raise RosterError(FileFault.UNPACKS_TOO_LARGE, size=unpacked, limit=limits.unpacked_bytes)
    if unpacked > max(limits.unpack_ratio * size, _RATIO_MATTERS_FROM):
        raise RosterError(FileFault.PACKED_TOO_TIGHTLY, limit=limits.unpack_ratio)
    if len(entries) > _PARTS:
        raise RosterError(FileFault.DAMAGED)
    for entry in entries:
        if entry.filename.startswith(("xl/worksheets/", "xl/media/")):
            continue
        limit = limits.shared_text_bytes if entry.filename.endswith("/sharedStrings.xml") else _PART_BYTES
        if entry.file_size > limit:
            raise RosterError(FileFault.UNPACKS_TOO_LARGE, size=entry.file_size, limit=limit)


def _contents(stream: BinaryIO) -> tuple[list[zipfile.ZipInfo], str | None]:
    """The parts of the zip, and what it is when it is no workbook."""
    stream.seek(0)
    try:
        with zipfile.ZipFile(stream) as archive:
            return archive.infolist(), _kind_of_zip(archive)
    except Exception:  # noqa: BLE001  # a damaged zip makes zipfile and zlib raise almost anything
        raise RosterError(FileFault.DAMAGED) from None


def _kind_of_zip(archive: zipfile.ZipFile) -> str | None:
    names = set(archive.namelist())
    if any(entry.flag_bits & 1 for entry in archive.infolist()):
        return "a zip archive with a password"
    if {"[Content_Types].xml", "xl/workbook.xml"} <= names:
        return None
    mimetype = b""
    if "mimetype" in names:
        with archive.open("mimetype") as part:
            mimetype = part.read(200)
    signs = (
        (b"opendocument.spreadsheet" in mimetype, "an OpenDocument spreadsheet (.ods)"),
        (b"opendocument" in mimetype, "an OpenDocument file"),
        ("xl/workbook.bin" in names, "a binary Excel workbook (.xlsb)"),
        ("word/document.xml" in names, "a word-processor document (.docx)"),
        ("ppt/presentation.xml" in names, "a presentation (.pptx)"),
        (any(name.endswith(".iwa") for name in names), "an Apple Numbers file"),
    )
    return next((kind for is_it, kind in signs if is_it), "a zip archive")


def open_workbook(stream: BinaryIO) -> Workbook:
    """Open a workbook whose zip was checked. Raises RosterError when it is damaged."""
    stream.seek(0)
    try:
        with warnings.catch_warnings():
            # openpyxl warns of features it leaves out, such as drop-down lists, which do not matter here.
            warnings.simplefilter("ignore")
            return openpyxl.load_workbook(stream, read_only=True, data_only=True, keep_links=False)
    except Exception:  # noqa: BLE001  # a damaged workbook makes openpyxl raise almost anything
        raise RosterError(FileFault.DAMAGED) from None


def choose_sheet(stream: BinaryIO, workbook: Workbook, limits: Limits, wanted: str | None = None) -> Sheet:
    """The sheet of that name, else the first visible one with content, and remarks on what staff may overlook."""
    sheets = {sheet.title: sheet for sheet in workbook.worksheets}
    if wanted is not None and wanted not in sheets:
        raise RosterError(FileFault.NO_SUCH_SHEET, sheets=", ".join(sheets))
    hidden = [name for name, sheet in sheets.items() if sheet.sheet_state != "visible"]
    filled = [name for name, sheet in sheets.items() if _has_content(sheet, limits)]
    name = wanted or next((name for name in filled if name not in hidden), None) or next(iter(filled), None)
    if name is None or (wanted and wanted not in filled):
        if any(_scan(stream, sheet).formulas for sheet in sheets.values()):
            raise RosterError(FileFault.NO_VALUES)
        raise RosterError(FileFault.EMPTY)
    scan = _scan(stream, sheets[name])
    if scan.formulas_without_value and scan.formulas_without_value == scan.formulas:
        raise RosterError(FileFault.NO_VALUES)
    remarks = []
    others = [other for other in filled if other != name and other not in hidden]
    if others:
        remarks.append(Problem(FileRemark.OTHER_SHEETS, details={"sheet": name, "sheets": ", ".join(others)}))
    if hidden:
        remarks.append(Problem(FileRemark.HIDDEN_SHEETS, details={"sheets": ", ".join(hidden)}))
    if scan.hidden_columns:
        remarks.append(Problem(FileRemark.HIDDEN_COLUMNS, details={"columns": ", ".join(scan.hidden_columns)}))
    if scan.hidden_rows:
        remarks.append(Problem(FileRemark.HIDDEN_ROWS, details={"found": scan.hidden_rows}))
    if scan.formulas:
        remarks.append(Problem(FileRemark.FORMULAS))
    return Sheet(name=name, names=tuple(sheets), rows=scan.rows, remarks=tuple(remarks))


def _has_content(sheet: Worksheet, limits: Limits) -> bool:
    return any(any(cells) for _, cells in zip(range(1_000), records(sheet, limits), strict=False))


@dataclass(slots=True)
class _Scan:
    rows: int = 0
    hidden_rows: int = 0
    hidden_columns: tuple[str, ...] = ()
    formulas: int = 0
    formulas_without_value: int = 0


def _scan(stream: BinaryIO, sheet: Worksheet) -> _Scan:
    """Count in the sheet's XML what openpyxl's read-only mode does not tell."""
    found = _Scan()
    try:
        with zipfile.ZipFile(stream) as archive, archive.open(_path(sheet)) as part:
            rest = b""
            while piece := part.read(_PIECE):
                text = rest + piece
                # Cut after the last whole cell, so that nothing is counted twice or missed between pieces.
                cut = text.rfind(b"</c>") + 4
                if cut < 4 or len(text) - cut > _PIECE:
                    cut = len(text)
                _count(found, text[:cut])
                rest = text[cut:]
            _count(found, rest)
    except Exception:  # noqa: BLE001  # a damaged zip makes zipfile and zlib raise almost anything
        raise RosterError(FileFault.DAMAGED) from None
    return found


def _path(sheet: Worksheet) -> str:
    path: str = sheet._worksheet_path  # type: ignore[attr-defined]  # noqa: SLF001  # openpyxl names it nowhere else
    return path.removeprefix("/")


def _count(found: _Scan, text: bytes) -> None:
    found.rows += len(_ROW.findall(text))
    found.hidden_rows += len(_HIDDEN_ROW.findall(text))
    formulas = len(_FORMULA.findall(text))
    if formulas:
        found.formulas += formulas
        found.formulas_without_value += len(_FORMULA_WITHOUT_VALUE.findall(text))
    hidden: list[str] = []
    for column in _COLUMN.findall(text):
        attributes = dict(_ATTRIBUTE.findall(column))
        if attributes.get(b"hidden") in (b"1", b"true"):
            first, last = int(attributes.get(b"min", b"1")), int(attributes.get(b"max", b"1"))
            # Excel hides "all columns to the right of the table" as one range up to its last column.
            hidden.extend(get_column_letter(at) for at in range(first, min(last, first + 20, 702) + 1))
    if hidden:
        found.hidden_columns = (*found.hidden_columns, *hidden)


def records(sheet: Worksheet, limits: Limits) -> Iterator[list[str]]:
    """Every row of the sheet as text, empty ones too, so that record n is the sheet's row n. Raises RosterError."""
    # Some programs write a wrong size of the sheet, which would hide rows or columns.
    sheet.reset_dimensions()  # type: ignore[attr-defined]  # read-only sheets have it; the stubs type all sheets alike
    rows = iter(sheet.iter_rows(values_only=True))
    number = 0
    wide = 0
    while True:
        number += 1
        try:
            values = next(rows, None)
        except Exception:  # noqa: BLE001  # a damaged workbook makes openpyxl raise almost anything
            raise RosterError(FileFault.DAMAGED) from None
        if values is None:
            return
        if len(values) > limits.columns:
            # Blank formatted cells far to the right are common; a million rows of them are an attack on our time.
            wide += 1
            if wide > 10_000 or any(value is not None for value in values[limits.columns :]):
                raise RosterError(FileFault.TOO_MANY_COLUMNS, row=number, limit=limits.columns)
            values = values[: limits.columns]
        cells = [as_text(value) for value in values]
        if sum(map(len, cells)) > limits.row_characters:
            raise RosterError(FileFault.ROW_TOO_LONG, row=number, limit=limits.row_characters)
        yield cells


def as_text(value: object) -> str:
    """One cell as the text that a person would type for it. Whole numbers lose the `.0` that a workbook gives them."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(sep=" ", timespec="minutes")
    if isinstance(value, date | time | timedelta):
        return str(value)
    return str(value)
