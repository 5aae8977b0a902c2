"""One worker that sends, as a process of its own: the real dispatch, or a bare loop. Prints one JSON object.

python -m benchmarks.sender system sms|email | python -m benchmarks.sender bare sms|email COUNT
"""

import asyncio
import http.client
import json
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from urllib.parse import urlsplit
from uuid import uuid4

from sendgrid.helpers.mail import Content, From, Mail, To
from sqlalchemy import Engine, event
from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.rest import Client

from benchmarks import people
from benchmarks.figure import Spent
from outreach import jobs
from outreach.notices.mail import RenderedMail
from outreach.settings import Settings


def system(channel: str) -> dict[str, object]:
    """What the channel's job does, again and again until nothing is due."""
    due = jobs.mail_due if channel == "email" else jobs.send_due
    counts: Counter[str] = Counter()
    event.listen(Engine, "before_cursor_execute", lambda *_: counts.update(["statements"]))
    event.listen(Engine, "begin", lambda *_: counts.update(["begins"]))
    event.listen(Engine, "commit", lambda *_: counts.update(["commits"]))
    event.listen(Engine, "rollback", lambda *_: counts.update(["rollbacks"]))
    machine = jobs.machine()
    start, sent, more = Spent.now(), 0, True
    while more:
        worked = due(machine)
        sent, more = sent + worked.sent, worked.more
    return {"sent": sent, "counts": counts} | asdict(Spent.now().since(start))


def bare(channel: str, count: int) -> dict[str, object]:
    """The same messages to the same addresses through the same library, as its documentation has it, and nothing else."""
    chosen = jobs.machine().settings
    house = jobs.house(chosen)
    if channel == "email":
        mails = list(people.mails(count, house))
        start = Spent.now()
        _mail_all(chosen, mails)
    else:
        texts = list(people.envelopes(count, house))
        start = Spent.now()
        asyncio.run(_post_all(chosen, texts))
    return {"sent": count} | asdict(Spent.now().since(start))


async def _post_all(chosen: Settings, texts: list[tuple[str, str]]) -> None:
    async with AsyncTwilioHttpClient() as http:
        client = Client(chosen.twilio_account_sid, chosen.twilio_auth_token, http_client=http)
        client.api.base_url = chosen.twilio_api_url
        waiting = iter(texts)

        async def lane() -> None:
            for to, body in waiting:
                await client.messages.create_async(
                    to=to,
                    body=body,
                    from_=chosen.sms_sender,
                    status_callback=f"{chosen.public_base_url}/webhooks/twilio/status/{uuid4()}#rc=5&rp=all",
                    validity_period=chosen.sms_validity_seconds,
                )

        await asyncio.gather(*(lane() for _ in range(chosen.sms_in_flight)))


def _mail_all(chosen: Settings, mails: list[tuple[str, RenderedMail]]) -> None:
    """The package opens a connection for each mail, which costs more than the mail: here each thread keeps its own."""
    address = urlsplit(chosen.sendgrid_api_url)
    own = threading.local()

    def send(one: tuple[str, RenderedMail]) -> None:
        to, made = one
        message = Mail(From(chosen.mail_from, chosen.program_name), To(to), made.subject)
        message.add_content(Content("text/plain", made.text))
        message.add_content(Content("text/html", made.html))
        if not hasattr(own, "connection"):
            own.connection = http.client.HTTPConnection(address.hostname or "", address.port)
        headers = {"Authorization": f"Bearer {chosen.sendgrid_api_key}", "Content-Type": "application/json"}
        own.connection.request("POST", "/v3/mail/send", json.dumps(message.get()).encode(), headers)
        answer = own.connection.getresponse()
        answer.read()
        if answer.status != 202:
            raise RuntimeError(f"The stub answered {answer.status}: this run measures nothing.")

    with ThreadPoolExecutor(chosen.mail_in_flight) as threads:
        for _ in threads.map(send, mails):
            pass


if __name__ == "__main__":
    what, by = sys.argv[1:3]
    print(json.dumps(system(by) if what == "system" else bare(by, int(sys.argv[3]))))
