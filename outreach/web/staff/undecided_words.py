"""The words of the page of an undecided attempt."""

from flask_babel import LazyString
from flask_babel import lazy_gettext as _l

from outreach.delivery.look import LookResult
from outreach.delivery.undecided import RESTORED, SETTLED, Decision

PROVIDERS: dict[str, LazyString] = {
    "twilio": _l("Twilio"),
    "sendgrid": _l("SendGrid"),
    "smtp": _l("the agency's mail relay"),
    "postgrid": _l("PostGrid, the mail house"),
}

LOOKS: dict[str, LazyString] = {
    LookResult.FOUND: _l("It is in the books"),
    LookResult.ABSENT: _l("It is not in the books"),
    LookResult.UNREACHABLE: _l("The books could not be read"),
    LookResult.ERASED: _l("The address is erased or does not open, so nothing could be searched for"),
}

RESOLUTIONS: dict[str, LazyString] = {
    Decision.HANDED_OVER: _l("It was handed over"),
    Decision.NOT_HANDED_OVER: _l("It was not handed over: one new attempt was freed"),
    SETTLED: _l("Settled by itself: a report came, or the provider's books said so"),
}

SEARCHED_BY: dict[str, LazyString] = {
    "twilio": _l("Twilio's log is searched by the time above; our own mark is in the address of its callbacks:"),
    "sendgrid": _l("SendGrid's support finds it by this unique argument, “token”:"),
    "smtp": _l("Ask whoever runs the relay to search its log for this Message-ID:"),
    "postgrid": _l("PostGrid's dashboard finds it by this description:"),
}

HAPPENED: dict[str, LazyString] = {
    RESTORED: _l("Nobody knows whether this was sent: the database was restored, and what was sent just before that is forgotten"),
    "TimeoutError": _l("No answer came in time"),
    "ReadTimeout": _l("No answer came in time"),
    "ServerTimeoutError": _l("No answer came in time"),
    "SocketTimeoutError": _l("No answer came in time"),
    "ServerDisconnectedError": _l("The connection broke before the answer"),
    "ClientOSError": _l("The connection broke before the answer"),
    "ConnectionResetError": _l("The connection broke before the answer"),
    "RemoteProtocolError": _l("The connection broke before the answer"),
    "ClientPayloadError": _l("The answer broke off"),
    "no_sid": _l("It was accepted without a number to know it by"),
    "no_id": _l("It was accepted without a number to know it by"),
    "no_message_id": _l("It was accepted without a number to know it by"),
}
"""What happened when it was handed over, by the code that is kept of it; other codes are shown as they are."""


FAILED_AT_TWILIO = ("20500", "20503")


def happened(code: str | None) -> LazyString | str:
    """What is known of the moment in which it was handed over."""
    if code is None:
        return _l("The program that handed it over never came back: it was killed, or its machine was")
    if code in HAPPENED:
        return HAPPENED[code]
    if code.removeprefix("http_").startswith("5") or code in FAILED_AT_TWILIO:
        return _l("The provider answered that it had failed")
    return _l("The answer could not be understood")
