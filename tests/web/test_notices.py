"""The pages of notices: texts in their own direction, what the checks say, drafts, and approval by somebody else."""

import re
from contextlib import closing

import pypdfium2
import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from outreach.access.accounts import Role
from outreach.notices import notice
from outreach.notices.notice import Channel, Notice, Purpose, Rendition
from outreach.web import headers
from tests.factories import make_account, make_rendition
from tests.web.conftest import Fetch, SignIn, submit, text_of

NOTE = "Read by Sample REVIEWER"


@pytest.fixture
def shipped(session: Session) -> Notice:
    """The notice that comes with the program: drafts in every language."""
    notice.create_starters(session)
    session.commit()
    return session.scalars(sa.select(Notice).where(Notice.purpose == Purpose.NOTICE)).one()


def newest(session: Session, found: Notice, language: str, channel: Channel = Channel.SMS) -> Rendition:
    session.expire_all()
    return notice.versions(session, found.id, language, channel=channel)[language][0].rendition


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
    assert "DRAFT: cannot be sent" in page(officer, f"/notices/{found.id}/sms/ar").text


def test_a_notice_of_ones_own_needs_a_title(sign_in: SignIn, page: Fetch, session: Session) -> None:
    officer = sign_in(Role.OFFICER)
    for title in ("", "   ", "x" * 201):
        page(officer, "/notices", status=400, post={"title": title})
    answer = submit(officer, "/notices", {"title": "Second contact"})
    assert "It has no text yet" in page(officer, answer.location).text


def test_a_text_stands_in_its_language_and_direction_as_it_will_be_sent(sign_in: SignIn, page: Fetch, shipped: Notice) -> None:
    shown = page(sign_in(Role.OFFICER), f"/notices/{shipped.id}/sms/ar")
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
    form = page(officer, f"/notices/{shipped.id}/sms/es/edit")
    assert "((program)): ((phone))" in form.text
    answer = submit(officer, f"/notices/{shipped.id}/sms/es", {"text": "((program)): llame al ((phone))\r\nGracias"})
    assert answer.status_code == 302
    assert newest(session, shipped, "es").text == "((program)): llame al ((phone))\nGracias"
    shown = page(officer, answer.location).text
    assert "DRAFT: cannot be sent" in shown
    assert "Version 1 is sent until this one is approved" in shown
    assert "Approved: this is what is sent" in page(officer, f"/notices/{shipped.id}/sms/es?version=1").text


@pytest.mark.parametrize("text", ["", "  \n ", "SAME"])
def test_nothing_new_is_not_kept(sign_in: SignIn, page: Fetch, session: Session, shipped: Notice, text: str) -> None:
    before = newest(session, shipped, "es")
    page(sign_in(Role.OFFICER), f"/notices/{shipped.id}/sms/es", status=400, post={"text": before.text if text == "SAME" else text})
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
    live = submit(officer, "/notices/check/sms/es", {"text": typed})
    assert expected in text_of(live.text)
    assert "<html" not in live.text, "only the part that changes"
    whole = submit(officer, f"/notices/{shipped.id}/sms/es", {"text": typed, "check": "yes"})
    assert expected in text_of(whole.text), "and without scripts by a button"
    assert typed.replace("“", "“") in whole.text, "with what was typed kept"


def test_a_text_with_markup_is_only_a_text(sign_in: SignIn, page: Fetch, session: Session, shipped: Notice) -> None:
    officer = sign_in(Role.OFFICER)
    submit(officer, f"/notices/{shipped.id}/sms/fr", {"text": "<script>alert(1)</script> {{ 7 * 7 }} </textarea>"})
    for path in (f"/notices/{shipped.id}/sms/fr", f"/notices/{shipped.id}/sms/fr/edit"):
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
    answer = submit(sign_in(Role.APPROVER), f"/notices/{alone.id}/sms/es/1/approve", {"note": NOTE})
    assert answer.location == f"/notices/{alone.id}?channel=sms"


@pytest.mark.parametrize("note", ["", "   "])
def test_without_the_name_of_a_reviewer_nothing_is_approved(
    sign_in: SignIn, page: Fetch, session: Session, shipped: Notice, note: str
) -> None:
    answer = page(sign_in(Role.APPROVER), f"/notices/{shipped.id}/sms/ar/1/approve", status=409, post={"note": note})
    assert "Say who reviewed the text in this language" in answer.text
    assert newest(session, shipped, "ar").state == "draft"


