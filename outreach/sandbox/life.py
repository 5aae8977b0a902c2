"""What becomes of an accepted text: the statuses it will pass through and the callbacks about them, planned at once.

The plan is written to the books with the text, so a restarted sandbox goes on where it was. Faults of callbacks are
decided here as well, which is why they repeat for the same seed. No callback reports the first status, as with Twilio:
https://www.twilio.com/docs/messaging/guides/outbound-message-status-in-status-callbacks
"""

from collections.abc import Sequence
from dataclasses import dataclass

from outreach.sandbox.books import Errand
from outreach.sandbox.faults import Fault, Rule
from outreach.sandbox.population import Fate

VALIDITY_EXPIRED = 30036
# How long a callback that was overtaken comes after the one that overtook it.
BEHIND_SECONDS = 0.05


@dataclass(frozen=True)
class Step:
    """The text takes this status at this time."""

    status: str
    error: int | None
    at: float


def steps(fate: Fate, *, start: float, delay: float, expires: float | None) -> list[Step]:
    """`delay` is seconds between two statuses. A text that would leave after `expires` fails instead."""
    leaves = start + delay
    if expires is not None and leaves > expires:
        return [Step("failed", VALIDITY_EXPIRED, expires)]
    if fate.status == "failed":
        return [Step("failed", fate.error, leaves)]
    sent = Step("sent", None, leaves)
    return [sent] if fate.status == "sent" else [sent, Step(fate.status, fate.error, leaves + delay)]


def errands(planned: Sequence[Step], rules: Sequence[Rule], *, told: bool) -> list[Errand]:
    """The steps as errands. `told` is false for a text without StatusCallback."""
    if not rules or not told:
        return [Errand("status", step.status, step.error, step.at, 1, int(told)) for step in planned]
    overtaken = {
        step.status: planned[-1].at + BEHIND_SECONDS * (len(planned) - place) + _delay(rules, Fault.REORDERED)
        for place, step in enumerate(planned[:-1])
        if _strikes(rules, Fault.REORDERED, planned[-1].status)
    }
    result: list[Errand] = []
    for step in planned:
        fault = Fault.BAD_SIGNATURE if _strikes(rules, Fault.BAD_SIGNATURE, step.status) else None
        tell_at = overtaken.get(step.status, step.at)
        if _strikes(rules, Fault.LATE, step.status):
            tell_at += _delay(rules, Fault.LATE)
        missing = _strikes(rules, Fault.MISSING, step.status)
        at_once = tell_at == step.at and not missing
        result.append(Errand("status", step.status, step.error, step.at, 1, int(at_once), 0, fault))
        if not at_once and not missing:
            result.append(Errand("status", step.status, step.error, tell_at, 0, 1, 0, fault))
        if _strikes(rules, Fault.DOUBLED, step.status) and not missing:
            result.append(Errand("status", step.status, step.error, tell_at, 0, 1, 0, fault))
    return result


def _strikes(rules: Sequence[Rule], fault: Fault, status: str) -> bool:
    return any(rule.fault is fault and (not rule.statuses or status in rule.statuses) for rule in rules)


def _delay(rules: Sequence[Rule], fault: Fault) -> float:
    return max(rule.ms for rule in rules if rule.fault is fault) / 1000
