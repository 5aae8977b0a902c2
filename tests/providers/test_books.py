"""What was sent on a day, as each provider's books tell it, over HTTP; and making one of them forget what a text said."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from outreach.providers import postgrid, sendgrid, twilio
from outreach.providers.contract import Envelope, Letter, Mail, Mailbox, NoBooks, Provider, Standing, Unreachable
from outreach.providers.postgrid import PostGridLetters
from outreach.providers.sendgrid import SendGridMail
from outreach.providers.smtp import Security, SmtpMail
from outreach.providers.twilio import TwilioTexts
from outreach.sandbox.config import Config
from outreach.sandbox.server import Sandbox

TOKEN = "a token of the test carrier"
TODAY = datetime.now(UTC).date()


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    config = Config(
        auth_token=TOKEN, sendgrid_api_key=TOKEN, post_api_key=TOKEN, books=tmp_path / "books.sqlite", status_delay_ms=1,
        letter_delay_ms=1, retry_delay_ms=1,
    )  # fmt: skip
    with Sandbox(config) as running:
        yield running


def texts(sandbox: Sandbox) -> TwilioTexts:
    return TwilioTexts(
        account_sid=sandbox.config.account_sid, auth_token=TOKEN, sender="+12025550100", api_url=sandbox.url,
        callback_base="https://outreach.example.org", in_flight=5, timeout=5.0,
    )  # fmt: skip


def mails(sandbox: Sandbox, **changed: Any) -> SendGridMail:
    values: dict[str, Any] = {
        "api_key": TOKEN, "sender": Mailbox("letters@notices.example.org"), "sender_name": "Letter Line",
        "api_url": sandbox.url, "in_flight": 4, "timeout": 5.0, "activity": True,
    }  # fmt: skip
    return SendGridMail(**(values | changed))


def letters(sandbox: Sandbox) -> PostGridLetters:
    sender = ("Letter Line", "PO Box 5550", "Springfield, IL 62701")
    return PostGridLetters(api_key=TOKEN, webhook_secret=TOKEN, api_url=sandbox.url, sender=sender, timeout=5.0)


async def listed(provider: Provider[Any], day: date = TODAY) -> list[list[Standing]]:
    async with provider:
        return [list(page) async for page in provider.books(day)]


def ids(pages: list[list[Standing]]) -> list[str]:
    return [standing.provider_id for page in pages for standing in page]


def test_texts_of_a_day_come_page_by_page_and_nobody_elses_with_them(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    async def send() -> list[str | None]:
        async with texts(sandbox) as provider:
            receipts = [await provider.send(Envelope(uuid4(), f"+120255501{n:02}", f"Sample {n}", 3600)) for n in range(1, 6)]
        return [receipt.provider_id for receipt in receipts]

    sent = asyncio.run(send())
    sandbox.control.answer("+12025550101", "hello")
    sandbox.control.wait_until_quiet()
    monkeypatch.setattr(twilio, "LISTED", 2)
    pages = asyncio.run(listed(texts(sandbox)))
    assert len(pages) > 2, "it was asked for two at a time"
    assert set(ids(pages)) == set(sent), "what came in is not what we sent"
    assert not ids(asyncio.run(listed(texts(sandbox), TODAY - timedelta(days=3))))


def test_a_text_that_is_still_queued_is_in_no_dated_listing_and_is_found_by_its_id(sandbox: Sandbox) -> None:
    async def send() -> Standing | None:
        async with texts(sandbox) as provider:
            receipt = await provider.send(Envelope(uuid4(), "+12025550110", "Sample", 3600))
            assert receipt.provider_id
            pages = [page async for page in provider.books(TODAY)]
            assert receipt.provider_id not in ids([list(page) for page in pages])
            return await provider.fetch(receipt.provider_id)

    sandbox.control.set(status_delay_ms=60_000)
    standing = asyncio.run(send())
    assert standing is not None
    assert standing.state == "accepted"


def test_letters_are_read_back_to_the_day_before_and_carry_our_token(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = [uuid4() for _ in range(3)]

    async def send() -> None:
        async with letters(sandbox) as provider:
            for token in tokens:
                await provider.send(Letter(token, ("Sample", "12 Sample Street", "Springfield, IL 62701"), "US", b"%PDF-1.7", 1))

    asyncio.run(send())
    monkeypatch.setattr(postgrid, "LISTED", 2)
    pages = asyncio.run(listed(letters(sandbox)))
    assert [len(page) for page in pages] == [2, 1]
    assert {standing.token for page in pages for standing in page} == set(tokens)
    assert len(asyncio.run(listed(letters(sandbox), TODAY + timedelta(days=3)))) == 1, "all are older, so the first page is enough"


def test_a_span_with_too_many_mails_for_one_answer_is_asked_about_in_halves(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def send() -> set[str | None]:
        async with mails(sandbox) as provider:
            receipts = [await provider.send(mail(n)) for n in range(4)]
        return {receipt.provider_id for receipt in receipts}

    sent = asyncio.run(send())
    sandbox.control.wait_until_quiet()
    monkeypatch.setattr(sendgrid, "ACTIVITY_LIMIT", 10)
    assert set(ids(asyncio.run(listed(mails(sandbox))))) == sent
    monkeypatch.setattr(sendgrid, "ACTIVITY_LIMIT", 1)
    with pytest.raises(Unreachable, match="too_many_at_once"):
        asyncio.run(listed(mails(sandbox)))


def mail(number: int) -> Mail:
    return Mail(
        uuid4(), Mailbox(f"sample.{number}@example.org"), "A letter is waiting for you", "Call.", "<p>Call.</p>", "en",
        Mailbox("r+abc@reply.notices.example.org"), "https://notices.example.org/u/u-abc",
    )  # fmt: skip


def test_who_keeps_no_books_says_so(sandbox: Sandbox) -> None:
    relay = SmtpMail(
        host="127.0.0.1", port=9, security=Security.NONE, sender=Mailbox("letters@notices.example.org"), sender_name="Letter Line",
        bounce_address=str, in_flight=1, timeout=1.0,
    )  # fmt: skip
    for provider in (relay, mails(sandbox, activity=False)):
        with pytest.raises(NoBooks):
            asyncio.run(listed(provider))


@pytest.mark.parametrize("provider", [texts, mails, letters])
def test_books_that_cannot_be_read_are_not_empty_books(sandbox: Sandbox, provider: Any) -> None:
    sandbox.control.fault("read_error")
    with pytest.raises(Unreachable):
        asyncio.run(listed(provider(sandbox)))


def test_a_text_is_forgotten_once_it_is_final_and_one_that_is_gone_is_forgotten_too(sandbox: Sandbox) -> None:
    async def send(number: str) -> str:
        async with texts(sandbox) as provider:
            return str((await provider.send(Envelope(uuid4(), number, "Sample", 3600))).provider_id)

    async def redact(*provider_ids: str) -> list[bool]:
        async with texts(sandbox) as provider:
            return [await provider.redact(each) for each in provider_ids]

    final = asyncio.run(send("+12025550120"))
    sandbox.control.wait_until_quiet()
    sandbox.control.set(status_delay_ms=60_000)
    on_its_way = asyncio.run(send("+12025550121"))
    assert asyncio.run(redact(on_its_way, final, final, f"SM{'0' * 32}")) == [False, True, True, True]
    bodies = {standing.provider_id: standing.text for page in asyncio.run(listed(texts(sandbox))) for standing in page}
    assert bodies == {final: ""}
    sandbox.control.fault("read_error")
    with pytest.raises(Unreachable):
        asyncio.run(redact(final))
