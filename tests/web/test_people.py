"""The list, the search, and a person's file: who sees what, and that the audit log knows before anything is opened."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from markupsafe import escape
from sqlalchemy.orm import Session

from outreach.access import audit
from outreach.access.accounts import AuthSession, Role, _token_hash
from outreach.access.audit import AuditEntry
from outreach.access.sealing import DataKey, Vault, create_key, erase, key_for
from outreach.campaigns.campaign import Step
from outreach.campaigns.outcome import OutcomeState, Reason
from outreach.db import make_sessions, new_id, now
from outreach.delivery.message import Attempt, AttemptState, Event, Message, MessagePerson, MessageState
from outreach.delivery.reply import Binding, Reply
from outreach.delivery.words import ReplyKind
from outreach.notices.notice import Rendition
from outreach.people.contact import ContactKind, ContactPoint, ContactRole, ContactState, PersonContact, Safety
from outreach.people.custody import Custody
from outreach.people.person import Person, Posture
from outreach.settings import Settings
from outreach.web import create_app
from tests.factories import make_account, make_campaign, make_contact, make_custody_event, make_incident, make_outcome, make_person
from tests.web.conftest import Fetch, SignIn, submit, text_of

PHONE, FAMILY_PHONE = "+12025550142", "+12025550143"


def entries(session: Session, action: str) -> list[AuditEntry]:
    session.expire_all()
    return list(session.scalars(sa.select(AuditEntry).where(AuditEntry.action == action).order_by(AuditEntry.seq)))


@pytest.fixture
def layla(session: Session) -> Person:
    """Somebody about whom everything is known, told in two tries, who answered."""
    incident = make_incident(session, code="2022-A", title="Public page")
    person = make_person(
        session, name="SAMPLE, Layla", native="ليلى المثال", a_number="A299999001", birth_date="1990-02-03",
        nationality="Utopia", language="ar", second_language="fr", reads=True, interpreter=True,
        posture=Posture.IN_PROCEEDINGS, custody=Custody.DETAINED, incident=incident,
    )  # fmt: skip
    make_custody_event(session, person, state=Custody.RELEASED, as_of=now().date())
    neighbour = make_person(session, name="SAMPLE, Neighbour")
    phone = make_contact(session, person, neighbour, value=PHONE)
    make_contact(session, person, value=FAMILY_PHONE, role=ContactRole.FAMILY, safety=Safety.NEVER)
    make_contact(session, person, value="layla@example.org", kind=ContactKind.EMAIL)
    campaign = make_campaign(session, title="First notice")
    make_outcome(session, campaign, person, OutcomeState.TOLD)
    make_message(session, campaign.id, campaign.notice_id, phone, [person, neighbour])
    make_reply(session, person, phone, "وصلتني الرسالة <b>شكراً</b>")
    session.commit()
    return person


def make_message(session: Session, campaign_id: object, notice_id: object, phone: ContactPoint, people: list[Person]) -> Message:
    """A message that failed once and then arrived."""
    step = Step(campaign_id=campaign_id, position=1, channel="sms")
    rendition = Rendition(notice_id=notice_id, channel="sms", language="ar", version=1, text="-")
    session.add_all([step, rendition])
    session.flush()
    message = Message(
        step_id=step.id, campaign_id=campaign_id, contact_point_id=phone.id, rendition_id=rendition.id, channel="sms",
        language="ar", state=MessageState.DELIVERED, attempts=2,
    )  # fmt: skip
    session.add(message)
    session.flush()
    session.add_all(MessagePerson(message_id=message.id, person_id=person.id) for person in people)
    key = key_for(session, phone.id)
    for number, (state, code) in enumerate([(AttemptState.UNDELIVERED, "30003"), (AttemptState.DELIVERED, None)], start=1):
        token, at = uuid4(), now() - timedelta(hours=3 - number)
        session.add(
            Attempt(
                id=token,
                message_id=message.id,
                number=number,
                contact_point_id=phone.id,
                channel="sms",
                provider="twilio",
                state=state,
                body_sealed=key.seal("attempt.body", token, "لدينا رسالة لك"),
                body_digest=b"-",
                segments=1,
                provider_id=f"SM{token.hex}",
                error_code=code,
                started_at=at,
                lease_until=at,
            )
        )
        session.flush()
        session.add(
            Event(
                provider="twilio",
                key=token.hex,
                attempt_id=token,
                provider_id=f"SM{token.hex}",
                provider_status=str(state),
                state=state,
                error_code=code,
                received_at=at + timedelta(minutes=1),
            )
        )
    session.flush()
    return message


def make_reply(session: Session, person: Person, phone: ContactPoint, text: str) -> Reply:
    """A text from the person's phone."""
    reply_id = new_id()
    key = create_key(session, reply_id)
    reply = Reply(
        id=reply_id, channel="sms", provider="twilio", provider_id=f"SM{reply_id.hex}", contact_point_id=phone.id,
        sender_index=b"-", sender_sealed=key.seal("reply.sender", reply_id, PHONE),
        body_sealed=key.seal("reply.body", reply_id, text), kind=ReplyKind.TEXT, person_id=person.id, binding=Binding.STAFF,
    )  # fmt: skip
    session.add(reply)
    session.flush()
    return reply


