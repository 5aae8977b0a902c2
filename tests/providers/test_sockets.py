"""What was written to a provider and never confirmed is dropped when the call is given up, and so never arrives later."""

import asyncio
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

from outreach.providers.contract import Mailbox, Unreachable
from outreach.providers.postgrid import PostGridLetters
from outreach.providers.sendgrid import SendGridMail
from outreach.providers.twilio import TwilioTexts
from tests.listening import QuietHandler, listening

SECONDS = 7.0
ACCOUNT, TOKEN = "AC" + "5a" * 16, "a token"
OPTION: int = getattr(socket, "TCP_USER_TIMEOUT", 0)


class Nothing(QuietHandler):
    """Has nothing, and keeps the connection."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:  # noqa: N802  # the name is http.server's
        self.send_response(HTTPStatus.NOT_FOUND)
        self.send_header("Content-Length", "0")
        self.end_headers()


def twilio(url: str) -> tuple[Any, str]:
    texts = TwilioTexts(
        account_sid=ACCOUNT, auth_token=TOKEN, sender="+15005550006", api_url=url, callback_base=url, in_flight=1, timeout=SECONDS
    )
    return texts, "SM" + "0" * 32


def sendgrid(url: str) -> tuple[Any, str]:
    mails = SendGridMail(
        api_key=TOKEN, sender=Mailbox("letters@example.org"), sender_name="Sample", api_url=url, in_flight=1, timeout=SECONDS,
        activity=True, webhook_keys=(), inbound_password=TOKEN, read_address=lambda _: None,
    )  # fmt: skip
    return mails, "sample"


def postgrid(url: str) -> tuple[Any, str]:
    sender = ("Letter Line", "PO Box 5550", "Springfield, IL 62701")
    return PostGridLetters(api_key=TOKEN, webhook_secret=TOKEN, api_url=url, sender=sender, timeout=SECONDS), "letter_0"


@pytest.mark.skipif(not (OPTION and Path("/proc/self/fd").is_dir()), reason="only Linux has the option")
@pytest.mark.parametrize("make", [twilio, sendgrid, postgrid])
def test_what_a_provider_never_confirmed_is_not_sent_for_longer_than_the_call_may_take(
    make: Callable[[str], tuple[Any, str]],
) -> None:
    async def ask(url: str) -> list[int]:
        provider, identity = make(url)
        async with provider:
            with suppress(Unreachable):
                await provider.fetch(identity)
            return timeouts_towards(int(url.rpartition(":")[2]))

    with listening(Nothing) as url:
        assert asyncio.run(ask(url)) == [SECONDS * 1000]


def timeouts_towards(port: int) -> list[int]:
    """Of every connection of this process to that port."""
    found = []
    for name in Path("/proc/self/fd").iterdir():
        with suppress(OSError), socket.socket(fileno=os.dup(int(name.name))) as each:
            if each.family == socket.AF_INET and each.getpeername()[1] == port:
                found.append(each.getsockopt(socket.IPPROTO_TCP, OPTION))
    return found
