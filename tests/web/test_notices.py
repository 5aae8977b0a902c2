"""The pages of notices: texts in their own direction, what the checks say, drafts, and approval by somebody else."""

import re

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from outreach.access.accounts import Role
from outreach.notices import notice
from outreach.notices.notice import Notice, Purpose, Rendition
from tests.factories import make_account, make_rendition
from tests.web.conftest import Fetch, SignIn, submit, text_of

NOTE = "Read by Sample REVIEWER"


@pytest.fixture
def shipped(session: Session) -> Notice:
    """The notice that comes with the program: drafts in every language."""
    notice.create_starters(session)
    session.commit()
    return session.scalars(sa.select(Notice).where(Notice.purpose == Purpose.NOTICE)).one()


def newest(session: Session, found: Notice, language: str) -> Rendition:
    session.expire_all()
    return notice.versions(session, found.id, language)[language][0].rendition


def test_the_list_counts_what_is_approved_and_what_waits(sign_in: SignIn, page: Fetch, session: Session, shipped: Notice) -> None:
    make_rendition(session, shipped, "om")
    listed = page(sign_in(Role.APPROVER), "/notices")
    row = re.search(r"First contact for campaigns (\d+) (\d+)", listed.text)
    assert row
    assert (int(row[1]), int(row[2])) == (1, len(notice.versions(session, shipped.id)) - 1)


def test_starters_are_added_once_and_cannot_be_sent(sign_in: SignIn, page: Fetch, session: Session) -> None:
    officer = sign_in(Role.OFFICER)
    for _ in range(2):
        assert submit(officer, "/notices/starters").status_code == 302
    assert session.scalar(sa.select(sa.func.count()).select_from(Notice)) == 3
    found = session.scalars(sa.select(Notice).where(Notice.purpose == Purpose.NOTICE)).one()
    assert "DRAFT: cannot be sent" in page(officer, f"/notices/{found.id}/ar").text


def test_a_notice_of_ones_own_needs_a_title(sign_in: SignIn, page: Fetch, session: Session) -> None:
    officer = sign_in(Role.OFFICER)
    for title in ("", "   ", "x" * 201):
        page(officer, "/notices", status=400, post={"title": title})
    answer = submit(officer, "/notices", {"title": "Second contact"})
    assert "It has no text yet" in page(officer, answer.location).text


def test_a_text_stands_in_its_language_and_direction_as_it_will_be_sent(sign_in: SignIn, page: Fetch, shipped: Notice) -> None:
    shown = page(sign_in(Role.OFFICER), f"/notices/{shipped.id}/ar")
    quotes = shown.all("blockquote")
    assert {(quote["lang"], quote["dir"]) for quote in quotes} == {("ar", "rtl")}
    assert "Letter Line: لديك رسالة مهمة" in shown.text
    assert "((program)): لديك" in shown.text, "and as it was written"
    assert "UCS-2" in shown.text
    assert "$0.02" in shown.text


def test_the_table_shows_each_language_by_its_own_name(sign_in: SignIn, page: Fetch, session: Session, shipped: Notice) -> None:
    approver = make_account(session, Role.APPROVER, name="Abel Approver")
    first = newest(session, shipped, "am")
    first.state, first.approved_by, first.approved_at = "approved", approver.id, first.drafted_at
    first.policy, first.approval_note = "test", NOTE
    session.commit()
    shown = page(sign_in(Role.OFFICER), f"/notices/{shipped.id}").text
    for part in ("አማርኛ", "العربية", "Abel Approver", NOTE, "came with the program", "3 segments, UCS-2", "1 segment, GSM-7"):
        assert part in shown


# Drafting.


def test_a_change_is_kept_as_a_draft_and_the_approved_text_is_sent_on(
    sign_in: SignIn, page: Fetch, session: Session, shipped: Notice
) -> None:
    session.execute(sa.delete(Rendition).where(Rendition.language == "es"))
    make_rendition(session, shipped, "es")
    session.commit()
    officer = sign_in(Role.OFFICER)
    form = page(officer, f"/notices/{shipped.id}/es/edit")
    assert "((program)): ((phone))" in form.text
    answer = submit(officer, f"/notices/{shipped.id}/es", {"text": "((program)): llame al ((phone))\r\nGracias"})
    assert answer.status_code == 302
    assert newest(session, shipped, "es").text == "((program)): llame al ((phone))\nGracias"
    shown = page(officer, answer.location).text
    assert "DRAFT: cannot be sent" in shown
    assert "Version 1 is sent until this one is approved" in shown
    assert "Approved: this is what is sent" in page(officer, f"/notices/{shipped.id}/es?version=1").text


@pytest.mark.parametrize("text", ["", "  \n ", "SAME"])
def test_nothing_new_is_not_kept(sign_in: SignIn, page: Fetch, session: Session, shipped: Notice, text: str) -> None:
    before = newest(session, shipped, "es")
    page(sign_in(Role.OFFICER), f"/notices/{shipped.id}/es", status=400, post={"text": before.text if text == "SAME" else text})
    assert newest(session, shipped, "es").version == before.version


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("((program)): su solicitud de asilo", "This word tells what the message is about"),
        ("Llame al 212-555-0100", "This number is not one of ours"),
        ("((name)), llame", "A field in brackets is misspelt"),
        ("x" * 600, "and 3 are allowed. Shorten it by about 141 characters"),
        ("((program)) “ya”", "take more than twice the room: “ ”"),
        ("((program)): ((phone))", "Nothing in it tells what it is about"),
    ],
)
def test_the_checks_answer_while_one_types(sign_in: SignIn, shipped: Notice, typed: str, expected: str) -> None:
    officer = sign_in(Role.OFFICER)
    live = submit(officer, "/notices/check/es", {"text": typed})
    assert expected in text_of(live.text)
    assert "<html" not in live.text, "only the part that changes"
    whole = submit(officer, f"/notices/{shipped.id}/es", {"text": typed, "check": "yes"})
    assert expected in text_of(whole.text), "and without scripts by a button"
    assert typed.replace("“", "“") in whole.text, "with what was typed kept"