def test_nobody_is_offered_or_allowed_to_approve_their_own_text(
    sign_in: SignIn, page: Fetch, session: Session, shipped: Notice
) -> None:
    supervisor = sign_in(Role.SUPERVISOR)
    submit(supervisor, f"/notices/{shipped.id}/sms/es", {"text": "((program)): ((phone))"})
    shown = page(supervisor, f"/notices/{shipped.id}/sms/es")
    assert "somebody else has to approve it" in shown.text
    assert not any("approve" in str(form.get("action")) for form, _ in shown.forms)
    refused = page(supervisor, f"/notices/{shipped.id}/sms/es/2/approve", status=409, post={"note": NOTE})
    assert "You wrote this text" in refused.text
    assert newest(session, shipped, "es").state == "draft"


def test_a_text_that_tells_cannot_be_approved(sign_in: SignIn, page: Fetch, session: Session, shipped: Notice) -> None:
    submit(sign_in(Role.OFFICER), f"/notices/{shipped.id}/sms/en", {"text": "Your asylum case"})
    approver = sign_in(Role.APPROVER)
    shown = page(approver, f"/notices/{shipped.id}/sms/en")
    assert not any("approve" in str(form.get("action")) for form, _ in shown.forms)
    page(approver, f"/notices/{shipped.id}/sms/en/2/approve", status=409, post={"note": NOTE})
    assert newest(session, shipped, "en").state == "draft"


def test_an_officer_reads_and_does_not_approve(sign_in: SignIn, page: Fetch, shipped: Notice) -> None:
    officer = sign_in(Role.OFFICER)
    assert "Approve this text" not in page(officer, f"/notices/{shipped.id}/sms/es").text
    page(officer, f"/notices/{shipped.id}/sms/es/1/approve", status=403, post={"note": NOTE})


@pytest.mark.parametrize(
    "path",
    ["/sms/xx", "/sms/xx/edit", "/sms/es?version=9", "/sms/es/9/approve", "/hand/es", "/pigeon/es/edit", "/attorney_email/es/edit"],
)
def test_there_is_nothing_in_a_language_or_version_that_is_not(sign_in: SignIn, page: Fetch, shipped: Notice, path: str) -> None:
    supervisor = sign_in(Role.SUPERVISOR)
    page(supervisor, f"/notices/{shipped.id}{path}", status=404, post={"note": NOTE} if path.endswith("approve") else None)


def test_refusals_are_said_in_the_panels_language(sign_in: SignIn, page: Fetch, shipped: Notice) -> None:
    supervisor = sign_in(Role.SUPERVISOR, locale="es")
    refused = page(supervisor, f"/notices/{shipped.id}/sms/es/1/approve", status=409, post={"note": ""})
    assert "Say who" not in refused.text
    assert "Diga quién" in refused.text


# E-mails and letters.


def test_each_way_has_its_own_tab_of_languages(sign_in: SignIn, page: Fetch, session: Session, shipped: Notice) -> None:
    make_rendition(session, shipped, "om", channel=Channel.EMAIL, subject="Ergaa")
    session.commit()
    officer = sign_in(Role.OFFICER)
    mails = page(officer, f"/notices/{shipped.id}?channel=email")
    drafts = len(notice.versions(session, shipped.id, channel=Channel.EMAIL)) - 1
    assert f"E-mail 1 approved, {drafts} drafts" in mails.text
    assert f"/notices/{shipped.id}/email/ar" in mails.links()
    assert "رسالة مهمة لك" in mails.text, "a mail is known by its subject"
    for_attorneys = page(officer, f"/notices/{shipped.id}?channel=attorney_letter")
    written = {link.split("/")[-1] for link in for_attorneys.links() if "/attorney_letter/" in link}
    assert written == {"en"}, "in English only"
    page(officer, f"/notices/{shipped.id}?channel=hand", status=404)
    help_notice = session.scalars(sa.select(Notice).where(Notice.purpose == Purpose.HELP)).one()
    assert "Attorney" not in page(officer, f"/notices/{help_notice.id}").text.split("Ways")[0].split("Sign out")[1]


def test_a_mail_is_drafted_with_its_subject_and_approved_by_somebody_else(
    sign_in: SignIn, page: Fetch, session: Session, shipped: Notice
) -> None:
    officer = sign_in(Role.OFFICER)
    form = page(officer, f"/notices/{shipped.id}/email/es/edit")
    assert "((phone)) 1-800-555-0199" in form.text
    assert "((code))" not in form.text, "a mail has no secret in it"
    before = newest(session, shipped, "es", Channel.EMAIL)
    same = {"subject": before.subject or "", "text": before.text}
    assert "Nothing was changed" in page(officer, f"/notices/{shipped.id}/email/es", status=400, post=same).text
    answer = submit(officer, f"/notices/{shipped.id}/email/es", {**same, "subject": "Un aviso para usted"})
    assert newest(session, shipped, "es", Channel.EMAIL).subject == "Un aviso para usted"
    shown = page(sign_in(Role.APPROVER), answer.location)
    assert "Subject Un aviso para usted" in shown.text
    (frame,) = shown.all("iframe")
    assert (frame["sandbox"], frame["src"]) == (None, f"/notices/{shipped.id}/email/es/2/preview")
    submit(sign_in(Role.APPROVER), f"/notices/{shipped.id}/email/es/2/approve", {"note": NOTE})
    assert newest(session, shipped, "es", Channel.EMAIL).state == "approved"
    assert newest(session, shipped, "es").state == "draft", "and its text message is another text"


