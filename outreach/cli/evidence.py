"""What a demonstration has to show for itself: counted from the database and, independently, from the sandbox's own books.

Of each channel: what we believe, what the provider has in its books, and whether the two agree. Of paper: that every letter lies in
exactly one print run. Of attorneys: that each appearance has an outcome, and that no mail names anybody.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from outreach.access import audit
from outreach.access.sealing import keys_for
from outreach.delivery import manifest
from outreach.delivery.letter import PrintRun, RunState
from outreach.people.attorney import LIVE
from outreach.people.person import PersonName
from outreach.providers.sendgrid import SendGridMail
from outreach.providers.twilio import TwilioTexts
from outreach.sandbox.control import Control

TAKEN = ("accepted", "sent", "delivered", "undelivered", "failed", "returned")
"""Attempt states which say that the provider has had the message."""

UNDECIDED = ("ready", "submitting", "unknown")
"""Message states which say that something is still to be done, or to be found out."""

FAILED = ("undelivered", "failed", "bounce", "blocked", "dropped", "deferred")
"""What the books call a text or a mail that did not arrive, and that may be tried again on purpose."""


def messages(session: Session) -> dict[str, dict[str, int]]:
    """How many messages are in each state, by channel."""
    found: dict[str, dict[str, int]] = {}
    rows = session.execute(text("select channel, state, count(*) as messages from message group by 1, 2 order by 1, 2"))
    for row in rows:
        found.setdefault(row.channel, {})[row.state] = row.messages
    return found


def gather(session: Session, control: Control) -> dict[str, Any]:
    """The figures of `demo --check`, without the seconds."""
    outcomes = _counted(session, "select state, count(*) from outcome group by state")
    verified = audit.verify(session)
    return {
        "people": session.scalar(text("select count(*) from person")),
        "exposures": session.scalar(text("select count(*) from exposure")),
        "outcomes": outcomes,
        "outcomes_total": sum(outcomes.values()),
        "messages": messages(session),
        "sandbox": {"texts": _texts(session, control), "mails": _mails(session, control)},
        "letters": _letters(session),
        "attorneys": _attorneys(session),
        "names_in_mails": _names_in_mails(session, control),
        "replies": _replies(session),
        "seconds": {},
        "send_per_second": 0.0,
        "audit_chain": "ok" if verified.problem is None else verified.problem,
    }


def _counted(session: Session, query: str) -> dict[str, int]:
    return dict(session.execute(text(query)).tuples().all())


def _ours(session: Session, provider: str) -> dict[str, str]:
    """The attempts that we believe a provider has taken: our token by its id."""
    taken = text(
        "select provider_id, id from attempt where provider = :provider and state = any(:taken) and provider_id is not null"
    )
    rows = session.execute(taken, {"provider": provider, "taken": list(TAKEN)})
    return {provider_id: str(attempt) for provider_id, attempt in rows.tuples()}


def _compared(ours: dict[str, str], theirs: dict[str, str], decisions: Iterable[object]) -> dict[str, int]:
    """`theirs`: what the books hold of our token, by their id. `decisions`: what each that has not failed there was about."""
    return {
        "accepted": len(theirs),
        "duplicates": sum(count - 1 for count in Counter(decisions).values()),
        "lost": len(ours.keys() - theirs.keys()),
        "unknown_to_us": sum(1 for identity, token in theirs.items() if ours.get(identity, "-") not in token),
    }


def _texts(session: Session, control: Control) -> dict[str, int]:
    """What the carrier has accepted, and what of it does not agree with what we believe it has."""
    theirs: dict[str, str] = {}
    decisions: list[object] = []
    for message in control.messages():
        theirs[message["sid"]] = message["callback"] or ""
        if message["status"] not in FAILED:
            decisions.append((message["to"], message["body_sha256"]))
    return _compared(_ours(session, TwilioTexts.name), theirs, decisions)


def _mails(session: Session, control: Control) -> dict[str, int]:
    """The same of mails. Two attorneys may read one mailbox, so a decision is known by our token, not by what the mail says."""
    decided = {str(attempt): message for attempt, message in session.execute(text("select id, message_id from attempt")).tuples()}
    theirs: dict[str, str] = {}
    decisions: list[object] = []
    for mail in control.mails():
        token = _token(mail)
        theirs[mail["id"]] = token
        if mail["status"] not in FAILED:
            decisions.append(decided.get(token, token))
    return _compared(_ours(session, SendGridMail.name), theirs, decisions)


def _token(mail: dict[str, Any]) -> str:
    """Ours is the only argument."""
    (token,) = json.loads(mail["arguments"]).values()
    return str(token)


def _letters(session: Session) -> dict[str, Any]:
    """Every letter that is not blocked lies in exactly one run that counts; each run is counted three times over."""
    runs = session.scalars(select(PrintRun).where(PrintRun.state != RunState.VOID)).all()
    counts = [manifest.counts(session, run.id) for run in runs]
    lying = """
        select count(*) filter (where runs = 1) as once, count(*) filter (where runs <> 1) as otherwise from (
            select m.id, count(r.id) as runs
            from message m join attempt a on a.message_id = m.id left join letter l on l.attempt_id = a.id
            left join print_run r on r.id = l.run_id and r.state <> 'void' and l.state <> 'pulled'
            where m.channel in ('letter', 'hand', 'attorney_letter') and m.state in ('accepted', 'sent', 'delivered')
            group by m.id) each
    """
    once, otherwise = session.execute(text(lying)).one()
    pulled = "select count(*) from letter l join print_run r on r.id = l.run_id where r.state <> 'void' and l.state = 'pulled'"
    blocked = """
        select coalesce(reason, ''), count(*) from message
        where channel in ('letter', 'hand', 'attorney_letter') and state in ('blocked', 'cancelled', 'failed') group by 1
    """
    return {
        "runs": dict(Counter(f"{run.kind} {run.state}" for run in runs)),
        "letters": sum(run.letters for run in runs),
        "counted": {
            "run": sum(each.run for each in counts),
            "manifest": sum(each.manifest for each in counts),
            "pdf": sum(each.pdf_letters for each in counts),
        },
        "runs_that_disagree": sum(1 for each in counts if not each.agree),
        "pulled": session.scalar(text(pulled)),
        "in_one_run": once,
        "not_in_one_run": otherwise,
        "left_out": _counted(session, blocked),
    }


def _attorneys(session: Session) -> dict[str, Any]:
    """The attorneys' track: of everybody in the audience, whether somebody represents them, and what came of each appearance."""
    unmatched = f"""
        select count(*) from (
            select distinct rep.person_id, rep.attorney_id from representation rep
            join outcome o on o.person_id = rep.person_id where {LIVE}
        ) live full join counsel_outcome co using (person_id, attorney_id)
        where live.person_id is null or co.campaign_id is null
    """  # noqa: S608  # our own constant
    wrong = f"""
        select count(*) from outcome o where (o.counsel = 'represented') is distinct from
            exists (select 1 from representation rep where rep.person_id = o.person_id and {LIVE})
    """  # noqa: S608  # likewise
    twice = """
        select count(*) from (
            select 1 from message where attorney_id is not null and state not in ('cancelled', 'blocked')
            group by step_id, attorney_id having count(*) > 1
        ) each
    """
    return {
        "audience": _counted(session, "select coalesce(counsel, 'undecided'), count(*) from outcome group by 1"),
        "outcomes": _counted(session, "select state, count(*) from counsel_outcome group by 1"),
        "appearances_without_outcome": session.scalar(text(unmatched)),
        "wrongly_counted": session.scalar(text(wrong)),
        "told_twice": session.scalar(text(twice)),
    }


