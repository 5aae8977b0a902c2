"""The pages in a real browser: accessible by axe's rules, usable by keyboard, asking for nothing elsewhere, fitting the screen.

axe finds a part of what can be wrong. docs/access.md lists what was tried by hand.
"""

import os
import re
import threading
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

import pyotp
import pytest
import sqlalchemy as sa
from axe_playwright_python.sync_playwright import Axe
from flask import Flask
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from sqlalchemy.orm import Session
from werkzeug.serving import make_server

from outreach.access.accounts import Role
from outreach.campaigns.campaign import Campaign, CampaignState, Step, planned_ladder
from outreach.campaigns.outcome import OutcomeState, Reason
from outreach.db import new_id, now
from outreach.notices import notice
from outreach.notices.notice import Notice, Purpose
from outreach.people.attorney import AppearanceForm, Ending, representation
from outreach.people.contact import ContactKind, ContactRole, Safety
from outreach.people.custody import Custody, Facility
from outreach.people.file import Reader
from outreach.people.incident import Incident
from outreach.people.person import Person
from tests.factories import (
    PASSWORD,
    TOTP_SECRET,
    make_account,
    make_attorney,
    make_campaign,
    make_contact,
    make_incident,
    make_message,
    make_outcome,
    make_person,
    make_reply,
    make_representation,
)
from tests.web.conftest import SignIn

