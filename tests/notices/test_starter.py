"""The texts the program brings: drafts, neutral, short, in their own script, with what the reader must know."""

import re

import pytest

from outreach.notices import languages, segments, starter
from outreach.notices.characters import script
from outreach.notices.disclosure import check
from outreach.notices.fields import fields, render
from outreach.notices.starter import Shipped

SHIPPED = starter.load()
TEXTS = [text for text in SHIPPED if text.channel == "sms"]
EVERY = pytest.mark.parametrize("text", TEXTS, ids=lambda text: f"{text.language}-{text.kind}")
NOTICES = pytest.mark.parametrize("text", [text for text in TEXTS if text.kind == "notice"], ids=lambda text: text.language)
VALUES = {"program": "Notice Line", "phone": "+1 202-555-0100", "site": "notices.example.org"}


def test_the_languages_promised_are_there() -> None:
    promised = {"en", "es", "pt-BR", "ht", "fr", "ar", "fa", "ps", "ru", "uk", "tr", "ro", "vi", "zh-Hans", "pa-Guru", "hi"}
    promised |= {"bn", "ne", "am", "ti", "ka", "hy", "so", "uz-Latn", "ur"}
    assert {text.language for text in TEXTS} >= promised


@EVERY
def test_each_passes_the_check_before_and_after_filling(text: Shipped) -> None:
    hosts, phones = (VALUES["site"],), ("+12025550100",)
    sent = render(text.text, VALUES)
    assert check(text.text, "sms", template=True, allowed_hosts=(), allowed_phones=()) == []
    assert check(sent, "sms", allowed_hosts=hosts, allowed_phones=phones, language=text.language) == []
    assert check(sent, "sms", allowed_hosts=hosts, allowed_phones=phones) == []


@EVERY
def test_each_is_short(text: Shipped) -> None:
    needed = segments.count(render(text.text, VALUES))
    assert needed.segments <= (1 if needed.encoding is segments.Encoding.GSM_7 else 3)


@EVERY
def test_each_is_written_in_the_script_of_its_language(text: Shipped) -> None:
    own = re.sub(r"\(\(\w+\)\)|STOP|SMS", "", text.text)
    assert {kind for kind in map(script, own) if kind} == {languages.get(text.language).script}


@EVERY
def test_right_to_left_texts_isolate_what_runs_left_to_right(text: Shipped) -> None:
    if languages.get(text.language).direction == "rtl":
        for name in fields(text.text) - {"program"}:
            assert f"\u2068(({name}))\u2069" in text.text
    else:
        assert "\u2068" not in text.text


@NOTICES
def test_the_notice_says_who_how_and_what_to_answer(text: Shipped) -> None:
    assert fields(text.text) == {"program", "phone", "site"}
    for answer in ("1", "2", "9", "STOP"):
        assert f"{answer}=" in text.text


@EVERY
def test_no_text_asks_for_a_word_that_the_carrier_reads_as_a_command(text: Shipped) -> None:
    assert not re.search(r"\b(yes|info|cancel|quit|unsubscribe|start)\b", text.text, re.IGNORECASE)


@pytest.mark.parametrize("kind", ["notice", "help", "wrong_person"])
def test_every_language_has_every_text(kind: str) -> None:
    assert {text.language for text in TEXTS if text.kind == kind} == {text.language for text in TEXTS}
