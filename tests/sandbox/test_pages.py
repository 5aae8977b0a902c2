"""The pages: complete without script, closed to other sites, every text shown in its own language and direction."""

import http.client
import re
from urllib.parse import quote, urlencode, urlsplit

import pytest
from twilio.rest import Client

from outreach.sandbox.server import Sandbox
from tests.sandbox.conftest import PHONE, SENDER


def ask(carrier: Sandbox, path: str, form: dict[str, str] | None = None, **headers: str) -> tuple[int, dict[str, str], str]:
    parts = urlsplit(carrier.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if form is None:
        connection.request("GET", path, headers=sent)
    else:
        sent["Content-Type"] = "application/x-www-form-urlencoded"
        connection.request("POST", path, urlencode(form), sent)
    response = connection.getresponse()
    answer = response.status, dict(response.headers), response.read().decode()
    connection.close()
    return answer


ONE = f"/phones/{quote(PHONE, safe='')}"


@pytest.mark.parametrize("path", ["/", ONE, "/faults", "/books"])
def test_every_page_says_that_no_real_text_is_sent_and_loads_nothing_from_elsewhere(
    twilio: Client, carrier: Sandbox, path: str
) -> None:
    twilio.messages.create(to=PHONE, from_=SENDER, body="hello")
    status, headers, page = ask(carrier, path)
    assert status == 200
    assert "no real text leaves this machine" in page
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["Cache-Control"] == "no-store"
    # Under no-referrer a browser sends "Origin: null" with our own forms, which are then refused like a stranger's.
    assert headers["Referrer-Policy"] == "same-origin"
    addresses = re.findall(r'(?:src|href|action)="([^"]*)"', page)
    assert addresses
    assert all(address.startswith(("/", "#")) and not address.startswith("//") for address in addresses)
    assert " style=" not in page
    assert "<script>" not in page


def test_an_empty_sandbox_says_what_will_appear(carrier: Sandbox) -> None:
    assert "No text has been sent yet" in ask(carrier, "/")[2]


def test_the_list_shows_each_phone_with_its_last_text(twilio: Client, carrier: Sandbox) -> None:
    for body in ("the old text", "the new text"):
        twilio.messages.create(to=PHONE, from_=SENDER, body=body)
    page = ask(carrier, "/")[2]
    assert page.count(f">{PHONE}<") == 1
    assert "2 texts" in page
    assert "the new text" in page
    assert "the old text" not in page


def test_phones_are_found_by_part_of_their_number(twilio: Client, carrier: Sandbox) -> None:
    twilio.messages.create(to=PHONE, from_=SENDER, body="hello")
    twilio.messages.create(to="+13035550144", from_=SENDER, body="hello")
    page = ask(carrier, "/?q=(303)%20555")[2]
    assert "+13035550144" in page
    assert PHONE not in page
    assert "No phone with" in ask(carrier, "/?q=999")[2]


def test_more_phones_than_fit_are_paged(twilio: Client, carrier: Sandbox) -> None:
    for number in range(60):
        twilio.messages.create(to=f"+1303555{100 + number:04d}", from_=SENDER, body="hello")
    first, second = ask(carrier, "/")[2], ask(carrier, "/?page=2")[2]
    assert "Page 1 of 2" in first
    shown = [set(re.findall(r">(\+1303\d+)<", page)) for page in (first, second)]
    assert [len(numbers) for numbers in shown] == [50, 10]
    assert not shown[0] & shown[1]


@pytest.mark.parametrize(
    ("body", "mark"),
    [
        ("لدينا رسالة مهمة لك", 'dir="auto" lang="ar"'),
        ("Tenemos un mensaje para usted", 'dir="auto" lang="es"'),
        ("12345", 'dir="auto">12345'),
    ],
)
def test_a_text_is_marked_with_its_language(twilio: Client, carrier: Sandbox, body: str, mark: str) -> None:
    twilio.messages.create(to=PHONE, from_=SENDER, body=body)
    for path in ("/", ONE):
        assert mark in ask(carrier, path)[2]


def test_hostile_texts_are_shown_as_text(twilio: Client, carrier: Sandbox) -> None:
    twilio.messages.create(to=PHONE, from_=SENDER, body="<script>alert(1)</script>{{7*7}}")
    page = ask(carrier, ONE)[2]
    assert "&lt;script&gt;alert(1)&lt;/script&gt;{{7*7}}" in page


@pytest.mark.parametrize("form", [{"quick": "9"}, {"body": "9"}])
def test_a_person_can_answer_as_the_recipient(twilio: Client, carrier: Sandbox, form: dict[str, str]) -> None:
    twilio.messages.create(to=PHONE, from_=SENDER, body="hello")
    status, headers, _ = ask(carrier, f"{ONE}/answer", form)
    assert (status, headers["Location"]) == (303, f"{ONE}#answer")
    assert [message.body for message in twilio.messages.list(from_=PHONE)] == ["9"]


def test_an_empty_answer_is_not_sent(carrier: Sandbox) -> None:
    assert ask(carrier, f"{ONE}/answer", {"body": "  "})[0] == 303
    assert carrier.control.summary()["inbound"] == 0


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://elsewhere.example.org"}, {"Sec_Fetch_Site": "cross-site"}, {"Origin": "null"}],
)
def test_a_form_of_another_site_changes_nothing(carrier: Sandbox, headers: dict[str, str]) -> None:
    assert ask(carrier, f"{ONE}/answer", {"body": "1"}, **headers)[0] == 403
    assert ask(carrier, "/faults", {"preset": "doubled"}, **headers)[0] == 403
    assert carrier.control.summary()["inbound"] == 0
    assert carrier.control.faults() == []


def test_a_fault_is_switched_on_and_off_by_the_same_button(carrier: Sandbox) -> None:
    ask(carrier, "/faults", {"preset": "doubled"})
    assert [(rule["fault"], rule["chance"]) for rule in carrier.control.faults()] == [("doubled", 0.2)]
    assert 'value="doubled" aria-pressed="true"' in ask(carrier, "/faults")[2]
    ask(carrier, "/faults", {"preset": "doubled"})
    assert carrier.control.faults() == []


def test_a_fault_set_elsewhere_is_shown_and_can_be_removed(carrier: Sandbox) -> None:
    number = carrier.control.fault("refuse", code=21610, to="+1303*")
    assert "to=+1303*" in ask(carrier, "/faults")[2]
    ask(carrier, "/faults", {"rule": str(number)})
    assert carrier.control.faults() == []


def test_all_faults_are_removed_at_once(carrier: Sandbox) -> None:
    carrier.control.fault("slow")
    carrier.control.fault("doubled")
    ask(carrier, "/faults", {"all": "off"})
    assert carrier.control.faults() == []


def test_the_population_is_switched_on_the_page(carrier: Sandbox) -> None:
    ask(carrier, "/faults", {"dial": "population"})
    assert carrier.control.set()["population"] is True


def test_a_phone_that_is_no_phone_is_not_found(carrier: Sandbox) -> None:
    status, _, page = ask(carrier, "/phones/nobody")
    assert status == 404
    assert "There is no such phone" in page


def test_a_phone_without_texts_can_still_write_first(carrier: Sandbox) -> None:
    assert "This phone has no texts yet" in ask(carrier, ONE)[2]
    ask(carrier, f"{ONE}/answer", {"body": "hello?"})
    assert "hello?" in ask(carrier, "/")[2]
