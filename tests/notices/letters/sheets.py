"""What is on the pages of a PDF, read by programs that had no part in making it."""

from contextlib import closing

import pypdfium2
import pypdfium2.raw
import zxingcpp

from outreach.notices.letters.vendors import SHEET_HEIGHT, Box

# A character and the box around its ink, in inches from the sheet's upper left corner.
Ink = list[tuple[str, Box]]


def ink(data: bytes, page: int = 0) -> Ink:
    """Every visible character of a page with its place, line by line from the left, as it lies on the paper."""
    with closing(pypdfium2.PdfDocument(data)) as document, closing(document[page].get_textpage()) as text:
        found = []
        for index in range(text.count_chars()):
            left, bottom, right, top = text.get_charbox(index)
            line = round(text.get_charbox(index, loose=True)[3])
            character = chr(pypdfium2.raw.FPDFText_GetUnicode(text.raw, index))
            if character.strip() and right > left:
                box = Box(left / 72, SHEET_HEIGHT - top / 72, right / 72, SHEET_HEIGHT - bottom / 72)
                found.append((-line, left, character, box))
        return [(character, box) for _, _, character, box in sorted(found, key=lambda each: each[:2])]


def words(data: bytes, page: int = 0) -> str:
    """The text of a page in the order of the file."""
    with closing(pypdfium2.PdfDocument(data)) as document, closing(document[page].get_textpage()) as text:
        return str(text.get_text_range())


def scanned(data: bytes, page: int = 0, dots_per_inch: int = 150) -> dict[str, Box]:
    """What a scanner reads from a page printed so finely: each code's text and where it is, in inches."""
    with closing(pypdfium2.PdfDocument(data)) as document:
        bitmap = document[page].render(scale=dots_per_inch / 72, grayscale=True)
        grey = b"".join(bytes(bitmap.buffer[y * bitmap.stride : y * bitmap.stride + bitmap.width]) for y in range(bitmap.height))
        image = memoryview(grey).cast("B", (bitmap.height, bitmap.width))
        found = {}
        for code in zxingcpp.read_barcodes(image):
            corners = (code.position.top_left, code.position.bottom_right)
            (left, top), (right, bottom) = ((corner.x / dots_per_inch, corner.y / dots_per_inch) for corner in corners)
            found[code.text] = Box(left, top, right, bottom)
        return found


def touches(one: Box, other: Box) -> bool:
    return one.left < other.right and other.left < one.right and one.top < other.bottom and other.top < one.bottom


def inside(one: Box, other: Box, clearance: float = 0.0) -> bool:
    return (
        one.left >= other.left + clearance
        and one.right <= other.right - clearance
        and one.top >= other.top + clearance
        and one.bottom <= other.bottom - clearance
    )
