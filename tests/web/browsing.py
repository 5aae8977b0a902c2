"""A real browser at the panel's pages, and what every page must be in it."""

import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
from axe_playwright_python.sync_playwright import Axe
from flask import Flask
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from werkzeug.serving import make_server

from outreach.access.accounts import Role
from tests.web.conftest import SignIn

CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations"],  # What is right would be told node by node as well, which takes longer than to find it.
}
AXE = Axe().axe_script
WIDTHS = {"desk": 1280, "phone": 375}

Visit = Callable[..., Page]
Contexts = Callable[[str, int], BrowserContext]


# Of the module, not of the run: while it is open, Playwright keeps an event loop running in this thread, and a test of another
# module could start none of its own.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        message = f"there is no browser at {CHROMIUM}: apt install chromium, or set CHROMIUM"
        if os.environ.get("OUTREACH_REQUIRE_BROWSER"):
            pytest.fail(message)
        pytest.skip(message)
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(FLAGS))
        yield found
        found.close()


class Server:
    """One address for the panel of each test in turn, so that a browser has to fetch styles and fonts only once.

    One request at a time: they share the test's one connection, and with it whatever a test does there while a page is open, which
    holds the `lock` meanwhile: pages ask by themselves.
    """

    app: Flask

    def __init__(self) -> None:
        self.lock = threading.Lock()

    def __call__(self, *request: Any) -> Any:
        with self.lock:
            return self.app(*request)


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[Server, str]]:
    server = Server()
    listening = make_server("127.0.0.1", 0, server)
    thread = threading.Thread(target=listening.serve_forever)
    thread.start()
    yield server, f"http://127.0.0.1:{listening.port}"
    listening.shutdown()
    thread.join()
    listening.server_close()


@pytest.fixture
def address(app: Flask, server: tuple[Server, str]) -> str:
    server[0].app = app
    return server[1]


@pytest.fixture(scope="module")
def contexts(browser: Browser) -> Contexts:
    """Browsers by their language, and by number where one test needs several: each has cookies of its own."""
    return cache(lambda locale, _: browser.new_context(locale=locale))


@pytest.fixture
def visit(contexts: Contexts, server: tuple[Server, str], address: str, sign_in: SignIn) -> Iterator[Visit]:
    """`visit("/people", Role.OFFICER, locale="es", width=375)`: the page, open. Fails at its end when the browser complained."""
    pages: list[Page] = []
    complaints: list[str] = []

    def visit(path: str, role: Role | None, *, locale: str = "en", width: int = 1280) -> Page:
        context = contexts(locale, len(pages))
        context.clear_cookies()
        if role is not None:
            with server[0].lock:
                cookie = sign_in(role, locale=locale).get_cookie("outreach")
            assert cookie is not None
            context.add_cookies([{"name": "outreach", "value": cookie.value, "url": address}])
        page = context.new_page()
        page.set_viewport_size({"width": width, "height": 800})
        pages.append(page)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("request", lambda request: complaints.append(request.url))
        page.goto(f"{address}{path}")
        return page

    yield visit
    for page in pages:
        page.close()
    fine = (address, "data:", "Failed to load resource: the server responded with a status of 4")  # ours, and error pages
    wrong = [complaint for complaint in complaints if not complaint.startswith(fine)]
    assert not wrong, f"the browser refused something, or a page asked for something elsewhere: {wrong}"


def violations(page: Page) -> list[str]:
    """What axe finds, one line each."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE)
    found = page.evaluate("rules => axe.run(rules)", RULES)["violations"]
    return [f"{one['id']}: {one['help']}: {one['nodes'][0]['html'][:200]}" for one in found]


def too_wide(page: Page, width: int) -> bool:
    """Whether the page scrolls sideways."""
    return bool(page.evaluate("document.documentElement.scrollWidth") > width)


def wrong_with(page: Page, paths: Mapping[str, str], *, axe: bool = True) -> dict[str, object]:
    """What is wrong with each of these pages on a desk's screen and on a phone's, by name: axe's rules, and the width."""
    wrong: dict[str, object] = {}
    for name, path in paths.items():
        page.goto(urljoin(page.url, path))
        for width in WIDTHS.values():
            page.set_viewport_size({"width": width, "height": 800})
            found = violations(page) if axe else []
            if found or too_wide(page, width):
                wrong[f"{name} at {width}"] = found or "scrolls sideways"
    return wrong


def filled(paths: Mapping[str, str], ids: Mapping[str, str]) -> dict[str, str]:
    """The paths with the ids of what there is to see in place of the words in capitals."""
    return {name: re.sub("[A-Z]{2,}", lambda found: ids[found[0]], path) for name, path in paths.items()}
