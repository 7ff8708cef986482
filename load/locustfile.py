"""Locust, as its users know it: locust -f load/locustfile.py --host ws://127.0.0.1:8000/ws -u 50 -t 20s --headless

Beside Locust's own options it knows --target-file, --dialect, --secret-env, --rate-per-user, --metrics, --seed and
--out; a shape is named by the variable LOAD_SHAPE.
"""

import logging
import random
import subprocess
import sys
import time
from argparse import ArgumentParser
from itertools import count
from pathlib import Path
from typing import Any

from gevent.event import Event
from locust import LoadTestShape, User, events, task
from locust.env import Environment
from locust.runners import MasterRunner, WorkerRunner
from msgspec.structs import replace

from conformance.errors import ConformanceError
from conformance.target import AuthTable, Target, read
from load.generator import authenticated
from load.session import Session
from load.settings import Settings, handed_over, shape
from load.shapes import named
from load.web import attach, serve_metrics

_HANDED_OVER = handed_over()
_OUT = "reports/out/load-%Y%m%d-%H%M%S"
_REPORT = "import sys; from conformance.cli import main; sys.exit(main())"
sessions: dict[int, Session] = {}
_made = Event()


def options(parser: ArgumentParser) -> None:
    """Add our options to Locust's."""
    group = parser.add_argument_group("agent-conformance")
    add = group.add_argument
    add("--target-file", default="", env_var="CONFORMANCE_TARGET", help="A target file: see agent-conformance init")
    add("--dialect", default="", help="What the target speaks (default: five-events)")
    add("--secret-env", default="", help="The variable that holds the secret for the users' tokens (JWT, HS256)")
    add("--rate-per-user", type=float, default=0.0, help="Open model: each user begins so many runs a second")
    add("--seed", type=int, default=0, help="Repeat the random choices of a load")
    add("--metrics", default="", help="Serve /metrics for Prometheus also without web page: PORT or HOST:PORT")
    add("--out", default="", help="Where to write verdict and reports")


def begin(environment: Environment, **_: Any) -> None:
    """Make the session of this process."""
    logging.getLogger("picows").setLevel(logging.WARNING)
    try:
        settings = _HANDED_OVER or _settings(environment)
        if not isinstance(environment.runner, MasterRunner) or getattr(environment.parsed_options, "processes", None):
            authenticated(settings.target)
        sessions[id(environment)] = session = Session(environment, settings)
        if settings.metrics and not isinstance(environment.runner, WorkerRunner):
            serve_metrics(session, settings.metrics)
        _made.set()
    except ConformanceError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(error.exit_code) from error
    if _HANDED_OVER is None and not isinstance(environment.runner, WorkerRunner):
        ends: Any = environment.events
        if environment.web_ui is not None:
            ends.test_stop.add_listener(lambda **_: render(session, subprocess.DEVNULL))
        ends.quit.add_listener(lambda **_: render(session, None))
    if environment.web_ui is not None:
        attach(environment.web_ui, session)


def render(session: Session, stdout: int | None) -> None:
    """Write the reports of the last test, and the verdict to `stdout`: as `agent-conformance report` does."""
    if session.verdict is not None:
        subprocess.run([sys.executable, "-c", _REPORT, "report", session.settings.out], stdout=stdout, check=False)


def _settings(environment: Environment) -> Settings:
    given: Any = environment.parsed_options
    target = read(Path(given.target_file)) if given.target_file else Target()
    if given.dialect:
        target = replace(target, target=replace(target.target, dialect=given.dialect))
    if given.secret_env:
        target = replace(target, auth=AuthTable(scheme="jwt-hs256", secret_env=given.secret_env))
    url = environment.host or target.target.url or ""
    return Settings(
        target=target if target.target.url else replace(target, target=replace(target.target, url=url)),
        url=url,
        out=given.out or time.strftime(_OUT),
        seed=given.seed,
        rate=given.rate_per_user or None,
        metrics=given.metrics or None,
    )


class AgentUser(User):
    """A user of agents: asks, waits for the end, thinks; or begins runs at a rate, whatever becomes of them."""

    _numbers = count()

    def wait_time(self) -> float:
        """Return for how many seconds the user thinks."""
        if self._rate is not None:
            return 3600.0
        return random.expovariate(1 / max(1e-3, self._session.settings.target.load.think_s))

    def on_start(self) -> None:
        """Come."""
        _made.wait()  # a master may have users come before its worker is through with `init`
        self._session = sessions[id(self.environment)]
        self._session.begun.wait()
        self._rate = self._session.settings.rate
        self._number = next(self._numbers)
        if self._rate is not None:
            self._session.stream(self._number, self._rate)
        else:
            self._person = self._session.person()
            time.sleep(min(5.0, self.wait_time()))

    def on_stop(self) -> None:
        """Leave."""
        if self._rate is not None:
            self._session.dry_up(self._number)
        else:
            self._session.retire(self._person)

    @task
    def act(self) -> None:
        """Do one thing."""
        if self._rate is None:
            self._session.act(self._person)


_EVENTS: Any = events
_EVENTS.init_command_line_parser.add_listener(options)
_EVENTS.init.add_listener(begin)
_SHAPE = shape()

if _SHAPE:

    class Shaped(LoadTestShape):
        """As many users at a time as the shape says."""

        use_common_options = True
        shape = staticmethod(named(_SHAPE))  # type: ignore[arg-type]

        def tick(self) -> tuple[int, float] | None:
            """Return the users that there should be, and how fast they come; None at the end."""
            assert self.runner is not None
            given: Any = self.runner.environment.parsed_options
            users, rate, lasts = given.num_users or 1, given.spawn_rate or 1, given.run_time or 60
            passed = (time.perf_counter() - self.start_time) / lasts
            return None if passed >= 1 else (max(1, round(users * self.shape(passed))), rate)
