"""Letters as PDF, by typst with the layouts in templates/letters/.

Never compile in a process that forks afterwards: typst's threads do not survive a fork, and the first compile in the child then
waits for ever. A job's own process may compile; the worker that starts it, and a web server's master, must not.
Making a `Typesetter` is safe anywhere and takes a few milliseconds.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import pypdfium2
import typst

from outreach.notices.languages import Language, format_date, get, month_names
from outreach.notices.letters import glyphs, qr, taglines
from outreach.notices.letters.glyphs import FontsMissing, Missing
from outreach.notices.letters.letter import ENDORSEMENT, Layout, LetterContent, LetterText
from outreach.notices.letters.pieces import split
from outreach.notices.letters.vendors import Vendor, Window

LAYOUTS = Path(__file__).parents[3] / "templates" / "letters"

POINTS = 72
QR_INCHES = 0.5
GUTTER = 8  # points between the address and the return code
QR_MARGIN = 7  # points to the right of the return code: four modules

_REMEMBERED = 10  # compilations, for which typst keeps what it has worked out

# Sizes of type and leading to try in a window, in points. Under 8 the post's machines do not read (USPS DMM 202, 2.0).
_SIZES = ((9.0, 10.2), (8.0, 9.0))
_CAP_HEIGHT = 0.714  # of Noto Sans, in parts of its size


class MissingGlyphs(ValueError):
    """A letter has characters that no font of ours can write. The text names each, and where it stands."""

    def __init__(self, missing: Sequence[Missing]) -> None:
        super().__init__(f"No font has {'; '.join(map(str, missing))}. Spell it with other letters, or add a font.")
        self.missing = tuple(missing)


class DoesNotFit(ValueError):
    """An address block is too long or too wide for the vendor's window. The text says which line, and not what it says."""


@dataclass(frozen=True, slots=True)
class Pdf:
    """A file, and what it is known by. `sha256` in hexadecimal digits."""

    data: bytes
    sha256: str
    pages: int


def as_pdf(data: bytes) -> Pdf:
    """The file with its hash and its number of pages, which is read from it."""
    document = pypdfium2.PdfDocument(data)
    try:
        return Pdf(data, hashlib.sha256(data).hexdigest(), len(document))
    finally:
        document.close()


Field = tuple[tuple[str, ...], str, str]
"""A text to be printed: the faces it is set in, where it stands, and itself."""


def missing_glyphs(content: LetterContent) -> list[Missing]:
    """Every character of a letter that cannot be printed, in the order of the letter. Empty for a letter that can."""
    return _missing(_fields(content))


def require_glyphs(fields: Iterable[Field]) -> None:
    """Raises MissingGlyphs when one of the texts has a character that cannot be printed."""
    if missing := _missing(fields):
        raise MissingGlyphs(missing)


class Typesetter:
    """Sets letters for one vendor. One a process, kept for all its letters: typst remembers. Never for two threads."""

    def __init__(self, vendor: Vendor) -> None:
        self.vendor = vendor
        self._compiler = typst.Compiler(root=str(LAYOUTS), font_paths=_fonts())

    @property
    def edition(self) -> str:
        """A hash of everything but the content that decides a PDF's bytes: layouts, vendor, words, fonts, typst's version.

        Where two are equal, the same content gives the same file.
        """
        return _edition(self.vendor)

    def compose(self, content: LetterContent) -> Pdf:
        """One letter as a tagged file (PDF/UA-1). The same content gives the same bytes. Raises MissingGlyphs and DoesNotFit."""
        return as_pdf(self.compile("single.typ", self.prepare(content), standard="ua-1"))

    def prepare(self, content: LetterContent, mark: str | None = None) -> dict[str, Any]:
        """What a layout is given. `mark`: the sequence mark of a print run. Raises MissingGlyphs and DoesNotFit."""
        require_glyphs(_fields(content))
        texts = [_text(text, content, first=number == 0) for number, text in enumerate(content.texts)]
        address, sender = _windows(content, self.vendor)
        vendor = self.vendor
        return {
            "layout": content.layout,
            "title": f"Letter {content.reference}",
            "fonts": glyphs.faces_of("en"),
            "large": content.large_print,
            "duplicate": content.duplicate,
            "date": english_date(content.written),
            "reference": content.reference,
            "recipient": address,
            "sender": sender,
            "signature": [*content.marking[1:], *content.sender[:1]],
            "return_code": content.return_code,
            "return_qr": qr.draw(content.return_code),
            "return_qr_inches": QR_INCHES,
            "return_margin": QR_MARGIN,
            "code": content.access_code,
            "code_qr": qr.draw(f"https://{content.site}/letter#{content.access_code}") if content.access_code else None,
            "site": content.site,
            "phone": content.phone,
            "texts": texts,
            "taglines": [_tagline(each, content.phone) for each in taglines.all_words()] if content.taglines else [],
            "mark": mark,
            "vendor": {
                "sender": _box(vendor.sender),
                "address": _box(vendor.address),
                "fold": vendor.fold,
                "body_top": vendor.body_top,
                "facts_left": max(vendor.sender.ever.right, vendor.address.ever.right) + 0.15,
            },
        }

    def compile(self, layout: str, data: object, *, standard: Literal["ua-1"] | None = None) -> bytes:
        """Run one layout on data, which reaches it as JSON and is never evaluated. Untagged without a standard: for print only."""
        made = self._compiler.compile(
            input=str(LAYOUTS / layout),
            format="pdf",
            sys_inputs={"data": json.dumps(data, ensure_ascii=False)},
            pdf_standards=[standard] if standard else [],
            pdf_tags=standard is not None,
        )
        assert isinstance(made, bytes)
        return made

    def forget(self) -> None:
        """Let go of what typst keeps of the last compilations to be quicker at the next: a gigabyte, for a print run.

        It drops what ten compilations in a row have not used, and has no other way to be told; ten of nothing take milliseconds.
        """
        for _ in range(_REMEMBERED + 1):
            self._compiler.compile(input=b"", format="pdf")