def test_a_text_with_markup_is_only_a_text(sign_in: SignIn, page: Fetch, session: Session, shipped: Notice) -> None:
    officer = sign_in(Role.OFFICER)
    submit(officer, f"/notices/{shipped.id}/fr", {"text": "<script>alert(1)</script> {{ 7 * 7 }} </textarea>"})
    for path in (f"/notices/{shipped.id}/fr", f"/notices/{shipped.id}/fr/edit"):
        shown = page(officer, path)
        assert "<script>alert" not in shown.html
        assert "{{ 7 * 7 }}" in shown.html


# Approving.


def test_an_approver_goes_from_draft_to_draft(sign_in: SignIn, page: Fetch, session: Session, shipped: Notice) -> None:
    approver = sign_in(Role.APPROVER)
    first = next(link for link in sorted(page(approver, f"/notices/{shipped.id}").links()) if link.endswith("/am"))
    answer = submit(approver, f"{first}/1/approve", {"note": NOTE})
    assert answer.location.endswith("/ar"), "Arabic comes after Amharic"
    approved = newest(session, shipped, "am")
    assert (approved.state, approved.approval_note) == ("approved", NOTE)
    after = page(approver, answer.location)
    assert "Amharic is approved" in after.text
    assert f"Next draft: Armenian ({len(notice.versions(session, shipped.id)) - 1} waiting)" in after.text


def test_the_last_draft_leads_back_to_the_notice(sign_in: SignIn, session: Session) -> None:
    alone = notice.create(session, title="One language")
    notice.draft(session, alone.id, language="es", text="((program)): ((phone))", by=make_account(session))
    session.commit()
    assert submit(sign_in(Role.APPROVER), f"/notices/{alone.id}/es/1/approve", {"note": NOTE}).location == f"/notices/{alone.id}"


@pytest.mark.parametrize("note", ["", "   "])
def test_without_the_name_of_a_reviewer_nothing_is_approved(
    sign_in: SignIn, page: Fetch, session: Session, shipped: Notice, note: str
) -> None:
    answer = page(sign_in(Role.APPROVER), f"/notices/{shipped.id}/ar/1/approve", status=409, post={"note": note})
    assert "Say who reviewed the text in this language" in answer.text
    assert newest(session, shipped, "ar").state == "draft"


def test_nobody_is_offered_or_allowed_to_approve_their_own_text(
    sign_in: SignIn, page: Fetch, session: Session, shipped: Notice
) -> None:
    supervisor = sign_in(Role.SUPERVISOR)
    submit(supervisor, f"/notices/{shipped.id}/es", {"text": "((program)): ((phone))"})
    shown = page(supervisor, f"/notices/{shipped.id}/es")
    assert "somebody else has to approve it" in shown.text
    assert not any("approve" in str(form.get("action")) for form, _ in shown.forms)
    refused = page(supervisor, f"/notices/{shipped.id}/es/2/approve", status=409, post={"note": NOTE})
    assert "You wrote this text" in refused.text
    assert newest(session, shipped, "es").state == "draft"


def test_a_text_that_tells_cannot_be_approved(sign_in: SignIn, page: Fetch, session: Session, shipped: Notice) -> None:
    submit(sign_in(Role.OFFICER), f"/notices/{shipped.id}/en", {"text": "Your asylum case"})
    approver = sign_in(Role.APPROVER)
    shown = page(approver, f"/notices/{shipped.id}/en")
    assert not any("approve" in str(form.get("action")) for form, _ in shown.forms)
    page(approver, f"/notices/{shipped.id}/en/2/approve", status=409, post={"note": NOTE})
    assert newest(session, shipped, "en").state == "draft"


def test_an_officer_reads_and_does_not_approve(sign_in: SignIn, page: Fetch, shipped: Notice) -> None:
    officer = sign_in(Role.OFFICER)
    assert "Approve this text" not in page(officer, f"/notices/{shipped.id}/es").text
    page(officer, f"/notices/{shipped.id}/es/1/approve", status=403, post={"note": NOTE})


@pytest.mark.parametrize("path", ["/xx", "/xx/edit", "/es?version=9", "/es/9/approve"])
def test_there_is_nothing_in_a_language_or_version_that_is_not(sign_in: SignIn, page: Fetch, shipped: Notice, path: str) -> None:
    supervisor = sign_in(Role.SUPERVISOR)
    page(supervisor, f"/notices/{shipped.id}{path}", status=404, post={"note": NOTE} if path.endswith("approve") else None)


def test_refusals_are_said_in_the_panels_language(sign_in: SignIn, page: Fetch, shipped: Notice) -> None:
    supervisor = sign_in(Role.SUPERVISOR, locale="es")
    refused = page(supervisor, f"/notices/{shipped.id}/es/1/approve", status=409, post={"note": ""})
    assert "Say who" not in refused.text
    assert "Diga quién" in refused.text
