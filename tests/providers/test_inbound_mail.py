"""What a person wrote is told from what they quoted, and from what a machine wrote for them."""

import email.message
import email.policy
import time
from email.message import EmailMessage
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outreach.providers.contract import Attachment, InboundMail, Malformed
from outreach.providers.inbound_mail import (
    LARGEST_ATTACHMENTS,
    LONGEST_TEXT,
    MOST_ATTACHMENTS,
    automatic,
    from_mime,
    held_back,
    plain,
    unquoted,
)

QUOTE = "> Una carta le espera.\n> Llame al 1-800-555-0199."


@pytest.mark.parametrize(
    ("text", "written"),
    [
        (f"1\n\nOn Mon, Jan 5, 2026 at 9:00 AM Letter Line <r@example.org> wrote:\n\n{QUOTE}\n", "1"),
        (f"1\r\n\r\nOn Mon, Jan 5, 2026 at 9:00 AM <r@example.org> wrote:\r\n{QUOTE}", "1"),
        (f"Sí\n\nEl lun, 5 ene 2026 a las 9:00, Letter Line (<r+abc@example.org>)\nescribió:\n\n{QUOTE}", "Sí"),
        (f"Oui\n\nLe lun. 5 janv. 2026 à 09:00, Letter Line <r@example.org> a écrit :\n{QUOTE}", "Oui"),
        (f"Sim\n\nEm seg., 5 de jan. de 2026 às 09:00, <r@example.org> escreveu:\n{QUOTE}", "Sim"),
        (f"Да\n\nпн, 5 янв. 2026 г. в 09:00, Letter Line <r@example.org>:\n{QUOTE}", "Да"),
        (f"Да\n\n5 января 2026 г. Letter Line написал:\n{QUOTE}", "Да"),
        ("نعم\n\nفي 5 يناير 2026 كتب:\n> رسالة", "نعم"),
        ("ok\n\n________________________________\nFrom: Letter Line\nSent: Monday\nTo: Ana\nSubject: A letter\n\nold", "ok"),
        ("ok\n\nDe: Letter Line\nEnviado el: lunes\nPara: Ana\nAsunto: Una carta\n\nold", "ok"),
        ("ok\n\n*From:* Letter Line\n*Sent:* Monday\n\nold", "ok"),
        ("ok\n\n-----Original Message-----\nold", "ok"),
        (f"{QUOTE}\n\nbelow it", "below it"),
        (f"above\n{QUOTE}\nbetween\n{QUOTE}\nbelow", "above\nbetween\nbelow"),
        ("STOP\n\nSent from my iPhone", "STOP"),
        ("STOP\n\nEnviado desde mi Samsung", "STOP"),
        ("Call me\n-- \nAna\nSpringfield", "Call me"),
        ("2", "2"),
        # What only looks like a quotation is what they wrote.
        ("On 5 May my wife wrote to you: call us\nplease", "On 5 May my wife wrote to you: call us\nplease"),
        (f"In point 2 you say:\n{QUOTE}\nThat is wrong.", "In point 2 you say:\nThat is wrong."),
        ("From: now on, call me\nin the morning", "From: now on, call me\nin the morning"),
        ("It was sent from my lawyer.\nHe knows.", "It was sent from my lawyer.\nHe knows."),
        # Where nothing would be left, everything stays: an empty answer would hide that there was one.
        (QUOTE, QUOTE),
        ("", ""),
    ],
)
def test_what_was_written_is_told_from_what_was_quoted(text: str, written: str) -> None:
    assert unquoted(text) == written


@settings(deadline=None)
@given(st.text(), st.text())
def test_no_text_breaks_the_reading_and_none_is_lost_altogether(text: str, html: str) -> None:
    assert bool(unquoted(text)) == bool(text.replace("\u200b", "").strip())
    plain(html)


@settings(deadline=None)
@given(st.binary(max_size=400))
def test_no_mail_breaks_the_reading(raw: bytes) -> None:
    assert isinstance(from_mime(raw, token=None), InboundMail)


def headers(**values: str) -> EmailMessage:
    message = EmailMessage(policy=email.policy.default)
    for name, value in values.items():
        message[name.replace("_", "-")] = value
    return message


@pytest.mark.parametrize(
    "values",
    [
        {"Auto_Submitted": "auto-replied"}, {"Auto_Submitted": "auto-generated; owner=x"}, {"X_Autoreply": "yes"},
        {"X_Auto_Response_Suppress": "All"}, {"Precedence": "bulk"}, {"Precedence": "auto_reply"}, {"Return_Path": "<>"},
        {"X_Failed_Recipients": "ana@example.org"}, {"Content_Type": 'multipart/report; boundary="x"'},
        {"Subject": "Automatic reply: A letter"}, {"Subject": "Respuesta automática: Una carta"},
        {"Subject": "Réponse automatique : Une lettre"}, {"Subject": "Автоответ: письмо"}, {"Subject": "رد تلقائي: رسالة"},
        {"Subject": "自动回复: 信"}, {"Subject": "Out of Office"},
    ],
)  # fmt: skip
def test_a_machines_answer_is_known(values: dict[str, str]) -> None:
    assert automatic(headers(**values))


