"""A worker killed at every moment between claiming and recording: before and after each statement, and none is forgotten."""

import signal
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from outreach.delivery import plan
from tests.delivery.doomed import FAILING_ADAPTER, PAUSED, Scene, forgotten, worker
from tests.factories import make_contact, make_incident, make_person
from tests.stage import Stage, make_notice, make_running, phone

SLOW = {
    "sms_in_flight": "1", "lease_seconds": "30", "sms_timeout_seconds": "1", "filtered_limit": "100000",
    "breaker_address_share": "1", "breaker_refusal_share": "1", "breaker_unknown_share": "1",
}  # fmt: skip


@dataclass(frozen=True)
class Role:
    """What happens to one text. `fault` is the carrier's, `sql` what changes in our database before it is claimed.

    `ends` are the outcomes that its person may come to: where a worker died before it saw the fault, the text goes out in the end.
    """

    fault: Mapping[str, Any] | None = None
    sql: str = ""
    afterwards: str = ""
    people: int = 1
    ends: frozenset[str] = frozenset({"reached"})


def refused(code: int, outcome: str, **more: Any) -> Role:
    return Role({"fault": "refuse", "code": code, **more}, ends=frozenset({"reached", outcome}))


def meanwhile(sql: str, outcome: str, **more: Any) -> Role:
    return Role(sql=sql, ends=frozenset({"reached", outcome}), **more)


