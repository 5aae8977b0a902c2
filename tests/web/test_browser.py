"""The pages in a real browser: accessible by axe's rules, usable by keyboard, asking for nothing elsewhere, fitting the screen.

axe finds a part of what can be wrong. docs/access.md lists what was tried by hand.
"""

from uuid import UUID

import pyotp
import pytest
import sqlalchemy as sa
from playwright.sync_api import Page
from sqlalchemy.orm import Session

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
from tests.web.browsing import WIDTHS, Server, Visit, address, browser, contexts, filled, server, violations, visit, wrong_with

# pytest finds fixtures by name.
__all__ = ["address", "browser", "contexts", "server", "visit"]

pytestmark = pytest.mark.browser


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


PAGES: dict[Role | None, dict[str, str]] = {
    None: {
        "sign in": "/sign-in",
    },
    Role.OFFICER: {
        "overview": "/",
        "tasks": "/tasks",
        "people": "/people",
        "nobody": "/people?custody=relief",
        "new phone": "/people/PERSON/contacts/new?kind=phone",
        "facilities": "/facilities",
        "attorneys": "/attorneys",
        "attorney": "/attorneys/ATTORNEY",
        "attorney, new": "/attorneys/new",
        "who represents": "/attorneys/for/PERSON",
        "new appearance": "/attorneys/ATTORNEY/for/PERSON",
        "appearance, ended": "/attorneys/representations/APPEARANCE/end",
        "refused": "/accounts",
        "not found": "/nowhere",
        "notices": "/notices",
        "text in Amharic": "/notices/NOTICE/sms/am",
        "text, edited": "/notices/NOTICE/sms/ar/edit",
        "e-mails": "/notices/NOTICE?channel=email",
        "e-mail, edited": "/notices/NOTICE/email/es/edit",
        "letter to attorneys, edited": "/notices/NOTICE/attorney_letter/en/edit",
        "new campaign": "/campaigns/new",
        "campaign, edited": "/campaigns/DRAFT/edit",
        "campaign, draft": "/campaigns/DRAFT",
        "replies": "/replies",
    },
    Role.APPROVER: {
        "automatic stops": "/breakers",
        "imminent removals": "/imminent-removals",
        "own account": "/account",
        "text in Arabic": "/notices/NOTICE/sms/ar",
        "e-mail in Arabic": "/notices/NOTICE/email/ar",
        "letter in Punjabi": "/notices/NOTICE/letter/pa-Guru",
        "campaigns": "/campaigns",
    },
    Role.SUPERVISOR: {
        "people, filtered": "/people?custody=detained",
        "file": "/people/PERSON",
        "new address": "/people/PERSON/contacts/new?kind=post",
        "facility": "/facilities/FACILITY",
        "attorney, changed": "/attorneys/ATTORNEY/edit",
        "appearances to verify": "/attorneys/ATTORNEY/verify",
        "accounts": "/accounts",
        "new account": "/accounts/new",
        "notice": "/notices/NOTICE",
        "channel plan": "/channel-plan",
        "ways in detention": "/channel-plan/detained",
        "ways abroad": "/channel-plan/removed",
        "campaign, running": "/campaigns/RUNNING",
        "conversation": "/replies/REPLY",
    },
    Role.AUDITOR: {
        "reconciliation": "/reconciliation",
        "audit": "/audit",
    },
}


@pytest.mark.parametrize("role", PAGES)
def test_the_pages_of_a_role_are_accessible_and_fit_the_screen(visit: Visit, work: dict[str, str], role: Role | None) -> None:
    assert wrong_with(visit("/sign-in", role), filled(PAGES[role], work)) == {}


# What axe reads is the same in every language, and words are longer in Spanish: what has most of them side by side is looked at.
def test_pages_fit_the_screen_in_spanish_too(visit: Visit, work: dict[str, str]) -> None:
    pages = PAGES[Role.OFFICER] | PAGES[Role.SUPERVISOR]
    longest = {
        name: pages[name] for name in ("file", "campaign, running", "campaign, edited", "notice", "channel plan", "accounts")
    }
    assert wrong_with(visit("/", Role.SUPERVISOR, locale="es"), filled(longest, work), axe=False) == {}


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


def test_progress_moves_by_itself_and_keeps_the_focus(
    visit: Visit, server: tuple[Server, str], work: dict[str, str], session: Session
) -> None:
    page = visit(f"/campaigns/{work['RUNNING']}", Role.OFFICER)
    page.get_by_text("0 of 1 people have been reached or told").wait_for()
    page.locator("#to-exhausted").focus()
    with server[0].lock:
        session.execute(sa.text("update outcome set state = 'told' where reason = 'opted_out'"))
        person = make_person(session)
        make_outcome(session, session.get_one(Campaign, UUID(work["RUNNING"])), person, OutcomeState.EXHAUSTED, Reason.NO_CONTACT)
        session.commit()
    page.get_by_text("1 of 2 people have been reached or told").wait_for()
    assert page.evaluate("document.activeElement.id") == "to-exhausted"
    with server[0].lock:
        session.execute(sa.text("update campaign set state = 'paused' where title = 'Running one'"))
        session.commit()
    page.get_by_text("Paused: nothing is handed over").wait_for()


def test_an_arabic_text_runs_from_right_to_left_with_the_number_in_order(visit: Visit, work: dict[str, str]) -> None:
    page = visit(f"/notices/{work['NOTICE']}/sms/ar", Role.APPROVER)
    quote = page.locator("blockquote").first
    assert quote.evaluate("e => [getComputedStyle(e).direction, e.lang]") == ["rtl", "ar"]
    assert "1-800-555-0199" in quote.inner_text()
