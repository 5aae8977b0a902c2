"""Calls that Twilio did not make, or cannot have meant: refused without an error of ours, and without any change."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import pytest
import sqlalchemy as sa

from tests.stage import TOKEN, Stage, raised, swept
from tests.web.webhooks.calls import PATHS, SID, call, everything, report, sent_one, signed, text


@pytest.fixture(scope="module")
def acted(
    tmp_path_factory: pytest.TempPathFactory, database_url: str, _own_redis_url: str, engine: sa.Engine
) -> Iterator[tuple[Stage, UUID]]:
    """A stage on which one text was accepted and nothing reported; and that text's token. No test changes anything on it."""
    folder: Path = tmp_path_factory.mktemp("stage")
    with swept(engine), raised(folder, database_url, _own_redis_url, engine) as stage:
        yield stage, sent_one(stage)


FORMS = {"status": report(), "inbound": text()}
MALICE: list[tuple[str, str, dict[str, Any], set[int]]] = [
    ("no signature", "both", {"headers": {}}, {403}),
    ("an empty signature", "both", {"headers": {"X-Twilio-Signature": ""}}, {403}),
    ("a signature of nonsense", "both", {"headers": {"X-Twilio-Signature": "nonsense"}}, {403}),
    ("a signature in no known encoding", "both", {"headers": {"X-Twilio-Signature": "\xff\xfe"}}, {403}),
    ("another account's signature", "both", {"sign": "another token"}, {403}),
    ("another account", "both", {"form": {"AccountSid": "AC" + "0" * 32}}, {403}),
    ("no account", "both", {"form": {"AccountSid": None}}, {403}),
    ("a field added after signing", "both", {"send": {"Evil": "1"}}, {403}),
    ("a field changed after signing", "both", {"send": {"MessageSid": f"SM{'0' * 31}2"}}, {403}),
    ("a field twice", "both", {"suffix": b"&MessageSid=" + SID.encode()}, {403}),
    ("no sid", "both", {"form": {"MessageSid": None}}, {400}),
    ("a sid that is none", "both", {"form": {"MessageSid": "x' or 1=1"}}, {400}),
    ("a sid with a NUL", "both", {"form": {"MessageSid": "SM\x00"}}, {400}),
    ("a sid without end", "both", {"form": {"MessageSid": "SM" + "0" * 5000}}, {400}),
    ("no status", "status", {"form": {"MessageStatus": None}}, {400}),
    ("a status that is none", "status", {"form": {"MessageStatus": "arrived"}}, {400}),
    ("a status with a NUL", "status", {"form": {"MessageStatus": "sent\x00"}}, {400}),
    ("an error code that is none", "status", {"form": {"ErrorCode": "30003\x00"}}, {400}),
    ("no sender", "inbound", {"form": {"From": None}}, {400}),
    ("a sender without end", "inbound", {"form": {"From": "+" + "1" * 500}}, {400}),
    ("no text", "inbound", {"form": {"Body": None}}, {400}),
    ("one megabyte", "both", {"form": {"Body": "x" * 1_000_000}}, {413}),
    ("bytes that are no UTF-8", "both", {"raw": b"AccountSid=\xff\xfe&MessageSid=%ff%fe&Body=%ff"}, {403}),
    ("JSON", "both", {"raw": b'{"MessageSid": "SM1"}', "headers": {"Content-Type": "application/json"}}, {403}),
    ("signed JSON", "both", {"raw": b'{"MessageSid": "SM1"}', "type": "application/json"}, {403}),
    ("a file", "both", {"raw": b"--x\r\n", "headers": {"Content-Type": "multipart/form-data; boundary=x"}}, {403}),
    ("nothing at all", "both", {"raw": b""}, {403}),
    ("GET", "both", {"method": "GET"}, {405}),
    ("PUT", "both", {"method": "PUT"}, {405}),
    ("another host", "both", {"headers": {"Host": "elsewhere.example.org"}, "keep": True}, {400}),
]  # fmt: skip


CALLS = [
    pytest.param(door, case, statuses, id=f"{door}: {name}")
    for name, doors, case, statuses in MALICE
    for door in PATHS
    if doors in ("both", door)
]


@pytest.mark.parametrize(("door", "case", "statuses"), CALLS)
def test_a_forged_malformed_or_oversized_callback_is_refused_and_changes_nothing(
    acted: tuple[Stage, UUID], door: str, case: dict[str, Any], statuses: set[int]
) -> None:
    stage, token = acted
    path = PATHS[door] + (str(token) if door == "status" else "")
    form = {key: value for key, value in (FORMS[door] | case.get("form", {})).items() if value is not None}
    body = case.get("raw", urlencode(form | case.get("send", {})).encode() + case.get("suffix", b""))
    headers = case.get("headers", {})
    if "headers" not in case or case.get("keep"):
        headers = headers | signed(stage, path, form if "raw" not in case else {}, case.get("sign", TOKEN))
    if "type" in case:
        headers["Content-Type"] = case["type"]
    before = everything(stage)
    answer = call(stage, path, body, headers, case.get("method", "POST"))
    assert answer.status in statuses
    assert everything(stage) == before


@pytest.mark.parametrize("token", ["not-a-uuid", "00000000", "../../status", "%00"])
def test_an_address_that_names_no_attempt_in_form_is_not_found(acted: tuple[Stage, UUID], token: str) -> None:
    stage, _ = acted
    path = PATHS["status"] + token
    assert call(stage, path, urlencode(report()).encode(), signed(stage, path, report())).status == 404
