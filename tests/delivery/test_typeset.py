"""Real letters through a real run: set, counted by what is printed on them, and one of them set again byte by byte."""

from datetime import date

import pypdfium2
import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from outreach.access.sealing import key_for
from outreach.campaigns.outcome import OutcomeState
from outreach.db import now
from outreach.delivery import hand_service, manifest, print_room, return_code, typeset
from outreach.delivery.letter import RunKind, RunState
from outreach.delivery.print_room import ReprintReason, SetLetter
from outreach.delivery.typeset import NotSet
from outreach.notices.blocks import Block, BlockKind
from outreach.notices.letters import glyphs, vendors
from outreach.notices.letters.letter import Layout, LetterContent, LetterText, as_json
from outreach.notices.letters.print_run import compose_run
from outreach.notices.letters.typesetting import Typesetter
from outreach.people.contact import ContactKind
from outreach.people.custody import ANumberRule, Custody
from tests.factories import (
    make_account,
    make_campaign,
    make_contact,
    make_custody_event,
    make_facility,
    make_outcome,
    make_paper,
    make_person,
    make_run,
)

pytestmark = pytest.mark.skipif(not any(glyphs.FONTS.glob("*.ttf")), reason="the fonts are brought by make setup")

VENDOR = "generic_10"


def content(language: str, words: str) -> LetterContent:
    return LetterContent(
        layout=Layout.PERSON, recipient=("Sample PERSON", "1 Example Street", "Springfield, IL 62701"),
        sender=("Letter Line", "PO Box 5550", "Springfield, IL 62701"), written=date(2023, 1, 20),
        texts=(LetterText(language, (Block(BlockKind.PARAGRAPH, (words,)),)),), site="notices.example.org",
        phone="1-800-555-0199", reference="REF0-0001", return_code=return_code.new(), access_code="ABCD-2345",
    )  # fmt: skip


def test_a_run_of_real_letters_is_counted_and_one_of_them_is_set_again_byte_by_byte(session: Session) -> None:
    typesetter = Typesetter(vendors.load(VENDOR))
    contents = [content("es", "Tenemos un aviso para usted."), content("ar", "لدينا إشعار لك.")]
    campaign, letters = make_campaign(session), []
    number = print_room.reserve_number(session)
    for sequence, one in enumerate(contents, start=1):
        person = make_person(session)
        make_outcome(session, campaign, person, OutcomeState.PLANNED)
        contact = make_contact(session, person, value=f"{sequence} Example Street", kind=ContactKind.POST)
        attempt = make_paper(session, campaign, person, contact)
        attempt.body_sealed = key_for(session, person.id).seal("attempt.body", attempt.id, as_json(one))
        alone = typesetter.compose(one)
        letters.append(SetLetter(attempt.id, person.id, None, one.return_code, one.reference, alone.pages, alone.sha256, sequence))
    whole = compose_run(typesetter, f"RUN-{number:04}", contents)
    run = print_room.add_run(session, RunKind.POST, campaign.id, None, letters, whole.pdf.data, whole.pdf.pages, number=number)
    assert manifest.counts(session, run.id).agree
    permit = print_room.ask_to_reprint(session, letters[1].attempt_id, ReprintReason.STAINED, by=make_account(session))
    again = typeset.set_letter(print_room.content_to_reprint(session, permit), VENDOR)
    assert manifest.sha256(again) == permit.pdf_sha256


def test_what_is_no_letter_is_not_set_and_its_words_go_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(NotSet) as found:
        typeset.set_letter('{"version": 1, "words": "Sample SECRET"}', VENDOR)
    assert "SECRET" not in str(found.value) + caplog.text
    assert found.value.__suppress_context__


@pytest.mark.parametrize(
    ("rule", "shown"), [(ANumberRule.NONE, None), (ANumberRule.LAST_FOUR, "9001"), (ANumberRule.FULL, "A299999001")]
)
def test_the_papers_of_a_packet_name_its_people_and_the_a_number_as_the_facility_asks(
    session: Session, rule: ANumberRule, shown: str | None
) -> None:
    facility = make_facility(session, a_number_rule=rule)
    people = [make_person(session, name="Sample HELD", a_number="A299999001"), make_person(session, name="Sample OTHER")]
    for person in people:
        make_custody_event(session, person, state=Custody.DETAINED, facility_id=facility.id, as_of=now().date())
    session.expire_all()
    run = make_run(session, make_campaign(session), *people, facility=facility, kind=RunKind.HAND, state=RunState.PRINTED)
    permit = hand_service.ask_for_papers(session, run.id, by=make_account(session))
    sheet, words = hand_service.papers(session, permit, day=date(2023, 1, 20))
    assert [person.name for person in sheet.people] == ["Sample HELD", "Sample OTHER"]
    assert [person.a_number for person in sheet.people] == [shown, None]
    assert all(said is not None and said.refused for said in words), "in Spanish"
    document = pypdfium2.PdfDocument(typeset.set_packet(sheet, words, VENDOR))
    texts = [page.get_textpage().get_text_bounded() for page in document]
    assert len(texts) == 3, "the run sheet, and a receipt each"
    assert all("Sample HELD" in texts[at] for at in (0, 1))
    assert ("A299999001" in texts[0]) == (rule is ANumberRule.FULL)


def test_the_papers_of_a_packet_that_has_left_are_printed_no_more(session: Session) -> None:
    facility, person = make_facility(session), make_person(session)
    make_custody_event(session, person, state=Custody.DETAINED, facility_id=facility.id, as_of=now().date())
    session.expire_all()
    run = make_run(session, make_campaign(session), person, facility=facility, kind=RunKind.HAND, state=RunState.HANDED_OVER)
    with pytest.raises(hand_service.NotHandedOver):
        hand_service.ask_for_papers(session, run.id, by=make_account(session))
    posted = make_run(session, make_campaign(session), make_person(session))
    with pytest.raises(hand_service.NoPacketLetter):
        hand_service.ask_for_papers(session, posted.id, by=make_account(session))
    assert session.scalar(sa.text("select count(*) from audit_entry where action = 'print_run.papers'")) == 0
