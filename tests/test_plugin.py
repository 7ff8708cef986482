"""The pytest plugin, in a pytest of its own."""

from pathlib import Path

import pytest


def test_one_item_for_each_requirement(pytester: pytest.Pytester, foreign_target: Path) -> None:
    result = pytester.runpytest_subprocess(
        "--conformance-target", str(foreign_target), "--conformance-only", "EVT,ACC", "-v"
    )
    result.assert_outcomes(passed=20, skipped=3)
    result.stdout.fnmatch_lines(["*ACC-07 SKIPPED*", "*EVT-01 PASSED*", "*EVT-12 SKIPPED*"])
    assert result.ret == 0


def test_strict_counts_a_violated_should(pytester: pytest.Pytester, foreign_target: Path) -> None:
    result = pytester.runpytest_subprocess(
        "--conformance-target", str(foreign_target), "--conformance-only", "ACC-07", "--conformance-strict"
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*A browser from a foreign origin is refused*", "*expected: the upgrade refused*"])


def test_a_bad_name_is_an_error_before_anything_runs(pytester: pytest.Pytester, foreign_target: Path) -> None:
    result = pytester.runpytest_subprocess("--conformance-target", str(foreign_target), "--conformance-only", "EVT-99")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*expected a requirement id or a family, got 'EVT-99'*"])


def test_the_fixture_in_a_users_own_tests(pytester: pytest.Pytester, foreign_target: Path) -> None:
    pytester.makepyfile(
        f"""
        def test_verify(conformance):
            verdict = conformance.verify({str(foreign_target)!r}, only=["EVT-01"])
            assert verdict.verdict == "pass"

        def test_check(conformance):
            conformance.check([{{"type": "agent_started", "run_id": None}}])
        """
    )
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*IDN-01 MUST: run_id is present*", "*seen: * run_id: null*"])
