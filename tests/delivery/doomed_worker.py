"""A worker that dispatches like any other, until it kills or freezes itself at the point that its arguments name."""

import os
import signal
import sys
from typing import Any

from outreach import jobs
from outreach.delivery import dispatch
from outreach.providers.sendgrid import SendGridMail
from outreach.providers.twilio import TwilioTexts


def strike() -> None:
    """Once only: a worker that is thawed goes on as if nothing had happened."""
    if how:
        os.kill(os.getpid(), signal.SIGKILL if how.pop() == "kill" else signal.SIGSTOP)


def before(function: Any) -> Any:
    def wrapped(*args: Any, **named: Any) -> Any:
        strike()
        return function(*args, **named)

    return wrapped


def after(function: Any) -> Any:
    def wrapped(*args: Any, **named: Any) -> Any:
        result = function(*args, **named)
        strike()
        return result

    return wrapped


async def send_then_strike(self: TwilioTexts, envelope: Any) -> Any:
    receipt = await send(self, envelope)
    answers.append(receipt)
    if len(answers) == 2:
        strike()
    return receipt


async def mail_then_strike(self: SendGridMail, mail: Any) -> Any:
    receipt = await send_mail(self, mail)
    answers.append(receipt)
    if len(answers) == 2:
        strike()
    return receipt


how, point = [sys.argv[1]], sys.argv[2]
answers: list[Any] = []
send, send_mail, work = TwilioTexts.send, SendGridMail.send, jobs.dispatch
match point:
    case "after the claim, before any call":
        dispatch._send_all = before(dispatch._send_all)
    case "after the second answer":
        TwilioTexts.send = send_then_strike  # type: ignore[method-assign]
    case "after all calls, before recording":
        dispatch.record = before(dispatch.record)  # type: ignore[attr-defined]
    case "before the record is committed":
        dispatch.record = after(dispatch.record)  # type: ignore[attr-defined]
    case "after the second mail":
        SendGridMail.send, work = mail_then_strike, jobs.dispatch_mail  # type: ignore[method-assign]
    case _:
        raise SystemExit(f"There is no point {point!r}.")
work()
