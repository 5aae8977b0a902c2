"""The SMTP adapter against a real SMTP server, and against servers that no standard describes."""

import asyncio
import re
import time
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from aiosmtpd.smtp import SMTP

from outreach.providers import mime
from outreach.providers.contract import Lost, Mailbox, Receipt, Refusal, Unreachable, Verdict
from outreach.providers.smtp import UnknownSecurity, UnprotectedRelay, codes, security
from tests.providers.relay import (
    ARABIC,
    Certificate,
    Relay,
    bounce_address,
    hang_up,
    listening,
    mail,
    outcome,
    provider,
    sent,
)

# Most relays here are spoken to in clear, and still ask for a password.
pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    return Certificate(tmp_path)


@pytest.mark.parametrize("pipelining", [True, False])
def test_a_mail_arrives_whole_and_names_its_attempt_thrice(pipelining: bool) -> None:
    relay, one = (
        Relay(pipelining=pipelining),
        mail(subject=ARABIC, text=f"{ARABIC}\n.\n..\n", html=f"<p>{ARABIC}</p>", language="ar"),
    )
    (receipt,) = sent(relay, one)
    bounce = bounce_address(one.token)
    assert receipt == Receipt(one.token, Verdict.ACCEPTED, provider_id=f"<{bounce}>")
    (envelope,) = relay.taken
    assert (envelope.mail_from, envelope.rcpt_tos) == (bounce, ["someone@example.net"])
    assert relay.parameters == ["RET=HDRS", f"ENVID={bounce.partition('@')[0].replace('+', '+2B')}", "NOTIFY=FAILURE,DELAY"]
    (message,) = relay.messages()
    assert message["Message-ID"] == f"<{bounce}>"
    assert str(message["Subject"]) == ARABIC
    assert str(message["From"]) == "Letter Line <letters@notices.example.org>"
    plain, html = message.iter_parts()
    assert (plain.get_content_type(), plain.get_content()) == ("text/plain", f"{ARABIC}\r\n.\r\n..\r\n")
    assert (html.get_content_type(), html.get_content()) == ("text/html", f"<p>{ARABIC}</p>\r\n")


def test_the_headers_are_those_of_one_mail_to_one_reader() -> None:
    relay, one = Relay(), mail()
    sent(relay, one)
    (message,) = relay.messages()
    headers = {name: str(value) for name, value in message.items()}
    assert headers.pop("Date").endswith("+0000")
    assert headers.pop("Content-Type").startswith("multipart/alternative")
    assert headers == {
        "From": "Letter Line <letters@notices.example.org>",
        "To": "someone@example.net",
        "Subject": "An important message for you",
        "Message-ID": f"<{bounce_address(one.token)}>",
        "Reply-To": one.reply_to.address,
        "Auto-Submitted": "auto-generated",
        "List-Unsubscribe": f"<{one.unsubscribe_url}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        "Content-Language": "en",
        "MIME-Version": "1.0",
    }
    raw = bytes(relay.taken[0].original_content or b"")
    assert raw.isascii()
    assert max(len(line) for line in raw.split(b"\r\n")) < 200
    assert b"\n" not in raw.replace(b"\r\n", b"")


@pytest.mark.parametrize("name", ["Letter Line", "Letter Line, Inc.", 'The "Line"', "خط الرسائل", "Ligne à lettres"])
def test_a_senders_name_is_read_as_it_is_written(name: str) -> None:
    relay = Relay()
    sent(relay, mail(), sender_name=name)
    (address,) = relay.messages()[0]["From"].addresses
    assert address.display_name == name


@pytest.mark.parametrize("subject", ["a\r\nBcc: other@example.org", "a\nb", "a\x00b", f"{ARABIC}\r\nBcc: other@example.org"])
def test_a_line_break_makes_no_header(subject: str) -> None:
    relay = Relay()
    (receipt,) = sent(relay, mail(subject=subject))
    assert (receipt.verdict, receipt.code) == (Verdict.REFUSED, "bad_header")
    assert relay.taken == []


def test_a_relay_without_extensions_is_asked_for_none() -> None:
    relay = Relay(pipelining=False, dsn=False)
    (receipt,) = sent(relay, mail())
    assert receipt.verdict == Verdict.ACCEPTED
    assert relay.parameters == []


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_mail_goes_encrypted_to_a_relay_that_proves_itself(certificate: Certificate, security: str) -> None:
    relay = Relay()

    async def story() -> None:
        async with listening(relay, security=security, tls=certificate):
            async with provider(relay.port, security=security, tls=certificate.client) as smtp:
                assert (await smtp.send(mail())).verdict == Verdict.ACCEPTED
            async with provider(relay.port, security=security) as smtp:  # It does not know who signed that.
                receipt = await smtp.send(mail())
            assert (receipt.verdict, receipt.code, receipt.refusal) == (
                Verdict.REFUSED, "connect certificate", Refusal.CONFIGURATION,
            )  # fmt: skip

    asyncio.run(story())
    assert len(relay.taken) == 1


