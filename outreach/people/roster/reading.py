"""Open a roster: find out what kind of file it is, where its columns start, and give its rows one at a time."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import BinaryIO

from openpyxl.utils import get_column_letter

from outreach.people.roster import csv_files, encodings, xlsx_files
from outreach.people.roster.columns import count_known
from outreach.people.roster.limits import EMPTY_ZIP, OLD_OFFICE, ZIP, Limits, kind_by_signature
from outreach.people.roster.problems import Fault, FileFault, FileRemark, Problem, RosterError

HEADER_ROWS = 30
_LOOKS_LIKE_DATA = re.compile(r"[\d\s()+./:#-]*\d[\d\s()+./:#-]*|\S+@\S+\.\S+|[aA][\s#-]*\d{3}[\s-]*\d{3}[\s-]*\d{1,3}")


class FileKind(StrEnum):
    CSV = "csv"
    XLSX = "xlsx"


@dataclass(frozen=True, slots=True)
class RosterRow:
    """One row under the header. `number` is the row in the user's spreadsheet program.

    There are as many cells as headers, unless `problem` says that the row's shape is wrong; then the cells are what
    could be read of it.
    """

    number: int
    cells: tuple[str, ...]
    problem: Problem | None = None


Record = list[str] | None


@dataclass(slots=True)
class Roster:
    """An open roster. `rows` may be called again, for a dry run and then the import: it reads the file anew."""

    kind: FileKind
    headers: tuple[str, ...]
    header_row: int
    digest: str
    size: int
    remarks: tuple[Problem, ...]
    encoding: str | None
    delimiter: str | None
    sheet: str | None
    sheets: tuple[str, ...]
    limits: Limits
    fraction_read: float
    _records: Callable[[], Iterator[Record]]
    _progress: Callable[[int], float]

    def rows(self) -> Iterator[RosterRow]:
        """The rows with content, in order and in constant memory. `fraction_read` goes from 0 to 1 meanwhile.

        Raises RosterError at the row where the file turns out to be unreadable or larger than the limits.
        """
        self.fraction_read = 0.0
        width = len(self.headers)
        number = 0
        count = 0
        for number, record in enumerate(self._records(), 1):
            if number <= self.header_row:
                continue
            if number - self.header_row > self.limits.rows:
                raise RosterError(FileFault.TOO_MANY_ROWS, limit=self.limits.rows)
            if record is None:
                yield RosterRow(number, (), Problem(Fault.BROKEN_QUOTES))
                continue
            if not any(record) or not any(map(str.strip, record)):
                continue
            count += 1
            if not count % 500:
                self.fraction_read = min(1.0, self._progress(number))
            yield self._row(number, record, width)
        self.fraction_read = 1.0

    def _row(self, number: int, record: list[str], width: int) -> RosterRow:
        if len(record) > width and not any(record[width:]):
            del record[width:]
        if self.kind is FileKind.XLSX and len(record) < width:
            # A workbook stores no blank cells at the end of a row.
            record.extend([""] * (width - len(record)))
        problem = None
        if len(record) != width:
            code = Fault.TOO_FEW_CELLS if len(record) < width else Fault.TOO_MANY_CELLS
            problem = Problem(code, details={"found": len(record), "expected": width})
        return RosterRow(number, tuple(record), problem)


def open_roster(stream: BinaryIO, *, limits: Limits | None = None, sheet: str | None = None) -> Roster:
    """Open a CSV file or Excel workbook by its content, whatever its name says.

    The stream must be seekable and stays the caller's to close; `sheet` chooses a sheet of a workbook. Raises
    RosterError, whose text says what the file is instead or which limit it breaks, and how to mend it.
    """
    limits = limits or Limits()
    stream.seek(0)
    head = stream.read(4096)
    if not head:
        raise RosterError(FileFault.EMPTY)
    if head.startswith(OLD_OFFICE):
        raise RosterError(FileFault.PROTECTED)
    kind = kind_by_signature(head)
    if kind is not None:
        raise RosterError(FileFault.WRONG_KIND, kind=kind)
    if head.startswith((ZIP, EMPTY_ZIP)):
        return _open_workbook(stream, limits, sheet)
    return _open_text(stream, limits)


def _open_text(stream: BinaryIO, limits: Limits) -> Roster:
    text = encodings.look(stream, limits)
    delimiter = csv_files.find_delimiter(stream, text.encoding)

    def records() -> Iterator[Record]:
        return csv_files.records(stream, text.encoding, delimiter, limits)

    def progress(_: int) -> float:
        return stream.tell() / text.size

    header_row, headers, remarks = _find_header(records())
    if text.encoding == "cp1252":
        remarks = (Problem(FileRemark.READ_AS_WINDOWS_1252), *remarks)
    return Roster(
        kind=FileKind.CSV,
        headers=headers,
        header_row=header_row,
        digest=text.digest,
        size=text.size,
        remarks=remarks,
        encoding=text.encoding,
        delimiter=None if delimiter == csv_files.NO_DELIMITER else delimiter,
        sheet=None,
        sheets=(),
        limits=limits,
        fraction_read=0.0,
        _records=records,
        _progress=progress,
    )


def _open_workbook(stream: BinaryIO, limits: Limits, wanted: str | None) -> Roster:
    xlsx_files.check_zip(stream, limits)
    digest = sha256()
    size = 0
    for piece in encodings.pieces(stream, limits):
        digest.update(piece)
        size += len(piece)
    workbook = xlsx_files.open_workbook(stream)
    sheet = xlsx_files.choose_sheet(stream, workbook, limits, wanted)

    def records() -> Iterator[Record]:
        return xlsx_files.records(workbook[sheet.name], limits)

    def progress(number: int) -> float:
        return number / max(sheet.rows, 1)

    header_row, headers, remarks = _find_header(records())
    return Roster(
        kind=FileKind.XLSX,
        headers=headers,
        header_row=header_row,
        digest=digest.hexdigest(),
        size=size,
        remarks=(*sheet.remarks, *remarks),
        encoding=None,
        delimiter=None,
        sheet=sheet.name,
        sheets=sheet.names,
        limits=limits,
        fraction_read=0.0,
        _records=records,
        _progress=progress,
    )


def _find_header(records: Iterator[Record]) -> tuple[int, tuple[str, ...], tuple[Problem, ...]]:
    """The row of column names: of the first rows the one with the most names we know, else the first without data."""
    first: list[tuple[int, list[str]]] = []
    for number, record in enumerate(records, 1):
        if record is not None and any(cell.strip() for cell in record):
            first.append((number, record))
        # One row more than is searched, so that a header in the last place is seen to have people under it.
        if len(first) > HEADER_ROWS or number >= 1_000:
            break
    if not first:
        raise RosterError(FileFault.EMPTY)
    known, place = max((count_known(record), -at) for at, (_, record) in enumerate(first))
    at = -place
    remarks: tuple[Problem, ...] = ()
    if not known:
        width = max(len(_trimmed(record)) for _, record in first)
        names = (at for at, (_, record) in enumerate(first) if _may_be_names(record, width))
        at = next(names, -1)
        if at < 0:
            raise RosterError(FileFault.NO_HEADER, rows=HEADER_ROWS)
        remarks = (Problem(FileRemark.HEADERS_NOT_KNOWN),)
    number, record = first[at]
    if at + 1 == len(first):
        raise RosterError(FileFault.NO_ROWS, row=number)
    return number, _named(record, first[at + 1 :]), remarks


def _trimmed(record: Sequence[str]) -> list[str]:
    cells = [cell.strip() for cell in record]
    while cells and not cells[-1]:
        cells.pop()
    return cells


def _may_be_names(record: Sequence[str], width: int) -> bool:
    cells = [cell for cell in _trimmed(record) if cell]
    return len(cells) * 2 > width and not any(_LOOKS_LIKE_DATA.fullmatch(cell) for cell in cells)


def _named(record: Sequence[str], below: Sequence[tuple[int, list[str]]]) -> tuple[str, ...]:
    """The headers, each different from the others. A column without one is kept when there is something under it."""
    headers = _trimmed(record)
    filled = max((len(_trimmed(cells)) for _, cells in below), default=0)
    if len(record) > len(headers):
        headers += [""] * (min(filled, len(record)) - len(headers))
    names: list[str] = []
    for at, header in enumerate(headers):
        name = " ".join(header.split())[:100] or f"Column {get_column_letter(at + 1)}"
        copies = 1
        unique = name
        while unique in names:
            copies += 1
            unique = f"{name} ({copies})"
        names.append(unique)
    return tuple(names)
