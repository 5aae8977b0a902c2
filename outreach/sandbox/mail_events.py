"""How SendGrid tells about mails: signed batches of events, and answers handed over as a form.

https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event,
https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features and
https://www.twilio.com/docs/sendgrid/for-developers/parsing-email/setting-up-the-inbound-parse-webhook
"""

import base64
import email
import email.policy
import json
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid, parseaddr
from typing import Any

import aiohttp
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from outreach.sandbox.mail_api import suffixed
from outreach.sandbox.mail_books import Entry
from outreach.sandbox.mail_fates import details


def event(mail: Entry, name: str, place: int, now: float) -> dict[str, Any]:
    """One event about a mail. The same event has the same sg_event_id whenever it is told."""
    identity = f"{name}-{place}-{mail.n}-{mail.id}"
    fields: dict[str, Any] = {
        "email": mail.mailbox,
        "timestamp": int(now),
        "smtp-id": f"<{mail.id}@geopod-ismtpd-sandbox>",
        "event": "bounce" if name == "blocked" else name,
        "sg_event_id": base64.urlsafe_b64encode(identity.encode()).decode().rstrip("="),
        "sg_message_id": suffixed(mail.id, mail.n),
        **details(mail.fate, name),
        **json.loads(mail.arguments),
    }
    if name == "deferred":
        fields["attempt"] = str(place)
    if name == "bounce" and mail.fate == "returned":
        del fields["sg_message_id"]  # A bounce that comes later is known without it.
    if name in ("spamreport", "unsubscribe"):
        del fields["smtp-id"]
    return fields


def signed(key: ec.EllipticCurvePrivateKey, body: bytes, now: float) -> dict[str, str]:
    """The headers of a batch."""
    timestamp = str(int(now))
    signature = key.sign(timestamp.encode() + body, ec.ECDSA(hashes.SHA256()))
    return {
        "Content-Type": "application/json;charset=utf-8",
        "User-Agent": "SendGrid Event API",
        "X-Twilio-Email-Event-Webhook-Signature": base64.b64encode(signature).decode(),
        "X-Twilio-Email-Event-Webhook-Timestamp": timestamp,
    }


PIXEL = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")


def answer(mail: Entry, request: dict[str, Any], text: str, *, machine: bool = False, attachment: bool = False) -> EmailMessage:
    """What a mailbox writes in answer to a mail, as mail programs write it: with the original quoted below."""
    message = EmailMessage(policy=email.policy.SMTP)
    message["From"] = mail.mailbox
    message["To"] = request.get("reply_to", request["from"])["email"]
    message["Subject"] = ("Automatic reply: " if machine else "Re: ") + mail.subject
    message["Date"] = format_datetime(email.utils.localtime())
    message["Message-ID"] = make_msgid(domain=mail.mailbox.rpartition("@")[2])
    message["In-Reply-To"] = f"<{mail.id}@geopod-ismtpd-sandbox>"
    if machine:
        message["Auto-Submitted"] = "auto-replied"
        message["X-Auto-Response-Suppress"] = "All"
        message.set_content(text)
    else:
        quoted = "\n".join(f"> {line}" for line in request["content"][0]["value"].splitlines())
        sender = request["from"]["email"]
        message.set_content(f"{text}\n\nOn Mon, Jan 5, 2026 at 9:00 AM <{sender}> wrote:\n\n{quoted}\n")
    if attachment:
        message.add_attachment(PIXEL, maintype="image", subtype="png", filename="letter.png")
    return message


def form(raw: bytes, mailbox: str, *, as_raw: bool) -> aiohttp.FormData:
    """A mail to us as Inbound Parse posts it: taken apart, or with `send_raw` whole."""
    message = email.message_from_bytes(raw, policy=email.policy.default)
    to = parseaddr(str(message["To"]))[1]
    machine = message["Auto-Submitted"] is not None
    fields = {
        "to": str(message["To"]),
        "from": str(message["From"]),
        "subject": str(message["Subject"]),
        "dkim": "{@example.org : pass}",
        "SPF": "pass",
        "sender_ip": "192.0.2.17",
        "envelope": json.dumps({"to": [to], "from": "" if machine else mailbox}),
        "charsets": json.dumps(dict.fromkeys(("to", "from", "subject", "text"), "UTF-8")),
    }
    data = aiohttp.FormData(default_to_multipart=True)
    if as_raw:
        fields["email"] = raw.decode("utf-8", "replace")
    else:
        body = message.get_body(("plain",))
        files = list(message.iter_attachments())
        fields["headers"] = "".join(f"{name}: {value}\n" for name, value in message.items())
        fields["text"] = body.get_content() if body is not None else ""
        fields["attachments"] = str(len(files))
        names = {f"attachment{place}": file for place, file in enumerate(files, 1)}
        fields["attachment-info"] = json.dumps(
            {name: {"filename": file.get_filename(), "type": file.get_content_type()} for name, file in names.items()}
        )
        for name, file in names.items():
            data.add_field(name, file.get_payload(decode=True), filename=file.get_filename(), content_type=file.get_content_type())
    for name, value in fields.items():
        data.add_field(name, value)
    return data


def authorization(password: str) -> str:
    return "Basic " + base64.b64encode(f"sendgrid:{password}".encode()).decode()
