"""Logs: a JSON object a line, with the ids of run, user and trace, and without secrets."""

import json
import logging
import re
import time
from collections import deque
from datetime import UTC, datetime
from typing import Any

import msgspec

from reference_impl.context import running_for

# JSON Web Tokens, bearer credentials, and passwords in URLs.
SECRETS = re.compile(r"eyJ[\w-]{5,}\.[\w-]+\.[\w-]*|(?<=[Bb]earer )[^\s\"']+|(?<=://)[^/\s:@]*:[^/\s@]+(?=@)")
PLACEHOLDER = re.compile(r"%[a-z]")
KEPT_PROBLEMS = 50


def redact(text: str) -> str:
    """`text` with what looks like a credential taken out."""
    return SECRETS.sub("[redacted]", text)


class JsonFormatter(logging.Formatter):
    """One JSON object a line; the ids are those of the run that the line is about, where it is about one."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of `record`."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": redact(record.getMessage()),
        }
        context = running_for.get()
        if context is not None:
            line |= {"run_id": context.run_id, "user_id": context.user_id, "thread_id": context.thread_id}
            line["trace_id"] = context.traceparent.split("-")[1]
        line |= getattr(record, "fields", {})
        if record.exc_info:
            line["exception"] = redact(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False, default=str)


class Problem(msgspec.Struct, frozen=True):
    """A warning or an error in words that are the engine's own: no id and nothing of what a user wrote."""

    time: float
    level: str
    what: str
    times: int


class RecentProblems(logging.Handler):
    """Remembers the last warnings and errors, like ones together, for the status page."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._seen: deque[Problem] = deque(maxlen=KEPT_PROBLEMS)

    def emit(self, record: logging.LogRecord) -> None:
        """Take note of `record`, by its unfilled message and the type of its exception."""
        own = record.name.startswith("reference_impl.")
        what = PLACEHOLDER.sub("…", str(record.msg)) if own else f"something in {record.name}"
        if record.exc_info and record.exc_info[0] is not None:
            what += f" ({record.exc_info[0].__name__})"
        times = 1
        for earlier in self._seen:
            if earlier.what == what:
                times += earlier.times
                self._seen.remove(earlier)
                break
        self._seen.appendleft(Problem(time.time(), record.levelname.lower(), what, times))

    def recent(self) -> list[Problem]:
        """What was seen, newest first."""
        return list(self._seen)


def configure_logs(*, as_json: bool) -> None:
    """Log to stderr: JSON lines from `info` on, else the bare words of warnings and errors. For a whole process."""
    handler = logging.StreamHandler()
    if as_json:
        handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=logging.INFO if as_json else logging.WARNING, handlers=[handler])
