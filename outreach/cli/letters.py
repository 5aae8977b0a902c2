"""`python -m outreach letters`: pictures of every page of every layout, to be looked at by people before letters are printed."""

import struct
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import click
import pypdfium2

from outreach.notices.letters import samples, vendors
from outreach.notices.letters.letter import Layout
from outreach.notices.letters.print_run import compose_run
from outreach.notices.letters.service import compose_receipts, compose_run_sheet
from outreach.notices.letters.typesetting import Typesetter

DOTS_PER_INCH = 72
BESIDE = 4  # pages beside each other in one picture
GAP = 6  # dots between pages


@click.command()
@click.option("--pictures", "folder", type=click.Path(path_type=Path, file_okay=False), required=True, help="Where they go.")
@click.option("--vendor", "name", default="generic_10", show_default=True, help="An entry of config/print_vendors.toml.")
def command(*, folder: Path, name: str) -> None:
    """Draw every page of every layout with sample texts, in five scripts."""
    try:
        typesetter = Typesetter(vendors.load(name))
    except vendors.UnknownVendor as error:
        raise click.UsageError(str(error)) from None
    folder.mkdir(parents=True, exist_ok=True)
    for label, data in layouts(typesetter):
        with closing(pypdfium2.PdfDocument(data)) as document:
            (folder / f"{label}.png").write_bytes(picture(document))
            click.echo(f"{label}: {len(document)} pages")


def layouts(typesetter: Typesetter) -> Iterator[tuple[str, bytes]]:
    """Every layout as a PDF: its name and the file."""
    for language in samples.LANGUAGES:
        yield f"person-{language}", typesetter.compose(samples.letter(language)).data
        yield f"hand-{language}", typesetter.compose(samples.letter(language, Layout.HAND, taglines=False, duplicate=True)).data
        large = samples.letter(language, large_print=True, taglines=language == "ar", texts=(samples.text(language),))
        yield f"large-print-{language}", typesetter.compose(large).data
        words = [samples.receipt_words(language), None]
        yield f"receipt-{language}", compose_receipts(typesetter, samples.run_sheet(language, len(words)), words).data
    yield "attorney", typesetter.compose(samples.attorney()).data
    yield "run-sheet", compose_run_sheet(typesetter, samples.run_sheet("ar")).data
    letters = [samples.letter(language, number=number) for number, language in enumerate(samples.LANGUAGES, 1)]
    facts = (("Notice", "Sample notice, step 2"), ("Made", "November 23, 2026, 14:05 UTC, by A. Sample"))
    yield "print-run", compose_run(typesetter, "RUN-2026-000012", letters[:2], facts=facts).pdf.data


def picture(document: pypdfium2.PdfDocument) -> bytes:
    """All pages of a file, some beside each other and in rows, as a PNG in shades of grey."""
    pages = [page.render(scale=DOTS_PER_INCH / 72, grayscale=True) for page in document]
    wide, high = pages[0].width + GAP, pages[0].height + GAP
    columns = min(BESIDE, len(pages))
    width, height = columns * wide + GAP, -(-len(pages) // columns) * high + GAP
    dots = bytearray(b"\x80" * (width * height))
    for number, page in enumerate(pages):
        left, top = GAP + number % columns * wide, GAP + number // columns * high
        for y in range(page.height):
            start = (top + y) * width + left
            dots[start : start + page.width] = page.buffer[y * page.stride : y * page.stride + page.width]
    return png(bytes(dots), width)


def png(dots: bytes, width: int) -> bytes:
    """A PNG of 16 shades (https://www.w3.org/TR/png-3/): one byte a dot in, half a byte out."""
    rows = []
    for start in range(0, len(dots), width):
        row = dots[start : start + width] + b"\0" * (width % 2)
        rows.append(b"\0" + bytes(a & 0xF0 | b >> 4 for a, b in zip(row[::2], row[1::2], strict=True)))
    header = struct.pack(">IIBBBBB", width, len(rows), 4, 0, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(b"".join(rows), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in parts
    )
