"""Workbooks: values become the text a person would type, and what is hidden or dangerous is said or refused."""

import io
import re
import zipfile
from collections.abc import Callable, Sequence
from datetime import date, datetime

import openpyxl
import pytest
from openpyxl.workbook import Workbook
from openpyxl.xml.constants import SHARED_STRINGS, SHEET_MAIN_NS

from outreach.people.roster.limits import Limits
from outreach.people.roster.problems import FileFault, FileRemark, RosterError
from outreach.people.roster.reading import FileKind, Roster, open_roster

Cells = Sequence[object]


def workbook_of(*rows: Cells, change: Callable[[Workbook], None] | None = None) -> bytes:
    workbook = openpyxl.Workbook()
    sheet = workbook.active
    assert sheet is not None
    for row in rows:
        sheet.append(list(row))
    if change:
        change(workbook)
    data = io.BytesIO()
    workbook.save(data)
    return data.getvalue()


def opened(data: bytes, limits: Limits | None = None, sheet: str | None = None) -> Roster:
    return open_roster(io.BytesIO(data), limits=limits, sheet=sheet)


def cells_of(*rows: Cells) -> list[tuple[str, ...]]:
    return [row.cells for row in opened(workbook_of(["Name", "DOB", "Phone"], *rows)).rows()]