CONTACT = "(select contact_point_id from message where id = :message)"
CAMPAIGN = "(select campaign_id from message where id = :message)"
RENDITION = "(select rendition_id from message where id = :message)"
ROLES = {
    "goes out": Role(),
    "has a wrong number": refused(21211, "exhausted:bad_contact"),
    "is taken for spam": refused(30007, "exhausted:filtered"),
    "is refused for now": refused(30001, "exhausted:refused", next=1),
    "meets an account that is closed": refused(20003, "reached", http_status=401),
    "is sent too fast": Role({"fault": "rate_limit"}),
    "is lost with its answer": Role({"fault": "drop_after"}),
    "meets a carrier that stumbles": Role({"fault": "error_after"}),
    "is answered without a sid": Role({"fault": "no_sid"}),
    "is not allowed here": meanwhile("", "exhausted:refused"),
    "comes after STOP": meanwhile(
        f"update contact_point set state = 'opted_out', state_at = now() where id = {CONTACT}", "exhausted:opted_out"
    ),
    "is to somebody erased": meanwhile(f"delete from data_key where subject_id = {CONTACT}", "exhausted:bad_contact"),
    "has an address that does not open": meanwhile(
        f"update contact_point set value_sealed = sha256(value_sealed) where id = {CONTACT}", "exhausted:bad_contact"
    ),
    "lost its approval": meanwhile(
        f"update rendition set state = 'draft' where id = {RENDITION}", "exhausted:needs_translation",
        afterwards=f"update rendition set state = 'approved' where id = {RENDITION}",
    ),
    "is for another hour": meanwhile(
        # Whatever the time is in New York, one half of the day is over or to come there.
        f"""update campaign set
            window_start = case when (now() at time zone 'America/New_York')::time < '12:00' then '12:00'::time else '00:00' end,
            window_end = case when (now() at time zone 'America/New_York')::time < '12:00' then '23:59'::time else '12:00' end
            where id = {CAMPAIGN}""",
        "reached", afterwards=f"update campaign set window_start = '00:00', window_end = '00:00' where id = {CAMPAIGN}",
    ),
    "is for another hour, nobody knows where": meanwhile(
        f"""with window_shut as (update campaign set window_start = '00:00', window_end = '00:01' where id = {CAMPAIGN})
            update contact_point set time_zone = 'Nowhere/Known' where id = {CONTACT}""",
        "reached", afterwards=f"update campaign set window_start = '00:00', window_end = '00:00' where id = {CAMPAIGN}",
    ),
    "is for this hour": meanwhile(
        f"update campaign set window_end = '23:59:59.999999' where id = {CAMPAIGN}", "reached",
        afterwards=f"update campaign set window_end = '00:00' where id = {CAMPAIGN}",
    ),
    "goes out in a campaign with limits": meanwhile(
        f"update campaign set per_day = 1000 where id = {CAMPAIGN}",
        "reached",
        afterwards=f"update campaign set per_day = null where id = {CAMPAIGN}",
    ),
    "would cost too much": meanwhile(
        f"update campaign set spend_cap = 0.0001 where id = {CAMPAIGN}",
        "reached",
        afterwards=f"update campaign set spend_cap = null where id = {CAMPAIGN}",
    ),
    "is seen after hours without anybody": meanwhile(
        f"""with put_back as (update message set due_at = now() - interval '8 hours' where id = :message),
            launched_long_ago as (update campaign set launched_at = now() - interval '1 day', state_at = null where id = {CAMPAIGN})
            update heartbeat set beat_at = beat_at - interval '9 hours'""",
        "reached",
    ),
    "goes to a phone that is busy": meanwhile(
        """insert into attempt (id, message_id, number, contact_point_id, channel, provider, state, body_sealed, body_digest,
               segments, started_at, lease_until, checks)
           select gen_random_uuid(), id, 99, contact_point_id, channel, 'twilio', 'open', '', '', 1, now(), now(), 0
           from message where id = :message""",
        "reached", afterwards="delete from attempt where message_id = :message and number = 99",
    ),
    "is about two, one of whom must not get it": meanwhile(
        f"""update person_contact set safety = 'never' where contact_point_id = {CONTACT}
            and person_id = (select min(person_id::text)::uuid from message_person where message_id = :message)""",
        "exhausted:unsafe_contact", people=2,
    ),
    "is about two, neither of whom must get it": meanwhile(
        f"update person_contact set safety = 'never' where contact_point_id = {CONTACT}", "exhausted:unsafe_contact", people=2
    ),
}  # fmt: skip
SCENES = [
    Scene(("goes out", "has a wrong number")),
    Scene(("is sent too fast", "is lost with its answer", "is refused for now")),
    Scene(("is taken for spam",), {"filtered_limit": 1}),
    Scene(("meets an account that is closed",)),
    Scene(("meets a carrier that stumbles", "is answered without a sid")),
    Scene(("is not allowed here",), {"sms_allowed_numbers": ["+12025550100"]}),
    Scene(("comes after STOP",)),
    Scene(("is to somebody erased",)),
    Scene(("has an address that does not open",)),
    Scene(("lost its approval",)),
    Scene(("is for another hour",)),
    Scene(("is for another hour, nobody knows where",)),
    Scene(("is for this hour",)),
    Scene(("goes to a phone that is busy",)),
    Scene(("is about two, one of whom must not get it",)),
    Scene(("is about two, neither of whom must get it",)),
    Scene(("goes out",), {"lease_seconds": 3}),  # It is claimed by a worker that comes too late.
    Scene(("goes out",), {"twilio_api_url": "http://127.0.0.1:1"}),  # Nobody answers there.
    Scene(("goes out", "goes out"), {"sms_segments_per_second": 0.8}),
    Scene(("goes out",), {"sms_segments_per_second": 500.0, "redis_url": "redis://127.0.0.1:1"}),
    Scene(("goes out", "goes out"), {"sms_segments_per_second": 0.3, "lease_seconds": 4}),
    Scene(("goes out in a campaign with limits",)),
    Scene(("would cost too much",)),
    Scene(("is seen after hours without anybody",)),
    Scene(("goes out",), {"dispatch_seconds": 0}),
    Scene(("goes out",), {"sms_batch": -1}),  # A claim that fails.
]
# The statements that no scene comes to. Whoever adds a statement adds a scene for it, or says here why there can be none.
ELSEWHERE = {
    (
        "dispatch",
        'log.error("delivery.send_failed", attempt=str(item.envelope.token), error=type(error).__name__)',
    ): FAILING_ADAPTER,
    ("dispatch", "return Receipt(item.envelope.token, Verdict.UNKNOWN, code=type(error).__name__)"): FAILING_ADAPTER,
    ("dispatch", 'return Receipt(token, Verdict.NOT_SENT, code="paused", retry_after=0.0)'): PAUSED,
    ("dispatch", 'log.warning("dispatch.cannot_ask", error=type(error).__name__)'): "the database goes away in that second",
    ("dispatch", "return set(self._messages)"): "the database goes away in that second",
    ("limits", 'log.warning("limits.database_unreachable", error=type(error).__name__)'): "the database goes away in that second",
    ("limits", "return None"): "the database goes away in that second",
    ("sending", "return dispatching.Worked(0, more=False)"): "a database that is frozen claims nothing; test_restoring has it",
    ("projection", 'session.execute(text(COUNSEL), {"messages": list(messages)})'): "only what goes to attorneys",
    ("record", "return"): "a worker records nothing only where nothing was claimed",
    ("twilio", 'return Receipt(token, Verdict.UNKNOWN, code=f"http_{error.status}")'): "no answer of the carrier has such a status",
}