def test_a_certificate_for_another_address_is_not_believed(tmp_path: Path) -> None:
    other = Certificate(tmp_path, "127.0.0.9")

    async def story() -> Receipt:
        relay = Relay()
        async with listening(relay, tls=other), provider(relay.port, security="starttls", tls=other.client) as smtp:
            return await smtp.send(mail())

    assert asyncio.run(story()).code == "connect certificate"


def test_a_relay_that_offers_no_encryption_gets_neither_password_nor_mail() -> None:
    relay = Relay()
    (receipt,) = sent(relay, mail(), security="starttls")
    assert (receipt.code, receipt.refusal) == ("connect unsupported", Refusal.CONFIGURATION)
    assert (relay.sign_ins, relay.taken) == (0, [])


@pytest.mark.parametrize("host", ["relay.example.org", "10.0.0.5", "192.0.2.1"])
def test_only_a_relay_on_this_machine_is_spoken_to_in_clear(host: str) -> None:
    with pytest.raises(UnprotectedRelay):
        provider(25, host=host)
    for here in ("127.0.0.1", "127.1.2.3", "::1", "localhost"):
        provider(25, host=here)


@pytest.mark.parametrize("word", ["starttls", "tls", "none"])
def test_a_setting_names_the_encryption(word: str) -> None:
    assert security(word) == word
    with pytest.raises(UnknownSecurity, match="smtp_security"):
        security(f"{word}?")


def test_a_wrong_password_is_tried_once_however_many_mails_wait() -> None:
    relay = Relay(password="another")

    async def story() -> list[Receipt]:
        async with listening(relay, security="none"), provider(relay.port) as smtp:
            return await asyncio.gather(*(smtp.send(mail()) for _ in range(20)))

    receipts = asyncio.run(story())
    assert {(r.verdict, r.refusal, r.code) for r in receipts} == {(Verdict.REFUSED, Refusal.CONFIGURATION, "connect 535")}
    assert relay.connections == 1


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize(
    ("stage", "answer", "code", "refusal"),
    [
        ("mail", "421 4.3.2 Too busy", "mail 421 4.3.2", Refusal.BACK_OFF),
        ("mail", "450 4.7.1 Too much mail from you", "mail 450 4.7.1", Refusal.BACK_OFF),
        ("mail", "550 5.7.1 Sender rejected", "mail 550 5.7.1", Refusal.CONFIGURATION),
        ("rcpt", "421 4.3.2 Closing", "rcpt 421 4.3.2", Refusal.BACK_OFF),
        ("rcpt", "450 4.2.0 Greylisted", "rcpt 450 4.2.0", Refusal.TRANSIENT),
        ("rcpt", "452 4.5.3 Too many recipients", "rcpt 452 4.5.3", Refusal.BACK_OFF),
        ("rcpt", "550 5.1.1 No such user", "rcpt 550 5.1.1", Refusal.BAD_ADDRESS),
        ("rcpt", "550 No such user", "rcpt 550", Refusal.BAD_ADDRESS),
        ("rcpt", "552 5.2.2 Mailbox full", "rcpt 552 5.2.2", Refusal.TRANSIENT),
        ("rcpt", "554 5.7.1 Relay access denied", "rcpt 554 5.7.1", Refusal.CONFIGURATION),
        ("rcpt", "556 5.9.9 What no table knows", "rcpt 556 5.9.9", Refusal.REVIEW),
        ("data", "451 4.3.0 Try again", "data 451 4.3.0", Refusal.TRANSIENT),
        ("data", "452 4.3.1 Disk full", "data 452 4.3.1", Refusal.BACK_OFF),
        ("data", "554 5.7.1 Looks like spam", "data 554 5.7.1", Refusal.FILTERED),
        ("data", "550 Not accepted", "data 550", Refusal.FILTERED),
    ],
)
def test_what_a_relay_refuses_it_does_not_have(stage: str, answer: str, code: str, refusal: Refusal, pipelining: bool) -> None:
    relay = Relay(pipelining=pipelining)
    relay.answers[stage] = [answer]
    refused, following = sent(relay, mail(), mail("other@example.net"))
    assert (refused.verdict, refused.code, refused.refusal) == (Verdict.REFUSED, code, refusal)
    assert following.verdict == Verdict.ACCEPTED
    assert [one.rcpt_tos for one in relay.taken] == [["other@example.net"]]
    if not answer.startswith("421"):
        assert relay.connections == 1  # A refusal does not cost the connection.


