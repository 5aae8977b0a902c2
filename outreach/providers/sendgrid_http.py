"""How the `sendgrid` package reaches SendGrid: over connections that are kept, within limits of time, with no log of what was sent.

The package's own client opens a new connection for each request, waits without a limit, raises for each 4xx, and writes every
payload, with the address and the account's key, to a debug log. `Api` takes that client's place; what is above it is the package's.
"""

import http.client
import json
import select
import ssl
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

import python_http_client

from outreach.providers.sockets import limit

CONNECT_SECONDS = 3.0


class NoConnection(Exception):
    """No connection came about, so nothing was sent. The text is the kind of failure."""


class NoAnswer(Exception):
    """Something may have been sent, and no usable answer came. The text is the kind of failure."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer over HTTP, read to its end, whatever its status."""

    status_code: int
    headers: Mapping[str, str]
    body: bytes


class Connections:
    """Connections to one server, kept alive and shared by many threads. `timeout` is seconds for one request, in all."""

    def __init__(self, url: str, timeout: float) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._timeout = timeout
        # The one used last is used next, so that spare ones are left to the server to close.
        self._idle: deque[http.client.HTTPConnection] = deque()

    def request(self, method: str, target: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        """Raises NoConnection or NoAnswer. Sends at most once."""
        deadline = time.monotonic() + self._timeout
        connection = self._connection()
        try:
            assert connection.sock is not None
            connection.sock.settimeout(_left(deadline))
            connection.request(method, target, body, dict(headers))
            connection.sock.settimeout(_left(deadline))
            response = connection.getresponse()
            answer = Answer(response.status, response.headers, response.read())  # type: ignore[arg-type]  # a Message is a mapping to those who read it
        except (OSError, http.client.HTTPException, ValueError) as error:
            connection.close()
            raise NoAnswer(type(error).__name__) from None
        if response.will_close:
            connection.close()
        else:
            self._idle.append(connection)
        return answer

    def _connection(self) -> http.client.HTTPConnection:
        while self._idle:
            try:
                connection = self._idle.pop()
            except IndexError:  # Another thread took the last one.
                break
            if _quiet(connection):
                return connection
            connection.close()
        timeout = min(CONNECT_SECONDS, self._timeout)
        if self._tls is not None:
            connection = http.client.HTTPSConnection(self._host, self._port, timeout=timeout, context=self._tls)
        else:
            connection = http.client.HTTPConnection(self._host, self._port, timeout=timeout)
        try:
            connection.connect()
        except OSError as error:
            # Name look-up, a refused connection, a failed handshake, or no connection in time: nothing was written.
            connection.close()
            raise NoConnection(type(error).__name__) from None
        limit(connection.sock, self._timeout)
        return connection

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()


def _left(deadline: float) -> float:
    return max(deadline - time.monotonic(), 0.001)


def _quiet(connection: http.client.HTTPConnection) -> bool:
    """Whether an idle connection is still one: the server has neither closed it nor said anything unasked."""
    if connection.sock is None:
        return False
    poll = select.poll()
    poll.register(connection.sock, select.POLLIN)
    return not poll.poll(0)


class Api(python_http_client.Client):  # type: ignore[misc]  # the package ships no types
    """The package's client with our connections under it. It returns every answer and raises for none."""

    def __init__(self, connections: Connections, **options: Any) -> None:
        super().__init__(**options)
        self._connections = connections

    def _build_client(self, name: str | None = None) -> "Api":
        return Api(
            self._connections,
            host="",
            request_headers=self.request_headers,
            version=self._version,
            url_path=[*self._url_path, name] if name else self._url_path,
        )

    def post(self, *, request_body: object) -> Answer:
        headers = self.request_headers | {"Content-Type": "application/json"}
        return self._connections.request("POST", self._build_url(None), json.dumps(request_body).encode(), headers)

    def get(self, *, query_params: Mapping[str, str]) -> Answer:
        target = f"{self._build_url(None)}?{urlencode(query_params)}"
        return self._connections.request("GET", target, None, self.request_headers)
