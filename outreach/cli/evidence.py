"""What a demonstration has to show for itself: counted from the database and, independently, from the sandbox's own books."""

from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from outreach.access import audit
from outreach.sandbox.control import Control

TAKEN = ("accepted", "sent", "delivered", "undelivered", "failed")
"""Attempt states which say that the provider has had the text."""


def messages_by_state(session: Session) -> dict[str, int]:
    return _counted(session, "select state, count(*) from message group by state")


def gather(session: Session, control: Control) -> dict[str, Any]:
    """The figures of `demo --check`, without the seconds."""
    outcomes = _counted(session, "select state, count(*) from outcome group by state")
    replies = session.execute(text("select count(*) as all, count(person_id) as bound from reply")).one()
    verified = audit.verify(session)
    return {
        "people": session.scalar(text("select count(*) from person")),
        "exposures": session.scalar(text("select count(*) from exposure")),
        "outcomes": outcomes,
        "outcomes_total": sum(outcomes.values()),
        "messages": messages_by_state(session),
        "sandbox": _books(session, control),
        "replies": replies.all,
        "replies_bound": replies.bound,
        "seconds": {},
        "send_per_second": 0.0,
        "audit_chain": "ok" if verified.problem is None else verified.problem,
    }


def _counted(session: Session, query: str) -> dict[str, int]:
    return dict(session.execute(text(query)).tuples().all())


def _books(session: Session, control: Control) -> dict[str, int]:
    """What the carrier has accepted, and what of it does not agree with what we believe it has."""
    taken = text("select provider_id, id from attempt where state = any(:taken) and provider_id is not null")
    ours = {provider_id: str(attempt) for provider_id, attempt in session.execute(taken, {"taken": list(TAKEN)}).tuples()}
    theirs: dict[str, str] = {}
    seen: dict[tuple[str, str], int] = {}
    for message in control.messages():
        theirs[message["sid"]] = message["callback"] or ""
        # A text that the carrier could not deliver is tried again on purpose. Any other second copy is one too many.
        if message["status"] not in ("undelivered", "failed"):
            decision = (message["to"], message["body_sha256"])
            seen[decision] = seen.get(decision, 0) + 1
    strangers = sum(1 for sid, callback in theirs.items() if ours.get(sid, "-") not in callback)
    return {
        "accepted": len(theirs),
        "duplicates": sum(count - 1 for count in seen.values()),
        "lost": len(ours.keys() - theirs.keys()),
        "unknown_to_us": strangers,
    }


def broken_promises(result: dict[str, Any]) -> list[str]:
    """A sentence for each promise that did not hold."""
    books, messages = result["sandbox"], result["messages"]
    undecided = sum(messages.get(state, 0) for state in ("ready", "submitting", "unknown"))
    bound = result["replies_bound"]
    promises = [
        (result["people"] == 6309, f"there are {result['people']} people, not 6309"),
        (result["exposures"] == 6355, f"there are {result['exposures']} exposures, not 6355"),
        (result["outcomes_total"] == result["people"], f"{result['outcomes_total']} outcomes for {result['people']} people"),
        (books["duplicates"] == 0, f"{books['duplicates']} texts went out twice"),
        (books["lost"] == 0, f"{books['lost']} texts that we believe accepted are not in the carrier's books"),
        (books["unknown_to_us"] == 0, f"{books['unknown_to_us']} texts in the carrier's books are not in ours"),
        (undecided == 0, f"{undecided} messages are still undecided"),
        (books["accepted"] > 0, "no text was accepted"),
        (result["replies"] > 0, "no reply came back"),
        (0 < bound <= result["replies"], f"{bound} of {result['replies']} replies are bound to a person"),
        (result["audit_chain"] == "ok", f"the audit log: {result['audit_chain']}"),
    ]
    return [sentence for held, sentence in promises if not held]