def test_a_mails_preview_may_be_framed_by_us_and_may_do_nothing(sign_in: SignIn, shipped: Notice) -> None:
    answer = sign_in(Role.APPROVER).get(f"/notices/{shipped.id}/email/ar/1/preview")
    assert '<html lang="ar" dir="rtl">' in answer.text
    policy = answer.headers["Content-Security-Policy"]
    assert policy == headers.MAIL_PREVIEW["Content-Security-Policy"]
    assert "sandbox" in policy
    assert "script-src" not in policy
    assert "default-src 'none'" in policy
    assert answer.headers["X-Frame-Options"] == "SAMEORIGIN"


@pytest.mark.parametrize(
    ("channel", "language", "typed", "expected"),
    [
        ("email", "es", {"subject": "Su asilo", "text": "Hola"}, "This word tells what the message is about"),
        ("email", "es", {"subject": "", "text": "Hola"}, "The subject is empty"),
        ("email", "es", {"subject": "x" * 79, "text": "Hola"}, "The subject has 79 characters, and 78 are allowed"),
        ("email", "es", {"subject": "Hola", "text": "((name))"}, "A field in brackets is misspelt"),
        ("email", "es", {"subject": "((reference))", "text": "Hola"}, "In the subject: ((phone)), ((program)), ((site))"),
        ("email", "es", {"subject": "Hola", "text": "((program)): ((phone))"}, "Nothing in it tells what it is about"),
        ("letter", "es", {"text": "Sus datos de asilo, ((name))"}, "Every character can be printed"),
        ("letter", "es", {"text": "Hola ((clients))"}, "A field in brackets is misspelt"),
        ("letter", "es", {"text": "Uno\n\nDos \U0001f600"}, "No font of ours can print this: U+1F600 GRINNING FACE in part 2"),
        ("letter", "es", {"text": ""}, "The text is empty"),
        ("attorney_email", "en", {"subject": "Notice", "text": "About ((count))"}, "Nothing in it tells"),
    ],
)
def test_the_checks_of_mails_and_letters_answer_while_one_types(
    sign_in: SignIn, channel: str, language: str, typed: dict[str, str], expected: str
) -> None:
    answer = submit(sign_in(Role.OFFICER), f"/notices/check/{channel}/{language}", typed)
    assert expected in text_of(answer.text)


def test_what_the_checks_of_the_page_refuse_the_approval_refuses_too(
    sign_in: SignIn, page: Fetch, session: Session, shipped: Notice
) -> None:
    submit(sign_in(Role.OFFICER), f"/notices/{shipped.id}/letter/fr", {"text": "Bonjour \U0001f600"})
    approver = sign_in(Role.APPROVER)
    shown = page(approver, f"/notices/{shipped.id}/letter/fr")
    assert "U+1F600" in shown.text
    assert not any("approve" in str(form.get("action")) for form, _ in shown.forms)
    page(approver, f"/notices/{shipped.id}/letter/fr/2/approve", status=409, post={"note": NOTE})
    assert newest(session, shipped, "fr", Channel.LETTER).state == "draft"
    page(approver, f"/notices/{shipped.id}/letter/fr/2/preview", status=409)


def test_a_letter_is_seen_as_it_is_printed(sign_in: SignIn, page: Fetch, shipped: Notice) -> None:
    approver = sign_in(Role.APPROVER)
    shown = page(approver, f"/notices/{shipped.id}/attorney_letter/en")
    assert "(list of clients)" in shown.text
    address = f"/notices/{shipped.id}/attorney_letter/en/1/preview"
    assert address in shown.links()
    answer = approver.get(address)
    assert answer.mimetype == "application/pdf"
    said = words_of(answer.data)
    assert "Sample PERSON ONE (A-number ending in 001)" in said
    assert "script-src" not in answer.headers["Content-Security-Policy"]
    officer = sign_in(Role.OFFICER)
    typed = submit(officer, "/notices/preview/letter/es", {"text": "# Aviso\n\nHola ((name)), llame al ((phone))."})
    assert "Hola Sample PERSON, llame al 1-800-555-0199." in words_of(typed.data)
    assert submit(officer, "/notices/preview/sms/es", {"text": "Hola"}).status_code == 404


def words_of(pdf: bytes) -> str:
    """What is printed on all pages."""
    with closing(pypdfium2.PdfDocument(pdf)) as document:
        return " ".join(" ".join(page.get_textpage().get_text_bounded().split()) for page in document)
