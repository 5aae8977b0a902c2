"""Opening rosters: what is read, how rows are numbered, and what each unreadable file is told."""

import csv
import gc
import gzip
import io
import tracemalloc
import zipfile
from collections.abc import Iterator
from typing import BinaryIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outreach.people.roster.limits import Limits
from outreach.people.roster.problems import FILE_TEXTS, TEXTS, Fault, FileFault, FileRemark, RosterError
from outreach.people.roster.reading import Roster, RosterRow, open_roster

HEADERS = ["A-Number", "Name", "Date of Birth", "Address"]
PEOPLE = [
    ["A900-000-001", "Ficticio Peña, María", "1990-04-03", "12 Sample Road; Apt 4\nSampleton, TX 78701"],
    ["A900-000-002", 'José "Pepe" Ejemplo', "1985-12-30", "a | b\tc"],
]


def as_csv(rows: list[list[str]], delimiter: str = ",", line_end: str = "\r\n") -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator=line_end, quoting=csv.QUOTE_ALL).writerows(rows)
    return text.getvalue()


def opened(content: bytes | str, limits: Limits | None = None, sheet: str | None = None) -> Roster:
    data = content.encode() if isinstance(content, str) else content
    return open_roster(io.BytesIO(data), limits=limits, sheet=sheet)


def refusal(content: bytes | str, limits: Limits | None = None) -> RosterError:
    """The error that opening the file, or reading it to its end, must raise."""
    with pytest.raises(RosterError) as caught:
        list(opened(content, limits).rows())
    return caught.value


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
@pytest.mark.parametrize("line_end", ["\r\n", "\n", "\r"])
def test_every_usual_encoding_delimiter_and_line_end_is_found(delimiter: str, encoding: str, line_end: str) -> None:
    roster = opened(as_csv([HEADERS, *PEOPLE], delimiter, line_end).encode(encoding))

    assert roster.headers == tuple(HEADERS)
    assert roster.delimiter == delimiter
    assert [list(row.cells) for row in roster.rows()] == PEOPLE


@pytest.mark.parametrize("mark", [b"\xff\xfe", b"\xfe\xff"])
def test_a_utf16_file_without_western_letters_is_known_by_its_mark(mark: bytes) -> None:
    encoding = "utf-16-le" if mark == b"\xff\xfe" else "utf-16-be"
    roster = opened(mark + "姓名;出生日期\n晨星;1990-04-03\n".encode(encoding))

    assert [row.cells for row in roster.rows()] == [("晨星", "1990-04-03")]


def test_reading_as_windows_1252_is_said_since_accents_may_be_wrong() -> None:
    assert [remark.code for remark in opened("Name\nPeña\n".encode("cp1252")).remarks] == [FileRemark.READ_AS_WINDOWS_1252]
    assert not opened("Name\nPeña\n").remarks


def test_a_file_of_one_column_needs_no_delimiter() -> None:
    roster = opened('Name\n"Ficticio, María"\nEjemplo; Juan\n')

    assert roster.delimiter is None
    assert [row.cells for row in roster.rows()] == [("Ficticio, María",), ("Ejemplo; Juan",)]


def test_the_line_sep_names_the_delimiter_and_counts_as_no_row() -> None:
    roster = opened("sep=|\r\nName|DOB\r\nSol, Mar; Ámbar|1990-04-03\r\n")

    assert roster.delimiter == "|"
    assert [(row.number, row.cells) for row in roster.rows()] == [(2, ("Sol, Mar; Ámbar", "1990-04-03"))]


def test_rows_have_the_numbers_of_the_spreadsheet_program() -> None:
    """A cell of two lines is one row, and an empty row is counted though it is not read."""
    roster = opened('People of the list\n\nName,Note\nSol,"two\nlines"\n,\n\nMar,\n')

    assert roster.header_row == 3
    assert [row.number for row in roster.rows()] == [4, 7]


def test_titles_above_the_header_are_not_taken_for_it() -> None:
    roster = opened("Exposed persons, as of 28 November 2022\nprepared by: records\n\nNombre,Apellido,A#\nSol,Muestra,1\n")

    assert roster.headers == ("Nombre", "Apellido", "A#")


