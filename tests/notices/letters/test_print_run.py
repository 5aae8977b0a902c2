"""A print run as one file, and its letters counted again from what is on the pages."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from io import BytesIO

import pypdfium2
import pytest

from outreach.notices.letters import print_run, samples
from outreach.notices.letters.letter import LetterContent
from outreach.notices.letters.print_run import CountedRun, MarksDisagree, PrintRun, compose_run, count_run
from outreach.notices.letters.typesetting import MissingGlyphs, Typesetter
from tests.notices.letters.sheets import scanned, words

RUN = "RUN-2026-000012"
FACTS = (("Notice", "Sample notice, step 2"),)


def letters(count: int) -> list[LetterContent]:
    """In turn of one page, two and three."""
    languages = ("en", *samples.LANGUAGES)
    return [
        samples.letter(languages[number % len(languages)] if number % 3 else "en", number=number, taglines=number % 3 == 2)
        for number in range(1, count + 1)
    ]


@pytest.fixture(scope="module")
def run() -> PrintRun:
    from outreach.notices.letters import vendors

    return compose_run(Typesetter(vendors.load("generic_10")), RUN, letters(30), facts=FACTS)


def rearranged(data: bytes, pages: list[int]) -> bytes:
    """The file with these of its pages only, in this order."""
    with closing(pypdfium2.PdfDocument(data)) as document, closing(pypdfium2.PdfDocument.new()) as other:
        other.import_pages(document, pages)
        file = BytesIO()
        other.save(file)
        return file.getvalue()


def test_the_letters_counted_in_the_file_are_those_of_the_run(run: PrintRun) -> None:
    assert len(letters(30)) > print_run.CHUNK
    assert count_run(run.pdf.data) == CountedRun(RUN, run.pages_of)
    assert len(run.pages_of) == 30
    assert set(run.pages_of) == {1, 2, 3}


def test_every_letter_begins_on_the_front_of_a_sheet(run: PrintRun) -> None:
    fronts = [page for page in range(run.pdf.pages) if " · p1/" in words(run.pdf.data, page)]
    assert len(fronts) == 30
    assert all(page % 2 == 0 for page in fronts)
    assert run.pdf.pages == 2 + sum(2 * print_run.sheets(pages, duplex=True) for pages in run.pages_of)


def test_printed_on_one_side_a_run_has_no_empty_pages(typesetter: Typesetter) -> None:
    single = Typesetter(replace(typesetter.vendor, duplex=False))
    made = compose_run(single, RUN, letters(4))
    assert made.pdf.pages == 1 + sum(made.pages_of)
    assert count_run(made.pdf.data) == CountedRun(RUN, made.pages_of)


def test_each_page_says_which_letter_of_how_many_it_is(run: PrintRun) -> None:
    page = next(page for page in range(run.pdf.pages) if f"{RUN} · 000002/000030 · p2/3" in words(run.pdf.data, page))
    assert "Page 2 of 3" in words(run.pdf.data, page)
    assert "LL-2026-00002" in words(run.pdf.data, page)


def test_the_cover_has_the_counts_and_names_nobody(run: PrintRun) -> None:
    cover = words(run.pdf.data, 0)
    assert "Letters 30" in " ".join(cover.split())
    assert f"Pages with text {sum(run.pages_of)}" in " ".join(cover.split())
    assert "Sample notice, step 2" in cover
    assert "SAMPLE PERSON" not in cover
    assert RUN in scanned(run.pdf.data, 0)


def test_the_same_run_has_the_same_bytes(typesetter: Typesetter) -> None:
    made = [compose_run(typesetter, RUN, letters(3), facts=FACTS).pdf for _ in range(2)]
    assert made[0].sha256 == made[1].sha256


@pytest.mark.parametrize(
    ("pages", "says"),
    [
        (lambda pages: pages[:-2], "marks promise 30"),
        (lambda pages: [*pages[:2], *pages[4:]], "Page 3"),
        (lambda pages: [*pages, pages[-2]], "Page"),
        (lambda pages: [*pages[:4], pages[6], pages[5], *pages[7:]], "Page 5"),
    ],
    ids=["the last letter is missing", "the first letter is missing", "a page is there twice", "pages changed places"],
)  # fmt: skip
def test_a_file_that_is_not_the_whole_run_is_found_out(pages: Callable[[list[int]], list[int]], says: str, run: PrintRun) -> None:
    with pytest.raises(MarksDisagree, match=says):
        count_run(rearranged(run.pdf.data, pages(list(range(run.pdf.pages)))))


def test_pages_of_another_run_are_found_out(run: PrintRun, typesetter: Typesetter) -> None:
    other = compose_run(typesetter, "RUN-2026-000013", letters(30)).pdf.data
    with closing(pypdfium2.PdfDocument(run.pdf.data)) as mixed, closing(pypdfium2.PdfDocument(other)) as document:
        mixed.del_page(4)
        mixed.import_pages(document, [4], index=4)
        file = BytesIO()
        mixed.save(file)
    with pytest.raises(MarksDisagree, match="Page 5 of the file is of another print run"):
        count_run(file.getvalue())


def test_one_unprintable_name_refuses_the_whole_run(typesetter: Typesetter) -> None:
    with pytest.raises(MissingGlyphs, match="recipient, line 1"):
        compose_run(typesetter, RUN, [*letters(2), samples.letter("es", recipient=("\U000130b8",))])
