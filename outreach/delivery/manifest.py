"""The manifest of a print run, and its counts: by the database, by the manifest read back, by the PDF read back.

The three share no code but the reading of rows, so that what one of them loses the others still have.
"""

import csv
import hashlib
import io
import threading
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from uuid import UUID

import pypdfium2
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session, undefer

from outreach.access.sealing import key_for
from outreach.delivery.letter import Letter, PrintRun, run_name

PDF = "print_run.pdf"
_one_at_a_time = threading.Lock()  # PDFium is not made for threads, and the panel's workers have several
HEADER = ("run", "sequence", "return_code", "language", "pages")

ROWS = """
    select r.number, l.sequence, l.return_code, m.language, l.pages
    from letter l join print_run r on r.id = l.run_id join attempt a on a.id = l.attempt_id join message m on m.id = a.message_id
    where l.run_id = :run order by l.sequence
"""


@dataclass(frozen=True, slots=True)
class Counts:
    """How many letters the database, the manifest and the PDF have.

    `pages` is what the run was kept with, `pdf_pages` what is there. `in_order`: the PDF has the letters in the manifest's order.
    """

    run: int
    manifest: int
    pdf_letters: int
    pages: int
    pdf_pages: int
    in_order: bool

    @property
    def agree(self) -> bool:
        return self.run == self.manifest == self.pdf_letters and self.pages == self.pdf_pages and self.in_order


def sha256(data: bytes) -> str:
    """In hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def manifest(session: Session, run_id: UUID) -> str:
    """CSV, one row a letter in their order: the run's number, sequence, return code, language, pages. Nobody's name or address."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(HEADER)
    for row in session.execute(text(ROWS), {"run": run_id}):
        writer.writerow([run_name(row.number), row.sequence, row.return_code, row.language, row.pages])
    return out.getvalue()


def counts(session: Session, run_id: UUID) -> Counts:
    """Count a run that is still in the house. Reading 500 letters of four pages back takes six seconds."""
    run = session.get_one(PrintRun, run_id, options=[undefer(PrintRun.pdf_sealed)], populate_existing=True)
    kept = session.scalar(select(func.count()).select_from(Letter).where(Letter.run_id == run_id)) or 0
    rows = list(csv.DictReader(io.StringIO(manifest(session, run_id), newline="")))
    listed = [row["return_code"] for row in rows]
    pdf_pages, printed = read_back(pdf_of(session, run), listed)
    # A run that lost a letter's row has lost it from both of our own counts: what it was kept with remains.
    return Counts(kept if kept == run.letters else run.letters, len(rows), len(printed), run.pages, pdf_pages, printed == listed)


def pdf_of(session: Session, run: PrintRun) -> bytes:
    """The run's PDF. Raises Sealed when it was altered, or erased as the run left the house."""
    return key_for(session, run.id).open_bytes(PDF, run.id, run.pdf_sealed or b"")


def read_back(pdf: bytes, codes: Sequence[str]) -> tuple[int, list[str]]:
    """The pages of a PDF, and which of these return codes stand in it, each once, in the order in which they do."""
    wanted, found = set(codes), dict[str, None]()
    with _one_at_a_time, closing(pypdfium2.PdfDocument(pdf)) as document:
        for page in document:
            with closing(page.get_textpage()) as words:
                found |= {word: None for word in words.get_text_bounded().split() if word in wanted and word not in found}
            page.close()
        return len(document), list(found)
