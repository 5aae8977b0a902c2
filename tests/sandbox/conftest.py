"""A sandbox in a thread, the real Twilio client that talks to it, and a receiver that plays our side of the webhooks."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from outreach.sandbox.config import Config
from outreach.sandbox.server import Sandbox
from tests.listening import QuietHandler, listening

TOKEN = "sandbox-test-token"
SENDER = "+12025550100"
PHONE = "+12025550123"


@dataclass(frozen=True)
class Received:
    """One webhook as it arrived. `genuine` is what Twilio's own validator says of its signature."""

    path: str
    fields: dict[str, str]
    headers: dict[str, str]
    genuine: bool


@dataclass
class Receiver:
    """Our side: records every webhook, and answers 204 unless told otherwise."""

    url: str = ""
    received: list[Received] = field(default_factory=list)
    answers: deque[tuple[int, str]] = field(default_factory=deque)
    public_url: str | None = None

    def at(self, path: str) -> list[Received]:
        return [webhook for webhook in self.received if webhook.path == path]

    def statuses(self, path: str) -> list[str]:
        """What was reported, as life goes. The order of arrival is nobody's promise: two posts may be under way at once."""
        life = ("sent", "delivered", "undelivered", "failed")
        return sorted(self.arrived(path), key=life.index)

    def arrived(self, path: str) -> list[str]:
        return [webhook.fields["MessageStatus"] for webhook in self.at(path)]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    state = Receiver()

    class Handler(QuietHandler):
        def do_POST(self) -> None:  # noqa: N802  # named by the standard library
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            fields = dict(parse_qsl(raw.decode(), keep_blank_values=True))
            signature = self.headers.get("X-Twilio-Signature", "")
            url = (state.public_url or state.url) + self.path
            genuine = bool(RequestValidator(TOKEN).validate(url, fields, signature))
            status, body = state.answers.popleft() if state.answers else (204, "")
            state.received.append(Received(self.path, fields, dict(self.headers), genuine))
            self.send_response(status)
            if body:
                self.send_header("Content-Type", "text/xml")
            self.send_header("Content-Length", str(len(body.encode())))
            self.end_headers()
            self.wfile.write(body.encode())

    with listening(Handler) as url:
        state.url = url
        yield state


@pytest.fixture
def config(tmp_path: Path, receiver: Receiver) -> Config:
    return Config(
        auth_token=TOKEN,
        books=tmp_path / "books.sqlite",
        inbound_url=f"{receiver.url}/inbound",
        status_delay_ms=5,
        retry_delay_ms=10,
    )


@pytest.fixture
def carrier(config: Config) -> Iterator[Sandbox]:
    with Sandbox(config) as sandbox:
        yield sandbox


@pytest.fixture
def twilio(carrier: Sandbox) -> Iterator[Client]:
    client = client_of(carrier)
    yield client
    client.http_client.session.close()


def client_of(carrier: Sandbox, token: str = TOKEN) -> Client:
    client = Client(carrier.config.account_sid, token)
    client.api.base_url = carrier.url
    return client


def wait_for(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "What was waited for did not happen."
        time.sleep(0.005)
