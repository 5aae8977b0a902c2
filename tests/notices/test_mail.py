"""E-mails: one text, two outputs, and a phone number that reads the same in every script."""

import itertools
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach.notices import disclosure, languages, starter
from outreach.notices.fields import FieldError
from outreach.notices.languages import UnknownLanguageError
from outreach.notices.mail import WIDTH, Piece, RenderedMail, columns, pieces, render, wrap

VALUES = {"program": "Letter Line", "phone": "1-800-555-0199", "site": "notices.example.org"}
STOP = "https://notices.example.org/stop/u-" + "a" * 48
TEXT = """# An important message

((program)) has a message for you.
Call ((phone)) or type ((site)).

- 1 = I got it
- 9 = wrong person
"""
ARABIC = "# رسالة مهمة\n\n((program)): اتصل على \u2068((phone))\u2069 أو اكتب ((site)).\n\n- 1 = وصلتني"
LRI, FSI, PDI, RLM = "\u2066", "\u2068", "\u2069", "\u200f"
SHIPPED = sorted({text.language for text in starter.load()})
OTHER = next(language.code for language in languages.all_languages() if language.code not in SHIPPED)


def mail(text: str = TEXT, language: str = "en", subject: str = "A message from ((program))") -> RenderedMail:
    return render(subject, text, language, VALUES, STOP)


