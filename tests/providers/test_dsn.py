"""Delivery status notifications: what they say is read, whoever wrote them, and only about mails of ours."""

import re
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from outreach.access.sealing import Vault
from outreach.delivery import mail_address
from outreach.delivery.mail_address import Purpose
from outreach.providers import dsn, smtp
from outreach.providers.contract import Refusal, Report

RECORDED = Path(__file__).with_name("recorded") / "dsn"
TOKEN = UUID("018f5b1e-7a00-7000-8000-0123456789ab")
STRANGER = "somebody@example.org"
DOMAIN = "bounce.example.org"

relaxed = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def bounce(vault: Vault, token: UUID = TOKEN) -> str:
    return f"{mail_address.sign(vault, Purpose.BOUNCE, token)}@{DOMAIN}"


def read(vault: Vault, raw: bytes) -> Report | None:
    return dsn.read(raw, partial(mail_address.read, vault, Purpose.BOUNCE), partial(bounce, vault))


def recorded(name: str, vault: Vault, *, address: str | None = None, to: str = STRANGER) -> str:
    """A recorded notification about our attempt; `address` stands in place of our own."""
    ours = address or bounce(vault)
    text = (RECORDED / f"{name}.eml").read_text()
    envid = ours.partition("@")[0].replace("+", "+2B")
    return text.replace("{bounce}", ours).replace("{envid}", envid).replace("{to}", to)


@pytest.mark.parametrize(
    ("name", "state", "code", "refusal"),
    [
        ("rfc_simple", "returned", "dsn:4.0.0", Refusal.TRANSIENT),
        ("rfc_multi", "returned", "dsn:5.0.0", Refusal.REVIEW),
        ("rfc_gateway", "returned", "dsn:5.0.0", Refusal.REVIEW),
        ("rfc_delayed", "accepted", "dsn:4.0.0", Refusal.TRANSIENT),
        ("postfix", "returned", "dsn:5.1.1", Refusal.BAD_ADDRESS),  # the attempt is in its Original-Envelope-Id
        ("exim", "returned", "dsn:5.2.2", Refusal.TRANSIENT),  # 5.0.0, but the other server said more
        ("exchange", "returned", "dsn:5.1.10", Refusal.BAD_ADDRESS),  # the attempt is in the mail that it carries
    ],
)
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_recorded_notifications(vault: Vault, name: str, state: str, code: str, refusal: Refusal, line_end: str) -> None:
    report = read(vault, recorded(name, vault).replace("\n", line_end).encode())
    assert report is not None
    assert (report.token, report.state, report.code) == (TOKEN, state, code)
    assert report.provider_id == f"<{bounce(vault)}>"
    assert dsn.refusal(code) == smtp.refusal(code) == refusal


@pytest.mark.parametrize("path", sorted(RECORDED.glob("*.eml")), ids=lambda path: path.stem)
def test_a_notification_that_names_no_attempt_of_ours_reports_nothing(vault: Vault, path: Path) -> None:
    for address in ("b+" + "a" * 48 + "@" + DOMAIN, f"{mail_address.sign(vault, Purpose.REPLY, TOKEN)}@{DOMAIN}"):
        assert read(vault, recorded(path.stem, vault, address=address).encode()) is None


def test_one_notification_said_twice_is_one_report_and_another_is_another(vault: Vault) -> None:
    delayed, failed = (read(vault, recorded(name, vault).encode()) for name in ("rfc_delayed", "rfc_simple"))
    again = read(vault, recorded("rfc_delayed", vault).replace("00:36:51", "04:36:51").encode())
    assert delayed == again
    assert delayed is not None
    assert failed is not None
    assert delayed.key != failed.key


