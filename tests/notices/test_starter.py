"""The texts the program brings: neutral where others can read them, complete where only their reader can, in their own script."""

import re
from decimal import Decimal
from itertools import combinations

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from outreach.notices import blocks, languages, notice, segments, starter
from outreach.notices.blocks import BlockKind
from outreach.notices.channel import Channel
from outreach.notices.characters import script
from outreach.notices.disclosure import Surface, check
from outreach.notices.fields import fields, render
from outreach.notices.house import House
from outreach.notices.notice import Rendition
from outreach.notices.starter import Receipt, Shipped

ALL = starter.load()
RECEIPTS = starter.receipts()
VALUES = {"program": "Notice Line", "phone": "+1 202-555-0100", "site": "notices.example.org"}
HOUSE = House(values=VALUES, max_segments=3, segment_price=Decimal("0.01"))
HOSTS, PHONES = ("notices.example.org",), ("+12025550100",)


def shipped(channel: Channel, kind: str | None = None) -> list[Shipped]:
    return [text for text in ALL if text.channel is channel and kind in (None, text.kind)]


def name_of(text: Shipped) -> str:
    return f"{text.language}-{text.channel}-{text.kind}"


EACH = pytest.mark.parametrize("text", ALL, ids=name_of)
EACH_SMS = pytest.mark.parametrize("text", shipped(Channel.SMS), ids=name_of)
EACH_EMAIL = pytest.mark.parametrize("text", shipped(Channel.EMAIL), ids=name_of)
EACH_LETTER = pytest.mark.parametrize("text", shipped(Channel.LETTER), ids=name_of)
EACH_RECEIPT = pytest.mark.parametrize(("language", "receipt"), RECEIPTS.items(), ids=RECEIPTS)


def scripts(text: str) -> set[str]:
    """The scripts of a text's own words: without fields, and what stands in Latin letters in every language."""
    own = re.sub(r"\(\(\w+\)\)|STOP|SMS|A-Number|\bA\b", "", text)
    return {kind for kind in map(script, own) if kind}


# All of them.


def test_the_languages_promised_are_there() -> None:
    promised = {"en", "es", "pt-BR", "ht", "fr", "ar", "fa", "ps", "ru", "uk", "tr", "ro", "vi", "zh-Hans", "pa-Guru", "hi"}
    promised |= {"bn", "ne", "am", "ti", "ka", "hy", "so", "uz-Latn", "ur"}
    assert set(RECEIPTS) >= promised


@pytest.mark.parametrize(
    ("channel", "kind"),
    [(channel, kind) for channel in ("sms", "email") for kind in ("notice", "help", "wrong_person")] + [("letter", "notice")],
)
def test_every_language_has_every_text(channel: str, kind: str) -> None:
    assert [text.language for text in shipped(Channel(channel), kind)] == list(RECEIPTS)


@EACH
def test_each_could_be_approved_as_it_stands(text: Shipped) -> None:
    assert HOUSE.problems(text.channel, text.subject, text.text, text.language) == []


@EACH
def test_each_is_written_in_the_script_of_its_language(text: Shipped) -> None:
    assert scripts(f"{text.subject or ''} {text.text}") == {languages.get(text.language).script}


def test_no_text_is_a_copy_of_another_languages() -> None:
    lines: dict[tuple[str, str], dict[str, set[str]]] = {}
    for text in ALL:
        lines.setdefault((text.channel, text.kind), {})[text.language] = {text.subject or "", *text.text.splitlines()} - {""}
    for found in lines.values():
        for one, other in combinations(found.values(), 2):
            assert len(one & other) <= len(one | other) / 4, one & other


def test_each_becomes_one_draft_however_often_they_are_added(session: Session) -> None:
    for _ in range(2):
        notice.create_starters(session)
    kept = session.execute(sa.select(Rendition.channel, Rendition.language, Rendition.subject, Rendition.text, Rendition.state))
    wanted = [(text.channel.value, text.language, text.subject, text.text, "draft") for text in ALL]
    assert sorted(map(tuple, kept), key=str) == sorted(wanted, key=str)


# SMS.


@EACH_SMS
def test_an_sms_passes_the_check_before_and_after_filling(text: Shipped) -> None:
    assert check(text.text, Surface.SMS, template=True, allowed_hosts=(), allowed_phones=()) == []
    sent = render(text.text, VALUES)
    assert check(sent, Surface.SMS, allowed_hosts=HOSTS, allowed_phones=PHONES, language=text.language) == []
    assert check(sent, Surface.SMS, allowed_hosts=HOSTS, allowed_phones=PHONES) == []


@EACH_SMS
def test_an_sms_is_short(text: Shipped) -> None:
    needed = segments.count(render(text.text, VALUES))
    assert needed.segments <= (1 if needed.encoding is segments.Encoding.GSM_7 else 3)


@EACH
def test_right_to_left_sms_isolate_what_runs_left_to_right_and_other_texts_leave_it_to_the_typesetter(text: Shipped) -> None:
    if text.channel is Channel.SMS and languages.get(text.language).direction == "rtl":
        for name in fields(text.text) - {"program"}:
            assert f"\u2068(({name}))\u2069" in text.text
    else:
        assert "\u2068" not in text.text


