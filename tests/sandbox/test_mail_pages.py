"""The mailboxes on the page: what a mail brings can run nothing and load nothing."""

import http.client
import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest

from outreach.sandbox.config import Config
from outreach.sandbox.server import Sandbox

KEY = "SG.made-up"
ADDRESS = "ana@example.org"
ONE = f"/mailboxes/{ADDRESS}"
HTML = '<p lang="es" style="color:#123">Una carta</p><script>alert(1)</script><img src="https://tracker.example.org/x.gif">'


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    with Sandbox(Config(auth_token="x", sendgrid_api_key=KEY, books=tmp_path / "books.sqlite", status_delay_ms=1)) as running:
        yield running


def ask(
    sandbox: Sandbox, path: str, form: dict[str, str] | None = None, body: str | None = None, **headers: str
) -> tuple[int, dict[str, str], str]:
    parts = urlsplit(sandbox.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if form is not None:
        sent["Content-Type"] = "application/x-www-form-urlencoded"
        body = urlencode(form)
    connection.request("GET" if body is None else "POST", path, body, sent)
    response = connection.getresponse()
    answer = response.status, dict(response.headers), response.read().decode()
    connection.close()
    return answer


def send(sandbox: Sandbox, address: str = ADDRESS, subject: str = "Una carta le espera", html: str = HTML) -> None:
    mail = {
        "personalizations": [{"to": [{"email": address}]}],
        "from": {"email": "letters@example.org"},
        "subject": subject,
        "reply_to": {"email": "r+abc@reply.example.org"},
        "content": [{"type": "text/plain", "value": "Una <b>carta</b>"}, {"type": "text/html", "value": html}],
        "headers": {"List-Unsubscribe": f"<{sandbox.url}/gone>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"},
    }
    status, _, _ = ask(sandbox, "/v3/mail/send", body=json.dumps(mail), Authorization=f"Bearer {KEY}")
    assert status == 202
    sandbox.control.wait_until_quiet()


@pytest.mark.parametrize("path", ["/mailboxes", ONE, "/books"])
def test_every_page_loads_nothing_from_elsewhere(sandbox: Sandbox, path: str) -> None:
    send(sandbox)
    status, headers, page = ask(sandbox, path)
    assert status == 200
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "unsafe" not in headers["Content-Security-Policy"]
    addresses = re.findall(r'(?:src|href|action)="([^"]*)"', page)
    assert addresses
    assert all(address.startswith(("/", "#")) and not address.startswith("//") for address in addresses)
    assert "tracker.example.org" not in page
    assert "<script>" not in page


def test_a_mail_is_shown_in_a_frame_that_runs_and_loads_nothing(sandbox: Sandbox) -> None:
    send(sandbox)
    page = ask(sandbox, ONE)[2]
    (frame,) = re.findall(r"<iframe ([^>]*)>", page)
    assert re.search(r"\bsandbox\b(?!=)", frame)  # without any permission
    (address,) = re.findall(r'src="([^"]*)"', frame)
    status, headers, html = ask(sandbox, address)
    assert (status, html) == (200, HTML)
    policy = headers["Content-Security-Policy"].split("; ")
    assert {"default-src 'none'", "sandbox", "frame-ancestors 'self'"} <= set(policy)
    assert not [rule for rule in policy if rule.startswith(("script-src", "img-src", "connect-src", "font-src"))]
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_the_plain_text_is_text_in_its_language(sandbox: Sandbox) -> None:
    send(sandbox)
    page = ask(sandbox, ONE)[2]
    assert "Una &lt;b&gt;carta&lt;/b&gt;" in page
    assert "r+abc@reply.example.org" in page
    assert "Delivered" in page


def test_a_subject_can_break_nothing(sandbox: Sandbox) -> None:
    send(sandbox, subject='"><script>alert(1)</script>')
    for path in ("/mailboxes", ONE):
        assert "<script>alert" not in ask(sandbox, path)[2]


def test_the_list_shows_each_mailbox_once_and_finds_it(sandbox: Sandbox) -> None:
    assert "No mail has been sent yet" in ask(sandbox, "/mailboxes")[2]
    for subject in ("the first", "the second"):
        send(sandbox, subject=subject)
    send(sandbox, "ben@example.net")
    page = ask(sandbox, "/mailboxes")[2]
    assert page.count(">ana@example.org<") == 1
    assert "2 mails" in page
    assert "the second" in page
    assert "the first" not in page
    found = ask(sandbox, "/mailboxes?q=BEN")[2]
    assert "ben@example.net" in found
    assert "ana@example.org" not in found


@pytest.mark.parametrize("address", ["nobody", "a@b", "x" * 300 + "@example.org", "a b@example.org"])
def test_what_is_no_address_has_no_mailbox(sandbox: Sandbox, address: str) -> None:
    assert ask(sandbox, f"/mailboxes/{address.replace(' ', '%20')}")[0] == 404


def test_the_owner_answers_from_the_page(sandbox: Sandbox) -> None:
    send(sandbox)
    for form in ({"quick": "STOP"}, {"body": "Llámeme"}, {"quick": "Out of office"}, {"quick": "With a file"}, {"body": "  "}):
        assert ask(sandbox, f"{ONE}/answer", form)[0] == 303
    totals = sandbox.control.summary()["mail"]
    assert (totals["answers"], totals["automatic"]) == (3, 1)
    page = ask(sandbox, ONE)[2]
    assert "Llámeme" in page
    assert "letter.png" in page


def test_a_mailbox_without_mail_has_nothing_to_answer(sandbox: Sandbox) -> None:
    assert ask(sandbox, f"{ONE}/answer", {"body": "hello"})[0] == 303
    assert sandbox.control.summary()["mail"]["answers"] == 0


def test_the_button_of_the_mail_program_posts_one_click(sandbox: Sandbox) -> None:
    send(sandbox)
    (action,) = re.findall(r'action="([^"]*/unsubscribe)"', ask(sandbox, ONE)[2])
    assert ask(sandbox, action, {})[0] == 303
    sandbox.control.wait_until_quiet()
    # Nobody listens at that address of the sandbox itself, but it was called.
    assert sandbox.control.summary()["mail"]["unsubscribed"]["posted"] >= 1


@pytest.mark.parametrize("headers", [{"Origin": "https://elsewhere.example.org"}, {"Sec_Fetch_Site": "cross-site"}])
def test_another_sites_form_changes_nothing(sandbox: Sandbox, headers: dict[str, str]) -> None:
    send(sandbox)
    assert ask(sandbox, f"{ONE}/answer", {"quick": "STOP"}, **headers)[0] == 403
    assert sandbox.control.summary()["mail"]["answers"] == 0


def test_a_suppressed_mailbox_says_why(sandbox: Sandbox) -> None:
    send(sandbox, "bounce@example.org")
    assert "SendGrid drops what is sent to it" in ask(sandbox, "/mailboxes/bounce@example.org")[2]
