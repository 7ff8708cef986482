"""Asking a generator for its metrics, as Prometheus does again and again."""

import asyncio
import contextlib

import httpx
from prometheus_client.parser import text_string_to_metric_families


def samples(text: str) -> dict[str, float]:
    """Return the values of a page of metrics by their names; of several with one name the last."""
    return {each.name: each.value for family in text_string_to_metric_families(text) for each in family.samples}


async def scraped(port: int, of: asyncio.subprocess.Process, name: str, least: float) -> dict[str, float]:
    """Ask until one of the metrics has reached a value; return them all."""
    async with httpx.AsyncClient(trust_env=False) as http:
        while of.returncode is None:
            with contextlib.suppress(httpx.HTTPError):
                told = samples((await http.get(f"http://127.0.0.1:{port}/metrics")).text)
                if told[name] >= least:
                    return told
            await asyncio.sleep(0.05)
    raise AssertionError(f"it has ended with {of.returncode}")
