"""Segments as carriers count them."""

import pytest

from outreach.sandbox.segments import count, smart_encoded


@pytest.mark.parametrize(
    ("body", "segments"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("é" * 160, 1),
        ("á" + "a" * 69, 1),
        ("á" + "a" * 70, 2),
        ("ф" * 70, 1),
        ("ф" * 71, 2),
        ("ф" * 134, 2),
        ("ф" * 135, 3),
        ("€" * 80, 1),
        ("€" * 80 + "a", 2),
        ("👍" * 35, 1),
        ("👍" * 36, 2),
    ],
)
def test_a_body_takes_as_many_segments_as_its_alphabet_allows(body: str, segments: int) -> None:
    assert count(body) == segments


def test_smart_encoding_brings_a_typed_text_back_into_the_small_alphabet() -> None:
    assert count("It’s “here” – now…" * 8) > count(smart_encoded("It’s “here” – now…" * 8))