pytestmark = pytest.mark.browser

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

    One request at a time: they share the test's one connection.
    """

    app: Flask

    def __call__(self, *request: Any) -> Any:
        return self.app(*request)


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[Server, str]]:
    server = Server()
    listening = make_server("127.0.0.1", 0, server)  # type: ignore[arg-type]  # any WSGI application would do
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
def contexts(browser: Browser) -> Callable[[str], BrowserContext]:
    return cache(lambda locale: browser.new_context(locale=locale))


@pytest.fixture
def visit(contexts: Callable[[str], BrowserContext], address: str, sign_in: SignIn) -> Iterator[Visit]:
    """`visit("/people", Role.OFFICER, locale="es", width=375)`: the page, open. Fails at its end when the browser complained."""
    pages: list[Page] = []
    complaints: list[str] = []

    def visit(path: str, role: Role | None, *, locale: str = "en", width: int = 1280) -> Page:
        context = contexts(locale)
        context.clear_cookies()
        if role is not None:
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
    assert wrong == [], "the browser refused something, or a page asked for something elsewhere"


@pytest.fixture
def people(session: Session) -> str:
    """A few people who stand differently; the id of one whose file has everything."""
    incident, campaign = make_incident(session), make_campaign(session)
    layla = make_person(
        session, name="SAMPLE, Layla", native="ليلى المثال", a_number="A299999001", language="ar", second_language="fr",
        incident=incident,
    )  # fmt: skip
    held = make_person(session, name="SAMPLE, Held", custody=Custody.DETAINED, language=None)
    make_person(session, name="SAMPLE, Hidden", protected=True)
    make_contact(session, layla, held)
    make_contact(session, layla, role=ContactRole.FAMILY, safety=Safety.NEVER)
    make_contact(session, layla, value="12 Example Street", kind=ContactKind.POST, role=ContactRole.SHELTER, safety=Safety.YES)
    make_outcome(session, campaign, layla, OutcomeState.REACHED)
    make_outcome(session, campaign, held, OutcomeState.EXCLUDED, Reason.IN_CUSTODY)
    session.commit()
    return str(layla.id)


@pytest.fixture
def work(session: Session, people: str) -> dict[str, str]:
    """A notice with Arabic and Amharic drafts, a draft campaign, a running one, and a conversation; the id of each."""
    notice.create_starters(session)
    shipped = session.scalars(sa.select(Notice).where(Notice.purpose == Purpose.NOTICE)).one()
    layla = session.get_one(Person, UUID(people))
    phone = make_contact(session, layla, value="+12025550142", safety=Safety.YES)
    incident = session.scalars(sa.select(Incident)).one()
    draft = make_campaign(
        session, title="Draft one", notice_id=shipped.id, audience={"incidents": [str(incident.id)]}, state=CampaignState.DRAFT
    )
    for position, rung in enumerate(planned_ladder(session), 1):
        custodies = list(rung.custodies or ())
        step = Step(campaign_id=draft.id, position=position, channel=rung.channel, wait_hours=rung.wait_hours, custodies=custodies)
        session.add(step)
    running = make_campaign(session, title="Running one", audience={"incidents": [str(incident.id)]})
    make_outcome(session, running, layla, OutcomeState.EXHAUSTED, Reason.OPTED_OUT)
    make_message(
        session, running, phone, layla, text="لديك رسالة مهمة", language="ar", state="failed", reason="opted_out", code="21610"
    )
    make_message(session, running, make_contact(session, layla), layla, text="ok", language="es", state="unknown")
    reply = make_reply(session, "+12025550142", "شكراً لكم", layla)
    facility = Facility(id=new_id(), code="FICTXA", name="Mesa Ficticia Processing Center")
    session.add(facility)
    attorney = make_attorney(session, name="Avery Q. Sample", firm="Example Legal Aid", post="12 Example Street", bar_state="CA")
    waiting = make_representation(session, layla, attorney, verified=False)
    for person in session.scalars(sa.select(Person)):
        make_representation(session, person, attorney, form=AppearanceForm.EOIR28)
    gone = make_representation(session, layla, make_attorney(session))
    supervisor = Reader(make_account(session, Role.SUPERVISOR).actor, supervises=True)
    representation.end(session, gone.id, ended_as=Ending.WITHDRAWN, on=now().date(), by=supervisor)
    session.commit()
    return {
        "ATTORNEY": str(attorney.id),
        "APPEARANCE": str(waiting.id),
        "FACILITY": str(facility.id),
        "PERSON": people,
        "NOTICE": str(shipped.id),
        "DRAFT": str(draft.id),
        "RUNNING": str(running.id),
        "REPLY": str(reply.id),
    }


PAGES = {
    "sign in": ("/sign-in", None),
    "overview": ("/", Role.OFFICER),
    "tasks": ("/tasks", Role.OFFICER),
    "automatic stops": ("/breakers", Role.APPROVER),
    "reconciliation": ("/reconciliation", Role.AUDITOR),
    "imminent removals": ("/imminent-removals", Role.APPROVER),
    "people": ("/people", Role.OFFICER),
    "people, filtered": ("/people?custody=detained", Role.SUPERVISOR),
    "nobody": ("/people?custody=relief", Role.OFFICER),
    "file": ("/people/PERSON", Role.SUPERVISOR),
    "new phone": ("/people/PERSON/contacts/new?kind=phone", Role.OFFICER),
    "new address": ("/people/PERSON/contacts/new?kind=post", Role.SUPERVISOR),
    "facilities": ("/facilities", Role.OFFICER),
    "facility": ("/facilities/FACILITY", Role.SUPERVISOR),
    "attorneys": ("/attorneys", Role.OFFICER),
    "attorney": ("/attorneys/ATTORNEY", Role.OFFICER),
    "attorney, new": ("/attorneys/new", Role.OFFICER),
    "attorney, changed": ("/attorneys/ATTORNEY/edit", Role.SUPERVISOR),
    "appearances to verify": ("/attorneys/ATTORNEY/verify", Role.SUPERVISOR),
    "who represents": ("/attorneys/for/PERSON", Role.OFFICER),
    "new appearance": ("/attorneys/ATTORNEY/for/PERSON", Role.OFFICER),
    "appearance, ended": ("/attorneys/representations/APPEARANCE/end", Role.OFFICER),
    "audit": ("/audit", Role.AUDITOR),
    "accounts": ("/accounts", Role.SUPERVISOR),
    "new account": ("/accounts/new", Role.SUPERVISOR),
    "own account": ("/account", Role.APPROVER),
    "refused": ("/accounts", Role.OFFICER),
    "not found": ("/nowhere", Role.OFFICER),
    "notices": ("/notices", Role.OFFICER),
    "notice": ("/notices/NOTICE", Role.SUPERVISOR),
    "text in Arabic": ("/notices/NOTICE/sms/ar", Role.APPROVER),
    "text in Amharic": ("/notices/NOTICE/sms/am", Role.OFFICER),
    "text, edited": ("/notices/NOTICE/sms/ar/edit", Role.OFFICER),
    "e-mails": ("/notices/NOTICE?channel=email", Role.OFFICER),
    "e-mail in Arabic": ("/notices/NOTICE/email/ar", Role.APPROVER),
    "e-mail, edited": ("/notices/NOTICE/email/es/edit", Role.OFFICER),
    "letter in Punjabi": ("/notices/NOTICE/letter/pa-Guru", Role.APPROVER),
    "letter to attorneys, edited": ("/notices/NOTICE/attorney_letter/en/edit", Role.OFFICER),
    "campaigns": ("/campaigns", Role.APPROVER),
    "new campaign": ("/campaigns/new", Role.OFFICER),
    "campaign, edited": ("/campaigns/DRAFT/edit", Role.OFFICER),
    "channel plan": ("/channel-plan", Role.SUPERVISOR),
    "ways in detention": ("/channel-plan/detained", Role.SUPERVISOR),
    "ways abroad": ("/channel-plan/removed", Role.SUPERVISOR),
    "campaign, draft": ("/campaigns/DRAFT", Role.OFFICER),
    "campaign, running": ("/campaigns/RUNNING", Role.SUPERVISOR),
    "replies": ("/replies", Role.OFFICER),
    "conversation": ("/replies/REPLY", Role.SUPERVISOR),
}


def violations(page: Page) -> list[str]:
    """What axe finds, one line each."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE)
    found = page.evaluate("rules => axe.run(rules)", RULES)["violations"]
    return [f"{one['id']}: {one['help']}: {one['nodes'][0]['html'][:200]}" for one in found]


