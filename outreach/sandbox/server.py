"""The sandbox as a running server: in the foreground for the command, in a thread for tests."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Self

import jinja2
from aiohttp import web

from outreach.sandbox import api, control_api, mail_api, mail_control, mail_pages, pages, post_api, post_pages
from outreach.sandbox.books import Books
from outreach.sandbox.config import STATIC, Config, Dials
from outreach.sandbox.control import Control
from outreach.sandbox.faults import Rules
from outreach.sandbox.mail_books import Mails
from outreach.sandbox.mail_key import private_key
from outreach.sandbox.mail_postman import MailPostman
from outreach.sandbox.post_books import Letters
from outreach.sandbox.post_life import Rounds
from outreach.sandbox.postman import Postman
from outreach.sandbox.state import STATE, State

log = logging.getLogger(__name__)

# A create is 1,600 characters at most; nothing here needs more.
LARGEST_REQUEST = 64 * 1024


class NotStarted(RuntimeError):
    """The sandbox could not start; the cause is attached."""


def application(config: Config) -> web.Application:
    app = web.Application(client_max_size=LARGEST_REQUEST)

    async def life(app: web.Application) -> AsyncIterator[None]:
        books = Books(config.books)
        templates = jinja2.Environment(loader=jinja2.FileSystemLoader(config.templates), autoescape=True)
        pages.prepare(templates)
        app[STATE] = State(
            config=config,
            dials=Dials.of(config),
            books=books,
            letters=Letters(books),
            mails=Mails(books),
            mail_key=private_key(config.webhook_key),
            rules=Rules(books, config.seed),
            templates=templates,
        )
        workers = (Postman(app[STATE]), MailPostman(app[STATE]), Rounds(app[STATE]))
        for worker in workers:
            await worker.start()
        yield
        for worker in workers:
            await worker.stop()
        books.close()

    app.cleanup_ctx.append(life)
    app.add_routes(api.routes())
    app.add_routes(control_api.routes())
    app.add_routes(pages.routes())
    app.add_routes(mail_api.routes())
    app.add_routes(mail_control.routes())
    app.add_routes(mail_pages.routes())
    app.add_routes(post_api.routes())
    app.add_routes(post_pages.routes())
    app.router.add_static("/static/", STATIC)
    return app


class Sandbox:
    """A sandbox in a thread of this process.

    with Sandbox(Config(auth_token="…", books=tmp_path / "books.sqlite")) as sandbox:
        client.api.base_url = sandbox.url
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self._port = config.port
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        return f"http://{self.config.host}:{self._port}"

    @property
    def control(self) -> Control:
        return Control(self.url, self.config.control_token)

    def start(self) -> Self:
        """Returns once it listens; raises NotStarted. After `stop` it may be started again, on the same port."""
        self._ready.clear()
        self._failure = None
        self._thread = threading.Thread(target=self._run, name="sandbox", daemon=True)
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            raise NotStarted(f"The sandbox could not listen on {self.url}.") from self._failure
        return self

    def stop(self) -> None:
        """Callbacks not yet sent stay in the books for the next start."""
        if self._thread is None or self._loop is None or self._stopping is None:
            return
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()
        self._thread = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001  Handed to the thread that waits in start().
            self._failure = error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        runner = web.AppRunner(application(self.config), access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            site = web.TCPSite(runner, self.config.host, self._port, backlog=1024)
            await site.start()
            self._port = runner.addresses[0][1]
            self._ready.set()
            await self._stopping.wait()
        finally:
            await runner.cleanup()


async def serve(config: Config) -> None:
    """Runs in the foreground until cancelled."""
    runner = web.AppRunner(application(config), access_log=None, handle_signals=True, shutdown_timeout=2.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, config.host, config.port, backlog=1024).start()
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()