def test_headers_become_different_from_each_other_and_never_empty() -> None:
    roster = opened("Name,Phone,Phone,,\nSol,1,2,x,\n")

    assert roster.headers == ("Name", "Phone", "Phone (2)", "Column D")
    assert [row.cells for row in roster.rows()] == [("Sol", "1", "2", "x")]


def test_unknown_column_names_are_accepted_with_a_remark() -> None:
    roster = opened("vorname\u00a0x,geburt x\nSol,1990\n")

    assert [remark.code for remark in roster.remarks] == [FileRemark.HEADERS_NOT_KNOWN]


@pytest.mark.parametrize(
    ("line", "code", "found"),
    [("Sol,1990-04-03,extra", Fault.TOO_MANY_CELLS, 3), ("Sol", Fault.TOO_FEW_CELLS, 1)],
)
def test_a_ragged_row_is_a_problem_of_that_row_alone(line: str, code: Fault, found: int) -> None:
    rows = list(opened(f"Name,DOB\nMar,1991-01-02\n{line}\nLuz,1992-01-02\n").rows())

    assert [row.problem and row.problem.code for row in rows] == [None, code, None]
    assert rows[1].number == 3
    assert rows[1].problem
    assert rows[1].problem.details == {"found": found, "expected": 2}


def test_blank_cells_beyond_the_header_are_no_problem() -> None:
    assert [row.problem for row in opened("Name,DOB,,,\nSol,1990-04-03,,,\nMar,1991-04-03,,,,,,\n").rows()] == [None, None]


def test_a_row_with_broken_quotes_is_a_problem_of_that_row_alone() -> None:
    rows = list(opened('Name,DOB\nSol,1990-04-03\n"Mar "la" Luz",1991-04-03\nLuz,1992-04-03\n').rows())

    assert [row.problem and row.problem.code for row in rows] == [None, Fault.BROKEN_QUOTES, None]
    assert rows[2].cells == ("Luz", "1992-04-03")


def test_a_quote_that_is_never_closed_names_the_row_in_which_it_opens() -> None:
    error = refusal('Name,DOB\nSol,1990-04-03\n"Mar,1991-04-03\nLuz,1992-04-03\n')

    assert error.code is FileFault.QUOTE_NOT_CLOSED
    assert error.row == 3


def test_a_row_with_broken_quotes_counts_as_one_row() -> None:
    error = refusal('Name,DOB\n"Sol" x,1990-04-03\nMar,1991-04-03\n"Luz,1992-04-03\n')

    assert error.row == 4


def test_a_table_with_unknown_names_and_a_ragged_row_is_still_cut_at_its_delimiter() -> None:
    assert opened("vorname x;geburt x\nSol;1990\nMar;1991;2\nLuz;1992\n").delimiter == ";"


def xlsx_parts(**parts: bytes) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return data.getvalue()


def zipped(*names: str, mimetype: bytes = b"") -> bytes:
    return xlsx_parts(**{name: mimetype if name == "mimetype" else b"x" for name in names})


