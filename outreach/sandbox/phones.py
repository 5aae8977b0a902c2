"""What happens at the other end: a phone receives, and its owner answers."""

import time
from urllib.parse import urlencode

from outreach.sandbox import life, opt_out, segments
from outreach.sandbox.books import Errand, Message
from outreach.sandbox.population import Fate
from outreach.sandbox.resource import VERSION
from outreach.sandbox.state import State


def answer(state: State, phone: str, body: str, *, to: str | None = None) -> Message:
    """The owner of a phone sends a text; `to` is the number that wrote last unless given.

    Twilio obeys STOP, START and HELP before the webhook hears of them, and the webhook hears of them all the same.
    """
    books = state.books
    sender = to or books.last_sender(phone) or state.config.default_number
    message = books.add(
        direction="inbound",
        to=sender,
        from_=phone,
        body=body,
        segments=segments.count(body),
        status="received",
        sent=time.time(),
    )
    _obey(state, phone, sender, opt_out.meaning(body))
    told = state.dials.inbound_url is not None
    books.plan(message.n, [Errand("inbound", None, None, message.created, 0, int(told))])
    return message


def _obey(state: State, phone: str, sender: str, meaning: str | None) -> None:
    changed = meaning == "HELP"
    if meaning == "STOP":
        changed = state.books.block(phone, sender)
    elif meaning == "START":
        changed = state.books.unblock(phone, sender)
    if meaning and changed and state.dials.opt_out_replies:
        text = opt_out.ANSWERS[meaning]
        state.books.add(
            direction="carrier",
            to=phone,
            from_=sender,
            body=text,
            segments=segments.count(text),
            status="delivered",
            sent=time.time(),
        )


def inbound_fields(state: State, message: Message) -> dict[str, str]:
    """The form that Twilio posts about a text from a phone."""
    fields = {
        "ToCountry": country(message.to),
        "SmsMessageSid": message.sid,
        "NumMedia": "0",
        "SmsSid": message.sid,
        "SmsStatus": "received",
        "Body": message.body,
        "FromCountry": country(message.from_ or ""),
        "To": message.to,
        "NumSegments": str(message.segments),
        "MessageSid": message.sid,
        "AccountSid": state.config.account_sid,
        "From": message.from_ or "",
        "ApiVersion": VERSION,
    }
    meaning = opt_out.meaning(message.body)
    return fields | {"OptOutType": meaning} if meaning else fields


def status_fields(state: State, message: Message, status: str, error: int | None) -> dict[str, str]:
    """The form that Twilio posts about the status of a text."""
    fields = {
        "ApiVersion": VERSION,
        "MessageSid": message.sid,
        "SmsSid": message.sid,
        "MessageStatus": status,
        "SmsStatus": status,
        "To": message.to,
        "From": message.from_ or state.config.default_number,
        "AccountSid": state.config.account_sid,
    }
    if message.service:
        fields["MessagingServiceSid"] = message.service
    if error:
        fields["ErrorCode"] = str(error)
    if status in {"delivered", "undelivered"}:
        fields["RawDlrDoneDate"] = time.strftime("%y%m%d%H%M", time.gmtime())
    return fields


def reply(state: State, inbound: Message, text: str, *, to: str | None, callback: str | None) -> bool:
    """Our side answered the webhook with a text; False when the phone has opted out and must not get it."""
    phone = to or inbound.from_ or ""
    if state.books.blocked(phone, inbound.to):
        form = urlencode({"To": phone, "From": inbound.to, "Body": text})
        state.books.refuse(to=phone, reason="refused", http_status=None, code=21610, form=form)
        return False
    message = state.books.add(
        direction="outbound-reply",
        to=phone,
        from_=inbound.to,
        body=text,
        segments=segments.count(text),
        status="queued",
        callback=callback,
    )
    planned = life.steps(Fate(), start=message.created, delay=state.dials.status_delay_ms / 1000, expires=None)
    state.books.plan(message.n, life.errands(planned, (), told=callback is not None))
    return True


def country(number: str) -> str:
    """Only what a North American long code shows; Twilio knows more."""
    return "US" if number.startswith("+1") else ""