def find(client: FlaskClient, by: str, words: str) -> str:
    answer = submit(client, "/people/search", {"by": by, "words": words})
    assert answer.status_code == 200, text_of(answer.text)
    return answer.text


# The list.


def test_the_list_shows_name_language_custody_outcome_and_the_end_of_the_a_number(
    sign_in: SignIn, page: Fetch, layla: Person
) -> None:
    listed = page(sign_in(Role.OFFICER), "/people")
    for part in ("SAMPLE, Layla", "ليلى المثال", "العربية", "Released", "Told", "001"):
        assert part in listed.text
    for hidden in ("A299999001", "299999", PHONE, "1990", "Utopia", "layla@"):
        assert hidden not in listed.html
    assert f"/people/{layla.id}" in listed.links()


def test_one_entry_says_who_was_listed_to_whom(sign_in: SignIn, session: Session, layla: Person) -> None:
    sign_in(Role.OFFICER).get("/people")
    (entry,) = entries(session, "person.list")
    assert entry.detail["people"] == 2
    assert str(layla.id) in entry.detail["ids"]  # type: ignore[operator]  # a list, as written


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", {"Ana", "Bo", "Cem"}),
        ("custody=detained", {"Bo"}),
        ("language=ar", {"Bo"}),
        ("language=unknown", {"Cem"}),
        ("posture=final_order", {"Cem"}),
        ("outcome=reached", {"Ana"}),
        ("outcome=exhausted&reason=no_contact", {"Bo"}),
        ("outcome=none", {"Cem"}),
        ("no_phone=yes", {"Bo", "Cem"}),
        ("protected=no", {"Ana", "Bo", "Cem"}),
        ("protected=yes", set()),
        ("incident=INCIDENT", {"Bo"}),
        ("campaign=CAMPAIGN", {"Ana", "Bo"}),
        ("campaign=CAMPAIGN&custody=detained", {"Bo"}),
        ("campaign=CAMPAIGN&outcome=none", set()),
    ],
)
def test_each_filter_keeps_who_fits(sign_in: SignIn, page: Fetch, session: Session, query: str, expected: set[str]) -> None:
    incident, campaign = make_incident(session), make_campaign(session)
    ana = make_person(session, name="Ana")
    bo = make_person(session, name="Bo", language="ar", custody=Custody.DETAINED, incident=incident)
    make_person(session, name="Cem", language=None, posture=Posture.FINAL_ORDER)
    make_contact(session, ana)
    make_contact(session, bo, value="bo@example.org", kind=ContactKind.EMAIL)
    make_outcome(session, campaign, ana, OutcomeState.REACHED)
    make_outcome(session, campaign, bo, OutcomeState.EXHAUSTED, Reason.NO_CONTACT)
    session.commit()
    query = query.replace("INCIDENT", str(incident.id)).replace("CAMPAIGN", str(campaign.id))
    listed = page(sign_in(Role.OFFICER), f"/people?{query}")
    assert {name for name in ("Ana", "Bo", "Cem") if f">{name}<" in listed.html} == expected


@pytest.mark.parametrize("query", ["incident=1", "custody=gone", "outcome=%27", "reason=x", "posture=x", "campaign=x"])
def test_a_filter_that_is_no_choice_is_not_found(sign_in: SignIn, page: Fetch, query: str) -> None:
    page(sign_in(Role.OFFICER), f"/people?{query}", status=404)


def test_a_long_list_comes_in_pages_of_25_and_opens_no_other_names(sign_in: SignIn, page: Fetch, session: Session) -> None:
    for number in range(30):
        make_person(session, name=f"Person number {number}")
    session.commit()
    client = sign_in(Role.OFFICER)
    first, second = page(client, "/people?language=es"), page(client, "/people?language=es&page=2")
    assert "1 to 25 of 30 people" in first.text
    assert "26 to 30 of 30 people" in second.text
    assert "/people?language=es&page=2" in first.links()
    assert [entry.detail["people"] for entry in entries(session, "person.list")] == [25, 5]
    assert "past its end" in page(client, "/people?page=9").text
    assert page(client, "/people?page=-1").text.count("1 to 25") == 1


