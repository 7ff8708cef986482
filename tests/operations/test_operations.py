"""Health, metrics, logs, and the dashboard that shows them."""

import json
import logging
import re
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

import reference_impl
from reference_impl.context import RunId, ThreadId, UserExecutionContext, UserId, running_for
from reference_impl.operations.logs import JsonFormatter, RecentProblems, redact
from tests.reference_impl.engine_harness import Address, engine, process, script, token, tool

DASHBOARD = Path(reference_impl.__file__).parent / "deploy" / "grafana-dashboard.json"


async def metrics(target: Address) -> dict[str, float]:
    """Every sample by its name and labels, as it is written."""
    async with target.web(None) as web:
        answer = await web.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    samples = [sample for family in text_string_to_metric_families(answer.text) for sample in family.samples]
    return {sample.name + "".join(f"/{value}" for value in sample.labels.values()): sample.value for sample in samples}


async def test_metrics_count_runs_connections_and_events() -> None:
    async with engine() as target, target.client("alice") as alice, target.client("bob"):
        told = len(await alice.run("x")) + len(await alice.run(script({"fail": "x"})))
        await alice.start(script(tool("hang")))
        told += len(await alice.have(1, "tool_executing")) + 2
        seen = await metrics(target)
    assert (seen["engine_connections/open"], seen["engine_connections/closing"]) == (2, 0)
    assert (seen["engine_users/connected"], seen["engine_users/running"]) == (2, 1)
    assert (seen["engine_runs/running"], seen["engine_runs/queued"]) == (1, 0)
    assert seen["engine_runs_ended_total/completed"] == seen["engine_runs_ended_total/failed"] == 1
    assert seen["engine_run_errors_total/model_failed"] == 1
    assert seen["engine_events_delivered_total"] == seen["engine_events_total"] == told
    assert (seen["engine_events_retried_total"], seen["engine_events_lost_total"]) == (0, 0)
    assert 0 < seen["engine_delivery_latency_seconds_count"] <= seen["engine_journal_commits_total"]
    assert seen["engine_delivery_latency_seconds_bucket/+Inf"] == seen["engine_delivery_latency_seconds_count"]


async def test_no_id_and_nothing_a_user_wrote_is_shown_to_who_has_no_credentials() -> None:
    async with engine() as target, target.client("alice") as alice, target.web(None) as web:
        run = await alice.run(script(tool("no-such-tool-of-hers"), {"fail": "words of hers"}), thread_id="her-thread")
        answers = [(await web.get(path)).text for path in ("/", "/metrics", "/status.json", "/health", "/ready")]
    for private in ("alice", "hers", "her-thread", run[0]["run_id"]):
        assert not any(private in answer for answer in answers)


async def test_what_the_dashboard_shows_is_measured() -> None:
    async with engine() as target, target.client("alice") as alice:
        await alice.run(script({"fail": "x"}))
        measured = {name.partition("/")[0] for name in await metrics(target)}
    dashboard = json.loads(DASHBOARD.read_text())
    shown = {target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])}
    assert len(shown) > 8
    assert set(re.findall(r"engine_\w+", " ".join(shown))) <= measured


def line_of(text: str, *arguments: object, error: BaseException | None = None) -> dict[str, object]:
    exc_info = None if error is None else (type(error), error, error.__traceback__)
    record = logging.LogRecord("reference_impl.x", logging.ERROR, __file__, 1, text, arguments, exc_info)
    line: dict[str, object] = json.loads(JsonFormatter().format(record))
    return line


def test_a_line_of_the_log_names_run_user_and_trace() -> None:
    context = UserExecutionContext(
        user_id=UserId("alice"),
        thread_id=ThreadId("thread"),
        run_id=RunId("run"),
        request_id="request",
        agent_name="agent",
        traceparent=f"00-{'ab' * 16}-{'cd' * 8}-01",
    )
    mark = running_for.set(context)
    try:
        line = line_of("tool %s failed", "echo")
    finally:
        running_for.reset(mark)
    assert (line["run_id"], line["user_id"], line["trace_id"]) == ("run", "alice", "ab" * 16)
    assert (line["level"], line["event"]) == ("error", "tool echo failed")
    assert "run_id" not in line_of("nobody's")


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (f"refused {token('alice')}", token("alice").rpartition(".")[2]),
        ("Authorization: Bearer abc.def", "abc.def"),
        ("cannot reach redis://:hunter2@127.0.0.1:6379/0", "hunter2"),
        ("postgresql://engine:hunter2@db/x is down", "hunter2"),
    ],
    ids=["token", "header", "redis", "postgresql"],
)
def test_credentials_are_not_logged(text: str, secret: str) -> None:
    assert secret not in redact(text)
    try:
        raise ValueError(text)
    except ValueError as error:
        line = line_of("it failed: %s", text, error=error)
    assert secret not in json.dumps(line)
    assert "ValueError" in str(line["exception"])


def test_like_problems_are_told_once_and_without_what_filled_them() -> None:
    problems = RecentProblems()
    own, other = logging.getLogger("reference_impl.tests"), logging.getLogger("tests")
    for logger in (own, other):
        logger.addHandler(problems)
    for number in range(3):
        own.error("run %s failed", number)
    other.error("says of alice")
    own.info("no problem")
    for logger in (own, other):
        logger.removeHandler(problems)
    assert [(seen.what, seen.times) for seen in problems.recent()] == [("something in tests", 1), ("run … failed", 3)]


async def test_the_engine_logs_json_lines_if_asked(tmp_path: Path) -> None:
    async with process("--log", "json", "--journal", str(tmp_path / "j")) as target, target.client("alice") as alice:
        run = await alice.run(script(tool("echo", text="not for the log")))
        code, errors = await target.end(15)
    lines = [json.loads(line) for line in errors.splitlines()]
    assert code == 0
    ended = [line for line in lines if line["event"] == "run ended"]
    assert [(line["run_id"], line["user_id"], line["outcome"]) for line in ended] == [
        (run[0]["run_id"], "alice", "completed")
    ]
    assert ended[0]["trace_id"] == run[0]["traceparent"].split("-")[1]
    assert "not for the log" not in errors
