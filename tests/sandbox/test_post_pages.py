"""The page of the mail house's letters."""

import http.client
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from outreach.sandbox.config import Config
from outreach.sandbox.server import Sandbox
from tests.sandbox.test_post import HOUR_MS, KEY, PDF, letter, send


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Sandbox]:
    config = Config(auth_token="token", books=tmp_path / "books.sqlite", post_api_key=KEY, letter_delay_ms=HOUR_MS)
    with Sandbox(config) as sandbox:
        yield sandbox


def get(house: Sandbox, path: str) -> tuple[int, dict[str, str], bytes]:
    parts = urlsplit(house.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    connection.request("GET", path)
    response = connection.getresponse()
    answer = response.status, dict(response.headers), response.read()
    connection.close()
    return answer


def test_an_empty_page_says_what_will_appear(house: Sandbox) -> None:
    assert b"No letter has come yet" in get(house, "/letters")[2]


def test_each_letter_is_shown_with_its_address_its_status_and_its_pdf(house: Sandbox) -> None:
    identity = send(house, letter(street="12 <b>Sample</b> Street")).provider_id
    status, headers, page = get(house, "/letters")
    text = page.decode()
    assert status == 200
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "no real text leaves this machine" in text
    assert "Ready, can still be called back" in text
    assert "12 &lt;b&gt;Sample&lt;/b&gt; Street" in text
    assert "Springfield IL 62701" in text
    address = f"/letters/{identity}.pdf"
    assert address in re.findall(r'href="([^"]*)"', text)
    status, headers, pdf = get(house, address)
    assert (status, headers["Content-Type"], headers["Cache-Control"]) == (200, "application/pdf", "no-store")
    assert pdf == PDF


def test_the_page_follows_the_letter(house: Sandbox) -> None:
    identity = str(send(house, letter()).provider_id)
    house.control.move_letter(identity, "completed")
    assert b"Probably there" in get(house, "/letters")[2]
    house.control.move_letter(identity, "returned_to_sender")
    assert b"Came back" in get(house, "/letters")[2]


def test_many_letters_are_on_pages(house: Sandbox) -> None:
    for _ in range(51):
        send(house, letter())
    assert b"51 letters" in get(house, "/letters")[2]
    assert get(house, "/letters?page=2")[2].count(b"Open the PDF") == 1


def test_a_letter_that_is_not_there_has_no_pdf(house: Sandbox) -> None:
    assert get(house, "/letters/letter_0.pdf")[0] == 404
