"""A worker killed before and after each statement of a letter's way into a print run or to the mail house.

As test_crash_points has it for texts, by the same program.
"""

import signal
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import groupby, islice
from operator import itemgetter
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from outreach import jobs
from outreach.access.accounts import Account
from outreach.access.accounts import Role as AccountRole
from outreach.db import now
from outreach.delivery import plan, print_room
from outreach.delivery.letter import PrintRun
from outreach.notices import notice
from outreach.notices.channel import Channel
from outreach.notices.letters import qr, taglines
from outreach.people.contact import AddressGrade, ContactKind
from outreach.people.custody import ANumberRule, Custody
from outreach.people.incident import Incident
from tests.delivery.crash_points import UNSETTABLE, shorten_letters
from tests.delivery.doomed import FAILING_ADAPTER, PAUSED, Scene, enough, forgotten, worker
from tests.delivery.office import LETTER, TO_COUNSEL
from tests.factories import (
    make_account,
    make_attorney,
    make_contact,
    make_custody_event,
    make_facility,
    make_incident,
    make_person,
    make_rendition,
    make_representation,
)
from tests.stage import Stage, make_running

QUICK = {
    "post_provider": "postgrid", "letter_gather_seconds": "0", "letter_english_behind": "false", "breaker_address_share": "1",
    "breaker_refusal_share": "1", "breaker_unknown_share": "1", "mail_attempts": "9",
}  # fmt: skip
HOUSE: Mapping[str, Any] = {}
ROOM: Mapping[str, Any] = {"post_provider": "print_room"}
GOES = frozenset({"in_progress", "reached"})


@dataclass(frozen=True)
class Role:
    """To whom one letter goes, and what happens to it. `fault` is the mail house's, `ends` as of a text's role.

    `name` and `address` are of whom it is about, `facility` where they are held. A letter to an attorney is about their one client.
    """

    channel: Channel = Channel.LETTER
    name: str = "Sample PERSON"
    address: str = "{} Sample Street\nSpringfield, IL 62701"
    facility: str | None = None
    fault: Mapping[str, Any] | None = None
    ends: frozenset[str] = GOES


