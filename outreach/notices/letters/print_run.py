"""A print run: up to some hundred letters as one file for the printer, and counting the letters in such a file.

The file is for print only: it has no tags. What was posted is proven by each letter's own file (`Typesetter.compose`).
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from io import BytesIO

import pypdfium2

from outreach.notices.letters import glyphs, qr
from outreach.notices.letters.letter import LetterContent
from outreach.notices.letters.typesetting import POINTS, Pdf, Typesetter, as_pdf, require_glyphs
from outreach.notices.letters.vendors import SHEET_HEIGHT, SHEET_WIDTH

CHUNK = 15
"""Letters compiled at once. Larger is hardly faster and needs more memory, smaller repeats the fonts in more parts."""

_MARK_HEIGHT = 0.5  # inches from the lower edge, in which the sequence mark stands
_MARK = re.compile(r"(?P<run>\S+) · (?P<number>\d{6})/(?P<total>\d{6}) · p(?P<page>\d+)/(?P<pages>\d+)")
_COVER = re.compile(r"(?P<run>\S+) · cover")
_CREATED = re.compile(rb"/CreationDate\([^)]*\)")
_ID_LENGTH = len("/ID[<><>]") + 2 * 32
_IDS = re.compile(rb"/ID\[<[0-9A-F]{32}><[0-9A-F]{32}>\]")


class MarksDisagree(ValueError):
    """The sequence marks in a file are not those of one whole print run. The text names the first page that is wrong."""


@dataclass(frozen=True, slots=True)
class PrintRun:
    """`pages_of` each letter, in order, without blank backs."""

    pdf: Pdf
    pages_of: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class CountedRun:
    """What the marks in a file say: the run's name and the pages of each letter, in order."""

    run: str
    pages_of: tuple[int, ...]


def compose_run(
    typesetter: Typesetter, run: str, letters: Sequence[LetterContent], *, facts: Sequence[tuple[str, str]] = ()
) -> PrintRun:
    """One file of all the letters behind a cover sheet. The same run gives the same bytes. Raises MissingGlyphs and DoesNotFit.

    `run` is a name without spaces. `facts` are lines of the cover, label and value: they may name no recipient. When the vendor
    prints on both sides, each letter starts on a front page.
    """
    require_glyphs((glyphs.faces_of("en"), "cover sheet", text) for text in (run, *(word for fact in facts for word in fact)))
    duplex = typesetter.vendor.duplex
    pages_of: list[int] = []
    with closing(pypdfium2.PdfDocument.new()) as whole:
        for data in _chunks(typesetter, run, letters):
            with closing(pypdfium2.PdfDocument(data)) as part:
                pages_of += _append(whole, part, duplex=duplex)
        cover = _cover(typesetter, run, pages_of, facts)
        with closing(pypdfium2.PdfDocument(cover)) as part:
            whole.import_pages(part, index=0)
            if duplex and len(part) % 2:
                whole.new_page(SHEET_WIDTH * POINTS, SHEET_HEIGHT * POINTS, index=len(part))
        file = BytesIO()
        whole.save(file)
    _without_chance(file)
    return PrintRun(as_pdf(file.getvalue()), tuple(pages_of))


def count_run(data: bytes) -> CountedRun:
    """Count the letters in a finished file by its sequence marks alone. Raises MarksDisagree unless they are all there, in order.

    Pages without a mark must be empty.
    """
    run, total, pages_of, due = "", 0, list[int](), 0
    with closing(pypdfium2.PdfDocument(data)) as document:
        for at, text in enumerate(_marks(document), 1):
            if not text or _COVER.match(text):
                continue
            mark = _MARK.fullmatch(text)
            if not mark:
                raise MarksDisagree(f"Page {at} of the file has no sequence mark.")
            number, page, pages = int(mark["number"]), int(mark["page"]), int(mark["pages"])
            if page == 1:
                pages_of.append(pages)
                due = 1
            if (number, page, pages) != (len(pages_of), due, pages_of[-1] if pages_of else 0):
                raise MarksDisagree(f"Page {at} of the file has another sequence mark than should follow.")
            if (run, total) not in (("", 0), (mark["run"], int(mark["total"]))):
                raise MarksDisagree(f"Page {at} of the file is of another print run.")
            run, total, due = mark["run"], int(mark["total"]), page + 1
            if page == pages:
                due = 1
    if len(pages_of) != total or due > 1:
        raise MarksDisagree(
            f"The file has {len(pages_of)} letters, some perhaps without their last page; its marks promise {total}."
        )
    return CountedRun(run, tuple(pages_of))