@pytest.mark.parametrize(
    "values",
    [
        {}, {"Subject": "Re: A letter"}, {"Auto_Submitted": "no"}, {"Precedence": "normal"}, {"Return_Path": "<ana@example.org>"},
        {"Subject": "Re: I am out of the office"}, {"X_Auto_Response_Suppress": ""},
    ],
)  # fmt: skip
def test_a_persons_answer_is_not_taken_for_a_machines(values: dict[str, str]) -> None:
    assert not automatic(headers(**values))


def test_a_bounce_comes_from_nobody() -> None:
    assert automatic(headers(), envelope_sender="")
    assert not automatic(headers(), envelope_sender="ana@example.org")


def test_html_alone_is_read_without_its_quotation_and_what_is_not_shown() -> None:
    html = (
        "<html><head><title>t</title><style>p{}</style></head><body><p>Sí &amp; gracias</p><div>Ana<br>Pérez</div>"
        '<div class="gmail_quote"><p>Una carta</p><img src="x"></div><blockquote>old</blockquote><script>x()</script></body>'
    )
    assert plain(html) == "Sí & gracias\n\nAna\nPérez"


def whole(body: str = "hello", **values: str) -> bytes:
    message = headers(From="Ana <ana@example.org>", Message_ID="<m1@example.org>", **values)
    message.set_content(body)
    return message.as_bytes()


@pytest.mark.parametrize(
    ("subject", "body", "text"),
    [
        ("STOP", "", "STOP"),
        ("unsubscribe", "\n", "unsubscribe"),
        ("Re: A letter", "", ""),
        ("STOP", "please", "please"),
        ("RV: x", "", ""),
    ],
)
def test_a_mail_without_a_text_reads_as_its_subject_unless_that_is_ours(subject: str, body: str, text: str) -> None:
    assert from_mime(whole(body, Subject=subject), token=None).text == text


def test_a_mail_with_everything_in_it() -> None:
    message = EmailMessage()
    message["From"], message["Subject"], message["Message-ID"] = "Ána <ana@example.org>", "Re: письмо", "<m@example.org>"
    message.set_content("да, получил", charset="koi8-r")
    message.add_alternative("<p>да</p>", subtype="html")
    message.add_attachment(b"%PDF-1.7", maintype="application", subtype="pdf", filename="../../etc/passwd\u202egpj.exe")
    forwarded = EmailMessage()
    forwarded.set_content("inside")
    message.add_attachment(forwarded)
    read = from_mime(message.as_bytes(), token=uuid4())
    assert (read.sender, read.text, read.automatic) == ("ana@example.org", "да, получил", False)
    assert read.attachments[0] == Attachment("_.._etc_passwd_gpj.exe", "application/pdf", b"%PDF-1.7")


def test_the_id_depends_on_the_mail_and_on_whose_answer_it_is() -> None:
    token = uuid4()
    assert from_mime(whole("a"), token=token).provider_id == from_mime(whole("b"), token=token).provider_id
    assert from_mime(whole(), token=token).provider_id != from_mime(whole(), token=None).provider_id


def test_attachments_beyond_the_limits_keep_their_names_only() -> None:
    big = Attachment("big.bin", "application/x-y", b"x" * (LARGEST_ATTACHMENTS - 10))
    small = Attachment("small.txt", "text/plain; charset=x", b"y" * 11)
    tiny = Attachment("", "not a type", b"z")
    kept = held_back([big, small, tiny])
    assert [(each.name, each.media_type, len(each.content)) for each in kept] == [
        ("big.bin", "application/x-y", LARGEST_ATTACHMENTS - 10),
        ("small.txt", "text/plain", 0),
        ("unnamed", "application/octet-stream", 1),
    ]
    assert len(held_back([tiny] * 50)) == MOST_ATTACHMENTS


def test_a_text_is_cut_where_no_person_would_have_gone_on() -> None:
    assert len(from_mime(whole("x " * 20_000), token=None).text) == LONGEST_TEXT


@pytest.mark.parametrize(
    "piece", ["<!--", "<style>", "<", "</", "<?", "<div>", "&#", "<blockquote>", "1", "> \n", "a\n", " \n", "1 a@b "]
)
def test_a_mail_made_to_keep_its_reader_busy_does_not(piece: str) -> None:
    started = time.process_time()
    from_mime(whole(piece * 40_000), token=None)
    from_mime(headers(Content_Type="text/html").as_bytes() + (piece * 40_000).encode(), token=None)
    assert time.process_time() - started < 5


def test_a_mail_of_parts_within_parts_without_an_end_is_malformed() -> None:
    nested = b"".join(b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (n, n) for n in range(3000))
    with pytest.raises(Malformed):
        from_mime(nested, token=None)


def test_style_and_comments_before_the_text_do_not_push_it_out() -> None:
    head = f"<style>{'p { margin: 0 } ' * 2_000}</style><!-- {'x' * 30_000} -->"
    assert plain(f"<html><head>{head}</head><body><p>Sí</p></body></html>") == "Sí"