ROLES = {
    "goes by post": Role(),
    "goes by hand": Role(Channel.HAND, facility="Sample Center"),
    "goes by hand elsewhere": Role(Channel.HAND, facility="Other Center"),
    "goes to an attorney": Role(Channel.ATTORNEY_LETTER),
    "cannot be set": Role(ends=GOES | {"exhausted:refused"}, name=f"Sample {UNSETTABLE}"),
    "has a name that nobody can print": Role(ends=frozenset({"exhausted:missing_glyph"}), name="Sample \U00013000"),
    "has an address that no window shows": Role(
        ends=frozenset({"exhausted:bad_address"}), address=f"{{}} {'Sampleextraordinarilylong ' * 5}Street\nSpringfield, IL 62701"
    ),
    "is to a facility that asks for more": Role(ends=frozenset({"exhausted:no_facility"}), facility="Strict Center"),
    "has a street that the mail house cannot read": Role(
        ends=GOES | {"exhausted:refused"}, address="Sample Street\nSpringfield, IL 62701"
    ),
    "has a wrong address": Role(ends=GOES | {"exhausted:bad_contact"}, fault={"fault": "refuse", "code": 1}),
    "meets an account that is closed": Role(fault={"fault": "refuse", "code": 1, "http_status": 401}),
    "is sent too fast": Role(fault={"fault": "rate_limit"}),
    "is lost with its answer": Role(fault={"fault": "drop_after"}),
    "meets a mail house that stumbles": Role(fault={"fault": "error_after"}),
    "is answered in a language that nobody reads": Role(fault={"fault": "truncated"}),
    "is answered without an id": Role(fault={"fault": "no_sid"}),
}  # fmt: skip
SCENES = [
    Scene(("goes by post",), ROOM),
    Scene(("goes by post",), HOUSE),
    Scene(("goes by hand", "goes by hand elsewhere"), ROOM),
    Scene(("goes to an attorney",), ROOM),
    Scene(("cannot be set", "goes by post"), ROOM),
    Scene(("cannot be set",), ROOM),
    Scene(("goes by post", "goes by post"), {**ROOM, "dispatch_seconds": 0}),
    Scene(("has a name that nobody can print",), HOUSE),
    Scene(("has an address that no window shows",), HOUSE),
    Scene(("is to a facility that asks for more",), HOUSE),
    Scene(("has a street that the mail house cannot read",), HOUSE),
    Scene(("goes by post", "is lost with its answer"), HOUSE),
    *(Scene((name,), HOUSE) for name, role in ROLES.items() if role.fault),
    Scene(("goes by post",), {"postgrid_api_url": "http://127.0.0.1:1"}),  # Nobody answers there.
    Scene(("goes by post",), {"postgrid_api_key": ""}),
    Scene(("goes by post",), {"letter_lease_seconds": 1}),  # It is claimed by a worker that comes too late.
]
OVERTAKEN = "the sweep gives its letters up in that second; test_print_journey has it"
NEVER_BAD = "no job makes such a run"
# As in test_crash_points.
ELSEWHERE: dict[tuple[str, str], str] = {
    ("sending", "return dispatching.Worked(0, more=False)"): "a database that is frozen claims nothing; test_restoring has it",
    ("sending", 'receipt = contract.Receipt(one.token, contract.Verdict.NOT_SENT, code="paused", retry_after=0.0)'): PAUSED,
    ("sending", 'log.error("delivery.send_failed", attempt=str(paper.token), error=type(error).__name__)'): FAILING_ADAPTER,
    ("sending", "return contract.Receipt(paper.token, contract.Verdict.UNKNOWN, code=type(error).__name__)"): FAILING_ADAPTER,
    ("sending", 'log.warning("print_run.overtaken", letters=len(letters))'): OVERTAKEN,
    ("print_room", "raise NotOpen"): OVERTAKEN,
    ("print_room", 'raise BadRun("The letters are not numbered from 1 without a gap.")'): NEVER_BAD,
    ("print_room", 'raise BadRun("Two letters have the same return code.")'): NEVER_BAD,
}


