"""A small blocking client for a running sandbox: faults, answers of phones, totals."""

import http.client
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit


class ControlError(RuntimeError):
    """The sandbox did not do what it was asked to; the sentence is its own."""


class StillBusy(ControlError):
    """Callbacks or scripted answers were still due when the patience ended."""


@dataclass(frozen=True)
class Control:
    """`url` is the sandbox's address, `token` its control token. Each call opens a connection of its own, so that many
    threads may use one Control."""

    url: str
    token: str
    timeout: float = 60.0

    def healthy(self) -> bool:
        try:
            return bool(self._ask("GET", "health")["status"] == "ok")
        except (OSError, http.client.HTTPException):
            return False

    def wait_until_healthy(self, seconds: float = 20.0) -> None:
        """Raises ControlError."""
        deadline = time.monotonic() + seconds
        while not self.healthy():
            if time.monotonic() > deadline:
                raise ControlError(f"The sandbox at {self.url} did not answer within {seconds:g} seconds.")
            time.sleep(0.05)

    def fault(self, fault: str, **options: Any) -> int:
        """Adds a rule and returns its number. The options are the fields of `outreach.sandbox.faults.Rule`."""
        return int(self._ask("POST", "rules", {"fault": fault, **options})["id"])

    def faults(self) -> list[dict[str, Any]]:
        """The rules in force, with how often each struck."""
        return list(self._ask("GET", "rules"))

    def remove_fault(self, number: int) -> None:
        self._ask("DELETE", f"rules/{number}")

    def clear_faults(self) -> None:
        self._ask("DELETE", "rules")

    def answer(self, phone: str, body: str, *, to: str | None = None) -> str:
        """The owner of `phone` sends a text; returns its sid. `to` is the number that wrote last unless given."""
        return str(self._ask("POST", f"phones/{quote(phone, safe='')}/answer", {"body": body, "to": to})["sid"])

    def set(self, **dials: Any) -> dict[str, Any]:
        """Turns dials: inbound_url, status_delay_ms, reply_delay_ms, opt_out_replies, population, letter_delay_ms,
        mail_events_url, inbound_mail_url, raw_inbound, paused."""
        return dict(self._ask("PATCH", "dials", dials))

    def summary(self) -> dict[str, Any]:
        """The totals of the books; see `outreach.sandbox.reading.summary`, and `mail_reading.summary` under `mail`."""
        return dict(self._ask("GET", "summary"))

    def messages(self, after: int = 0) -> Iterator[dict[str, Any]]:
        """Accepted creates: n, sid, to, body_sha256, callback, status, error, answer, created. Streamed."""
        return self._lines(f"messages?after={after}")

    def callbacks(self, after: int = 0) -> Iterator[dict[str, Any]]:
        """Attempts at callbacks: n, sid, kind, status, error, tries, fault, http_status, detail, done. Streamed."""
        return self._lines(f"callbacks?after={after}")

    def webhook_key(self) -> str:
        """The public key that our side checks SendGrid's events with: base64 DER, as SendGrid shows it."""
        return str(self._ask("GET", "mail-key")["public_key"])

    def mails(self, after: int = 0) -> Iterator[dict[str, Any]]:
        """Accepted mails: n, id, to, from, subject, arguments (JSON), hash, fate, status, answer, created. Streamed."""
        return self._lines(f"mails?after={after}")

    def mail(self, message_id: str) -> dict[str, Any]:
        """The request that became a mail, as it came."""
        return dict(self._ask("GET", f"mails/{quote(message_id, safe='')}"))

    def mail_events(self, after: int = 0) -> Iterator[dict[str, Any]]:
        """What our side was told about mails: n, id, kind, status, tries, fault, http_status, detail, done. Streamed."""
        return self._lines(f"mail-events?after={after}")

    def answer_mail(self, mailbox: str, body: str, *, machine: bool = False, attachment: bool = False) -> str:
        """The owner of a mailbox answers the last mail it got, or a machine does; returns the answer's Message-ID."""
        facts = {"body": body, "machine": machine, "attachment": attachment}
        return str(self._ask("POST", f"mailboxes/{quote(mailbox, safe='')}/answer", facts)["id"])

    def letters(self, after: int = 0) -> Iterator[dict[str, Any]]:
        """Letters that were accepted: n, id, token, key, address, pdf_sha256, bytes, status, scan, answer, created. Streamed."""
        return self._lines(f"letters?after={after}")

    def move_letter(self, identity: str, word: str) -> None:
        """A letter takes a status, or is scanned by the post, now; what was planned for it is dropped."""
        self._ask("POST", f"letters/{quote(identity, safe='')}", {"word": word})

    def wait_until_quiet(self, seconds: float = 30.0, *, within: float = float("inf")) -> None:
        """Returns once nothing is due within the next `within` seconds; raises StillBusy."""
        deadline = time.monotonic() + seconds
        while True:
            state = self._ask("GET", "quiet")
            if state["quiet"] or (state["next_due"] > time.time() + within and not state["in_flight"]):
                return
            if time.monotonic() > deadline:
                raise StillBusy(f"The sandbox still had callbacks or answers to give after {seconds:g} seconds.")
            time.sleep(0.02)

    def reset(self) -> None:
        """New books, no rules; the dials stay."""
        self._ask("POST", "reset", {})

    def _ask(self, method: str, path: str, body: object = None) -> Any:
        connection, response = self._open(method, path, body)
        try:
            return json.loads(response.read())
        finally:
            connection.close()

    def _lines(self, path: str) -> Iterator[dict[str, Any]]:
        connection, response = self._open("GET", path)
        try:
            for line in response:
                yield json.loads(line)
        finally:
            connection.close()

    def _open(self, method: str, path: str, body: object = None) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        parts = urlsplit(self.url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=self.timeout)
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        payload = None if body is None else json.dumps(body)
        try:
            connection.request(method, f"/_sandbox/{path}", payload, headers)
            response = connection.getresponse()
            tries = 1
            while method == "GET" and response.status >= 500 and tries < 3:
                # Reading is safe to repeat, and a machine under load may be late once or twice.
                response.read()
                time.sleep(0.5)
                connection.request(method, f"/_sandbox/{path}", payload, headers)
                response, tries = connection.getresponse(), tries + 1
            reason = _reason(response) if response.status >= 400 else None
        except BaseException:
            connection.close()
            raise
        if reason is not None:
            connection.close()
            raise ControlError(f"{response.status}: {reason}")
        return connection, response


def _reason(response: http.client.HTTPResponse) -> str:
    """Why the sandbox refused: its own word, or what stands in its log when it failed unexpectedly."""
    try:
        return str(json.loads(response.read())["error"])
    except (ValueError, KeyError, TypeError):
        return "the sandbox failed unexpectedly; its log says where"