def check_page(visit: Visit, path: str, role: Role | None) -> None:
    """By axe's rules on a desk's screen and on a phone's, and no wider than either."""
    page = visit(path, role)
    for width in WIDTHS.values():
        page.set_viewport_size({"width": width, "height": 800})
        check_width(page, width)
        assert violations(page) == []


def check_width(page: Page, width: int) -> None:
    assert page.evaluate("document.documentElement.scrollWidth") <= width, f"the page scrolls sideways at {width}"


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_accessible_and_fits_the_screen(visit: Visit, work: dict[str, str], name: str) -> None:
    path, role = PAGES[name]
    check_page(visit, re.sub("[A-Z]{2,}", lambda found: work[found[0]], path), role)


# What axe reads is the same in every language, and words are longer in Spanish: what has most of them side by side is looked at.
@pytest.mark.parametrize("name", ["file", "campaign, running", "campaign, edited", "notice", "channel plan", "accounts"])
def test_a_page_fits_the_screen_in_spanish_too(visit: Visit, work: dict[str, str], name: str) -> None:
    path, role = PAGES[name]
    page = visit(re.sub("[A-Z]{2,}", lambda found: work[found[0]], path), role, locale="es")
    for width in WIDTHS.values():
        page.set_viewport_size({"width": width, "height": 800})
        check_width(page, width)


@pytest.mark.usefixtures("people")
def test_what_a_form_answers_is_accessible_too(visit: Visit) -> None:
    page = visit("/people", Role.OFFICER)
    page.get_by_label("Name, number or address").fill("layla")
    page.get_by_role("button", name="Find").click()
    page.get_by_role("link", name="SAMPLE, Layla").wait_for()
    assert violations(page) == []
    page.get_by_role("link", name="SAMPLE, Layla").click()
    page.get_by_label("Show everything in full").select_option("contact")
    page.get_by_role("button", name="Show", exact=True).click()
    page.get_by_text("A299999001").wait_for()
    assert violations(page) == []
    page = visit("/accounts/new", Role.SUPERVISOR)
    page.get_by_label("Name").fill("Nadia New")
    page.get_by_label("Login").fill("nadia")
    page.get_by_text("Auditor", exact=False).first.click()
    page.get_by_role("button", name="Add the account").click()
    page.get_by_text("This page is shown once").wait_for()
    assert violations(page) == []


def focused(page: Page) -> str:
    """The words of whatever has the focus."""
    return str(page.evaluate("(document.activeElement.innerText || document.activeElement.getAttribute('name') || '').trim()"))


def test_by_keyboard_the_first_stop_skips_to_the_content(visit: Visit) -> None:
    page = visit("/", Role.OFFICER)
    page.keyboard.press("Tab")
    assert focused(page) == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_one_signs_in_by_keyboard_alone(visit: Visit, session: Session) -> None:
    make_account(session, Role.OFFICER, login="officer")
    session.commit()
    page = visit("/sign-in", None)
    page.get_by_label("Login").focus()
    for typed in ("officer", PASSWORD, pyotp.TOTP(TOTP_SECRET).now()):
        page.keyboard.type(typed)
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Overview").wait_for()


@pytest.mark.usefixtures("people")
def test_a_person_is_found_and_opened_by_keyboard_alone(visit: Visit) -> None:
    page = visit("/people", Role.OFFICER)
    page.get_by_label("Find a person by").focus()
    page.keyboard.press("Tab")
    page.keyboard.type("layla")
    page.keyboard.press("Enter")
    page.get_by_text("1 person found").wait_for()
    for _ in range(40):
        page.keyboard.press("Tab")
        if focused(page) == "SAMPLE, Layla":
            break
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="SAMPLE, Layla").wait_for()


def test_whatever_has_the_focus_shows_it(visit: Visit, people: str) -> None:
    page = visit(f"/people/{people}", Role.SUPERVISOR)
    for _ in range(30):
        page.keyboard.press("Tab")
        style, width, tag = page.evaluate(
            "(e => { const s = getComputedStyle(e); return [s.outlineStyle, parseFloat(s.outlineWidth), e.tagName] })"
            "(document.activeElement)"
        )
        shown = style != "none" and width >= 2
        assert shown or tag == "BODY", f"{focused(page)[:80]!r} has the focus and does not show it"