class Cast:
    """Letters that wait for their scene. Whose turn it is not, is not due for a year."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.roles: dict[UUID, str] = {}  # by message
        self.houses: dict[UUID, int] = {}  # by message: the number in its street
        with stage.sessions.begin() as session:
            self.by = make_account(session, AccountRole.OFFICER).id
            rules = {"Sample Center": ANumberRule.NONE, "Other Center": ANumberRule.NONE, "Strict Center": ANumberRule.FULL}
            self.facilities = {name: make_facility(session, name=name, a_number_rule=rule).id for name, rule in rules.items()}

    def add(self, scenes: Sequence[Scene]) -> list[list[UUID]]:
        """The messages of each scene, planned in a campaign for each channel."""
        names = [name for scene in scenes for name in scene.roles]
        people: list[UUID] = []
        with self.stage.sessions.begin() as session:
            incidents = {channel: self._launch(session, channel) for channel in {ROLES[name].channel for name in names}}
            for house, name in enumerate(names, len(self.roles) + 1):
                role = ROLES[name]
                people.append(self._person(session, role, incidents[role.channel], house))
            while steps := plan.due_steps(session):
                plan.plan(session, steps[0])
            of = {row.person_id: row.message_id for row in session.execute(sa.text("select * from message_person"))}
        messages = [of[person] for person in people]
        self.houses |= {message: house for house, message in enumerate(messages, len(self.roles) + 1)}
        self.roles |= dict(zip(messages, names, strict=True))
        self.put_off(messages)
        waiting = iter(messages)
        return [list(islice(waiting, len(scene.roles))) for scene in scenes]

    def _launch(self, session: Session, channel: Channel) -> Incident:
        said, incident = notice.create(session, title="Sample notice", by=make_account(session)), make_incident(session)
        if channel.to_attorney:
            make_rendition(session, said, "en", channel=channel, text=TO_COUNSEL)
        else:
            make_rendition(session, said, "es", channel=Channel.LETTER, text=LETTER)
        make_running(session, incident, said, steps=[(channel, 0)])
        return incident

    def _person(self, session: Session, role: Role, incident: Incident, house: int) -> UUID:
        person = make_person(session, incident=incident, name=role.name)
        address = {"grade": AddressGrade.GOOD, "country": "US", "post": role.address.format(house)}
        if role.channel.to_attorney:
            make_representation(session, person, make_attorney(session, **address))
        elif role.facility:
            held = {"state": Custody.DETAINED, "facility_id": self.facilities[role.facility], "as_of": now().date()}
            make_custody_event(session, person, **held)
        else:
            make_contact(session, person, value=address["post"], kind=ContactKind.POST, grade=address["grade"])
        return person.id

    def put_off(self, messages: Sequence[UUID]) -> None:
        later = "update message set due_at = now() + interval '1 year' where state = 'ready' and id = any(:ids)"
        self.stage.execute(later, ids=list(messages))

    @contextmanager
    def turn(self, messages: Sequence[UUID]) -> Iterator[None]:
        """These are due, and to each happens what its role says."""
        self.stage.execute("update message set due_at = now() where id = any(:ids)", ids=list(messages))
        faults = [(ROLES[self.roles[message]].fault, f"post:{self.houses[message]} *") for message in messages]
        rules = [self.stage.control.fault(**fault, to=to) for fault, to in faults if fault]
        yield
        for rule in rules:
            self.stage.control.remove_fault(rule)
        self.put_off(messages)
        self.stage.execute("update breaker set closed_at = now() - interval '1 day' where closed_at is null")

    def left_no_trace(self, messages: Sequence[UUID]) -> bool:
        """Nothing of these was printed, and a sweep finds that out: another worker may die of them."""
        ready = "select bool_and(state = 'ready') from message where id = any(:ids)"
        if self.stage.scalar(ready, ids=list(messages)):
            return True
        self.stage.execute(
            "update attempt set lease_until = now() where state = 'open' and message_id = any(:ids)", ids=list(messages)
        )
        with self.stage.sessions.begin() as session:
            print_room.forget_unprinted(session)
        return bool(self.stage.scalar(ready, ids=list(messages)))

    def bring_to_rest(self, messages: Sequence[UUID], settings: Mapping[str, Any]) -> None:
        """Sweep, set, hand over and listen until nothing is left to do about these."""
        machine = replace(self.stage.machine, settings=replace(self.stage.settings, **settings))
        self.stage.execute("update message set due_at = now() where state = 'ready' and id = any(:ids)", ids=list(messages))
        pending = "select exists (select 1 from message where id = any(:ids) and state in ('ready', 'submitting', 'unknown'))"
        for _ in range(20):
            jobs.letters_due(machine)
            self.stage.callbacks()
            if not self.stage.scalar(pending, ids=list(messages)):
                return
            self.stage.later(hours=1)
            jobs.sweep_once(machine)
        raise AssertionError(f"There was still something to do: {self.stage.states()}")

    def hand_over_runs(self) -> None:
        """Each run goes the whole way out of the house: it has its PDF, and its rows, its manifest and its PDF agree."""
        with self.stage.sessions.begin() as session:
            by = session.get_one(Account, self.by)
            for run_id in session.scalars(sa.select(PrintRun.id)).all():
                print_room.mark_printed(session, run_id, by=by)
                print_room.mark_enveloped(session, run_id, by=by)
                print_room.hand_over(session, run_id, on=now().date(), by=by)

    def check(self, messages: Sequence[UUID]) -> None:
        """By the mail house's books and our own runs: for whoever was written to there is one piece of paper, and no other."""
        books = list(self.stage.control.letters())
        theirs = {UUID(one["token"]): one["pdf_sha256"] for one in books}
        assert len(theirs) == len(books), "the mail house has a letter twice"
        with self.stage.sessions() as session:
            attempts = {row.id: row for row in session.execute(sa.text(PAPER))}
            came_to = {row.id: row.came_to for row in session.execute(sa.text(CAME_TO))}
            assert session.scalars(sa.text(NOT_ONE_OUTCOME)).all() == [], "somebody has no outcome, or two"
        assert theirs.keys() <= attempts.keys(), "the mail house has a letter that we know nothing of"
        papers: Counter[UUID] = Counter()
        for token, attempt in attempts.items():
            gone = attempt.state in ("accepted", "sent", "delivered")
            assert attempt.state not in ("open", "unknown"), "an attempt was left undecided"
            assert (token in theirs) + (attempt.run_id is not None) == gone, "what we say of it is not so at whoever prints it"
            assert theirs.get(token) in (None, attempt.pdf_sha256), "what was printed is not what is on file"
            assert attempt.codes == (attempt.person_id is not None), "there is not one access code for it"
            papers[attempt.message_id] += gone
        assert came_to.keys() == self.roles.keys(), "a message was lost"
        for message in messages:
            role = self.roles[message]
            assert came_to[message] in ROLES[role].ends, role
            assert papers[message] == (came_to[message] in GOES), role