@pytest.mark.parametrize(
    ("fields", "state", "code"),
    [
        ("Action: FAILED\nStatus: 5.7.1 (Blocked)", "returned", "dsn:5.7.1"),
        ("Action: failed (user unknown)\nStatus: 5.1.1", "returned", "dsn:5.1.1"),
        ("Action: failed\nDiagnostic-Code: smtp; 550 5.1.1 no", "returned", "dsn:5.1.1"),
        ("Action: failed\nDiagnostic-Code: smtp; 450 later", "returned", "dsn:4.0.0"),
        ("Action: failed", "returned", "dsn:5.0.0"),
        ("Action: failed\nStatus: 5.1.1.9", "returned", "dsn:5.0.0"),
        ("Action: failed\nStatus: 4.0.0\nDiagnostic-Code: smtp; 550 5.1.1", "returned", "dsn:4.0.0"),
        ("Action: delayed\nStatus: 4.4.1", "accepted", "dsn:4.4.1"),
        ("Action: delayed", "accepted", "dsn:4.0.0"),
        ("Action: delivered\nStatus: 2.0.0", "delivered", None),
        ("Action: relayed\nStatus: 2.0.0", "sent", None),
        ("Action: expanded\nStatus: 2.0.0", "sent", None),
        ("Action: eaten\nStatus: 5.0.0", None, None),
        ("Status: 5.0.0", None, None),
    ],
)
def test_what_a_relay_did_and_why(vault: Vault, fields: str, state: str | None, code: str | None) -> None:
    text = recorded("rfc_delayed", vault).replace("Status: 4.0.0 (unknown temporary failure)\nAction: delayed", fields)
    report = read(vault, text.encode())
    assert (report and report.state, report and report.code) == (state, code)


def test_a_mail_that_is_no_notification_reports_nothing(vault: Vault) -> None:
    reply = (
        f"To: <{bounce(vault)}>\nFrom: someone@example.net\nSubject: Out of office\nAuto-Submitted: auto-replied\n\nI am away.\n"
    )
    assert read(vault, reply.encode()) is None
    assert read(vault, b"") is None
    forwarded = f"To: <{bounce(vault)}>\nContent-Type: message/rfc822\n\n{recorded('rfc_simple', vault)}"
    assert read(vault, forwarded.encode()) is None  # Somebody shows us a notification; nobody notifies us.


def test_a_notification_too_large_to_be_about_our_mail_is_not_read(vault: Vault) -> None:
    text = recorded("rfc_simple", vault)
    assert read(vault, (text + "x" * dsn.LARGEST).encode()) is None


def test_nothing_of_the_reader_is_kept(vault: Vault) -> None:
    for path in RECORDED.glob("*.eml"):
        report = read(vault, recorded(path.stem, vault).encode())
        assert not re.search(r"someone|example\.(net|com)|unknown|full", repr(report))


@given(data=st.binary(max_size=400), place=st.floats(0, 1), length=st.integers(0, 300))
@relaxed
def test_no_message_can_stop_the_reading(vault: Vault, data: bytes, place: float, length: int) -> None:
    whole = recorded("exchange", vault).encode()
    at = int(place * len(whole))
    read(vault, data)
    report = read(vault, whole[:at] + data + whole[at + length :])
    assert report is None or report.token == TOKEN


def test_a_message_within_a_message_without_end_cannot_stop_it_either(vault: Vault) -> None:
    parts = "".join(f'Content-Type: multipart/mixed; boundary="b{n}"\n\n--b{n}\n' for n in range(3000))
    assert read(vault, f"To: <{bounce(vault)}>\n{parts}".encode()) is None
    assert read(vault, b"Content-Type: message/rfc822\n\n" * 3000) is None


def test_every_listed_code_is_a_status_and_has_one_meaning() -> None:
    text = (Path(dsn.__file__).with_name("dsn_codes.toml")).read_text()
    listed = re.findall(r'"([\d.]+)"', text)
    assert len(listed) == len(set(listed)) == len(dsn.refusals())
    assert all(re.fullmatch(r"[45]\.\d\.\d{1,2}", code) for code in listed)
    assert dsn.refusal("dsn:5.9.9") == dsn.refusal(None) == Refusal.REVIEW
