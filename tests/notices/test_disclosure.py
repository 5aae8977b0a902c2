"""The non-disclosure check: catches every leak of the corpus, refuses nothing clean, and is quick."""

import re
import time
import tomllib
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach.notices import languages, starter
from outreach.notices.disclosure import POLICY_VERSION, Code, Surface, check, values_of_person, words
from outreach.notices.fields import FieldError, render

CORPUS = Path(__file__).parent / "corpus"
HOSTS = ("notices.example.org",)
PHONES = ("+12025550100",)


def load(name: str) -> dict[str, list[str]]:
    return tomllib.loads((CORPUS / name).read_text(encoding="utf-8"))


LEAKS = [(language, text) for language, texts in load("leaks.toml").items() for text in texts]
CLEAN = [(language, text) for language, texts in load("clean.toml").items() for text in texts]
TRICKS = [
    (trick["code"], text) for trick in tomllib.loads((CORPUS / "tricks.toml").read_text())["trick"] for text in trick["texts"]
]


def codes(text: str, **options: object) -> set[Code]:
    found = check(text, "sms", allowed_hosts=HOSTS, allowed_phones=PHONES, **options)  # type: ignore[arg-type]  # passed on
    return {finding.code for finding in found}


def test_the_corpus_is_large_and_covers_every_language_with_a_starter_text() -> None:
    assert len(LEAKS) + len(TRICKS) >= 300
    assert len(CLEAN) >= 300
    shipped = {text.language for text in starter.load()}
    assert shipped <= {language for language, _ in LEAKS}
    assert shipped <= {language for language, _ in CLEAN}
    assert shipped <= words.languages_covered() | {"es"}


@pytest.mark.parametrize(("language", "text"), LEAKS)
def test_a_sentence_that_tells_is_refused_whether_or_not_its_language_is_known(language: str, text: str) -> None:
    assert Code.WORD in codes(text, language=language)
    assert Code.WORD in codes(text)


@pytest.mark.parametrize(("language", "text"), LEAKS)
def test_a_sentence_that_tells_is_refused_in_capitals_and_within_a_longer_text(language: str, text: str) -> None:
    assert Code.WORD in codes(text.upper())
    assert Code.WORD in codes(f"Notice Line: {text} +1 202-555-0100 STOP")


@pytest.mark.parametrize(("code", "text"), TRICKS)
def test_numbers_addresses_and_disguises_are_refused(code: str, text: str) -> None:
    assert Code(code) in codes(text)


@pytest.mark.parametrize(("language", "text"), CLEAN)
def test_a_clean_sentence_passes(language: str, text: str) -> None:
    assert check(text, "sms", allowed_hosts=HOSTS, allowed_phones=PHONES, language=language) == []


@pytest.mark.parametrize("surface", list(Surface))
def test_every_surface_is_checked(surface: Surface) -> None:
    assert check("asylum", surface, allowed_hosts=(), allowed_phones=())


def test_an_unknown_channel_is_refused() -> None:
    with pytest.raises(ValueError, match="letter"):
        check("text", "letter", allowed_hosts=(), allowed_phones=())


def test_a_template_may_hold_the_fields_of_its_channel_and_no_others() -> None:
    text = "((program)): ((phone)) ((site)) ((code))"
    assert check(text, "sms", allowed_hosts=(), allowed_phones=(), template=True) == []
    assert codes(text) == {Code.FIELD}
    assert codes("((name))", template=True) == {Code.FIELD}
    envelope = check("((name)) ((address))", "envelope", allowed_hosts=(), allowed_phones=(), template=True)
    assert envelope == []
    subject = check("((program)) ((name))", "email_subject", allowed_hosts=(), allowed_phones=(), template=True)
    assert [(finding.code, finding.word) for finding in subject] == [(Code.FIELD, "((name))")]
    body = check("((program)) ((reference)) ((code))", "email_body", allowed_hosts=(), allowed_phones=(), template=True)
    assert [(finding.code, finding.word) for finding in body] == [(Code.FIELD, "((code))")]


def test_a_code_of_digits_passes_only_when_it_is_named() -> None:
    assert Code.A_NUMBER in codes("Your code: 4821-7733")
    assert codes("Your code: 4821-7733", allowed_values=["4821-7733"]) == set()


@pytest.mark.parametrize(
    "phone", ["+12025550100", "+1 (202) 555-0100", "202-555-0100", "12025550100", "202 555 0100", "(202)555-0100"]
)
@pytest.mark.parametrize("text", ["Call {}", "Call {} 1 = yes", "{}.", "اتصل \u2068{}\u2069", "9 {} 9", "请致电{}。"])
def test_our_phone_passes_however_it_is_written(phone: str, text: str) -> None:
    assert codes(text.format(phone)) == set()


def test_a_finding_says_how_to_mend_it_and_keeps_the_word_out_of_its_repr() -> None:
    (finding,) = check("About your asylum.", "sms", allowed_hosts=(), allowed_phones=())
    assert finding.word == "asylum"
    assert "important message" in finding.sentence
    assert "asylum" not in repr(finding)