PAPER = """
    select a.id, a.message_id, m.person_id, a.state, l.run_id, l.pdf_sha256,
        (select count(*) from access_code c where c.attempt_id = a.id) as codes
    from attempt a join message m on m.id = a.message_id left join letter l on l.attempt_id = a.id
"""
CAME_TO = """
    select m.id, concat_ws(':', coalesce(co.state, o.state), case when co.state is null then o.reason else co.reason end) as came_to
    from message m
    join message_person mp on mp.message_id = m.id
    join outcome o on o.campaign_id = m.campaign_id and o.person_id = mp.person_id
    left join counsel_outcome co
        on co.campaign_id = m.campaign_id and co.person_id = mp.person_id and co.attorney_id = m.attorney_id
"""
NOT_ONE_OUTCOME = """
    select e.person_id from exposure e left join outcome o on o.person_id = e.person_id
    group by e.person_id having count(o.person_id) <> 1
"""


@pytest.mark.parametrize("stage", [QUICK], indirect=True)
def test_a_worker_killed_at_any_moment_loses_no_letter_and_prints_none_twice(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taglines, "all_words", taglines.all_words)
    monkeypatch.setattr(qr, "draw", qr.draw)
    shorten_letters()
    # Of every second letter nothing is ever reported: what became of it is to be found out by asking.
    stage.control.fault("missing", to="post:*[13579] Sample*")
    stage.control.fault("missing", statuses=["printing", "processed_for_delivery", "entered_mail_stream"])
    cast, moments, used = Cast(stage), dict[tuple[Any, ...], int](), dict[UUID, Scene]()
    with worker(stage, "letters", QUICK) as doomed:
        for number, (scene, messages) in enumerate(zip(SCENES, cast.add(SCENES), strict=True)):
            with cast.turn(messages):
                for moment in doomed.live(scene):
                    moments.setdefault(tuple(moment), number)
            used |= dict.fromkeys(messages, scene)
        assert forgotten("letters", moments, ELSEWHERE) == ([], set())
        for number, found in groupby(enough(moments).items(), key=itemgetter(1)):
            scene, waiting = SCENES[number], list[list[UUID]]()
            for moment, _ in found:
                waiting = waiting or cast.add([scene] * 12)
                with cast.turn(waiting[-1]):
                    assert doomed.live(scene, moment) == signal.SIGKILL, moment
                used |= dict.fromkeys(waiting[-1], scene)
                if not cast.left_no_trace(waiting[-1]):
                    waiting.pop()
    for way in (ROOM, HOUSE):
        cast.bring_to_rest(
            [message for message, scene in used.items() if (ROOM.items() <= scene.settings.items()) == (way is ROOM)], way
        )
    cast.hand_over_runs()
    cast.check(list(used))