@pytest.mark.parametrize("text", shipped(Channel.SMS, "notice"), ids=name_of)
def test_the_first_sms_says_who_how_and_what_to_answer(text: Shipped) -> None:
    assert fields(text.text) == {"program", "phone", "site"}
    for answer in ("1", "2", "9", "STOP"):
        assert f"{answer}=" in text.text


@pytest.mark.parametrize("text", shipped(Channel.SMS) + shipped(Channel.EMAIL), ids=name_of)
def test_no_text_asks_for_a_word_that_the_carrier_reads_as_a_command(text: Shipped) -> None:
    assert not re.search(r"\b(yes|info|cancel|quit|unsubscribe|start)\b", text.text, re.IGNORECASE)


# E-mails.


@EACH_EMAIL
def test_an_email_passes_the_check_whether_or_not_its_language_is_known(text: Shipped) -> None:
    assert text.subject
    sent = render(text.text, VALUES)
    for language in (text.language, None):
        assert check(text.subject, Surface.EMAIL_SUBJECT, allowed_hosts=(), allowed_phones=(), language=language) == []
        assert check(sent, Surface.EMAIL_BODY, allowed_hosts=HOSTS, allowed_phones=PHONES, language=language) == []


@EACH_EMAIL
def test_the_subject_of_an_email_is_short_and_the_same_for_everyone(text: Shipped) -> None:
    assert text.subject
    assert len(text.subject) <= 60
    assert fields(text.subject) == set()


@pytest.mark.parametrize("text", shipped(Channel.EMAIL, "notice"), ids=name_of)
def test_the_first_email_says_who_how_and_what_to_answer(text: Shipped) -> None:
    assert fields(text.text) == {"program", "phone", "site"}
    found = blocks.parse(text.text)
    assert [block.kind for block in found] == [*[BlockKind.PARAGRAPH] * 3, BlockKind.LIST, BlockKind.PARAGRAPH]
    assert [answer.partition(" = ")[0] for answer in found[3].lines] == ["1", "9"]
    assert "STOP" in found[4].lines[0]


@pytest.mark.parametrize("text", shipped(Channel.EMAIL, "help"), ids=name_of)
def test_the_answer_to_help_repeats_how_and_what_to_answer(text: Shipped) -> None:
    assert fields(text.text) == {"program", "phone", "site"}
    assert re.search(r"\b9\b", text.text)
    assert "STOP" in text.text


# Letters.


@EACH_LETTER
def test_a_letter_has_a_title_and_the_five_headings_each_with_something_below(text: Shipped) -> None:
    kinds = "".join("h" if block.kind is BlockKind.HEADING else "t" for block in blocks.parse(text.text))
    assert re.fullmatch(r"ht+(ht+){5}", kinds)


@EACH_LETTER
def test_a_letter_greets_by_name_and_gives_the_code_the_reference_and_the_ways_to_ask(text: Shipped) -> None:
    _, greeting, *rest = blocks.parse(text.text)
    assert fields(greeting.lines[0]) == {"name"}
    used = [fields(line) for block in rest for line in block.lines]
    assert {name for line in used for name in line} == {"program", "phone", "site", "code", "reference"}
    assert {"phone", "site", "code"} in used  # how to confirm, in one place


@EACH_LETTER
def test_a_letter_lists_five_kinds_of_data_and_five_things_to_do(text: Shipped) -> None:
    lists = [block.lines for block in blocks.parse(text.text) if block.kind is BlockKind.LIST]
    assert [len(lines) for lines in lists] == [5, 5]
    assert sum("A-Number" in line for line in lists[0]) == 1


@EACH_LETTER
def test_a_letter_is_short_enough_for_a_tired_reader(text: Shipped) -> None:
    longest = 750 if languages.get(text.language).script == "Hani" else 2200
    assert len(text.text) <= longest


# Receipts.


@EACH_RECEIPT
def test_a_receipt_has_seven_different_words_in_the_script_of_its_language(language: str, receipt: Receipt) -> None:
    words = [getattr(receipt, name) for name in Receipt.__slots__]
    assert all(words)
    assert len(set(words)) == 7
    assert set().union(*map(scripts, words)) == {languages.get(language).script}


def test_no_receipt_is_a_copy_of_another_languages() -> None:
    sentences = [sentence for one in RECEIPTS.values() for sentence in (one.received, one.explained, one.refused)]
    assert len(set(sentences)) == len(sentences)


# Attorneys.


def test_attorneys_are_written_to_in_english_about_how_many_and_only_inside_a_letter_about_whom() -> None:
    (email,), (letter,) = shipped(Channel.ATTORNEY_EMAIL), shipped(Channel.ATTORNEY_LETTER)
    assert (email.language, letter.language) == ("en", "en")
    assert fields(email.text) == {"program", "phone", "site", "count", "reference"}
    assert ("((clients))",) in [block.lines for block in blocks.parse(letter.text)]
    answers = next(block.lines for block in blocks.parse(email.text) if block.kind is BlockKind.LIST)
    assert [answer.partition(" = ")[0] for answer in answers] == ["1", "9"]
