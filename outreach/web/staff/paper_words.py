"""The words for the codes of letters: runs, pulls, receipts, returned mail."""

from flask_babel import lazy_gettext as _l

from outreach.campaigns.outcome import Reason
from outreach.delivery.letter import LetterState, RunKind, RunState, ServiceResult
from outreach.delivery.print_room import ReprintReason, VoidReason
from outreach.delivery.pulling import TOLD, TakeOutReason
from outreach.delivery.returned_mail import ReturnReason
from outreach.web.words import Words

RUN_KINDS: Words = {
    RunKind.POST: _l("By post"),
    RunKind.HAND: _l("By hand"),
}

RUN_STATES: Words = {
    RunState.MADE: _l("To be printed"),
    RunState.PRINTED: _l("Printed"),
    RunState.ENVELOPED: _l("In envelopes"),
    RunState.HANDED_OVER: _l("Handed over"),
    RunState.VOID: _l("Void"),
}

LETTER_STATES: Words = {
    LetterState.ON_ITS_WAY: _l("In the run"),
    LetterState.PULLED: _l("Pulled"),
    LetterState.RETURNED: _l("Came back"),
    LetterState.SERVED: _l("Handed over to the person"),
    LetterState.NOT_SERVED: _l("Not handed over to the person"),
}

VOID_REASONS: Words = {
    VoidReason.PRINTER: _l("it could not be printed"),
    VoidReason.SPOILED: _l("the paper was spoiled"),
    VoidReason.COUNTS: _l("the counts disagree"),
    VoidReason.MISTAKE: _l("it was a mistake"),
}

REPRINT_REASONS: Words = {
    ReprintReason.JAMMED: _l("the printer jammed"),
    ReprintReason.STAINED: _l("it is stained or torn"),
    ReprintReason.ENVELOPE: _l("it went into a wrong envelope"),
    ReprintReason.LOST: _l("a page is missing"),
}

TAKE_OUT_REASONS: Words = {
    TakeOutReason.DAMAGED: _l("It is damaged"),
    TakeOutReason.CONTENT: _l("Something in it is wrong"),
}

PULL_REASONS: Words = {
    **TAKE_OUT_REASONS,
    "void": _l("The run is void"),
    Reason.MOVED: _l("The person is no longer where the letter goes"),
    Reason.DECEASED: _l("Deceased"),
    Reason.BAD_CONTACT: _l("The address does not work any more"),
    Reason.BAD_ADDRESS: _l("No letter can get to this address"),
    Reason.UNSAFE_CONTACT: _l("The address is not safe any more"),
    Reason.OPTED_OUT: _l("Asked us to stop"),
    Reason.WRONG_NUMBER: _l("Somebody else is at this address"),
    Reason.REPRESENTATION_ENDED: _l("The attorney no longer represents everybody it names"),
    TOLD: _l("The person has been told meanwhile"),
}

RETURN_REASONS: Words = {
    ReturnReason.NOT_DELIVERABLE: _l("Not deliverable as addressed"),
    ReturnReason.MOVED: _l("Moved, left no address"),
    ReturnReason.NO_SUCH_NUMBER: _l("No such number or street"),
    ReturnReason.INSUFFICIENT: _l("Address or apartment not complete"),
    ReturnReason.REFUSED: _l("Refused"),
    ReturnReason.UNCLAIMED: _l("Unclaimed"),
    ReturnReason.DECEASED: _l("Deceased"),
    ReturnReason.FACILITY: _l("Refused by the facility"),
    ReturnReason.OTHER: _l("Something else"),
}

SERVICE_RESULTS: Words = {
    ServiceResult.SIGNED: _l("Signed"),
    ServiceResult.THUMB_PRINT: _l("Thumb print"),
    ServiceResult.REFUSED_WITNESSED: _l("Refused before a witness, after it was explained"),
    ServiceResult.NOT_THERE: _l("Not there any more"),
    ServiceResult.NOT_POSSIBLE: _l("Not possible"),
}

_REASONS = {
    LetterState.PULLED: PULL_REASONS,
    LetterState.RETURNED: RETURN_REASONS,
    LetterState.SERVED: SERVICE_RESULTS,
    LetterState.NOT_SERVED: SERVICE_RESULTS,
}


def reason_of(state: str, reason: str | None) -> str:
    """Why a letter is in its state; nothing where there is nothing to say."""
    return str(_REASONS.get(LetterState(state), {}).get(reason or "", reason or ""))