@pytest.mark.parametrize(
    ("content", "code", "word"),
    [
        (b"", FileFault.EMPTY, "empty"),
        (b"\n\r\n  \n", FileFault.EMPTY, "empty"),
        (b"\xef\xbb\xbf", FileFault.EMPTY, "empty"),
        (b"Name,DOB\n", FileFault.NO_ROWS, "row 1"),
        (b"Name,DOB\n,\n\n", FileFault.NO_ROWS, "row 1"),
        (b"900000001,1990-04-03\n900000002,1990-04-04\n", FileFault.NO_HEADER, "column names"),
        (b"Name,DOB\nSol,19\x0090\n", FileFault.BINARY, "row 2"),
        ("Name,DOB\nSol,19\x0090\n".encode("utf-16"), FileFault.BINARY, "row 2"),
        (b"\x00\x01\x02\x03" * 100, FileFault.BINARY, "not a text file"),
        ("Name\nSol\n".encode("utf-32"), FileFault.UNKNOWN_ENCODING, "CSV UTF-8"),
        (b"Name\nPe\x81a\n", FileFault.UNKNOWN_ENCODING, "CSV UTF-8"),
        ("Name\nPeña\nRocío\nÁmbar\n".encode() + "Íñigo\n".encode("cp1252"), FileFault.MIXED_ENCODING, "line 5"),
        (b"\xef\xbb\xbfName\nPe\xf1a\n", FileFault.MIXED_ENCODING, "line 2"),
        ("Name\nSol\n".encode("utf-16") + b"\x00", FileFault.MIXED_ENCODING, "UTF-8"),
        (b"%PDF-1.7\n", FileFault.WRONG_KIND, "PDF"),
        (gzip.compress(b"Name\nSol\n", mtime=0), FileFault.WRONG_KIND, "gzip"),
        (b"7z\xbc\xaf\x27\x1c\x00\x04", FileFault.WRONG_KIND, "7-Zip"),
        (b"Rar!\x1a\x07", FileFault.WRONG_KIND, "RAR"),
        (b"\x89PNG\r\n\x1a\n", FileFault.WRONG_KIND, "image"),
        (b"<html><table><tr><td>Name</td></tr></table>", FileFault.WRONG_KIND, "HTML"),
        (b"<?xml version='1.0'?><Workbook/>", FileFault.WRONG_KIND, "XML"),
        (b'[{"name": "Sol"}]', FileFault.WRONG_KIND, "JSON"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), FileFault.PROTECTED, "password"),
        (zipped("a.csv"), FileFault.WRONG_KIND, "a zip archive"),
        (zipped("mimetype", mimetype=b"application/vnd.oasis.opendocument.spreadsheet"), FileFault.WRONG_KIND, ".ods"),
        (zipped("word/document.xml"), FileFault.WRONG_KIND, ".docx"),
        (zipped("xl/workbook.bin"), FileFault.WRONG_KIND, ".xlsb"),
        (zipped("Index/Document.iwa"), FileFault.WRONG_KIND, "Numbers"),
        (b"PK\x05\x06" + bytes(18), FileFault.WRONG_KIND, "zip archive"),
        (b"PK\x03\x04 and then nothing", FileFault.DAMAGED, "damaged"),
        (zipped("[Content_Types].xml", "xl/workbook.xml"), FileFault.DAMAGED, "damaged"),
    ],
)
def test_what_is_no_roster_is_told_what_it_is_and_how_to_mend_it(content: bytes, code: FileFault, word: str) -> None:
    error = refusal(content)

    assert error.code is code
    assert word in str(error)


@pytest.mark.parametrize(
    ("content", "limits", "code", "figure"),
    [
        ("Name\n" + "Sol\n" * 50, Limits(file_bytes=100), FileFault.FILE_TOO_LARGE, "100"),
        ("Name\n" + "Sol\n" * 50, Limits(rows=10), FileFault.TOO_MANY_ROWS, "10"),
        ("Name," * 30 + "\n" + "Sol," * 30 + "\n", Limits(columns=20), FileFault.TOO_MANY_COLUMNS, "20"),
        ("Name\nSol\n" + "x" * 500 + "\n", Limits(row_characters=100), FileFault.ROW_TOO_LONG, "Row 3"),
        ('Name\nSol\n"Mar\n' + "Luz\n" * 100, Limits(row_characters=100), FileFault.ROW_TOO_LONG, "quotation mark"),
    ],
)
def test_each_limit_is_named_with_its_figure(content: str, limits: Limits, code: FileFault, figure: str) -> None:
    error = refusal(content, limits)

    assert error.code is code
    assert figure in str(error)