def rewritten(data: bytes, part: str, change: Callable[[bytes], bytes]) -> bytes:
    """The workbook with one part of its zip changed."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            content = old.read(name)
            new.writestr(name, change(content) if name == part else content)
    return out.getvalue()


Replacement = bytes | Callable[[re.Match[bytes]], bytes]


def sheet_changed(data: bytes, pattern: bytes, replacement: Replacement) -> bytes:
    def change(content: bytes) -> bytes:
        changed = re.sub(pattern, replacement, content)
        assert changed != content
        return changed

    return rewritten(data, "xl/worksheets/sheet1.xml", change)


def shared(data: bytes) -> bytes:
    """The workbook with its texts in a part of their own, as Excel writes them; openpyxl leaves them in the sheet."""
    texts: list[bytes] = []

    def moved(found: re.Match[bytes]) -> bytes:
        texts.append(found.group(2))
        return b'<c r="%s" t="s"><v>%d</v></c>' % (found.group(1), len(texts) - 1)

    data = sheet_changed(data, rb'<c r="(\w+)" t="inlineStr"><is><t>([^<]*)</t></is></c>', moved)
    part = b'<Override PartName="/xl/sharedStrings.xml" ContentType="%s"/></Types>' % SHARED_STRINGS.encode()
    data = rewritten(data, "[Content_Types].xml", lambda content: content.replace(b"</Types>", part))
    items = b"".join(b"<si><t>%s</t></si>" % text for text in texts)
    out = io.BytesIO(data)
    with zipfile.ZipFile(out, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/sharedStrings.xml", b'<sst xmlns="%s">%s</sst>' % (SHEET_MAIN_NS.encode(), items))
    return out.getvalue()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("Sol", "Sol"),
        (12345678.0, "12345678"),
        (12025550101, "12025550101"),
        (1.5, "1.5"),
        (date(1990, 4, 3), "1990-04-03"),
        (datetime(1990, 4, 3), "1990-04-03"),  # noqa: DTZ001  # a workbook's dates have no time zone
        (datetime(1990, 4, 3, 13, 5), "1990-04-03 13:05"),  # noqa: DTZ001  # likewise
        (True, "yes"),
        ("00123", "00123"),
        (None, ""),
    ],
)
def test_each_kind_of_cell_becomes_the_text_a_person_would_type(value: object, text: str) -> None:
    assert cells_of(["first", value, "last"]) == [("first", text, "last")]


def test_a_text_that_looks_like_a_formula_stays_a_text() -> None:
    data = sheet_changed(workbook_of(["Name"], ["x"]), rb"<t>x</t>", b"<t>=HYPERLINK(1)</t>")

    assert [row.cells for row in opened(data).rows()] == [("=HYPERLINK(1)",)]


def test_shared_texts_as_excel_writes_them_are_read() -> None:
    assert [row.cells for row in opened(shared(workbook_of(["Name", "DOB"], ["Sol", "1990"]))).rows()] == [("Sol", "1990")]


def test_a_whole_number_stored_with_an_exponent_is_written_out() -> None:
    data = sheet_changed(workbook_of(["Name", "Phone"], ["Sol", 5]), rb"<v>5</v>", b"<v>1.2025550101E10</v>")

    assert [row.cells for row in opened(data).rows()] == [("Sol", "12025550101")]


def test_missing_cells_at_the_end_of_a_row_are_blank_and_rows_keep_their_numbers() -> None:
    roster = opened(workbook_of(["Title"], [], ["Name", "DOB", "Phone"], ["Sol"], [], ["Mar", None, "1"]))

    assert roster.kind is FileKind.XLSX
    assert roster.header_row == 3
    assert [(row.number, row.cells, row.problem) for row in roster.rows()] == [
        (4, ("Sol", "", ""), None),
        (6, ("Mar", "", "1"), None),
    ]


def test_the_first_visible_sheet_with_content_is_read_and_the_others_are_named() -> None:
    def change(workbook: Workbook) -> None:
        hidden = workbook.create_sheet("Secret", 0)
        hidden.append(["Name"])
        hidden.sheet_state = "hidden"
        workbook.create_sheet("Blank", 1)
        workbook.create_sheet("Codes").append(["Code"])

    data = workbook_of(["Name"], ["Sol"], change=change)
    roster = opened(data)

    assert roster.sheet == "Sheet"
    assert roster.sheets == ("Secret", "Blank", "Sheet", "Codes")
    assert {remark.code: remark.details for remark in roster.remarks} == {
        FileRemark.OTHER_SHEETS: {"sheet": "Sheet", "sheets": "Codes"},
        FileRemark.HIDDEN_SHEETS: {"sheets": "Secret"},
    }


def test_a_sheet_can_be_chosen_and_a_missing_one_is_told_the_names() -> None:
    data = workbook_of(["Name"], ["Sol"], change=lambda workbook: workbook.create_sheet("B").append(["A#", "Name"]))

    with pytest.raises(RosterError) as no_rows:
        opened(data, sheet="B")
    assert no_rows.value.code is FileFault.NO_ROWS
    with pytest.raises(RosterError, match="Sheet, B"):
        opened(data, sheet="C")


def test_hidden_columns_and_rows_are_said() -> None:
    def change(workbook: Workbook) -> None:
        sheet = workbook.worksheets[0]
        sheet.column_dimensions["B"].hidden = True
        sheet.row_dimensions[3].hidden = True

    remarks = opened(workbook_of(["Name", "DOB"], ["Sol", 1990], ["Mar", 1991], change=change)).remarks

    assert {remark.code: remark.details for remark in remarks} == {
        FileRemark.HIDDEN_COLUMNS: {"columns": "B"},
        FileRemark.HIDDEN_ROWS: {"found": 1},
    }


def test_the_saved_results_of_formulas_are_read() -> None:
    data = sheet_changed(workbook_of(["Name", "DOB"], ["Sol", "=1989+1"]), rb"<v ?/>|<v></v>", b"<v>1990</v>")
    roster = opened(data)

    assert [row.cells for row in roster.rows()] == [("Sol", "1990")]
    assert [remark.code for remark in roster.remarks] == [FileRemark.FORMULAS]


def test_formulas_saved_without_results_are_refused_and_not_read_as_blanks() -> None:
    with pytest.raises(RosterError) as caught:
        opened(workbook_of(["Name", "DOB"], ["Sol", "=1989+1"]))

    assert caught.value.code is FileFault.NO_VALUES


def test_a_wrong_size_of_the_sheet_hides_nothing() -> None:
    data = sheet_changed(workbook_of(["Name", "DOB"], ["Sol", "1990"]), rb'<dimension ref="[^"]+" ?/>', b'<dimension ref="A1"/>')

    assert [row.cells for row in opened(data).rows()] == [("Sol", "1990")]


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        (Limits(file_bytes=1_000), FileFault.FILE_TOO_LARGE),
        (Limits(unpacked_bytes=1_000), FileFault.UNPACKS_TOO_LARGE),
        (Limits(shared_text_bytes=100), FileFault.UNPACKS_TOO_LARGE),
        (Limits(rows=10), FileFault.TOO_MANY_ROWS),
        (Limits(columns=1), FileFault.TOO_MANY_COLUMNS),
        (Limits(row_characters=3), FileFault.ROW_TOO_LONG),
    ],
)
def test_each_limit_is_kept(limits: Limits, code: FileFault) -> None:
    data = shared(workbook_of(["Name", "DOB"], *([f"Sol {number}", "1990"] for number in range(50))))

    with pytest.raises(RosterError) as caught:
        list(opened(data, limits).rows())

    assert caught.value.code is code


def test_a_zip_bomb_is_refused_before_it_is_unpacked() -> None:
    data = sheet_changed(workbook_of(["Name"], ["Sol"]), rb"</sheetData>", b" " * 30_000_000 + b"</sheetData>")

    with pytest.raises(RosterError) as caught:
        opened(data)

    assert caught.value.code is FileFault.PACKED_TOO_TIGHTLY


def test_an_entity_bomb_is_refused() -> None:
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    data = sheet_changed(workbook_of(["Name"], ["Sol"]), rb"<worksheet", bomb + b"<worksheet")

    with pytest.raises(RosterError) as caught:
        list(opened(data).rows())

    assert caught.value.code is FileFault.DAMAGED


def test_a_row_far_down_the_sheet_is_a_limit_and_no_endless_loop() -> None:
    data = sheet_changed(workbook_of(["Name"], ["Sol"], ["Mar"]), rb'<row r="3"([^>]*)>', rb'<row r="999999999"\1>')
    data = sheet_changed(data, rb'r="A3"', b'r="A999999999"')

    with pytest.raises(RosterError) as caught:
        list(opened(data, Limits(rows=5_000)).rows())

    assert caught.value.code is FileFault.TOO_MANY_ROWS


def test_a_truncated_workbook_is_damaged() -> None:
    data = workbook_of(["Name"], *(["Sol"] for _ in range(500)))

    with pytest.raises(RosterError) as caught:
        opened(data[: len(data) // 2])

    assert caught.value.code is FileFault.DAMAGED


def test_a_workbook_with_damaged_rows_is_refused_when_they_are_reached() -> None:
    data = sheet_changed(workbook_of(["Name"], ["Sol"], ["Mar"]), rb'<row r="3"', b'<row r="three"')

    with pytest.raises(RosterError) as caught:
        list(opened(data).rows())

    assert caught.value.code is FileFault.DAMAGED
