"""How Twilio addresses and signs a webhook, and reads the answer to it.

Signature: https://www.twilio.com/docs/usage/security#validating-requests
Overrides in the fragment: https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides
"""

import base64
import hashlib
import hmac
from dataclasses import dataclass
from urllib.parse import parse_qsl, urldefrag, urljoin
from xml.etree.ElementTree import ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring


@dataclass(frozen=True)
class Address:
    """Where a webhook goes. `signed` is the address the signature covers, up to the end of the query; `target` is where
    the request is sent, which differs behind a proxy. Time-outs are seconds."""

    signed: str
    target: str
    retries: int
    policies: frozenset[str]
    connect_timeout: float
    read_timeout: float

    def retried(self, http_status: int | None, failure: str | None) -> bool:
        """Whether an answer (or `ct`, `rt`: no connection, no answer in time) is one to try again after."""
        kind = failure or ("5xx" if http_status and http_status >= 500 else "4xx" if http_status and http_status >= 400 else "")
        return kind != "" and bool(self.policies & {kind, "all"})


# Unless the address asks otherwise, Twilio tries again once, and only when no connection came about. The sandbox is
# kinder by default, since it serves a demonstration; with an override in the address it does what Twilio does.
POLICIES = frozenset({"ct", "rt", "5xx"})
LIMITS = {"rc": (0, 5), "ct": (100, 10_000), "rt": (100, 15_000)}


def address(url: str, *, retries: int, public_base: str | None, local_base: str | None) -> Address:
    bare, fragment = urldefrag(url)
    options = dict(parse_qsl(fragment))
    target = bare
    if public_base and local_base and bare.startswith(public_base.rstrip("/") + "/"):
        target = local_base.rstrip("/") + bare.removeprefix(public_base.rstrip("/"))
    policies = POLICIES if not options else frozenset(options.get("rp", "ct").split(","))
    return Address(
        signed=bare,
        target=target,
        retries=_option(options, "rc", retries),
        policies=policies,
        connect_timeout=_option(options, "ct", 5000) / 1000,
        read_timeout=_option(options, "rt", 15_000) / 1000,
    )


def _option(options: dict[str, str], name: str, default: int) -> int:
    value = options.get(name, "")
    lowest, highest = LIMITS[name]
    return min(max(int(value), lowest), highest) if value.isdigit() else default


def signature(token: str, url: str, fields: dict[str, str]) -> str:
    """Base64 of HMAC-SHA1 over the address and each name and value, sorted by name."""
    text = url + "".join(name + fields[name] for name in sorted(fields))
    return base64.b64encode(hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()).decode()


@dataclass(frozen=True)
class Answer:
    """One `<Message>` of a TwiML answer."""

    text: str
    to: str | None
    callback: str | None


class TwimlError(ValueError):
    """The answer to a webhook is not TwiML: Twilio's error 12100."""


def answers(twiml: str, *, base: str) -> list[Answer]:
    """The texts that a TwiML document asks to send. Addresses in it may be relative to `base`. Raises TwimlError."""
    if not twiml.strip():
        return []
    try:
        root = fromstring(twiml)
    except (ParseError, DefusedXmlException, ValueError) as error:
        raise TwimlError("12100 Document parse failure") from error
    if root.tag != "Response":
        raise TwimlError("12100 Document parse failure: the root is not <Response>")
    found = []
    for element in root:
        if element.tag not in {"Message", "Sms"}:
            continue
        body = element.find("Body")
        text = (element.text or "") if body is None else (body.text or "")
        callback = element.get("statusCallback") or element.get("action")
        if text.strip():
            found.append(Answer(text.strip(), element.get("to"), urljoin(base, callback) if callback else None))
    return found