class Cast:
    """People who wait for their scene, each text with a phone of its own. Whose turn it is not, is not due for a year."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.phones: dict[UUID, str] = {}  # by message
        self.roles: dict[UUID, str] = {}  # by message

    def add(self, scenes: Sequence[Scene]) -> list[list[UUID]]:
        """The messages of each scene, planned in a campaign."""
        names = [name for scene in scenes for name in scene.roles]
        contacts: list[UUID] = []
        with self.stage.sessions.begin() as session:
            incident = make_incident(session)
            campaign = make_running(session, incident, make_notice(session))
            for name in names:
                people = [make_person(session, incident=incident) for _ in range(ROLES[name].people)]
                contacts.append(make_contact(session, *people, value=phone(len(self.phones) + len(contacts))).id)
            for step in plan.due_steps(session):
                plan.plan(session, step)
            rows = session.execute(sa.text("select contact_point_id, id from message where campaign_id = :id"), {"id": campaign.id})
            of = {row.contact_point_id: row.id for row in rows}
        messages = [of[contact] for contact in contacts]
        self.roles |= dict(zip(messages, names, strict=True))
        self.phones |= {message: phone(len(self.phones) + n) for n, message in enumerate(messages)}
        self.put_off()
        waiting = iter(messages)
        return [list(islice(waiting, len(scene.roles))) for scene in scenes]

    def put_off(self) -> None:
        self.stage.execute("update message set due_at = now() + interval '1 year' where state = 'ready'")

    @contextmanager
    def turn(self, messages: Sequence[UUID]) -> Iterator[None]:
        """These are due, and to each happens what its role says; afterwards all is as before, but for what was written."""
        roles = [(message, ROLES[self.roles[message]]) for message in messages]
        self.stage.execute("update message set due_at = now() where id = any(:ids)", ids=list(messages))
        for message, role in roles:
            if role.fault:
                self.stage.control.fault(**role.fault, to=self.phones[message])
            if role.sql:
                self.stage.execute(role.sql, message=message)
        yield
        if any(role.fault for _, role in roles):
            self.stage.control.clear_faults()
        for message, role in roles:
            if role.afterwards:
                self.stage.execute(role.afterwards, message=message)
        self.put_off()
        self.stage.execute("update campaign set state = 'running' where state = 'paused'")
        self.stage.execute("update breaker set closed_at = now() - interval '1 day' where closed_at is null")

    def check(self) -> None:
        """By the carrier's books: whoever was reached got one text, and nobody else got any."""
        texts = Counter(text["to"] for text in self.stage.control.messages())
        assert set(texts.values()) == {1}, "a phone got a text twice"
        with self.stage.sessions() as session:
            rows = session.execute(sa.text(OUTCOMES)).all()
        assert {row.id for row in rows} == self.roles.keys(), "a message was lost"
        for row in rows:
            role, outcomes = self.roles[row.id], set(row.outcomes)
            assert len(row.outcomes) == ROLES[role].people, role
            assert outcomes <= ROLES[role].ends, role
            assert texts[self.phones[row.id]] == ("reached" in outcomes), role


OUTCOMES = """
    select m.id, array_agg(concat_ws(':', o.state, o.reason)) as outcomes
    from message m
    join person_contact pc on pc.contact_point_id = m.contact_point_id
    join outcome o on o.campaign_id = m.campaign_id and o.person_id = pc.person_id
    group by m.id
"""


@pytest.mark.parametrize("stage", [SLOW], indirect=True)
def test_a_worker_killed_at_any_moment_loses_nothing_and_repeats_nothing(stage: Stage) -> None:
    cast, moments = Cast(stage), dict[tuple[Any, ...], Scene]()
    with worker(stage, "texts", SLOW) as doomed:
        for scene, messages in zip(SCENES, cast.add(SCENES), strict=True):
            with cast.turn(messages):
                for moment in doomed.live(scene):
                    moments.setdefault(tuple(moment), scene)
        assert forgotten("texts", moments, ELSEWHERE) == ([], set())
        for (moment, scene), messages in zip(moments.items(), cast.add(list(moments.values())), strict=True):
            with cast.turn(messages):
                assert doomed.live(scene, moment) == signal.SIGKILL, moment
    stage.check_books(settled=False)
    stage.execute("update message set due_at = now() where state = 'ready'")
    stage.run_until_quiet()
    stage.check_promises()
    cast.check()
