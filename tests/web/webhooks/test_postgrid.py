"""PostGrid's callbacks over real HTTP: believed by their signature, and kept once."""

import hashlib
import hmac
import json
import time
from uuid import uuid4

import pytest

from tests.stage import TOKEN, Stage
from tests.web.webhooks.calls import Answer, call

PATH = "/webhooks/postgrid"


def event(**fields: object) -> bytes:
    letter = {"id": "letter_sample1", "status": "printing", "metadata": {"token": str(uuid4())}} | fields
    return json.dumps({"id": "event_sample1", "type": "letter.updated", "data": letter}).encode()


def post(stage: Stage, body: bytes, secret: str = TOKEN, method: str = "POST") -> Answer:
    at = str(int(time.time() * 1000))
    signature = hmac.new(secret.encode(), at.encode() + b"." + body, hashlib.sha256).hexdigest()
    headers = {"Content-Type": "application/json", "PostGrid-Signature": f"t={at},v1={signature}"}
    return call(stage, PATH, body, headers, method)


def test_a_genuine_report_is_kept_once_however_often_it_comes(stage: Stage) -> None:
    body = event()
    for _ in range(2):
        assert post(stage, body).status == 204
    assert stage.states("event") == {"accepted": 1}


@pytest.mark.parametrize(
    ("body", "secret", "status"),
    [
        (event(), "another secret", 403),
        (event(), "", 403),
        (b"", TOKEN, 403),
        (b"{", TOKEN, 400),
        (event(status="eaten"), TOKEN, 400),
        (event(metadata={}), TOKEN, 204),
        (b"{" + b" " * 1_000_000 + b"}", TOKEN, 413),
    ],
    ids=["another secret", "no secret", "nothing", "no JSON", "an unknown status", "a letter of somebody else's", "one megabyte"],
)
def test_whatever_else_comes_is_answered_and_not_kept(stage: Stage, body: bytes, secret: str, status: int) -> None:
    assert post(stage, body, secret).status == status
    assert stage.scalar("select count(*) from event") == 0


def test_only_posts_are_taken(stage: Stage) -> None:
    assert post(stage, b"", method="GET").status == 405


@pytest.mark.parametrize("stage", [{"postgrid_webhook_secret": ""}], indirect=True)
def test_without_a_secret_nothing_is_believed(stage: Stage) -> None:
    assert post(stage, event(), secret="").status == 403