def test_on_a_phone_the_menu_opens_and_closes_by_keyboard(visit: Visit) -> None:
    page = visit("/", Role.OFFICER, width=WIDTHS["phone"])
    page.get_by_role("button", name="Menu", exact=True).press("Enter")
    page.get_by_role("link", name="People").wait_for()
    assert violations(page) == []
    page.keyboard.press("Escape")
    page.get_by_role("link", name="People").wait_for(state="hidden")


def test_the_native_name_runs_from_right_to_left(visit: Visit, people: str) -> None:
    page = visit(f"/people/{people}", Role.OFFICER)
    assert page.get_by_text("ليلى المثال").evaluate("e => getComputedStyle(e).direction") == "rtl"


def test_the_checks_follow_what_is_typed(visit: Visit, work: dict[str, str]) -> None:
    page = visit(f"/notices/{work['NOTICE']}/sms/es/edit", Role.OFFICER)
    page.get_by_label("The text").fill("((program)): su solicitud de asilo")
    page.get_by_text("This word tells what the message is about").wait_for()
    assert violations(page) == []
    page.get_by_label("The text").fill("((program)): ((phone))")
    page.get_by_text("Nothing in it tells what it is about").wait_for()


def test_the_ladder_is_edited_in_place_by_keyboard(visit: Visit, work: dict[str, str]) -> None:
    page = visit(f"/campaigns/{work['DRAFT']}/edit", Role.OFFICER)
    page.get_by_label("Title").fill("Half typed")
    before = page.locator(".rung").count()
    page.get_by_role("button", name="Add a step").press("Enter")
    page.get_by_text(f"Step {before + 1}", exact=True).wait_for()
    assert page.evaluate("document.activeElement.id") == "rung-add", "the focus stays"
    assert page.get_by_label("Title").input_value() == "Half typed"
    assert violations(page) == []
    page.get_by_role("button", name="Texts only").click()
    page.get_by_text("Step 2", exact=True).wait_for(state="detached")
    assert page.locator(".rung").count() == 1
    page.get_by_label("From").fill("12:00")
    page.get_by_label("To", exact=True).fill("13:00")
    page.get_by_label("Title").press("Enter")
    page.get_by_text("Choose the notice").or_(page.get_by_text("The hours are too short")).wait_for()
    assert page.locator(".rung").count() == 1, "Enter saves, and presses none of the ladder's buttons"


def test_a_mail_that_is_being_written_is_seen_in_another_tab(visit: Visit, work: dict[str, str]) -> None:
    page = visit(f"/notices/{work['NOTICE']}/email/ar/edit", Role.OFFICER)
    page.get_by_label("The text").fill("((program)): ((phone))")
    with page.expect_popup() as opened:
        page.get_by_role("button", name="See it as an e-mail").click()
    mail = opened.value
    mail.get_by_text("Letter Line: 1-800-555-0199").wait_for()
    assert mail.evaluate("getComputedStyle(document.querySelector('.sheet')).direction") == "rtl"
    frame = visit(f"/notices/{work['NOTICE']}/email/ar", Role.APPROVER).frame_locator("iframe")
    frame.get_by_text("رسالة مهمة لك").wait_for()
    assert frame.locator(".sheet").evaluate("e => getComputedStyle(e).maxWidth") != "none", "its styles are applied"


def test_progress_moves_by_itself_and_keeps_the_focus(visit: Visit, work: dict[str, str], session: Session) -> None:
    page = visit(f"/campaigns/{work['RUNNING']}", Role.OFFICER)
    page.get_by_text("0 of 1 people have been reached or told").wait_for()
    page.locator("#to-exhausted").focus()
    session.execute(sa.text("update outcome set state = 'told' where reason = 'opted_out'"))
    person = make_person(session)
    make_outcome(session, session.get_one(Campaign, UUID(work["RUNNING"])), person, OutcomeState.EXHAUSTED, Reason.NO_CONTACT)
    session.commit()
    page.get_by_text("1 of 2 people have been reached or told").wait_for()
    assert page.evaluate("document.activeElement.id") == "to-exhausted"
    session.execute(sa.text("update campaign set state = 'paused' where title = 'Running one'"))
    session.commit()
    page.get_by_text("Paused: nothing is handed over").wait_for()


def test_an_arabic_text_runs_from_right_to_left_with_the_number_in_order(visit: Visit, work: dict[str, str]) -> None:
    page = visit(f"/notices/{work['NOTICE']}/sms/ar", Role.APPROVER)
    quote = page.locator("blockquote").first
    assert quote.evaluate("e => [getComputedStyle(e).direction, e.lang]") == ["rtl", "ar"]
    assert "1-800-555-0199" in quote.inner_text()