def sheets(pages: int, *, duplex: bool) -> int:
    """How many sheets of paper a letter of so many pages is."""
    return -(-pages // 2) if duplex else pages


def _chunks(typesetter: Typesetter, run: str, letters: Sequence[LetterContent]) -> Iterator[bytes]:
    for start in range(0, len(letters), CHUNK):
        data = [
            typesetter.prepare(content, mark=f"{run} · {number:06}/{len(letters):06}")
            for number, content in enumerate(letters[start : start + CHUNK], start + 1)
        ]
        yield typesetter.compile("several.typ", data)
        typesetter.forget()


def _append(whole: pypdfium2.PdfDocument, part: pypdfium2.PdfDocument, *, duplex: bool) -> list[int]:
    """Add a chunk's letters, and empty backs where they are wanted; the pages of each."""
    pages_of = []
    for text in _marks(part):
        mark = _MARK.fullmatch(text)
        assert mark, "every page of a letter has a mark"
        if mark["page"] == "1":
            pages_of.append(int(mark["pages"]))
    at = len(whole)
    # All at once: each call would bring the fonts anew.
    whole.import_pages(part)
    for pages in pages_of:
        at += pages
        if duplex and pages % 2:
            whole.new_page(SHEET_WIDTH * POINTS, SHEET_HEIGHT * POINTS, index=at)
            at += 1
    return pages_of


def _marks(document: pypdfium2.PdfDocument) -> Iterator[str]:
    """The text at the foot of each page; of an empty page "", of a page with text but none at its foot "?"."""
    for page in document:
        with closing(page.get_textpage()) as text:
            mark = text.get_text_bounded(left=0, bottom=0, right=SHEET_WIDTH * POINTS, top=_MARK_HEIGHT * POINTS).strip()
            yield mark or ("?" if text.count_chars() else "")
        page.close()


def _cover(typesetter: Typesetter, run: str, pages_of: Sequence[int], facts: Sequence[tuple[str, str]]) -> bytes:
    duplex = typesetter.vendor.duplex
    groups = [[pages, letters, letters * sheets(pages, duplex=duplex)] for pages, letters in sorted(Counter(pages_of).items())]
    data = {
        "fonts": glyphs.faces_of("en"),
        "run": run,
        "run_qr": qr.draw(run),
        "letters": len(pages_of),
        "pages": sum(pages_of),
        "sheets": sum(group[2] for group in groups),
        "duplex": duplex,
        "groups": groups,
        "vendor": typesetter.vendor.title,
        "facts": list(facts),
    }
    return typesetter.compile("cover.typ", data)


def _without_chance(file: BytesIO) -> None:
    """PDFium writes the time into each file, and names it by a random number. Ours has no time, and its name is what is in it.

    In place, since a print run is tens of megabytes.
    """
    with file.getbuffer() as data:
        for found in _CREATED.finditer(data):
            data[found.start() : found.end()] = b" " * len(found[0])
        at = list(_IDS.finditer(data))[-1].start()
        data[at : at + _ID_LENGTH] = b" " * _ID_LENGTH
        name = hashlib.sha256(data).hexdigest()[:32].upper()
        data[at : at + _ID_LENGTH] = f"/ID[<{name}><{name}>]".encode()
