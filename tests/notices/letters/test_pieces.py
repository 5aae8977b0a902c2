"""Numbers, codes and sites in a text of another direction."""

import pytest

from outreach.notices.letters.pieces import split


@pytest.mark.parametrize(
    "token",
    [
        "(800) 555-0199",
        "1-800-555-0199",
        "1 (800) 555-0199",
        "1 800 555 0199",
        "+1 800 555 0199",
        "800.555.0199",
        "2026-11-23",
        "23/11/2026",
        "14:05",
        "A000 000 001",
        "SMPL-0001",
        "1234-ABCD",
        "1234-5678-9012-ABCD",
        "LL-2026-00001",
        "notices.example.org",
        "notices.example.org/letter",
        "https://notices.example.org/letter?x=1",
        "letters@notices.example.org",
    ],
)
@pytest.mark.parametrize("sentence", ["اتصل على {}، أو لا", "{}", "({})", "اكتب {}.", "شماره {}؟"])
def test_a_number_a_code_or_an_address_is_one_piece_wherever_it_stands(token: str, sentence: str) -> None:
    text = sentence.format(token)
    pieces = split(text)
    assert "".join(piece if isinstance(piece, str) else piece[0] for piece in pieces) == text
    assert [piece[0] for piece in pieces if isinstance(piece, list)] == [token]


def test_numbers_that_only_stand_beside_each_other_stay_apart() -> None:
    assert [piece for piece in split("في 2024 50 شخص") if isinstance(piece, list)] == [["2024"], ["50"]]


def test_isolates_of_a_text_for_telephones_are_taken_out() -> None:
    assert split("اتصل على \u20681-800-555-0199\u2069.") == ["اتصل على ", ["1-800-555-0199"], "."]


def test_an_address_wider_than_a_line_may_break() -> None:
    long = f"https://notices.example.org/{'letter/' * 20}"
    assert split(f"a {long} b") == [f"a {long} b"]
