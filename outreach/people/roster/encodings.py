"""Which characters the bytes of a text file stand for: the whole file is looked at before any row is read."""

import codecs
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from outreach.people.roster.limits import Limits
from outreach.people.roster.problems import FileFault, RosterError

PIECE_BYTES = 1 << 17

# Bytes that no text in Windows-1252 has: those it leaves undefined, and controls other than tab, line ends, form feed
# and the end-of-file mark of old DOS programs.
_NOT_WINDOWS_1252 = bytes({0x81, 0x8D, 0x8F, 0x90, 0x9D, 0x7F} | (set(range(32)) - {0x09, 0x0A, 0x0C, 0x0D, 0x1A}))
_BINARY = re.compile("[\x00-\x06]")
_WINDOWS_1252 = bytes(set(range(256)) - set(_NOT_WINDOWS_1252))


@dataclass(frozen=True, slots=True)
class TextFile:
    """What the first pass over a file found. `digest` is the SHA-256 of its bytes in hexadecimal."""

    encoding: str
    digest: str
    size: int


def pieces(stream: BinaryIO, limits: Limits) -> Iterator[bytes]:
    """The bytes of the file from its start. Raises RosterError once there are more than the limit allows."""
    stream.seek(0)
    size = 0
    while piece := stream.read(PIECE_BYTES):
        size += len(piece)
        if size > limits.file_bytes:
            raise RosterError(FileFault.FILE_TOO_LARGE, size=size, limit=limits.file_bytes)
        yield piece


def look(stream: BinaryIO, limits: Limits) -> TextFile:
    """Find the encoding of a text file. Raises RosterError when none fits the whole of it."""
    digest = hashlib.sha256()
    size = 0
    head = b""
    utf8 = _Decodes("utf-8")
    nul = False
    foreign = False
    for piece in pieces(stream, limits):
        digest.update(piece)
        size += len(piece)
        head = head or piece[:4096]
        nul = nul or b"\x00" in piece
        foreign = foreign or bool(piece.translate(None, _WINDOWS_1252))
        utf8.feed(piece)
    utf8.feed(b"", final=True)
    if size == 0:
        raise RosterError(FileFault.EMPTY)

    encoding = _utf16(head)
    if encoding is not None:
        _check_utf16(stream, encoding, limits)
    elif nul:
        raise RosterError(FileFault.BINARY, row=_first_line_with_nul(stream, limits))
    elif utf8.valid:
        encoding = "utf-8-sig"
    else:
        line, is_mixed = _first_line_not_utf8(stream, limits)
        if is_mixed or head.startswith(codecs.BOM_UTF8):
            raise RosterError(FileFault.MIXED_ENCODING, row=line)
        if foreign:
            raise RosterError(FileFault.UNKNOWN_ENCODING)
        encoding = "cp1252"
    return TextFile(encoding=encoding, digest=digest.hexdigest(), size=size)


class _Decodes:
    """Whether everything fed so far is valid in an encoding."""

    def __init__(self, encoding: str) -> None:
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self.valid = True

    def feed(self, piece: bytes, *, final: bool = False) -> None:
        if self.valid:
            try:
                self._decoder.decode(piece, final)
            except UnicodeDecodeError:
                self.valid = False


def _utf16(head: bytes) -> str | None:
    """UTF-16 by its mark, or by NULs in every second byte, as Western letters, commas and digits have them."""
    if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        raise RosterError(FileFault.UNKNOWN_ENCODING)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    half = len(head) // 2
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if half and odd > half * 0.2 and even <= odd * 0.02:
        return "utf-16-le"
    if half and even > half * 0.2 and odd <= even * 0.02:
        return "utf-16-be"
    return None


def _check_utf16(stream: BinaryIO, encoding: str, limits: Limits) -> None:
    decoder = codecs.getincrementaldecoder(encoding)()
    line = 1
    try:
        for piece in pieces(stream, limits):
            text = decoder.decode(piece)
            # NUL and its neighbours: programs and pictures have them, and look like UTF-16 where NULs alternate.
            if binary := _BINARY.search(text):
                raise RosterError(FileFault.BINARY, row=line + text.count("\n", 0, binary.start()))
            line += text.count("\n")
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        raise RosterError(FileFault.MIXED_ENCODING, row=line) from None


def _first_line_with_nul(stream: BinaryIO, limits: Limits) -> int:
    line = 1
    for piece in pieces(stream, limits):
        at = piece.find(b"\x00")
        if at >= 0:
            return line + piece[:at].count(b"\n")
        line += piece.count(b"\n")
    return line


def _first_line_not_utf8(stream: BinaryIO, limits: Limits) -> tuple[int, bool]:
    """The first line that is not UTF-8, and whether other parts of the file plainly are.

    Two accented letters of Windows-1252 in a row may form a valid UTF-8 character by chance, so a few such
    characters beside many invalid bytes do not make a file mixed.
    """
    decoder = codecs.getincrementaldecoder("utf-8")(errors="surrogateescape")
    line, found, valid, invalid = 1, 0, 0, 0
    for piece in [*pieces(stream, limits), b""]:
        text = decoder.decode(piece, final=not piece)
        if not text.isascii():
            odd = text.translate(_NO_ASCII)
            escaped = sum(1 for letter in odd if "\udc80" <= letter <= "\udcff")
            invalid += escaped
            valid += len(odd) - escaped
            if escaped and not found:
                first = next(at for at, letter in enumerate(text) if "\udc80" <= letter <= "\udcff")
                found = line + text[:first].count("\n")
        line += text.count("\n")
    return found, valid * 10 > invalid


_NO_ASCII = dict.fromkeys(range(128))
