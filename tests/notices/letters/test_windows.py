"""What shows through the windows of each vendor's envelopes, read back from the finished page."""

from collections.abc import Callable
from typing import Any

import pytest

from outreach.notices.letters import samples, vendors
from outreach.notices.letters.letter import Layout, LetterContent
from outreach.notices.letters.typesetting import DoesNotFit, Typesetter
from outreach.notices.letters.vendors import Vendor
from tests.notices.letters.sheets import Ink, ink, inside, scanned, touches

VENDORS = vendors.names()
SIX_LINES = (
    "SAMPLE PERSON WITH TWO SURNAMES",
    "A000 000 001",
    "SAMPLE PROCESSING CENTER",
    "HOUSING UNIT B POD 12",
    "12345 EXAMPLE COUNTY ROAD 678",
    "SPRINGFIELD IL 62701-1234",
)


def shown(page: Ink, vendor: Vendor) -> tuple[str, str]:
    """All that can show in the window of the sender and in that of the address."""
    return (
        "".join(character for character, box in page if touches(box, vendor.sender.ever)),
        "".join(character for character, box in page if touches(box, vendor.address.ever)),
    )


LETTERS: dict[str, LetterContent] = {
    **{language: samples.letter(language, taglines=False) for language in samples.LANGUAGES},
    "attorney": samples.attorney(),
    "hand": samples.letter("es", Layout.HAND),
    "large": samples.letter("ar", large_print=True, duplicate=True),
    "six lines": samples.letter("es", recipient=SIX_LINES, duplicate=True),
    "marked": samples.letter("am", recipient=SIX_LINES[:5], marking=("LEGAL MAIL", "Office of Notices")),
}


@pytest.mark.parametrize("name", LETTERS)
@pytest.mark.parametrize("vendor_name", VENDORS)
def test_only_the_two_addresses_can_show_and_they_always_show_whole(
    name: str, vendor_name: str, typesetters: Callable[[str], Typesetter]
) -> None:
    content, vendor = LETTERS[name], vendors.load(vendor_name)
    page = ink(typesetters(vendor_name).compose(content).data)
    sender, address = shown(page, vendor)
    endorsement = () if content.layout is Layout.HAND else ("Return Service Requested",)
    assert sender == "".join((*content.marking[1:], *content.sender, *endorsement)).replace(" ", "")
    assert sorted(address) == sorted("".join((*content.marking[:1], *content.recipient, content.return_code)).replace(" ", ""))
    for window in (vendor.sender, vendor.address):
        assert all(inside(box, window.always) for _, box in page if touches(box, window.ever))


@pytest.mark.parametrize("vendor_name", VENDORS)
def test_an_address_of_four_lines_keeps_a_tenth_of_an_inch_from_the_windows_edge_above_and_below(
    vendor_name: str, typesetters: Callable[[str], Typesetter]
) -> None:
    vendor = vendors.load(vendor_name)
    content = samples.letter("es", recipient=SIX_LINES[:1] + SIX_LINES[3:])
    page = ink(typesetters(vendor_name).compose(content).data)
    address = [box for _, box in page if touches(box, vendor.address.ever) and box.right < vendor.address.always.right - 0.6]
    assert min(box.top for box in address) - vendor.address.always.top >= 0.1
    assert vendor.address.always.bottom - max(box.bottom for box in address) >= 0.1


@pytest.mark.parametrize("vendor_name", VENDORS)
def test_the_return_code_can_be_scanned_through_the_window_and_read_beside_it(
    vendor_name: str, typesetters: Callable[[str], Typesetter]
) -> None:
    content, vendor = samples.letter("ar"), vendors.load(vendor_name)
    pdf = typesetters(vendor_name).compose(content)
    assert inside(scanned(pdf.data)[content.return_code], vendor.address.always)
    assert content.return_code.replace("-", "") in shown(ink(pdf.data), vendor)[1].replace("-", "")


@pytest.mark.parametrize("vendor_name", VENDORS)
def test_the_body_starts_below_every_window(vendor_name: str) -> None:
    vendor = vendors.load(vendor_name)
    assert vendor.body_top >= vendor.address.ever.bottom > vendor.sender.ever.bottom - 0.5


def test_what_an_envelope_shows_follows_from_its_window_and_the_play_of_the_sheet_in_it() -> None:
    vendor = vendors.load("generic_10")
    always, ever = vendor.address.always, vendor.address.ever
    # 4 1/2 by 1 1/8 inches, 7/8 from the left and 1/2 from the bottom of 9 1/2 by 4 1/8, and a sheet of 8 1/2 by 3 7/8 in it.
    assert (always.left, always.top, always.right, always.bottom) == (0.875, 2.5, 4.375, 3.375)
    assert (ever.left, ever.top, ever.right, ever.bottom) == (-0.125, 2.25, 5.375, 3.625)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"recipient": ("SAMPLE", *SIX_LINES, "UNITED STATES")}, "8 lines"),
        ({"recipient": ("SAMPLE", *SIX_LINES), "marking": ("LEGAL MAIL",)}, "8 lines"),
        ({"recipient": ("SAMPLE PERSON", "X" * 60, "SPRINGFIELD IL 62701")}, "Line 2 of the recipient's address is too wide"),
        ({"sender": ("A Sender of Letters " * 4, "PO Box 5550")}, "Line 1 of the sender's address is too wide"),
    ],
)
def test_an_address_that_does_not_fit_is_refused_and_never_cut(changes: dict[str, Any], says: str, typesetter: Typesetter) -> None:
    with pytest.raises(DoesNotFit, match=says) as refused:
        typesetter.compose(samples.letter("es", **changes))
    assert "SAMPLE" not in str(refused.value)


def test_an_unknown_vendor_is_refused_with_the_known_ones() -> None:
    with pytest.raises(vendors.UnknownVendor, match="generic_10, lob, postal_methods"):
        vendors.load("nobody")