@pytest.mark.parametrize("stage", ["mail", "rcpt"])
def test_a_relay_that_asks_for_the_text_of_a_refused_mail_gets_none(stage: str) -> None:
    relay = Relay(careless=True)
    relay.answers[stage] = ["550 5.1.1 No"]
    refused, following = sent(relay, mail(), mail("other@example.net"))
    assert (refused.verdict, following.verdict) == (Verdict.REFUSED, Verdict.ACCEPTED)
    assert [one.rcpt_tos for one in relay.taken] == [["other@example.net"]]
    assert relay.connections == 2


def test_every_code_of_the_table_is_one_that_a_relay_can_say() -> None:
    assert set(codes()) == {"connect", "mail", "rcpt", "data"}
    spoken = re.compile(r"[45](\d\d|\.\d+\.\d+)?")
    assert {code for stage in codes().values() for code in stage if not spoken.fullmatch(code)} == {"certificate", "unsupported"}


def test_connections_are_kept_and_bounded() -> None:
    relay = Relay()

    async def story() -> list[Receipt]:
        async with listening(relay, security="none"), provider(relay.port, in_flight=3) as smtp:
            return await asyncio.gather(*(smtp.send(mail()) for _ in range(30)))

    assert {receipt.verdict for receipt in asyncio.run(story())} == {Verdict.ACCEPTED}
    assert len({str(one.rcpt_tos) for one in relay.taken}) == 1
    assert len(relay.taken) == 30
    assert relay.connections <= 3


@pytest.mark.parametrize("goodbye", [True, False])
def test_a_kept_connection_that_the_relay_closed_costs_nothing(goodbye: bool) -> None:
    relay = Relay()

    async def story() -> list[Receipt]:
        async with listening(relay, security="none"), provider(relay.port) as smtp:
            first = await smtp.send(mail())
            if goodbye:
                relay.answers["mail"] = ["421 4.7.0 Enough messages on this connection"]
            else:
                for server in relay.servers:
                    hang_up(server)
            return [first, await smtp.send(mail())]

    assert [receipt.verdict for receipt in asyncio.run(story())] == [Verdict.ACCEPTED] * 2
    assert (len(relay.taken), relay.connections) == (2, 2)


def test_an_answer_that_is_lost_after_the_message_proves_nothing() -> None:
    relay = Relay()

    async def drop(server: SMTP) -> None:
        hang_up(server)

    relay.before_answer = drop
    (receipt,) = sent(relay, mail())
    assert (receipt.verdict, receipt.provider_id) == (Verdict.UNKNOWN, None)
    assert len(relay.taken) == 1  # It took the mail: nobody may send it again blindly.


def test_an_answer_that_comes_too_late_proves_nothing() -> None:
    relay = Relay()

    async def wait(_server: SMTP) -> None:
        await asyncio.sleep(0.5)

    relay.before_answer = wait
    started = time.monotonic()
    (receipt,) = sent(relay, mail(), timeout=0.2)
    assert (receipt.verdict, receipt.code) == (Verdict.UNKNOWN, "TimeoutError")
    assert time.monotonic() - started < 2


def test_a_relay_that_is_not_there_has_nothing() -> None:
    async def story() -> Receipt:
        closed = await asyncio.start_server(lambda _r, _w: None, "127.0.0.1", 0)
        port = closed.sockets[0].getsockname()[1]
        closed.close()
        async with provider(port) as smtp:
            return await smtp.send(mail())

    assert asyncio.run(story()).verdict == Verdict.NOT_SENT


EHLO = b"250-relay.example.org\r\n250 PIPELINING\r\n"