# The search.


@pytest.mark.parametrize(
    "typed",
    ["garcia", "GARCÍA", "muñoz", "munoz jose", "José Mun", "o’brien", "obrien", "O'Brien"],
)
def test_a_name_is_found_whatever_its_accents_case_and_apostrophes(sign_in: SignIn, session: Session, typed: str) -> None:
    make_person(session, name="MUÑOZ GARCÍA, José O'Brien")
    make_person(session, name="Somebody Else")
    session.commit()
    found = find(sign_in(Role.OFFICER), "name", typed)
    assert "MUÑOZ GARCÍA" in found
    assert "Somebody Else" not in found


@pytest.mark.parametrize(("native", "typed"), [("ليلى المثال", "المثال"), ("样本伟", "本伟"), ("Пример Ольга", "ольга")])
def test_a_name_is_found_in_its_own_script(sign_in: SignIn, session: Session, native: str, typed: str) -> None:
    make_person(session, name="Sample Person", native=native)
    session.commit()
    assert native in find(sign_in(Role.OFFICER), "name", typed)


def test_a_search_by_name_shows_twenty_and_says_that_there_are_more(sign_in: SignIn, session: Session) -> None:
    for number in range(22):
        make_person(session, name=f"Common Name {number}")
    session.commit()
    found = find(sign_in(Role.OFFICER), "name", "common")
    assert found.count("Common Name") == 20
    assert "The first 20 who fit" in found


@pytest.mark.parametrize(
    ("by", "typed"),
    [
        ("a_number", "A299999001"),
        ("a_number", "299-999-001"),
        ("a_number", "２９９９９９００１"),
        ("phone", "(202) 555-0142"),
        ("phone", PHONE),
        ("email", " Layla@Example.ORG "),
    ],
)
def test_a_number_or_address_is_found_however_it_is_written(sign_in: SignIn, layla: Person, by: str, typed: str) -> None:
    assert f"/people/{layla.id}" in find(sign_in(Role.OFFICER), by, typed)


@pytest.mark.parametrize(
    ("by", "typed", "says"),
    [
        ("name", "ab", "at least three letters"),
        ("name", "  12345 ", "at least three letters"),
        ("name", "", "at least three letters"),
        ("a_number", "12", "7 to 9 digits"),
        ("phone", "hello", "not a phone number"),
        ("email", "nobody", "not an e-mail address"),
    ],
)
def test_what_cannot_be_searched_for_is_said_and_nothing_is_searched(
    sign_in: SignIn, page: Fetch, session: Session, by: str, typed: str, says: str
) -> None:
    answer = page(sign_in(Role.OFFICER), "/people/search", status=400, post={"by": by, "words": typed})
    assert says in answer.text
    assert entries(session, "person.search") == []


def test_a_search_is_in_the_log_without_its_words(
    sign_in: SignIn, session: Session, layla: Person, capsys: pytest.CaptureFixture[str]
) -> None:
    find(sign_in(Role.OFFICER), "phone", PHONE)
    (entry,) = entries(session, "person.search")
    assert entry.detail == {"by": "phone"}
    assert len(entries(session, "person.list")) == 1
    logged = "".join(capsys.readouterr())
    assert "/people/search" in logged
    assert "5550142" not in logged


# A person's file.


def test_the_file_shows_what_is_known_and_masks_the_numbers(sign_in: SignIn, page: Fetch, layla: Person) -> None:
    file = page(sign_in(Role.OFFICER), f"/people/{layla.id}")
    for part in (
        "SAMPLE, Layla", "ليلى المثال", "•••001", "••• 0142", "l•••@example.org", "second: French", "In proceedings", "Needed",
        "Released", "In detention", "2022-A", "name, birth date", "Do not contact : Never use", "shared with 1 other person",
        "First notice", "Their answer", "وصلتني الرسالة &lt;b&gt;شكراً&lt;/b&gt;", "لدينا رسالة لك", "code 30003",
        "Delivered", "also about 1 other person", "Opened a person's file",
    ):  # fmt: skip
        assert part.replace("'", "&#39;") in file.text.replace("contact:", "contact :"), part
    for hidden in ("A299999001", "5550142", "5550143", "layla@", "1990", "Utopia"):
        assert hidden not in file.html


def test_the_timeline_is_newest_first(sign_in: SignIn, page: Fetch, layla: Person) -> None:
    text = page(sign_in(Role.OFFICER), f"/people/{layla.id}").text
    happened = text[text.index("What happened") :]
    order = [happened.index(part) for part in ("Opened a person", "Their answer", "In detention", "Try 1")]
    assert order == sorted(order)


