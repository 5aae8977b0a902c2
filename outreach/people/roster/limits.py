"""How large a roster may be, and what kinds of file are not one."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes above which a file is refused. Characters and bytes are counted, never taken from what the file says.

    `address_reuse` refuses nothing: an address given for more people is graded as crowded.
    """

    file_bytes: int = 300_000_000
    rows: int = 1_100_000
    columns: int = 200
    cell_characters: int = 2_000
    row_characters: int = 100_000
    # A sheet of 1,000,000 people unpacks to about 1 GB; CSV is the format for those.
    unpacked_bytes: int = 600_000_000
    # The shared texts of a workbook are the one part that is held in memory as a whole.
    shared_text_bytes: int = 32_000_000
    # Rosters pack 5 to 20 times; 100 leaves room for sheets of blank, formatted rows.
    unpack_ratio: int = 100
    address_reuse: int = 12


# What the first bytes of a file say about it, in the words of the error.
SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"%PDF", "a PDF document"),
    (b"\x1f\x8b", "a compressed file (gzip)"),
    (b"BZh", "a compressed file (bzip2)"),
    (b"\xfd7zXZ\x00", "a compressed file (xz)"),
    (b"(\xb5/\xfd", "a compressed file (zstd)"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!", "a RAR archive"),
    (b"\x89PNG", "an image (PNG)"),
    (b"\xff\xd8\xff", "an image (JPEG)"),
    (b"GIF8", "an image (GIF)"),
    (b"II*\x00", "an image (TIFF)"),
    (b"MM\x00*", "an image (TIFF)"),
    (b"SQLite format 3\x00", "a database (SQLite)"),
    (b"\x7fELF", "a program"),
    (b"MZ\x90", "a program"),
    (b"{\\rtf", "a word-processor document (RTF)"),
    (b"PAR1", "a data file (Parquet)"),
)
OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
ZIP = b"PK\x03\x04"
EMPTY_ZIP = b"PK\x05\x06"


def kind_by_signature(head: bytes) -> str | None:
    """What a file is by its first bytes, or None when it may be text. Zip and old Office files are not told here."""
    for signature, kind in SIGNATURES:
        if head.startswith(signature):
            return kind
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:512].lower()
    if start.startswith((b"<!doctype html", b"<html", b"<table", b"<meta", b"<head")):
        return "a web page (HTML), perhaps with the name of a spreadsheet"
    if start.startswith(b"<?xml"):
        return "an XML file, perhaps with the name of a spreadsheet"
    if start.startswith((b"{", b"[{")):
        return "a JSON file"
    return None