async def script(*answers: bytes, close: bool = True) -> Receipt:
    """What comes of one mail to a server that gives these answers, one for each packet it gets, whatever is in it."""
    got: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            for number, answer in enumerate(answers):
                if number:
                    got.append(await reader.read(65536))
                writer.write(answer)
                await writer.drain()
            if not close:
                await reader.read()  # until the other side goes away
        finally:
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with provider(port, username="", timeout=0.4) as smtp:
            receipt = await smtp.send(mail())
        await asyncio.sleep(0.01)
    assert not any(b"Subject" in packet for packet in got) or receipt.verdict in (Verdict.UNKNOWN, Verdict.ACCEPTED)
    return receipt


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([b"554 No service\r\n"], (Verdict.REFUSED, Refusal.CONFIGURATION)),
        ([b"421 Too busy\r\n"], (Verdict.REFUSED, Refusal.BACK_OFF)),
        ([b""], (Verdict.NOT_SENT, None)),
        ([b"HTTP/1.1 400 Bad Request\r\n\r\n"], (Verdict.NOT_SENT, None)),
        ([b"220 hello\r\n", b""], (Verdict.NOT_SENT, None)),
        ([b"220 hello\r\n", EHLO, b""], (Verdict.NOT_SENT, None)),
        ([b"220 hello\r\n", EHLO, b"250 OK\r\n"], (Verdict.NOT_SENT, None)),
        ([b"220 hello\r\n", EHLO, b"what?\r\n"], (Verdict.NOT_SENT, None)),
        ([b"220 hello\r\n", EHLO, b"250 OK\r\n250 OK\r\n250 no text, please\r\n"], (Verdict.NOT_SENT, None)),
        ([b"220 hello\r\n", EHLO, b"250-" + b"x" * 20000], (Verdict.NOT_SENT, None)),
        ([b"220 hello\r\n", EHLO, b"250 OK\r\n550 5.1.1 no\r\n"], (Verdict.REFUSED, Refusal.BAD_ADDRESS)),
        ([b"220 hello\r\n", EHLO, b"250 OK\r\n550 5.1.1 no\r\n354 Go on\r\n"], (Verdict.REFUSED, Refusal.BAD_ADDRESS)),
        ([b"220 hello\r\n", EHLO, b"250 OK\r\n550 5.1.1 no\r\n554 nobody\r\n"], (Verdict.REFUSED, Refusal.BAD_ADDRESS)),
        ([b"220 hello\r\n", EHLO, b"250 OK\r\n250 OK\r\n354 Go on\r\n", b""], (Verdict.UNKNOWN, None)),
        ([b"220 hello\r\n", EHLO, b"250 OK\r\n250 OK\r\n354 Go on\r\n", b"eh?\r\n"], (Verdict.UNKNOWN, None)),
        ([b"220 hello\r\n", EHLO, b"250 OK\r\n250 OK\r\n354 Go on\r\n", b"354 Go on\r\n"], (Verdict.UNKNOWN, None)),
        ([b"220 hello\r\n", EHLO, b"250-a\r\n250 OK\r\n250 OK\r\n354 Go on\r\n", b"250-a\r\n250 b\r\n"], (Verdict.ACCEPTED, None)),
    ],
)
@pytest.mark.parametrize("close", [True, False])
def test_servers_that_stop_in_the_middle_or_talk_nonsense(
    answers: list[bytes], expected: tuple[Verdict, Refusal | None], close: bool
) -> None:
    assert outcome(asyncio.run(script(*answers, close=close))) == expected


def test_a_letter_beyond_ascii_needs_a_relay_that_takes_it() -> None:
    plain, able = Relay(), Relay(utf8=True)
    (refused,) = sent(plain, mail("josé@example.net"))
    assert (refused.verdict, refused.code, refused.refusal) == (Verdict.REFUSED, "rcpt utf8", Refusal.REVIEW)
    (taken,) = sent(able, mail("josé@example.net"))
    assert taken.verdict == Verdict.ACCEPTED
    assert able.taken[0].rcpt_tos == ["josé@example.net"]
    sent(plain, mail("someone@bücher.example.net"))
    assert plain.taken[0].rcpt_tos == ["someone@xn--bcher-kva.example.net"]


def test_outside_production_only_the_named_domains_get_mail() -> None:
    relay = Relay()
    receipts = sent(relay, mail("someone@example.com"), mail("someone@EXAMPLE.net"), allowed_domains=("example.net",))
    assert [(r.verdict, r.code) for r in receipts] == [(Verdict.REFUSED, "not_allowed_here"), (Verdict.ACCEPTED, None)]


def test_a_relay_keeps_no_books() -> None:
    async def story() -> None:
        async with provider(25) as smtp:
            with pytest.raises(Unreachable):
                await smtp.find(Lost(uuid4(), "someone@example.net", datetime.now(UTC)))
            with pytest.raises(Unreachable):
                await smtp.fetch("<id@example.org>")

    asyncio.run(story())


def test_the_same_mail_at_the_same_time_is_the_same_bytes() -> None:
    one, at = mail(), datetime(2030, 1, 1, tzinfo=UTC)
    made = [
        mime.compose(one, sender=Mailbox("a@example.org"), sender_name="A", bounce=bounce_address(one.token), at=at)
        for _ in range(2)
    ]
    assert made[0] == made[1]
