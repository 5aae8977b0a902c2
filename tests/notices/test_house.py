"""What a text of each channel may say, and which ((fields)) it may use."""

from decimal import Decimal

import pytest

from outreach.notices.channel import FIELDS, SAMPLES, Channel
from outreach.notices.house import House

HOUSE = House({"program": "Letter Line", "phone": "1-800-555-0199", "site": "notices.example.org"}, 3, Decimal("0.0079"))
SUBJECT = "An important message from ((program))"
NEUTRAL = "Call ((phone)) or type ((site))."
TELLING = "This is about your asylum case."


def test_every_channel_has_its_fields_and_each_field_of_one_reader_a_sample() -> None:
    assert set(FIELDS) == set(Channel)
    assert {field for fields in FIELDS.values() for field in fields} == set(HOUSE.values) | set(SAMPLES)


@pytest.mark.parametrize("channel", Channel)
def test_a_neutral_text_passes_on_every_channel(channel: Channel) -> None:
    assert HOUSE.problems(channel, SUBJECT, NEUTRAL, "en") == []


@pytest.mark.parametrize("channel", Channel)
def test_a_text_may_use_the_fields_of_its_channel_and_no_others(channel: Channel) -> None:
    for field in set(SAMPLES) | {"birthday"}:
        problems = HOUSE.problems(channel, SUBJECT, f"{NEUTRAL}\n\n(({field}))", "en")
        assert bool(problems) == (field not in FIELDS[channel]), field


@pytest.mark.parametrize("channel", [Channel.SMS, Channel.EMAIL, Channel.ATTORNEY_EMAIL])
def test_what_others_can_read_may_not_tell_what_it_is_about(channel: Channel) -> None:
    (problem,) = HOUSE.problems(channel, SUBJECT, TELLING, "en")
    assert "asylum" in problem


@pytest.mark.parametrize("channel", [Channel.LETTER, Channel.HAND, Channel.ATTORNEY_LETTER])
def test_the_inside_of_a_letter_may(channel: Channel) -> None:
    assert HOUSE.problems(channel, None, TELLING, "en") == []


@pytest.mark.parametrize("channel", Channel)
@pytest.mark.parametrize("text", ["", "  \n\n  "])
def test_no_text_may_be_empty(channel: Channel, text: str) -> None:
    assert HOUSE.problems(channel, SUBJECT, text, "en") == ["The text is empty."]


@pytest.mark.parametrize("channel", [Channel.EMAIL, Channel.ATTORNEY_EMAIL])
@pytest.mark.parametrize(
    ("subject", "words"),
    [
        (None, "is empty"),
        (" ", "is empty"),
        ("A" * 79, "Shorten it by 1."),
        ("One\nTwo", "more than one line"),
        ("For ((name))", "((name)) cannot be used"),
        ("For ((count)) people", "((count)) cannot be used"),
        ("((program", "has no partner"),
        ("Your asylum case", "asylum"),
        ("A-012345678", "A-Number"),
    ],
)
def test_a_subject_is_one_short_neutral_line_that_is_the_same_for_everyone(
    channel: Channel, subject: str | None, words: str
) -> None:
    problems = HOUSE.problems(channel, subject, NEUTRAL, "en")
    assert any(words in problem for problem in problems), problems


def test_a_senders_name_that_tells_is_found_in_every_mail() -> None:
    telling = House(HOUSE.values | {"program": "Asylum Office"}, 3, Decimal(0))
    assert [finding.word for finding in telling.mail_findings("A message", "Call us.", "en")] == ["asylum"]


def test_attorneys_are_written_to_in_english() -> None:
    assert HOUSE.problems(Channel.ATTORNEY_LETTER, None, "((name)): ((clients))", "es") == ["Attorneys are written to in English."]


def test_nobodys_value_stands_in_for_the_houses_own() -> None:
    assert HOUSE.render("((phone)) ((reference))", {"phone": "1-800-555-0100", "reference": "K7PM"}) == "1-800-555-0199 K7PM"
