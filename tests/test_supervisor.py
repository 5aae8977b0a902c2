"""Programs that are started, watched and stopped together. The programs here are small Python scripts."""

import io
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from outreach.supervisor import Group, PortTakenError, Program, ProgramError, listening, require_free_port

SLEEP = "import time; time.sleep(60)"
ROOT = Path(__file__).parents[1]


def python(name: str, script: str, **options: object) -> Program:
    return Program(name, [sys.executable, "-uc", script], **options)  # type: ignore[arg-type]  # passed on as they are


def until(answer: Callable[[], object], seconds: float = 10) -> None:
    """Wait until `answer` is true: by then a machine under load has come round to it."""
    deadline = time.monotonic() + seconds
    while not answer():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def test_the_next_program_starts_when_the_one_before_is_ready_and_ends_first(tmp_path: Path) -> None:
    story = tmp_path / "story"
    script = (
        f"import signal, sys, time; story = open({str(story)!r}, 'a', buffering=1)\n"
        "def end(*_): story.write('end NAME\\n'); sys.exit()\n"
        "signal.signal(signal.SIGTERM, end); time.sleep(0.2); story.write('start NAME\\n'); time.sleep(60)"
    )
    with Group(logs=tmp_path) as group:
        for name in ("first", "second"):
            started = f"start {name}"
            ready = lambda line=started: story.exists() and line in story.read_text()  # noqa: E731  # a question, asked here
            group.start(python(name, script.replace("NAME", name), ready=ready))
    assert story.read_text().split("\n")[:-1] == ["start first", "start second", "end second", "end first"]


def test_output_goes_to_a_log_by_the_programs_name_that_others_cannot_read(tmp_path: Path) -> None:
    logs = tmp_path / "log"
    with Group(logs=logs) as group:
        group.start(python("worker", "print('hello'); " + SLEEP, env={"COLOUR": "none"}))
        until(lambda: (logs / "worker.log").read_text() == "hello\n")
    assert logs.stat().st_mode & 0o077 == 0


def test_a_program_that_ends_by_itself_is_named_with_its_log_and_last_words(tmp_path: Path) -> None:
    with Group(logs=tmp_path) as group:
        group.start(python("web", SLEEP))
        with pytest.raises(ProgramError, match=r"(?s)^worker ended by itself with code 3.*worker\.log.*no such table$"):
            group.start(python("worker", "import sys; print('no such table'); sys.exit(3)", ready=lambda: False))


def test_an_error_stops_every_program(tmp_path: Path) -> None:
    def fail() -> None:
        with Group(logs=tmp_path) as group:
            group.start(python("web", SLEEP), python("worker", SLEEP))
            raise ValueError("something else")

    before = psutil.Process().children()
    with pytest.raises(ValueError, match="something else"):
        fail()
    assert psutil.Process().children() == before


def test_a_program_that_is_never_ready_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    with pytest.raises(ProgramError, match=r"web was not ready after 0\.3 s"), Group(logs=tmp_path) as group:
        group.start(python("web", SLEEP, ready=lambda: False, seconds_to_start=0.3))


def test_what_a_watch_answers_ends_the_waiting(tmp_path: Path) -> None:
    with Group(logs=tmp_path) as group:
        group.start(python("web", SLEEP))
        with pytest.raises(ProgramError, match="the database ended"):
            group.wait(watch=[lambda: None, lambda: "the database ended"])


def test_errors_in_a_log_are_shown_with_the_programs_name(tmp_path: Path) -> None:
    screen = io.StringIO()
    script = """print('{"level": "info", "event": "fine"}\\n{"level": "error", "event": "refused"}'); """ + SLEEP
    with Group(logs=tmp_path, screen=screen) as group:
        group.start(python("worker", script))
        until(lambda: "refused" in (tmp_path / "worker.log").read_text())
        with pytest.raises(ProgramError):
            group.wait(watch=[lambda: "shown" if "refused" in screen.getvalue() else None])
    assert screen.getvalue() == 'worker: {"level": "error", "event": "refused"}\n'


def test_a_program_that_does_not_listen_is_killed_with_what_it_started(tmp_path: Path) -> None:
    # The child leaves its parent's process group, as RQ's work-horses do.
    script = (
        "import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "if os.fork() == 0: os.setpgrp()\n"
        "print(os.getpid()); time.sleep(60)"
    )
    with Group(logs=tmp_path, screen=io.StringIO()) as group:
        group.start(python("worker", script, seconds_to_stop=0.2))
        log = tmp_path / "worker.log"
        until(lambda: log.read_text().count("\n") == 2)
        processes = [psutil.Process(int(pid)) for pid in log.read_text().split()]
    until(lambda: not any(process.is_running() for process in processes))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_nothing_is_left_when_the_supervisor_is_told_to_end(tmp_path: Path, number: signal.Signals) -> None:
    if number == signal.SIGKILL and sys.platform != "linux":
        pytest.skip("only Linux tells children that their parent was killed")
    # The signal may come before `wait` has begun: then it is a KeyboardInterrupt like any other.
    script = (
        "import contextlib, sys; from pathlib import Path; from outreach.supervisor import Group, Program\n"
        f"with contextlib.suppress(KeyboardInterrupt), Group(logs=Path({str(tmp_path)!r})) as group:\n"
        f"    group.start(*[Program(name, [sys.executable, '-c', {SLEEP!r}]) for name in ('web', 'worker')])\n"
        "    print('up', flush=True); group.wait()"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, cwd=ROOT) as supervisor:
        assert supervisor.stdout is not None
        assert supervisor.stdout.readline() == "up\n"
        children = psutil.Process(supervisor.pid).children()
        supervisor.send_signal(number)
        assert supervisor.wait(20) == (-signal.SIGKILL if number == signal.SIGKILL else 0)
    assert len(children) == 2
    until(lambda: not any(child.is_running() for child in children))


def test_a_taken_port_is_told_with_the_setting_to_change() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert listening(port)()
        with pytest.raises(PortTakenError, match=f"Port {port} .*already in use.*WEB_PORT={port + 1}"):
            require_free_port(port, setting="WEB_PORT")
    require_free_port(port, setting="WEB_PORT")
    assert not listening(port)()


def test_a_huge_log_is_put_aside(tmp_path: Path) -> None:
    log = tmp_path / "web.log"
    log.touch()
    os.truncate(log, 10_000_001)
    with Group(logs=tmp_path) as group:
        group.start(python("web", SLEEP))
    assert log.stat().st_size == 0
    assert (tmp_path / "web.log.1").stat().st_size == 10_000_001