class Reader(HTMLParser):
    """What an HTML document consists of. `open` must be empty at the end."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.shown: list[str] = []
        self.feed(document)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "body" in self.open:
            self.shown.append(data)

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def test_the_plain_text_is_a_text_of_its_own() -> None:
    assert mail().text == (
        "An important message\n"
        "====================\n"
        "\n"
        "Letter Line has a message for you. Call 1-800-555-0199 or type\n"
        "notices.example.org.\n"
        "\n"
        "- 1 = I got it\n"
        "- 9 = wrong person\n"
        "\n"
        "-- \n"
        "Letter Line · 1-800-555-0199 · notices.example.org\n"
        "Stop these e-mails:\n"
        f"{STOP}\n"
    )


def test_the_html_says_the_same_in_the_same_order() -> None:
    reader = Reader(mail().html)
    assert reader.open == []
    shown = " ".join("".join(reader.shown).split())
    plain = " ".join(mail().text.replace("====================", "").replace("- ", "").replace(STOP, "").split())
    assert re.sub(r"\W", "", shown) == re.sub(r"\W", "", plain)
    assert (len(reader.of("h1")), len(reader.of("li"))) == (1, 2)


def test_the_subject_is_filled_and_has_no_invisible_characters() -> None:
    assert mail(subject=f"{FSI}((program)){PDI}: hello").subject == "Letter Line: hello"


@pytest.mark.parametrize("language", [language.code for language in languages.all_languages()])
def test_nothing_is_fetched_from_anywhere_and_every_link_is_ours(language: str) -> None:
    document = mail(language=language).html
    assert {name for name, _ in Reader(document).tags}.isdisjoint(
        {"img", "link", "script", "iframe", "object", "video", "base", "form"}
    )
    assert not re.search(r"url\(|@import|@font-face|srcset|\ssrc=|background=", document)
    assert re.findall(r"https?:[^\s\"<]+", document) == [STOP]
    assert len(document.encode()) < 8000


@pytest.mark.parametrize("language", languages.all_languages(), ids=lambda one: one.code)
def test_a_mail_tells_its_language_and_direction(language: languages.Language) -> None:
    reader = Reader(mail(language=language.code).html)
    for tag in ("html", "div"):
        assert reader.of(tag)[0]["lang"] == language.code
        assert reader.of(tag)[0]["dir"] == language.direction


def test_values_and_texts_are_only_text() -> None:
    hostile = '<script>alert("1")</script> & "quotes" \'single\' {{ 7 * 7 }} {% raw %}'
    shown = "".join(Reader(mail(f"{hostile}\n\n# {hostile}\n\n- {hostile}").html).shown)
    assert shown.count(hostile) == 3
    quoted = render('"><b>', "Text", "en", VALUES, 'https://example.org/?a="><b>')
    assert not Reader(quoted.html).of("b")


@pytest.mark.parametrize("language", ["ar", "fa", "ps", "ur"])
def test_numbers_and_addresses_are_isolated_in_right_to_left_text(language: str) -> None:
    made = mail(ARABIC, language)
    for value in (VALUES["phone"], VALUES["site"]):
        assert made.text.count(value) - made.text.count(f"{LRI}{value}{PDI}") == STOP.count(value)
        assert f'<bdi dir="ltr" style="white-space:nowrap">{value}</bdi>' in made.html
    assert made.text.count(LRI) == made.text.count(PDI)
    assert FSI not in made.text + made.html
    assert not re.search("[\u200e\u200f\u2066-\u2069]", made.html)


def test_no_line_of_right_to_left_text_is_turned_by_a_latin_word_at_its_beginning() -> None:
    lines = mail(ARABIC, "ar").text.splitlines()
    assert lines[0] == "رسالة مهمة"
    assert lines[3].startswith(f"{RLM}Letter Line: ")
    assert lines[lines.index("-- ") + 1].startswith(f"{RLM}Letter Line")


def test_left_to_right_text_has_no_invisible_characters() -> None:
    made = mail(f"Call {FSI}((phone)){PDI}.")
    assert not re.search("[\u200e\u200f\u2066-\u2069]", made.text)


@pytest.mark.parametrize(
    "run",
    [
        "1-800-555-0199", "+1 800 555 0199", "(800) 555-0199", "7H3K-9QXT", "K7PM-2XQD", "2030-02-01", "notices.example.org",
        "https://notices.example.org/a?b=c", "someone@mail.example.org", "555",
    ],
)  # fmt: skip
@pytest.mark.parametrize("around", ["اتصل على {}.", "{}", "رقم{} هنا", f"على {FSI}{{}}{PDI}،"])
def test_a_number_a_code_or_an_address_is_one_piece(run: str, around: str) -> None:
    assert Piece(run, "ltr") in pieces(around.format(run))


def test_what_the_author_isolated_stays_isolated() -> None:
    assert pieces(f"من {FSI}Letter Line{PDI}: 5") == (Piece("من "), Piece("Letter Line", "auto"), Piece(": 5"))


@given(line=st.text(st.sampled_from("ab 12-.@/(1)ا文。（\u2066\u2068\u2069:+") | st.characters(codec="utf-8"), max_size=200))
def test_taking_a_line_apart_and_wrapping_it_loses_nothing(line: str) -> None:
    bare = re.sub("[\u2066-\u2069]", "", line)
    assert "".join(piece.text for piece in pieces(line)) == bare
    assert "".join("".join(wrap(line)).split()) == "".join(line.split())


@given(words=st.lists(st.text("abcdefghij", min_size=1, max_size=30), min_size=1, max_size=40))
def test_lines_are_as_full_as_they_may_be(words: list[str]) -> None:
    lines = wrap(" ".join(words))
    assert " ".join(lines) == " ".join(words)
    for line, following in itertools.pairwise(lines):
        assert columns(line) <= WIDTH < columns(line) + 1 + columns(following.split()[0])


def test_an_address_longer_than_a_line_is_not_broken() -> None:
    assert STOP * 2 in wrap(f"Open {STOP * 2} now and then read on.")


def test_a_phone_with_spaces_is_not_broken() -> None:
    assert wrap("a" * 66 + " +1 800 555 0199") == ["a" * 66, "+1 800 555 0199"]


def test_han_text_is_broken_between_characters_but_not_before_a_full_stop() -> None:
    lines = wrap("您有一条重要的消息。" * 20)
    assert len(lines) > 2
    assert all(columns(line) <= WIDTH for line in lines)
    assert all(line[0] not in "。（" for line in lines)
    assert wrap("文" * 36 + "。") == ["文" * 35, "文。"]
    assert wrap("文" * 35 + "（文）") == ["文" * 35, "（文）"]


def test_a_language_without_words_for_it_offers_the_stop_in_english() -> None:
    (link,) = Reader(mail(language=OTHER).html).of("a")
    assert (link["lang"], link["dir"], link["href"]) == ("en", "ltr", STOP)


@pytest.mark.parametrize("language", SHIPPED)
def test_every_language_with_a_text_has_its_own_words_for_stopping(language: str) -> None:
    (link,) = Reader(mail(language=language).html).of("a")
    assert link["lang"] == language
    words = mail(language=language).text.splitlines()[-2]
    found = disclosure.check(words, "email_body", allowed_hosts=(), allowed_phones=(), language=language)
    assert [finding for finding in found if finding.code is not disclosure.Code.DIRECTION] == []


@pytest.mark.parametrize("sheet", ["light", "dark"])
def test_it_is_readable_in_light_and_in_dark(sheet: str) -> None:
    document = mail().html
    assert '<meta name="color-scheme" content="light dark">' in document
    style = document[document.index("@media (prefers-color-scheme: dark)") : document.index("</style>")]
    body = document[document.index("<body") :]
    if sheet == "dark":
        (back,) = re.findall(r"background-color: (#\w{6})", style)
        texts = set(re.findall(r"[ ;{]color: (#\w{6})", style))
        dressed = set(re.findall(r"class=\"(\w+)\"[^>]*[;\"]color:", body))
        assert dressed == {"page", "sheet", "foot", "link"}
        assert all(f".{name}" in style for name in dressed)
    else:
        (back,) = set(re.findall(r"background-color:(#\w{6})", body))
        texts = set(re.findall(r"[;\"]color:(#\w{6})", body))
    assert len(texts) == 3
    assert all(contrast(text, back) >= 7 for text in texts), {text: contrast(text, back) for text in texts}


def contrast(one: str, other: str) -> float:
    """https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio; 7 is its level AAA for text."""
    bright, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_a_missing_value_or_an_unknown_language_is_an_error() -> None:
    with pytest.raises(FieldError):
        mail("((name))")
    with pytest.raises(UnknownLanguageError):
        mail(language="xx")