def test_opening_a_file_is_in_the_log_with_who_and_whose(sign_in: SignIn, session: Session, layla: Person) -> None:
    sign_in(Role.OFFICER, name="Olga Officer").get(f"/people/{layla.id}")
    (entry,) = entries(session, "person.open")
    assert entry.object_id == layla.id
    assert audit.verify(session).problem is None


def test_numbers_are_shown_for_a_reason_that_is_kept(sign_in: SignIn, page: Fetch, session: Session, layla: Person) -> None:
    client = sign_in(Role.OFFICER)
    page(client, f"/people/{layla.id}/show", status=400, post={"reason": "curious"})
    shown = page(client, f"/people/{layla.id}/show", post={"reason": "contact"})
    for part in ("A299999001", PHONE, FAMILY_PHONE, "layla@example.org", "1990-02-03", "Utopia"):
        assert part in shown.text
    (entry,) = entries(session, "person.reveal")
    assert entry.detail == {"reason": "contact"}
    assert PHONE not in page(client, f"/people/{layla.id}").text, "and the next page hides them again"


def test_without_an_entry_in_the_log_nothing_is_opened(
    sign_in: SignIn, page: Fetch, session: Session, layla: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log is made to fail, as a full disk would, and every door to a sealed field is tried."""
    client = sign_in(Role.SUPERVISOR)
    opened: list[str] = []

    def open_anyway(_key: DataKey, context: str, _row: UUID, _blob: bytes) -> str:
        opened.append(context)
        return "OPENED"

    monkeypatch.setattr(DataKey, "open", open_anyway)
    session.execute(sa.text("alter table audit_entry add constraint broken check (action not like 'person.%')"))
    session.commit()
    for path, form in (
        ("/people", None),
        ("/people/search", {"by": "name", "words": "sample"}),
        ("/people/search", {"by": "phone", "words": PHONE}),
        (f"/people/{layla.id}", None),
        (f"/people/{layla.id}/show", {"reason": "contact"}),
    ):
        answer = page(client, path, status=500, post=form)
        assert "OPENED" not in answer.html
    assert opened == []


@pytest.mark.usefixtures("clean_database")
def test_the_log_is_committed_before_the_first_field_is_opened(
    engine: sa.Engine, vault: Vault, web_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each time a field is opened, another connection must already see the entry."""
    sessions = make_sessions(engine, vault)
    with sessions.begin() as session:
        person_id = make_person(session).id
        officer = make_account(session, Role.OFFICER)
        session.add(AuthSession(token_hash=_token_hash("token"), account_id=officer.id))
    client = create_app(web_settings, sessions).test_client()
    client.set_cookie("outreach", "token")
    real, seen = DataKey.open, []

    def spy(self: DataKey, context: str, row: UUID, blob: bytes) -> str:
        with engine.connect() as other:
            seen.append(other.scalar(sa.select(sa.func.count()).where(AuditEntry.action.in_(["person.open", "person.list"]))))
        return real(self, context, row, blob)

    monkeypatch.setattr(DataKey, "open", spy)
    assert client.get("/people").status_code == 200
    listed = len(seen)
    assert client.get(f"/people/{person_id}").status_code == 200
    assert listed
    assert set(seen[:listed]) == {1}
    assert set(seen[listed:]) == {2}


def test_an_erased_person_has_no_name_and_their_history_stays(
    sign_in: SignIn, page: Fetch, session: Session, layla: Person
) -> None:
    erase(session, layla.id)
    for contact_id in session.scalars(sa.select(PersonContact.contact_point_id).where(PersonContact.person_id == layla.id)):
        erase(session, contact_id)
    for reply_id in session.scalars(sa.select(Reply.id)):
        erase(session, reply_id)
    session.commit()
    client = sign_in(Role.OFFICER)
    file = page(client, f"/people/{layla.id}")
    assert "This record was erased" in file.text
    assert "Delivered" in file.text
    assert "Layla" not in file.text
    assert "Erased record" in page(client, "/people").text


@pytest.mark.parametrize(
    "name",
    [
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "{{ 7 * 7 }} ${7*7}",
        "'; drop table person; --",
        "\u202egnirts",
        "javascript:alert(1)",
        "=HYPERLINK(1)",
        "%(name)s %s",
    ],
)
def test_a_hostile_name_is_only_a_name(sign_in: SignIn, page: Fetch, session: Session, name: str) -> None:
    person = make_person(session, name=name, native=name, nationality=name)
    contact = make_contact(session, person, value=name, kind=ContactKind.POST)
    make_reply(session, person, contact, name)
    session.commit()
    client = sign_in(Role.OFFICER)
    for answer in (page(client, "/people"), page(client, f"/people/{person.id}/show", post={"reason": "contact"})):
        assert not answer.all("img"), "an image came out of a name"
        assert len(answer.all("script")) == 3, "a script came out of a name"
        assert str(escape(name)) in answer.html, "the name is not shown as it is"


def test_there_is_nothing_at_the_address_of_nobody(sign_in: SignIn, page: Fetch) -> None:
    client = sign_in(Role.OFFICER)
    page(client, f"/people/{uuid4()}", status=404)
    page(client, "/people/1", status=404)


# What can be changed.


def test_the_safety_of_a_contact_is_changed_and_logged(sign_in: SignIn, page: Fetch, session: Session, layla: Person) -> None:
    link = session.scalars(sa.select(PersonContact).where(PersonContact.person_id == layla.id, PersonContact.role == "own")).first()
    assert link is not None
    client = sign_in(Role.OFFICER)
    address = f"/people/{layla.id}/contacts/{link.contact_point_id}"
    assert submit(client, address, {"safety": "no"}).status_code == 302
    session.refresh(link)
    assert link.safety == Safety.NO
    (entry,) = entries(session, "contact.safety")
    assert entry.detail == {"contact": str(link.contact_point_id), "before": "unknown", "after": "no"}
    assert "Not known whether it is safe → Not safe" in page(client, f"/people/{layla.id}").text
    page(client, address, status=400, post={"safety": "sure"})
    page(client, f"/people/{layla.id}/contacts/{uuid4()}", status=404, post={"safety": "no"})


@pytest.mark.parametrize("state", [ContactState.BAD, ContactState.OPTED_OUT, ContactState.QUARANTINED])
def test_a_contact_that_must_not_be_used_says_so_first(sign_in: SignIn, page: Fetch, session: Session, state: ContactState) -> None:
    person = make_person(session)
    make_contact(session, person, safety=Safety.YES, state=state)
    session.commit()
    assert "Do not contact" in page(sign_in(Role.OFFICER), f"/people/{person.id}").text


def test_protecting_a_record_hides_it_from_everybody_but_supervisors(
    sign_in: SignIn, page: Fetch, session: Session, layla: Person
) -> None:
    officer, supervisor = sign_in(Role.OFFICER), sign_in(Role.SUPERVISOR)
    assert submit(supervisor, f"/people/{layla.id}/protected", {"protected": "yes"}).status_code == 302
    listed = page(officer, "/people")
    assert "Protected record" in listed.text
    assert "Layla" not in listed.text
    assert "ليلى" not in listed.text
    assert str(layla.id) not in listed.html
    assert "Only a supervisor can open it" in page(officer, f"/people/{layla.id}", status=403).text
    page(officer, f"/people/{layla.id}/show", status=403, post={"reason": "contact"})
    contact_id = session.scalar(sa.select(PersonContact.contact_point_id).where(PersonContact.person_id == layla.id))
    page(officer, f"/people/{layla.id}/contacts/{contact_id}", status=403, post={"safety": "yes"})
    assert "Nobody found" in find(officer, "name", "layla"), "a name must not tell that its holder is on record"
    assert "Protected record" in find(officer, "a_number", "A299999001")
    assert entries(session, "person.open") == []
    assert "Layla" in page(supervisor, "/people").text
    assert "Layla" in page(supervisor, f"/people/{layla.id}").text
    assert "Layla" in find(supervisor, "name", "layla")
    submit(supervisor, f"/people/{layla.id}/protected", {"protected": "no"})
    assert "Layla" in page(officer, "/people").text
    assert [entry.detail["protected"] for entry in entries(session, "person.protect")] == [True, False]


def test_somebody_who_needs_large_type_gets_it_from_the_next_letter_on(sign_in: SignIn, session: Session) -> None:
    person = make_person(session)
    officer = sign_in(Role.OFFICER)
    assert submit(officer, f"/people/{person.id}/large-print", {"large_print": "yes"}).status_code == 302
    session.refresh(person)
    assert person.large_print
    (entry,) = entries(session, "person.large_print")
    assert (entry.object_id, entry.detail) == (person.id, {"large_print": True})


def test_of_very_many_people_the_first_can_be_leafed_through(
    sign_in: SignIn, session: Session, page: Fetch, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(4):
        make_person(session)
    session.commit()
    monkeypatch.setattr("outreach.proof.listing.COUNTED", 3)
    assert "1 to 3 of more than 3 people" in page(sign_in(Role.OFFICER), "/people").text
