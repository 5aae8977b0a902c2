"""The words for breakers: what stopped, why, and what to do about it."""

from flask_babel import lazy_gettext as _l

from outreach.delivery.breaker import BreakerKind
from outreach.providers.contract import Refusal
from outreach.web.words import Words

WHY: Words = {
    BreakerKind.FILTERED: _l("Carriers refuse its messages as spam."),
    BreakerKind.REFUSALS: _l("Too many of its latest messages were refused, or failed."),
    BreakerKind.UNKNOWNS: _l("Too many of the latest calls got no usable answer."),
    BreakerKind.BOUNCES: _l("Too many of the latest e-mails came back."),
    BreakerKind.COMPLAINTS: _l("Too many recipients have reported our e-mails as spam."),
    BreakerKind.CONFIGURATION: _l("It does not let us in, or it does not accept our account or our sender."),
    BreakerKind.LATE: _l("Nothing was sent for hours while its messages were due."),
}

NEXT: Words = {
    BreakerKind.FILTERED: _l(
        "Ask the provider why the carriers refuse the text. If it has to change, stop the campaign and make another."
        " If not, close this, and the rest goes out."
    ),
    BreakerKind.REFUSALS: _l(
        "Look at the code and at a few of the messages: a wrong column of numbers, or a text that is not taken?"
        " Close this once the rest may go out."
    ),
    BreakerKind.UNKNOWNS: _l(
        "See whether the provider says that it has a fault. What is not known is looked up by itself, and nothing is sent twice."
        " Close this once it answers again."
    ),
    BreakerKind.BOUNCES: _l(
        "Find out where these addresses come from. Whoever goes on sending to dead ones is suspended by the provider."
        " Close this once the rest may go out."
    ),
    BreakerKind.COMPLAINTS: _l(
        "Read the e-mail as somebody would who does not expect it, and look at who got it."
        " Close this once you are sure of the rest."
    ),
    BreakerKind.CONFIGURATION: _l(
        "The person who runs this system mends the account, the key or the sender. Nothing is lost: close this, and all goes on."
    ),
    BreakerKind.LATE: _l(
        "Ask whether what was meant for then is still right today. If so, close this, and it goes out. If not, stop the campaign."
    ),
}

UNREGISTERED_WHY = _l("The carriers do not know our number: it is not registered with them, or not verified.")
UNREGISTERED_NEXT = _l("The person who runs this system registers the number. Close this once the carriers have it.")
"""A breaker for filtered messages that stops a whole provider is about its number, and not about a text."""

CODES: Words = {
    Refusal.OPTED_OUT: _l("the recipient has refused messages from us"),
    Refusal.BAD_ADDRESS: _l("the number or address does not exist, or cannot receive this"),
    Refusal.NO_ROUTE: _l("the carrier does not send to that country, or not for us"),
    Refusal.TRANSIENT: _l("the phone or mailbox could not be reached"),
    Refusal.BACK_OFF: _l("we are too fast"),
    Refusal.FILTERED: _l("taken for spam"),
    Refusal.UNREGISTERED: _l("our number is not registered or verified"),
    Refusal.CONFIGURATION: _l("our account, key or sender is not accepted"),
    Refusal.REVIEW: _l("not in our table: look it up at the provider"),
}
"""What a provider's code means, where it stands beside one."""

PROVIDERS: Words = {
    "twilio": _l("Text messages (Twilio)"),
    "sendgrid": _l("E-mail (SendGrid)"),
    "smtp": _l("E-mail (our relay)"),
    "postgrid": _l("Letters (PostGrid)"),
    "print_room": _l("Letters (our print room)"),
}
