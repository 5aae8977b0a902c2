"""Segments: exactly what the carrier bills, at every edge."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach.notices.segments import Encoding, cost, count, forcing_ucs2

GSM, UCS = Encoding.GSM_7, Encoding.UCS_2


@pytest.mark.parametrize(
    ("text", "encoding", "segments", "units"),
    [
        ("", GSM, 0, 0),
        ("a", GSM, 1, 1),
        ("a" * 160, GSM, 1, 160),
        ("a" * 161, GSM, 2, 161),
        ("a" * 306, GSM, 2, 306),
        ("a" * 307, GSM, 3, 307),
        ("a" * 459, GSM, 3, 459),
        ("a" * 460, GSM, 4, 460),
        ("€", GSM, 1, 2),
        ("€" * 80, GSM, 1, 160),
        ("€" * 80 + "a", GSM, 2, 161),
        ("€" * 152, GSM, 2, 304),  # 76 pairs a part: the 153rd septet cannot hold half of one
        ("€" * 153, GSM, 3, 306),
        ("a" * 152 + "€" + "a" * 151, GSM, 2, 305),
        ("a" * 152 + "€" + "a" * 152, GSM, 3, 306),
        ("a" * 153 + "€" + "a" * 151, GSM, 2, 306),
        ("é ñ ü ¿ ¡ è ò à", GSM, 1, 15),
        ("{}[]~|^\\\f", GSM, 1, 18),
        ("line\nbreak\r", GSM, 1, 11),
        ("á", UCS, 1, 1),
        ("á" * 70, UCS, 1, 70),
        ("á" * 71, UCS, 2, 71),
        ("á" * 134, UCS, 2, 134),
        ("á" * 135, UCS, 3, 135),
        ("ç", UCS, 1, 1),
        ("Ç", GSM, 1, 1),
        ("`", UCS, 1, 1),
        ("\u2019", UCS, 1, 1),
        ("\u00a0", UCS, 1, 1),
        ("\t", UCS, 1, 1),
        ("😀", UCS, 1, 2),
        ("😀" * 35, UCS, 1, 70),
        ("😀" * 35 + "a", UCS, 2, 71),
        ("😀" * 66, UCS, 2, 132),  # 33 a part: the 67th unit cannot hold half of one
        ("😀" * 67, UCS, 3, 134),
        ("a" * 66 + "😀" + "a" * 65, UCS, 2, 133),
        ("a" * 66 + "😀" + "a" * 66, UCS, 3, 134),
    ],
)
def test_the_edges(text: str, encoding: Encoding, segments: int, units: int) -> None:
    result = count(text)
    assert (result.encoding, result.segments, result.units) == (encoding, segments, units)


@pytest.mark.parametrize(("length", "per_segment"), [(1, 160), (160, 160), (161, 153)])
def test_the_room_in_each_part(length: int, per_segment: int) -> None:
    assert count("a" * length).per_segment == per_segment


def test_the_first_character_that_forces_ucs2_is_named() -> None:
    assert count("señor, está ahí").first_non_gsm == "á"
    assert count("señor").first_non_gsm is None
    assert forcing_ucs2("está ahí, ¿no? á") == ("á", "í")


def test_the_cost_is_that_of_the_segments() -> None:
    assert cost("a" * 161, Decimal("0.0079")) == Decimal("0.0158")
    assert cost("", Decimal("0.0079")) == 0


def parts_by_hand(text: str, gsm: bool) -> int:
    """The same rule, worked from the encoded bytes: cut after at most so many, never inside a character."""
    extension = "\f^{}\\[~]|€"
    room = 153 if gsm else 67
    sizes = [(2 if c in extension else 1) if gsm else len(c.encode("utf-16-be")) // 2 for c in text]
    if sum(sizes) <= (160 if gsm else 70):
        return 1 if text else 0
    parts = 0
    while sizes:
        used = 0
        while sizes and used + sizes[0] <= room:
            used += sizes.pop(0)
        parts += 1
    return parts


@given(st.text(alphabet="aé€^😀", min_size=0, max_size=400))
def test_it_agrees_with_cutting_by_hand(text: str) -> None:
    assert count(text).segments == parts_by_hand(text, "😀" not in text)


@given(st.text(max_size=300), st.characters(exclude_categories=["Cs"]))
def test_a_longer_text_never_costs_less(text: str, more: str) -> None:
    assert count(text + more).segments >= count(text).segments