@cache
def _fonts() -> typst.Fonts:
    if not any(glyphs.FONTS.glob("*.ttf")):
        raise FontsMissing(f"There are no fonts in {glyphs.FONTS}. Bring them with: make setup")
    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(glyphs.FONTS)])


@cache
def _edition(vendor: Vendor) -> str:
    """Fonts by name and size: they come from a lock file with hashes."""
    digest = hashlib.sha256(f"{version('typst')} {vendor}".encode())
    for path in sorted([*LAYOUTS.glob("*.typ"), *Path(__file__).parent.glob("*.toml"), *Path(__file__).parent.glob("*.py")]):
        digest.update(path.name.encode() + path.read_bytes())
    for path in sorted(glyphs.FONTS.glob("*.ttf")):
        digest.update(f"{path.name} {path.stat().st_size}".encode())
    return digest.hexdigest()


def _missing(fields: Iterable[Field]) -> list[Missing]:
    return [Missing(character, where) for families, where, text in fields for character in glyphs.missing(text, families)]


def _fields(content: LetterContent) -> Iterator[Field]:
    """Every text of a letter that comes from outside. Ours, in taglines.toml, is tested to have its glyphs."""
    english = glyphs.faces_of("en")
    for name in ("recipient", "sender", "marking"):
        for number, line in enumerate(getattr(content, name), 1):
            yield english, f"{name}, line {number}", line
    for name in ("reference", "return_code", "access_code", "site", "phone"):
        yield english, name.replace("_", " "), getattr(content, name) or ""
    for text in content.texts:
        language = get(text.language)
        families = glyphs.faces(language)
        for number, block in enumerate(text.blocks, 1):
            for line in block.lines:
                yield families, f"the text in {language.english}, part {number}", line


def _windows(content: LetterContent, vendor: Vendor) -> tuple[dict[str, Any], dict[str, Any]]:
    """The blocks of recipient and sender, each with a size of type in which it fits its window."""
    marking = content.marking[:1]
    # The return code stands beside the address, and is never wider than its drawing may be.
    beside = QR_INCHES * POINTS + GUTTER + QR_MARGIN
    address = _block((*marking, *content.recipient), len(marking), vendor.address, beside, "recipient's address")
    endorsement = () if content.layout is Layout.HAND else (ENDORSEMENT,)
    sender = _block((*content.marking[1:], *content.sender, *endorsement), 0, vendor.sender, 0, "sender's address")
    return address, sender


def _block(lines: tuple[str, ...], bold: int, window: Window, beside: float, what: str) -> dict[str, Any]:
    """Raises DoesNotFit when no size of type is small enough."""
    box, families = window.always, glyphs.faces_of("en")
    wide, high = (box.right - box.left) * POINTS - beside, (box.bottom - box.top) * POINTS
    too_wide = ""
    for size, leading in _SIZES:
        if leading * (len(lines) - 1) + size > high:
            continue
        weights = ("700Bold",) * bold + ("400Regular",) * (len(lines) - bold)
        over = [
            n
            for n, (line, weight) in enumerate(zip(lines, weights, strict=True), 1)
            if glyphs.width(line, size, families, weight) > wide
        ]
        if not over:
            return {"lines": lines, "bold": bold, "size": size, "leading": leading}
        too_wide = f"Line {over[0]} of the {what} is too wide for the window. Shorten it, or break it into two lines."
    raise DoesNotFit(
        too_wide
        or f"The {what} has {len(lines)} lines with its markings, too many for the window. Leave out what the post does not need."
    )


def _box(window: Window) -> Mapping[str, float]:
    box = window.always
    return {"left": box.left, "top": box.top, "right": box.right, "bottom": box.bottom}


def speech(language: Language) -> dict[str, Any]:
    """What typst has to know of a language. Regions and scripts matter where a code has them: fa-AF, zh-Hant."""
    code, _, variant = language.code.partition("-")
    return {
        "lang": code,
        "region": variant if len(variant) == 2 else None,
        "script": variant.lower() if len(variant) == 4 else None if language.script == "Hani" else language.script.lower(),
        "dir": language.direction,
        "fonts": glyphs.faces(language),
    }


def english_date(day: date) -> str:
    """As American letters have it: November 3, 2026. Without the machine's locale."""
    return f"{month_names(get('en'))[day.month - 1]} {day.day}, {day.year}"


def _text(text: LetterText, content: LetterContent, *, first: bool) -> dict[str, Any]:
    """The English date stands on page 1 in any case, since months have other names elsewhere (docs/languages.md)."""
    language = get(text.language)
    words = taglines.words(text.language)
    dated = format_date(language, content.written) if language.code != "en" else english_date(content.written)
    return {
        **speech(language),
        "date": [] if first and language.code == "en" else split(dated),
        "blocks": [{"kind": block.kind, "lines": [split(line) for line in block.lines]} for block in text.blocks],
        "words": {name: split(getattr(words, name)) for name in ("answer", "code", "duplicate")},
    }


def _tagline(words: taglines.Words, phone: str) -> dict[str, Any]:
    language = get(words.language)
    return {**speech(language), "name": language.autonym, "important": split(words.important.replace("((phone))", phone))}