def _names_in_mails(session: Session, control: Control) -> int:
    """How many mails in the sandbox's books name somebody they are about, in any form that the roster has recorded."""
    about: dict[str, list[UUID]] = {}
    rows = text("select a.id, mp.person_id from attempt a join message_person mp on mp.message_id = a.message_id")
    for attempt, person_id in session.execute(rows).tuples():
        about.setdefault(str(attempt), []).append(person_id)
    names = dict(_names(session))
    found = 0
    for mail in control.mails():
        said = " ".join(_strings(control.mail(mail["id"]))).casefold()
        patterns = {name for person_id in about.get(_token(mail), ()) for name in names.get(person_id, ())}
        found += any(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", said) for name in patterns)
    return found


def _names(session: Session) -> Iterator[tuple[UUID, list[str]]]:
    recorded: dict[UUID, list[PersonName]] = {}
    for name in session.scalars(select(PersonName)):
        recorded.setdefault(name.person_id, []).append(name)
    keys = keys_for(session, recorded)
    for person_id, those in recorded.items():
        key = keys[person_id]
        yield person_id, [key.open("person_name.whole", name.id, name.whole_sealed).casefold() for name in those]


def _strings(value: object) -> Iterator[str]:
    """Every text in a JSON value, but not the recipient's own address, in which their name may stand."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, each in value.items():
            if key != "to":
                yield from _strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from _strings(each)


def _replies(session: Session) -> dict[str, dict[str, int]]:
    """By channel: how many came, and how many of them are known to be somebody's."""
    rows = session.execute(
        text("""
            select channel, count(*) as all, count(*) filter (where person_id is not null or attorney_id is not null) as bound
            from reply group by channel order by channel
        """)
    )
    return {row.channel: {"all": row.all, "bound": row.bound} for row in rows}


def broken_promises(result: dict[str, Any]) -> list[str]:
    """A sentence for each promise that did not hold."""
    return [sentence for held, sentence in _promises(result) if not held]


def _promises(result: dict[str, Any]) -> Iterator[tuple[bool, str]]:
    people = result["people"]
    yield people == 6309, f"there are {people} people, not 6309"
    yield result["exposures"] == 6355, f"there are {result['exposures']} exposures, not 6355"
    yield result["outcomes_total"] == people, f"{result['outcomes_total']} outcomes for {people} people"
    for channel, states in result["messages"].items():
        undecided = sum(states.get(state, 0) for state in UNDECIDED)
        yield undecided == 0, f"{undecided} messages of the channel {channel} are still undecided"
    for kind, books in result["sandbox"].items():
        yield books["accepted"] > 0, f"no {kind} were accepted"
        yield books["duplicates"] == 0, f"{books['duplicates']} {kind} went out twice"
        yield books["lost"] == 0, f"{books['lost']} {kind} that we believe accepted are not in the provider's books"
        yield books["unknown_to_us"] == 0, f"{books['unknown_to_us']} {kind} in the provider's books are not in ours"
    yield from _promises_on_paper(result["letters"])
    yield from _promises_to_attorneys(result["attorneys"], people)
    yield result["names_in_mails"] == 0, f"{result['names_in_mails']} mails name somebody whom they are about"
    for channel in ("sms", "email"):
        replies = result["replies"].get(channel, {"all": 0, "bound": 0})
        yield replies["all"] > 0, f"no reply came back by {channel}"
        yield (
            0 < replies["bound"] <= replies["all"],
            f"{replies['bound']} of {replies['all']} replies by {channel} are known to be anybody's",
        )
    yield result["audit_chain"] == "ok", f"the audit log: {result['audit_chain']}"


def _promises_on_paper(letters: dict[str, Any]) -> Iterator[tuple[bool, str]]:
    counted = letters["counted"]
    yield letters["letters"] > 0, "no letter lies in the print room"
    yield set(counted.values()) == {letters["letters"]}, f"{letters['letters']} letters are counted as {counted}"
    yield letters["runs_that_disagree"] == 0, f"{letters['runs_that_disagree']} print runs do not count the same three times"
    yield letters["not_in_one_run"] == 0, f"{letters['not_in_one_run']} letters lie in no print run, or in several"
    yield (
        letters["in_one_run"] + letters["pulled"] == letters["letters"],
        f"{letters['in_one_run']} letters that count and {letters['pulled']} pulled, {letters['letters']} in runs",
    )
    yield "" not in letters["left_out"], f"{letters['left_out'].get('')} letters were left out without a reason"


def _promises_to_attorneys(attorneys: dict[str, Any], people: int) -> Iterator[tuple[bool, str]]:
    audience = attorneys["audience"]
    known = audience.get("represented", 0) + audience.get("none", 0)
    yield known == people, f"of {people} people, {known} are known to be represented or not"
    yield audience.get("represented", 0) > 0, "nobody is represented"
    missing = attorneys["appearances_without_outcome"]
    yield missing == 0, f"{missing} appearances and outcomes of the attorneys' track do not belong together"
    yield attorneys["wrongly_counted"] == 0, f"{attorneys['wrongly_counted']} people are wrongly counted as represented or not"
    yield attorneys["told_twice"] == 0, f"{attorneys['told_twice']} times an attorney got two messages of one step"
