"""Letters as PDF, read back by programs that had no part in making them."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pypdfium2
import pypdfium2.raw
import pytest

from outreach.notices.blocks import parse
from outreach.notices.languages import get
from outreach.notices.letters import glyphs, samples, taglines
from outreach.notices.letters.letter import Layout, LetterText
from outreach.notices.letters.typesetting import MissingGlyphs, Typesetter, missing_glyphs
from tests.notices.letters.sheets import ink, scanned, words

ROOT = Path(__file__).parents[3]


def compose_elsewhere(language: str) -> str:
    """The hash that a process of its own comes to."""
    program = (
        "from outreach.notices.letters import samples, typesetting, vendors\n"
        f"print(typesetting.Typesetter(vendors.load('generic_10')).compose(samples.letter('{language}')).sha256)"
    )
    return subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize("language", ["ar", "zh-Hans"])
def test_the_same_letter_has_the_same_bytes_in_every_process(language: str, typesetter: Typesetter) -> None:
    typesetter.compose(samples.letter("es"))
    assert typesetter.compose(samples.letter(language)).sha256 == compose_elsewhere(language)


def test_another_letter_has_another_hash(typesetter: Typesetter) -> None:
    assert typesetter.compose(samples.letter("es", number=1)).sha256 != typesetter.compose(samples.letter("es", number=2)).sha256


def test_the_edition_tells_whether_a_letter_can_be_made_again(typesetters: Callable[[str], Typesetter]) -> None:
    assert typesetters("generic_10").edition == Typesetter(typesetters("generic_10").vendor).edition
    assert typesetters("generic_10").edition != typesetters("lob").edition


@pytest.mark.parametrize(("language", "tag"), [("es", "es"), ("ar", "ar"), ("pa-Guru", "pa"), ("zh-Hans", "zh")])
def test_a_letter_is_tagged_for_screen_readers_in_its_own_language(language: str, tag: str, typesetter: Typesetter) -> None:
    pdf = typesetter.compose(samples.letter(language))
    document = pypdfium2.PdfDocument(pdf.data)
    assert pypdfium2.raw.FPDFCatalog_IsTagged(document.raw)
    assert b"<pdfuaid:part>1</pdfuaid:part>" in pdf.data
    buffer = (pypdfium2.raw.FPDF_WCHAR * 16)()
    pypdfium2.raw.FPDFCatalog_GetLanguage(document.raw, buffer, 32)
    assert "".join(chr(unit) for unit in buffer).partition("\0")[0].lower().partition("-")[0] == tag
    document.close()


def test_english_begins_on_the_back_and_the_taglines_after_it(typesetter: Typesetter) -> None:
    pdf = typesetter.compose(samples.letter("es"))
    assert pdf.pages == 3
    assert "Muestra: una carta" in words(pdf.data, 0)
    assert "Sample: an important letter" in words(pdf.data, 1)
    assert "In other languages" in words(pdf.data, 2)
    for page in range(3):
        assert f"Page {page + 1} of 3" in words(pdf.data, page)
        assert "LL-2026-00001" in words(pdf.data, page)


def test_the_date_is_in_the_persons_words_and_in_english(typesetter: Typesetter) -> None:
    first = words(typesetter.compose(samples.letter("es")).data)
    assert "November 23, 2026" in first
    assert "23 de noviembre de 2026 (2026-11-23)" in first


def test_an_english_letter_has_its_date_once(typesetter: Typesetter) -> None:
    first = words(typesetter.compose(samples.attorney()).data)
    assert first.count("November") == 1


@pytest.mark.parametrize("number", ["(800) 555-0199", "1-800-555-0199", "2026-11-23", "1234-ABCD"])
@pytest.mark.parametrize("language", ["ar", "fa", "ur", "ps"])
def test_a_number_in_a_right_to_left_text_reads_from_left_to_right_on_one_line(
    number: str, language: str, typesetter: Typesetter
) -> None:
    text = LetterText(language, parse(f"نموذج {number} نموذج"))
    page = ink(typesetter.compose(samples.letter("es", texts=(text,), access_code=None, taglines=False)).data)
    # The reader of the PDF, not its paper, turns brackets round beside right-to-left text: only their places can be told.
    line = "".join(character for character, box in page if 4.22 < box.top < 9.5 and character.isascii() and character not in "()")
    assert line == number.translate(str.maketrans("", "", "() "))


def test_a_number_that_would_be_cut_by_the_end_of_a_line_moves_to_the_next(typesetter: Typesetter) -> None:
    for filler in range(60, 90, 3):
        text = LetterText("ar", parse("م" * filler + " ل" * 6 + " (800) 555-0199 نموذج"))
        page = ink(typesetter.compose(samples.letter("es", texts=(text,), access_code=None, taglines=False)).data)
        rows = {round(box.bottom, 1) for character, box in page if character.isdigit() and 4.22 < box.top < 9.5}
        assert len(rows) == 1, filler


def test_the_access_code_is_read_and_scanned_and_only_inside(typesetter: Typesetter) -> None:
    data = typesetter.compose(samples.letter("am")).data
    codes = scanned(data)
    # What follows # is never sent to a server, so the code reaches no log.
    assert codes["https://notices.example.org/letter#SMPL-0001"].top > 4
    assert set(codes) == {"https://notices.example.org/letter#SMPL-0001", "R000001-7K"}
    assert "SMPL-0001" in words(data)


def test_a_letter_without_an_access_code_has_no_box_for_one(typesetter: Typesetter) -> None:
    data = typesetter.compose(samples.letter("es", access_code=None)).data
    assert set(scanned(data)) == {"R000001-7K"}
    assert "código de acceso" not in words(data)


def test_a_duplicate_says_so_in_both_languages(typesetter: Typesetter) -> None:
    data = typesetter.compose(samples.letter("es", duplicate=True)).data
    assert "Esta carta es un duplicado" in words(data, 0)
    assert "This is a duplicate" in words(data, 1)
    assert "Duplicate" not in words(typesetter.compose(samples.letter("es")).data, 0)


def test_large_print_has_nothing_under_eighteen_points_but_the_windows(typesetter: Typesetter) -> None:
    document = pypdfium2.PdfDocument(typesetter.compose(samples.letter("es", large_print=True)).data)
    for number, page in enumerate(document):
        text = page.get_textpage()
        for index in range(text.count_chars()):
            top = 11 - text.get_charbox(index, loose=True)[3] / 72
            if number or top > typesetter.vendor.address.ever.bottom:
                size = pypdfium2.raw.FPDFText_GetFontSize(text.raw, index)
                assert size >= 18 or not chr(pypdfium2.raw.FPDFText_GetUnicode(text.raw, index)).strip()
        text.close()
    document.close()


@pytest.mark.parametrize(
    "nasty", ["#panic()", "*x*", "$y$", "\\u{41}", "@ref", "<label>", "`raw`", '#import "x"', '{"a": 1}', "= no", "- no"]
)
def test_nothing_in_a_name_or_a_text_is_evaluated(nasty: str, typesetter: Typesetter) -> None:
    content = samples.letter(
        "es", recipient=(nasty, "SPRINGFIELD IL"), texts=(LetterText("en", parse(f"x {nasty} y")),), taglines=False
    )
    page = ink(typesetter.compose(content).data)
    visible = "".join(character for character, _ in page)
    assert visible.count(nasty.replace(" ", "")) == 2


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"recipient": ("SAMPLE \U000130b8", "SPRINGFIELD")}, "recipient, line 1"),
        ({"sender": ("Letter Line", "\U000130b8")}, "sender, line 2"),
        ({"texts": (LetterText("ar", parse("# نموذج\n\n\U000130b8")),)}, "the text in Arabic, part 2"),
    ],
)
def test_a_character_without_a_glyph_is_refused_by_name_and_place(
    changes: dict[str, Any], where: str, typesetter: Typesetter
) -> None:
    content = samples.letter("es", **changes)
    (found,) = missing_glyphs(content)
    assert str(found) == f"U+130B8 EGYPTIAN HIEROGLYPH D052 in {where}"
    with pytest.raises(MissingGlyphs, match=rf"U\+130B8 EGYPTIAN HIEROGLYPH D052 in {where}") as refused:
        typesetter.compose(content)
    assert "SAMPLE" not in str(refused.value)


def test_a_mark_that_no_one_font_can_put_on_its_letter_is_refused() -> None:
    assert [found.character for found in missing_glyphs(samples.letter("es", recipient=("ሀ\u135d क\u135d b",)))] == ["क\u135d"]


def test_a_character_that_turns_the_line_around_is_refused() -> None:
    assert missing_glyphs(samples.letter("es", recipient=("SAMPLE \u202eNOSREP",)))


def test_joiners_and_isolates_need_no_glyph() -> None:
    assert not missing_glyphs(samples.letter("es", texts=(LetterText("fa", parse("می‌خواهم \u20681-800\u2069 क्‍ष")),)))


@pytest.mark.parametrize("language", sorted(path.stem for path in (ROOT / "outreach" / "notices" / "starter").glob("*.toml")))
def test_every_shipped_language_has_its_words_and_every_glyph_of_them(language: str) -> None:
    mine = next(each for each in taglines.all_words() if each.language == language)
    for text in (mine.important, mine.answer, mine.code, mine.duplicate, get(language).autonym):
        assert text
        assert not glyphs.missing(text, glyphs.faces(get(language)))
    assert mine.important.count("((phone))") == 1
    starter = (ROOT / "outreach" / "notices" / "starter" / f"{language}.toml").read_text(encoding="utf-8")
    assert not glyphs.missing("".join(starter.split()), glyphs.faces(get(language)))


@pytest.mark.parametrize("family", glyphs.faces_of("en"))
def test_bold_faces_write_whatever_regular_ones_do(family: str) -> None:
    assert set(glyphs._font(family, "400Regular").cmap) == set(glyphs._font(family, "700Bold").cmap)


def test_the_tagline_sheet_has_every_language_on_one_page(typesetter: Typesetter) -> None:
    pdf = typesetter.compose(samples.letter("en"))
    assert pdf.pages == 2
    page = words(pdf.data, 1)
    assert page.count("1-800-555-0199") == len(taglines.all_words())


def test_a_letter_by_hand_says_so_and_asks_nothing_of_the_post(typesetter: Typesetter) -> None:
    page = words(typesetter.compose(samples.letter("es", Layout.HAND)).data)
    assert "Delivered by hand" in page
    assert "Return Service Requested" not in page


def test_an_attorneys_letter_is_signed_with_title_and_sender(typesetter: Typesetter) -> None:
    page = words(typesetter.compose(samples.attorney()).data)
    assert page.index("Sincerely,") < page.rindex("Office of Notices") < page.rindex("Letter Line")