def test_the_policy_version_names_the_lists() -> None:
    assert re.fullmatch(r"[0-9a-f]{12}", POLICY_VERSION)


PERSON = values_of_person(
    ["Fatoumata Binta Diallo-Sow", "李明"],
    [date(1985, 3, 12)],
    ["Guinean", "Otero County Processing", "A012-345-678", "+52 55 5555 0123"],
)


@pytest.mark.parametrize(
    "text",
    [
        "Hello Fatoumata",
        "FATOUMATA!",
        "Dear Ms. Diallo,",
        "diallo sow",
        "Fatoumata Binta Diallo-Sow",
        "F\u200batoumata",
        "Fátoumata",
        "给李明的信",
        "Guinean",
        "in otero county processing",
        "your number 012345678",
        "ends in A 012 345 678",
        "5255 5555 0123",
        "born 12 March 1985",
        "March 12, 1985",
        "12/03/1985",
        "03/12/85",
        "1985-03-12",
        "19850312",
        "12031985",
        "12 de marzo de 1985",
        "12 mas 1985",
        "12 Mar 1985",
        "1985年3月12日",
        "12 марта 1985 года",
        "١٢ مارس ١٩٨٥",
        "12th of March, 1985",
        "ngày 12 tháng 3 năm 1985",
        "12 มีนาคม 2528",
    ],
)
def test_whatever_we_know_of_the_person_is_refused(text: str) -> None:
    assert Code.KNOWN_VALUE in codes(text, known_values=PERSON)


@pytest.mark.parametrize(
    "text",
    ["There is an important message for you.", "Call 202 555 0100", "sowing", "binary", "open 12 to 3", "Dialloson", "明天有信"],
)
def test_what_only_resembles_a_known_value_is_not(text: str) -> None:
    assert Code.KNOWN_VALUE not in codes(text, known_values=PERSON)


def test_particles_and_single_letters_are_no_part_of_a_name() -> None:
    values = values_of_person(["Maria de la Cruz del Rio", "Ngo An", "X"])
    assert set(values) == {"Maria de la Cruz del Rio", "Maria", "Cruz", "Rio", "Ngo An", "Ngo", "X"}


def test_the_same_text_is_judged_anew_for_each_person() -> None:
    text = "Hello Amina"
    assert codes(text, known_values=("Amina",)) == {Code.KNOWN_VALUE}
    assert codes(text, known_values=("Zahra",)) == set()
    assert codes(text) == set()


NAMES = st.text(st.characters(categories=["Lu", "Ll"], max_codepoint=0x24F), min_size=3, max_size=12)


@given(NAMES, NAMES, st.dates(date(1930, 1, 1), date(2020, 12, 31)), st.data())
def test_no_text_that_passes_holds_a_known_value(first: str, last: str, born: date, data: st.DataObject) -> None:
    spelled = [first, last, f"{first} {last}", born.isoformat(), f"{born.day}/{born.month}/{born.year}"]
    spelled += [languages.format_date(language, born) for language in languages.all_languages()[:8]]
    slipped = data.draw(st.sampled_from(spelled))
    text = render("((program)): call ((phone)).", {"program": f"Line {slipped} x", "phone": PHONES[0]})
    known = values_of_person([f"{first} {last}"], [born])
    assert Code.KNOWN_VALUE in codes(text, known_values=known)


@given(st.text(max_size=200))
def test_no_text_is_too_strange(text: str) -> None:
    check(text, "sms", allowed_hosts=HOSTS, allowed_phones=PHONES, known_values=PERSON)


@given(st.sampled_from([text for text in starter.load() if text.channel == "sms"]), st.text(max_size=40), st.text(max_size=40))
def test_no_value_can_make_a_starter_text_reach_another_address(text: starter.Shipped, program: str, site: str) -> None:
    try:
        sent = render(text.text, {"program": program, "phone": PHONES[0], "site": f"{site}evil.example.com"})
    except FieldError:
        return
    if "((site))" in text.text:
        assert codes(sent) & {Code.ADDRESS, Code.EMAIL, Code.IMITATED_HOST}


def seconds_each(texts: list[str]) -> float:
    best = float("inf")
    for _ in range(5):
        start = time.perf_counter()
        for text in texts:
            check(text, "sms", allowed_hosts=HOSTS, allowed_phones=PHONES)
        best = min(best, (time.perf_counter() - start) / len(texts))
    return best


def test_a_text_seen_before_costs_next_to_nothing_and_a_new_one_little() -> None:
    text = "Notice Line: there is an important message for you. Call +1 202-555-0100 or type notices.example.org. It is free."
    seconds_each([text])
    assert seconds_each([text] * 1000) < 60e-6  # aim 30 µs, measured 1.5; room for a busy machine
    runs = iter(range(10))
    start = time.perf_counter()
    for _ in range(200):
        check(f"{text} {next(runs, '')}{time.perf_counter_ns() % 1000}", "sms", allowed_hosts=HOSTS, allowed_phones=PHONES)
    assert (time.perf_counter() - start) / 200 < 1.5e-3  # aim 300 µs, measured 170; room for a busy machine