class Endless(io.RawIOBase):
    """A file of any size that is made while it is read, so that a test of its limits needs no disk."""

    def __init__(self, head: bytes, body: bytes, size: int) -> None:
        self.head, self.body, self.size, self.at = head, body, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self.at = offset if whence == 0 else self.size + offset
        return self.at

    def tell(self) -> int:
        return self.at

    def read(self, size: int = -1) -> bytes:
        end = self.size if size < 0 else min(self.size, self.at + size)
        made = self.head[self.at : end]
        start = self.at + len(made)
        if start < end:
            offset = (start - len(self.head)) % len(self.body)
            made += (self.body * ((end - start) // len(self.body) + 2))[offset : offset + end - start]
        self.at = end
        return made

    def read1(self, size: int = -1) -> bytes:
        return self.read(size if size >= 0 else 65_536)


@pytest.mark.parametrize(
    ("opening", "body", "code"),
    [
        (b"", b"x", FileFault.ROW_TOO_LONG),  # one line of 40 MB
        (b"", b",", FileFault.ROW_TOO_LONG),  # forty million columns
        (b'"', b"a\n", FileFault.ROW_TOO_LONG),  # a quotation mark that swallows the rest
        (b"", b"\n", FileFault.TOO_MANY_ROWS),
    ],
)
def test_a_bomb_of_text_is_refused_in_little_memory(opening: bytes, body: bytes, code: FileFault) -> None:
    stream: BinaryIO = Endless(b"Name,DOB\nSol,1990-04-03\n" + opening, body, 40_000_000)  # type: ignore[assignment]  # all that is used of it
    tracemalloc.start()
    try:
        with pytest.raises(RosterError) as caught:
            list(open_roster(stream, limits=Limits(rows=100_000)).rows())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert caught.value.code is code
    assert peak < 20_000_000


def test_a_hundred_thousand_rows_need_no_more_memory_than_a_fifth_of_them() -> None:
    row = b"A900-000-001,Ficticio Muestra,1990-04-03,(202) 555-0100,12 Sample Road\n"

    def peak_of(rows: int) -> int:
        head = b"A-Number,Name,Date of Birth,Phone,Address\n"
        stream: BinaryIO = Endless(head, row, len(head) + rows * len(row))  # type: ignore[assignment]  # all that is used of it
        tracemalloc.start()
        try:
            assert sum(1 for _ in open_roster(stream).rows()) == rows
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak_of(100)  # what is loaded once and kept, such as the names of columns
    assert peak_of(100_000) < 1.2 * peak_of(20_000)


def test_a_roster_can_be_read_twice_and_shows_how_far_it_is() -> None:
    roster = opened("Name,DOB\n" + "Sol,1990-04-03\n" * 5_000)

    seen: list[float] = []

    def watched() -> Iterator[RosterRow]:
        for row in roster.rows():
            seen.append(roster.fraction_read)
            yield row

    assert sum(1 for _ in watched()) == 5_000
    assert seen == sorted(seen)
    assert 0 < seen[2_500] < 1
    assert roster.fraction_read == 1.0
    assert sum(1 for _ in roster.rows()) == 5_000


def test_reading_leaves_the_file_open_for_its_owner() -> None:
    stream = io.BytesIO(b"Name\nSol\nMar\n")
    assert next(open_roster(stream).rows()).cells == ("Sol",)
    gc.collect()

    assert not stream.closed


def test_the_digest_is_of_the_bytes() -> None:
    assert opened("Name\nSol\n").digest == opened("Name\nSol\n").digest
    assert opened("Name\nSol\n").digest != opened("Name\nSol\n".encode("utf-16")).digest


def test_every_fault_has_a_text_and_no_text_quotes_a_cell() -> None:
    assert set(FILE_TEXTS) == set(FileFault)
    assert set(TEXTS) == {*Fault, *FileRemark}
    for text in (*FILE_TEXTS.values(), *TEXTS.values()):
        assert "{value}" not in text
        assert "{cell}" not in text


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=400),
        st.binary(max_size=200).map(lambda data: b"PK\x03\x04" + data),
        st.binary(max_size=200).map(lambda data: b"Name,DOB\n" + data),
        st.text(max_size=200).map(lambda text: ("Name;DOB\n" + text).encode("utf-16", "surrogatepass")),
        st.text(alphabet='",;\n\r\t|ab', max_size=200).map(str.encode),
    )
)
def test_any_bytes_are_read_or_refused_with_a_sentence(data: bytes) -> None:
    try:
        assert all(row.problem or row.cells for row in opened(data).rows())
    except RosterError as error:
        sentence = str(error)
    else:
        return
    assert sentence.endswith(".")
