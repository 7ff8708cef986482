"""The numbers that requirements are judged by."""

from typing import Any

import msgspec
import pytest

from conformance.bounds import Bounds


def test_the_defaults_are_the_catalogues() -> None:
    bounds = Bounds()
    assert (bounds.delivery_p95_ms, bounds.first_event_p95_ms, bounds.delivered) == (500, 500, 0.999)
    assert (bounds.stop_ms, bounds.clock_skew_s, bounds.credentials_grace_s) == (2000, 300, 60)
    assert bounds.factor == 1
    assert (bounds.run_limit_s, bounds.message_bytes, bounds.heartbeat_s, bounds.same_clock) == (None,) * 4


def test_one_factor_scales_every_time() -> None:
    assert Bounds(factor=2.5).scaled_ms(500) == 1250
    assert Bounds().scaled_ms(500) == 500


@pytest.mark.parametrize("name", ["delivery_p95_ms", "first_event_p95_ms", "stop_ms", "patience_ms", "factor"])
@pytest.mark.parametrize("value", [0, -1])
def test_a_time_is_more_than_nothing(name: str, value: Any) -> None:
    fields: dict[str, Any] = {name: value}
    with pytest.raises(ValueError, match=f"^{name} must be greater than 0$"):
        Bounds(**fields)


@pytest.mark.parametrize("value", [0, 1, 99.9, -0.1])
def test_a_share_lies_between_nothing_and_all(value: float) -> None:
    with pytest.raises(ValueError, match="delivered must lie between 0 and 1"):
        Bounds(delivered=value)


@pytest.mark.parametrize("table", [{"delivery_p99_ms": 1}, {"stop_ms": "fast"}, {"factor": 0}])
def test_a_table_with_something_wrong(table: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(table, Bounds)
