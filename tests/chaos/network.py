"""Two machines on one: each with a network of its own whose cable can be pulled.

As root on Linux they are network namespaces, joined to this one by a bridge. Elsewhere each is reached through a relay that can be
made deaf, which loses what it had not yet passed on, as a cable does.
"""

import asyncio
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from outreach.supervisor import die_with_parent, free_port

CLONE_NEWNET = 0x40000000  # https://man7.org/linux/man-pages/man2/setns.2.html
NAMES = ("a", "b")


@dataclass(frozen=True, slots=True)
class Cable:
    """`enter` is called by a process that is to live on that machine; `cut` and `mend` by anybody else."""

    enter: Callable[[], None]
    cut: Callable[[], None]
    mend: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Network:
    """`host`: where the servers listen for the machines."""

    how: str
    host: str


@contextmanager
def bridge(*, relays: bool = False) -> Iterator[Network]:
    """The network of namespaces; of relays where namespaces cannot be made."""
    name, host = f"och{os.getpid() % 100000}", f"10.213.{os.getpid() % 250}.1"
    try:
        if relays or os.geteuid() != 0:
            raise PermissionError
        _ip("link", "add", name, "type", "bridge")
    except (OSError, subprocess.CalledProcessError):
        # An address of its own, so that no other server of this machine has its ports.
        yield Network("proxy", f"127.77.{os.getpid() % 250}.1" if sys.platform == "linux" else "127.0.0.1")
        return
    try:
        _ip("addr", "add", f"{host}/24", "dev", name)
        _ip("link", "set", name, "up")
        yield Network("netns", host)
    finally:
        _ip("link", "del", name)


@contextmanager
def machines(network: Network, servers: Mapping[str, str]) -> Iterator[dict[str, Cable]]:
    """Both machines. `servers`: by the name of a variable, the address that a machine finds there."""
    with ExitStack() as stack:
        make = _namespace if network.how == "netns" else _relayed
        yield {name: stack.enter_context(make(network, number, servers)) for number, name in enumerate(NAMES)}


@contextmanager
def _namespace(network: Network, number: int, servers: Mapping[str, str]) -> Iterator[Cable]:
    ours, theirs = f"och{os.getpid() % 100000}h{number}", f"och{os.getpid() % 100000}m{number}"
    holder = subprocess.Popen(
        [_program("unshare"), "--net", "sleep", "infinity"],
        preexec_fn=partial(die_with_parent, signal.SIGKILL),  # noqa: PLW1509  # one call into the C library
    )
    space = Path(f"/proc/{holder.pid}/ns/net")
    try:
        while space.readlink() == Path("/proc/self/ns/net").readlink():
            time.sleep(0.01)  # It is about to leave ours.
        _ip("link", "add", ours, "type", "veth", "peer", "name", theirs)
        _ip("link", "set", theirs, "netns", str(holder.pid))
        _ip("link", "set", ours, "master", f"och{os.getpid() % 100000}", "up")
        there = [_program("nsenter"), f"--net={space}", _program("ip")]
        address = f"{network.host.rpartition('.')[0]}.{number + 2}/24"
        for words in (["link", "set", "lo", "up"], ["addr", "add", address, "dev", theirs], ["link", "set", theirs, "up"]):
            subprocess.run([*there, *words], check=True)

        def enter() -> None:
            libc = ctypes.CDLL(None, use_errno=True)
            with space.open() as opened:
                if libc.setns(opened.fileno(), CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), "setns")
            os.environ.update(servers)

        yield Cable(enter, partial(_ip, "link", "set", ours, "down"), partial(_ip, "link", "set", ours, "up"))
    finally:
        holder.kill()
        holder.wait()  # Its end of the cable goes with it, and so does ours.


def _ip(*words: str) -> None:
    subprocess.run([_program("ip"), *words], check=True)


def _program(name: str) -> str:
    """Where it is. Raises FileNotFoundError."""
    found = shutil.which(name)
    if found is None:
        raise FileNotFoundError(name)
    return found


@contextmanager
def _relayed(_network: Network, _number: int, servers: Mapping[str, str]) -> Iterator[Cable]:
    """Each server through a port of this machine's own relay. SIGUSR1 makes it deaf, SIGUSR2 ends that."""
    ports = {name: free_port() for name in servers}
    pid = os.fork()
    if not pid:
        try:
            die_with_parent(signal.SIGKILL)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            asyncio.run(_relay({ports[name]: address for name, address in servers.items()}))
        finally:
            os._exit(1)

    def enter() -> None:
        for name, address in servers.items():
            parts = urlsplit(address)
            os.environ[name] = address.replace(f"{parts.hostname}:{parts.port}", f"127.0.0.1:{ports[name]}")

    try:
        yield Cable(enter, lambda: os.kill(pid, signal.SIGUSR1), lambda: os.kill(pid, signal.SIGUSR2))
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


async def _relay(ways: Mapping[int, str]) -> None:
    hearing = asyncio.Event()
    here, there = set[asyncio.StreamWriter](), set[asyncio.StreamWriter]()
    hearing.set()

    def abort(writers: set[asyncio.StreamWriter]) -> None:
        for writer in writers:
            writer.transport.abort()

    def cut() -> None:
        hearing.clear()
        abort(there)  # As servers do who get no answer any more, only at once.

    def mend() -> None:
        abort(here)  # What was cut stays cut: nobody gets what was on its way.
        hearing.set()

    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, cut)
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR2, mend)

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                await hearing.wait()
                writer.write(data)
                await writer.drain()
        await hearing.wait()
        writer.close()

    async def carry(address: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        here.add(writer)
        await hearing.wait()
        parts = urlsplit(address)
        with suppress(OSError):
            their_reader, their_writer = await asyncio.open_connection(parts.hostname, parts.port)
            there.add(their_writer)
            await asyncio.gather(pump(reader, their_writer), pump(their_reader, writer))
            there.discard(their_writer)
        writer.close()
        here.discard(writer)

    for port, address in ways.items():
        await asyncio.start_server(partial(carry, address), "127.0.0.1", port, family=socket.AF_INET)
    await asyncio.Event().wait()
