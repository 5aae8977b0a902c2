"""Rows of a CSV file, one at a time in constant memory."""

import csv
import io
import re
from collections.abc import Iterator
from typing import BinaryIO

from outreach.people.roster.columns import count_known
from outreach.people.roster.limits import Limits
from outreach.people.roster.problems import FileFault, RosterError

DELIMITERS = (",", ";", "\t", "|")
# Stands for "the file has one column": a character that no roster has, so that nothing is split.
NO_DELIMITER = "\x1f"
SAMPLE_ROWS = 60
SAMPLE_CHARACTERS = 200_000
_SEPARATOR_LINE = re.compile(r"\s*sep=(.)\s*", re.IGNORECASE)


class Lines:
    """The lines of a text file, with what has been read since the last whole record counted and limited."""

    def __init__(self, text: io.TextIOWrapper, limits: Limits) -> None:
        self._text = text
        self._limits = limits
        self._characters = 0
        self.record = 1

    def record_ends(self) -> None:
        self.record += 1
        self._characters = 0

    def __iter__(self) -> Iterator[str]:
        limit = self._limits.row_characters
        while line := self._text.readline(limit + 1):
            self._characters += len(line)
            if self._characters > limit:
                raise RosterError(FileFault.ROW_TOO_LONG, row=self.record, limit=limit)
            if "\x00" in line:
                raise RosterError(FileFault.BINARY, row=self.record)
            yield line


def records(stream: BinaryIO, encoding: str, delimiter: str, limits: Limits) -> Iterator[list[str] | None]:
    """Every record from the start of the file, empty ones too; None where the quotation marks do not match.

    A spreadsheet program shows record n in its row n. Raises RosterError when a quotation mark is never closed, or
    a record is larger than the limits allow.
    """
    stream.seek(0)
    text = io.TextIOWrapper(stream, encoding=encoding, errors="strict", newline="")
    try:
        if not _has_separator_line(text):
            text.seek(0)
        lines = Lines(text, limits)
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        while True:
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                # The csv module tells its failures apart by their text alone.
                if "unexpected end of data" in str(error):
                    raise RosterError(FileFault.QUOTE_NOT_CLOSED, row=lines.record) from None
                if "field larger" in str(error):
                    raise RosterError(FileFault.ROW_TOO_LONG, row=lines.record, limit=limits.row_characters) from None
                lines.record_ends()
                yield None
                continue
            except UnicodeError:
                raise RosterError(FileFault.MIXED_ENCODING, row=lines.record) from None
            if len(cells) > limits.columns and any(cells[limits.columns :]):
                raise RosterError(FileFault.TOO_MANY_COLUMNS, row=lines.record, limit=limits.columns)
            lines.record_ends()
            yield cells
    finally:
        # The file belongs to the caller, and a wrapper would close it when it is collected.
        text.detach()


def _has_separator_line(text: io.TextIOWrapper) -> bool:
    """Read past the line `sep=;` that some programs put first for Excel, which hides it and counts rows after it."""
    return _SEPARATOR_LINE.fullmatch(text.readline(20)) is not None


def find_delimiter(stream: BinaryIO, encoding: str) -> str:
    """The character between cells: what the file says in `sep=`, else what makes the best table of its first rows."""
    sample = _sample(stream, encoding)
    first, _, _ = sample.partition("\n")
    if named := _SEPARATOR_LINE.fullmatch(first):
        return named.group(1)
    return max((*DELIMITERS, NO_DELIMITER), key=lambda delimiter: _table_quality(sample, delimiter))


def _sample(stream: BinaryIO, encoding: str) -> str:
    stream.seek(0)
    text = io.TextIOWrapper(stream, encoding=encoding, errors="replace", newline="")
    try:
        return text.read(SAMPLE_CHARACTERS)
    finally:
        text.detach()


def _table_quality(sample: str, delimiter: str) -> tuple[int, float, int]:
    """How much the sample looks like a table when cut at this character: known column names, even rows, width."""
    rows: list[list[str]] = []
    try:
        for cells in csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter):
            if any(cell.strip() for cell in cells):
                rows.append(cells)
            if len(rows) == SAMPLE_ROWS:
                break
    except csv.Error:
        # A field beyond the csv module's own size: what was read so far has to do.
        pass
    if not rows:
        return (0, 0.0, 0)
    known, header = max(((count_known(cells), -at) for at, cells in enumerate(rows[:20])), default=(0, 0))
    body = rows[-header:] if known else rows
    widths = [len(cells) for cells in body]
    width = widths[0] if known else max(set(widths), key=widths.count)
    even = widths.count(width) / len(widths)
    if width == 1 and delimiter != NO_DELIMITER:
        even = 0.0
    # Rows of one cell are always even, which says nothing for the reading that cuts nowhere.
    if delimiter == NO_DELIMITER:
        even = min(even, 0.5)
    return (known, even, width)
