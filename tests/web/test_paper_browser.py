"""The pages of paper in a real browser: accessible, fitting the screen, and sixty returned letters without the mouse."""

import os
import time

import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser, Request
from sqlalchemy.orm import Session

from outreach.access.accounts import Role
from outreach.db import now
from outreach.delivery import pulling
from outreach.delivery.letter import Letter, LetterState, RunKind, RunState
from outreach.people.contact import AddressGrade, ContactKind, Safety
from outreach.people.custody import Custody
from tests.factories import make_account, make_campaign, make_contact, make_custody_event, make_facility, make_person, make_run
from tests.web.browsing import Visit, address, browser, contexts, filled, server, violations, visit, wrong_with
from tests.web.conftest import SignIn

# pytest finds fixtures by name.
__all__ = ["address", "browser", "contexts", "server", "visit"]

pytestmark = pytest.mark.browser

LETTERS = int(os.environ.get("RETURNED_LETTERS", "12"))  # 60 for the figure that docs/print_room.md gives


@pytest.fixture
def paper(session: Session) -> dict[str, str]:
    """A run in each state, a packet, and the codes of a letter that is on its way and of one that came back."""
    by, campaign = make_account(session), make_campaign(session)
    people = [make_person(session) for _ in range(6)]
    make_contact(session, people[0], value="9 Other Street", kind=ContactKind.POST, safety=Safety.YES, grade=AddressGrade.GOOD)
    sent = make_run(session, campaign, people[0], state=RunState.HANDED_OVER, by=by)
    pulled = make_run(session, make_campaign(session), *people[1:4], state=RunState.ENVELOPED, by=by)
    make_custody_event(session, people[2], state=Custody.REMOVED, as_of=now().date())
    facility = make_facility(session)
    made = make_run(session, make_campaign(session), people[4], by=by)
    make_custody_event(session, people[5], state=Custody.DETAINED, facility_id=facility.id, as_of=now().date())
    session.expire_all()
    pulling.pull_moved(session)
    handed = make_run(
        session, make_campaign(session), people[5], facility=facility, kind=RunKind.HAND, state=RunState.HANDED_OVER, by=by
    )
    session.commit()
    code = session.scalars(sa.select(Letter.return_code).where(Letter.run_id == sent.id)).one()
    return {"SENT": str(sent.id), "PULLED": str(pulled.id), "MADE": str(made.id), "PACKET": str(handed.id), "CODE": code}


PAGES = {
    "print room": "/print-room",
    "run to be printed": "/print-room/MADE",
    "run with a letter to take out": "/print-room/PULLED",
    "run that has left": "/print-room/SENT",
    "packet": "/packets/PACKET",
    "returned mail": "/returned-mail",
}


def test_the_pages_of_paper_are_accessible_and_fit_the_screen(visit: Visit, paper: dict[str, str]) -> None:
    assert wrong_with(visit("/", Role.SUPERVISOR), filled(PAGES, paper)) == {}


@pytest.mark.parametrize("width", [1280, 375])
def test_what_the_bench_answers_is_accessible_too(visit: Visit, paper: dict[str, str], width: int) -> None:
    page = visit("/returned-mail", Role.OFFICER, width=width)
    page.locator("#code:focus").wait_for()
    page.keyboard.type(paper["CODE"])
    page.keyboard.press("Enter")
    page.locator("#key").wait_for()
    assert violations(page) == []
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Send another letter there").wait_for()
    assert violations(page) == []
    page.get_by_role("button", name="Show whose letter it is, and their addresses").click()
    page.get_by_text("9 Other Street").wait_for()
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width, "the page scrolls sideways"


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without"])
def test_returned_letters_without_the_mouse(
    browser: Browser, address: str, sign_in: SignIn, session: Session, scripts: bool
) -> None:
    """The scanner types a code and Enter; a hand types a number and Enter. Two requests a letter, and not one key more."""
    people = [make_person(session) for _ in range(LETTERS)]
    run = make_run(session, make_campaign(session), *people, state=RunState.HANDED_OVER)
    session.commit()
    codes = session.scalars(sa.select(Letter.return_code).where(Letter.run_id == run.id).order_by(Letter.sequence)).all()
    cookie = sign_in(Role.OFFICER).get_cookie("outreach")
    assert cookie is not None
    context = browser.new_context(java_script_enabled=scripts)
    context.add_cookies([{"name": "outreach", "value": cookie.value, "url": address}])
    page = context.new_page()
    page.goto(f"{address}/returned-mail")
    page.locator("#code:focus").wait_for()
    rounds: list[str] = []

    def count(request: Request) -> None:
        if "/returned-mail" in request.url:
            rounds.append(request.method)

    page.on("request", count)
    keys, begun = 0, time.monotonic()
    for number, code in enumerate(codes):
        page.keyboard.type(code)
        page.keyboard.press("Enter")
        page.locator("#key:focus").wait_for()
        page.keyboard.press(str(1 + number % 9))
        page.keyboard.press("Enter")
        page.locator("#code:focus").wait_for()
        keys += len(code) + 3
    took = time.monotonic() - begun
    print(f"{LETTERS} letters: {took:.1f} s, {keys} keys of which {3 * LETTERS} by hand, {len(rounds)} requests")  # noqa: T201  # the figure that docs/print_room.md gives
    assert rounds == ["POST"] * (2 * LETTERS)
    session.expire_all()
    returned = sa.select(sa.func.count()).select_from(Letter).where(Letter.state == LetterState.RETURNED)
    assert session.scalar(returned) == LETTERS
    assert f"{LETTERS} letters came back" in page.inner_text("#bench")
    context.close()
