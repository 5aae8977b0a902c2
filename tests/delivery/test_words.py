"""Short answers: obeyed in every language we write in, and never read into a sentence."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach.delivery import words
from outreach.delivery.words import Reading, ReplyKind, classify
from outreach.notices import starter
from outreach.notices.characters import fold

DATA: dict[str, Any] = tomllib.loads(Path(words.__file__).with_name("words.toml").read_text(encoding="utf-8"))["language"]
EVERY = [(code, kind, word) for code, lists in DATA.items() for kind in ReplyKind for word in lists.get(kind, ())]
PHRASES = [(code, phrase) for code, lists in DATA.items() for phrase in lists["stop_phrases"]]
# What Twilio itself obeys on a long code: twilio.com/docs/messaging/tutorials/advanced-opt-out
CARRIER_STOP = ["STOP", "UNSUBSCRIBE", "END", "QUIT", "STOPALL", "CANCEL", "REVOKE", "OPTOUT"]
CARRIER_START = ["START", "YES", "UNSTOP"]
CARRIER_HELP = ["HELP", "INFO"]


def test_every_language_we_write_in_has_its_words() -> None:
    assert {text.language for text in starter.load()} == set(DATA)
    for code, lists in DATA.items():
        for kind in ("stop", "stop_phrases", "help", "wrong_person", "acknowledge", "call_me", "other_language"):
            assert lists[kind], f"{code} has no words for {kind}"


@pytest.mark.parametrize(("code", "kind", "word"), EVERY)
def test_every_word_means_what_the_table_says_with_and_without_the_hint(code: str, kind: ReplyKind, word: str) -> None:
    assert classify(word, code).kind is kind
    assert classify(word).kind is kind


@pytest.mark.parametrize(
    ("kind", "word"),
    [(ReplyKind.STOP, word) for word in CARRIER_STOP]
    + [(ReplyKind.START, word) for word in CARRIER_START]
    + [(ReplyKind.HELP, word) for word in CARRIER_HELP],
)
def test_what_the_carrier_obeys_we_obey_whatever_the_language(kind: ReplyKind, word: str) -> None:
    for hint in (None, *DATA):
        assert classify(word, hint).kind is kind


@pytest.mark.parametrize(("code", "phrase"), PHRASES)
def test_a_wish_to_stop_inside_a_sentence_is_obeyed_and_shown_to_a_person(code: str, phrase: str) -> None:
    reading = classify(f"Maria: {phrase} !!! 77 x", code)
    assert reading.kind is ReplyKind.STOP
    assert reading.needs_human


@pytest.mark.parametrize(
    "text",
    [
        "I must STOP this bill",
        "when does it stop?",
        "Do not stop",
        "don't stop texting me",
        "please don't stop messaging me",
        "no más quiero saber qué pasó",
        "es para mi hermana",
        "Para",
        "FIN",
        "salir",
        "the end of the month",
        "help is on the way",
        "1 ok",
        "12",
        "1 2",
        "91",
        "yes please call 9",
        "sí",
        "oui",
        "да",
        "hi",
        "no",
        "",
        "   ",
        "👍",
        "...",
    ],
)
def test_everything_else_is_left_to_a_person(text: str) -> None:
    assert classify(text) == Reading(ReplyKind.TEXT, needs_human=True)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("1", ReplyKind.ACKNOWLEDGE),
        (" 1. ", ReplyKind.ACKNOWLEDGE),
        ("(1)", ReplyKind.ACKNOWLEDGE),
        ("“1”", ReplyKind.ACKNOWLEDGE),
        ("1️⃣", ReplyKind.ACKNOWLEDGE),
        ("①", ReplyKind.ACKNOWLEDGE),
        ("１", ReplyKind.ACKNOWLEDGE),
        ("١", ReplyKind.ACKNOWLEDGE),
        ("۱", ReplyKind.ACKNOWLEDGE),
        ("१", ReplyKind.ACKNOWLEDGE),
        ("১", ReplyKind.ACKNOWLEDGE),
        ("੧", ReplyKind.ACKNOWLEDGE),
        ("૧", ReplyKind.ACKNOWLEDGE),
        ("၂", ReplyKind.CALL_ME),
        ("២", ReplyKind.CALL_ME),
        ("๒", ReplyKind.CALL_ME),
        ("\u200f٩\u200f", ReplyKind.WRONG_PERSON),
        ("3!", ReplyKind.OTHER_LANGUAGE),
        ("#9", ReplyKind.WRONG_PERSON),
        ("I don't know this person", ReplyKind.WRONG_PERSON),
        ("NÚMERO EQUIVOCADO!!", ReplyKind.WRONG_PERSON),
        ("numero equivocado", ReplyKind.WRONG_PERSON),
        ("SI", ReplyKind.TEXT),
        ("🛑 Stop 🛑", ReplyKind.STOP),
        ("'STOP'", ReplyKind.STOP),
        ("ＳＴＯＰ", ReplyKind.STOP),
        ("DUNG LAI", ReplyKind.STOP),
        ("to\u02bbxtat", ReplyKind.STOP),
        ("停止。", ReplyKind.STOP),
    ],
)
def test_digits_and_words_survive_how_telephones_write_them(text: str, kind: ReplyKind) -> None:
    assert classify(text).kind is kind


@pytest.mark.parametrize(
    ("text", "language"),
    [("Español", "es"), ("kreyol", "ht"), ("Русский", "ru"), ("ትግርኛ", "ti"), ("english!", "en"), ("中文", None), ("Punjabi", None)],
)
def test_the_name_of_a_language_asks_for_it_and_an_ambiguous_one_asks_a_person(text: str, language: str | None) -> None:
    assert classify(text) == Reading(ReplyKind.OTHER_LANGUAGE, needs_human=language is None, language=language)


def test_the_hint_only_settles_the_language_of_a_word_that_several_share() -> None:
    assert classify("cancelar", "pt-BR") == Reading(ReplyKind.STOP, language="pt-BR")
    assert classify("cancelar", "es") == Reading(ReplyKind.STOP, language="es")
    assert classify("cancelar", "ru") == Reading(ReplyKind.STOP, language="es")


@given(st.text(max_size=400), st.sampled_from([None, *DATA, "xx"]))
def test_no_text_is_too_strange(text: str, hint: str | None) -> None:
    reading = classify(text, hint)
    assert reading.needs_human or reading.kind is not ReplyKind.TEXT


@given(
    st.sampled_from([word for _, kind, word in EVERY if kind is ReplyKind.STOP]),
    st.sampled_from(["", " ", ".", "!!", "\u200f", "\u202e", "\u200b", "🙏", "“", "\n", "(", "\ufeff"]),
    st.sampled_from([str, str.upper, str.capitalize, fold]),
    st.booleans(),
)
def test_stop_survives_case_punctuation_and_hidden_marks(word: str, around: str, change: Any, inside: bool) -> None:
    text = change(word)
    if inside:
        text = text[:1] + "\u200b" + text[1:]
    assert classify(f"{around}{text}{around}").kind is ReplyKind.STOP
