"""The words of the reconciliation page: what each difference is called, what it means, and what happens next."""

from flask_babel import LazyString
from flask_babel import lazy_gettext as _l

from outreach.delivery.books import DifferenceKind, Named
from outreach.web.words import Words

KINDS: Words = {
    DifferenceKind.NOT_THEIRS: _l("Not in their books"),
    DifferenceKind.NOT_OURS: _l("Not in our books"),
    DifferenceKind.OTHER_STATE: _l("They say something else"),
    DifferenceKind.UNDECIDED: _l("Not known yet"),
}

MEANS: dict[str, LazyString] = {
    "not_theirs": _l("The provider told us that it had taken this, and now says that it has no such message."),
    "not_ours": _l("Something left from our account that this system has no record of."),
    "doubled": _l("The provider has a second message under the mark of this attempt of ours."),
    "found": _l("We did not know that the provider had taken this. It had."),
    "later": _l("The provider's last word had not reached us."),
    "contrary": _l("A report said that this arrived. The provider's books say that it did not."),
    "unanswered": _l("We never got an answer when we handed this over, and it is not in their list."),
    "unlisted": _l(
        "The provider has taken this and did not list it: it waits there, is too new, or there was too much to ask for."
    ),
}

NEXT: dict[str, LazyString] = {
    "not_theirs": _l("Nothing is sent again by itself. Ask the provider's support about their number for it."),
    "not_ours": _l("Find out who else can send from the account. After a restored database: have it reconciled (docs/restore.md)."),
    "doubled": _l("Somebody may have been written to twice. Tell whoever runs this system, with both numbers."),
    "found": _l("It is on record now, and is not sent again. The next look should agree."),
    "later": _l("It is on record now. The next look should agree."),
    "contrary": _l("The arrival stands, since it was confirmed when it happened. Ask the provider if it matters for a proof."),
    "unanswered": _l("It is looked up every minute. Nothing else goes to the same phone or mailbox until it is settled."),
    "unlisted": _l("It is asked for again at the next look."),
}

NO_BOOKS: dict[str, LazyString] = {
    "smtp": _l("A mail relay keeps no books that can be asked. What it never answered becomes a task."),
    "sendgrid": _l("Our SendGrid account may not search its Email Activity, so its books cannot be asked."),
    "print_room": _l("What is printed in our own house is counted in the print room, sheet by sheet."),
}

PROBLEMS: dict[str, LazyString] = {
    "http_401": _l("our account was refused"),
    "http_403": _l("our account was refused"),
    "http_429": _l("it was asked too often"),
    "no_activity": _l("our account may not search it"),
    "too_many_at_once": _l("it lists no more than a thousand messages of one second"),
}
"""Why books could not be read, by the code that is kept of it."""


def problem(code: str) -> LazyString:
    """Why books could not be read, in plain words."""
    return PROBLEMS.get(code, _l("it did not answer, or what it answered could not be read"))


def case(one: Named) -> str:
    """Which of the cases above a difference is."""
    match one.kind:
        case DifferenceKind.NOT_OURS:
            return "doubled" if one.attempt_id else "not_ours"
        case DifferenceKind.OTHER_STATE if one.our_state in ("unknown", "not_sent", "refused"):
            return "found"
        case DifferenceKind.OTHER_STATE:
            return "contrary" if one.our_state == "delivered" and one.their_state in ("undelivered", "failed") else "later"
        case DifferenceKind.UNDECIDED:
            return "unanswered" if one.our_state == "unknown" else "unlisted"
    return "not_theirs"
