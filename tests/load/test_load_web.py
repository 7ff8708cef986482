"""Our tab on Locust's web page, in a browser, and what Prometheus is told: while a load goes."""

import asyncio
import json
import sys
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from conformance.launch import Launched, free_port
from tests.load.rare import SECRET
from tests.reports.browser import Tab, browser

ROOT = Path(__file__).parents[2]
_ONCE = """new Promise(done => {
  const look = () => { const found = (%s); if (found) { watcher.disconnect(); done(found); } };
  const watcher = new MutationObserver(look);
  watcher.observe(document, {subtree: true, childList: true, characterData: true});
  look();
})"""
_TAB = "[...document.querySelectorAll('[role=tab]')].find(each => /conformance/i.test(each.innerText))"
_ROWS = "[...document.querySelectorAll('tbody tr')].map(row => [...row.cells].map(cell => cell.innerText))"

_SHOWN = ["delivered", "delivery of started", "violated: DLV-04"]


def once(tab: Tab, expression: str) -> str:
    """Wait until an expression is true in the page, and return its value."""
    answer = tab.call("Runtime.evaluate", expression=_ONCE % expression, awaitPromise=True, returnByValue=True)
    return str(answer["result"].get("value"))


def looked(address: str) -> dict[str, list[str]]:
    """Open the page and our tab on it, wait until it shows a violation; return its rows by their first cells."""
    with browser() as tab:
        tab.visit(address)
        once(tab, f"{_TAB} && true")
        tab.run(f"{_TAB}.click()")
        all_shown = f"{_SHOWN}.every(name => rows.some(row => row[0] === name))"
        rows = once(tab, f"(rows => {all_shown} && JSON.stringify(rows))({_ROWS})")
        assert tab.complaints() == []
    return {name: cells for name, *cells in json.loads(rows)}


async def test_the_tab_shows_what_is_delivered_and_violated_while_the_load_goes(tmp_path: Path) -> None:
    engine, page = free_port(), free_port()
    url, address = f"ws://127.0.0.1:{engine}/ws", f"http://127.0.0.1:{page}/"
    environment = {"WEB_SECRET": SECRET}
    words = [sys.executable, "-m", "tests.load.rare_engine", "doubles", "0.02", "--port", str(engine)]
    locust = [sys.executable, "-m", "locust", "-f", str(ROOT / "load" / "locustfile.py"), "--host", url]
    locust += ["--web-host", "127.0.0.1", "--web-port", str(page), "--autostart", "-u", "20", "-r", "20", "-t", "10m"]
    locust += ["--secret-env", "WEB_SECRET", "--out", str(tmp_path / "out")]
    async with (
        Launched(
            [*words, "--secret-env", "WEB_SECRET"],
            url=url,
            health=f"http://127.0.0.1:{engine}/ready",
            output=tmp_path / "engine.log",
            directory=ROOT,
            environment=environment,
        ),
        Launched(
            locust,
            url=address,
            health=address,
            output=tmp_path / "locust.log",
            directory=ROOT,
            environment=environment,
        ),
    ):
        rows = await asyncio.to_thread(looked, address)
        async with httpx.AsyncClient(trust_env=False) as http:
            told = (await http.get(f"{address}metrics")).text
    assert int(rows["delivery of started"][0]) > 0
    assert int(rows["delivered"][0]) > 0
    assert float(rows["delivered"][1]) == 100
    assert int(rows["violated: DLV-04"][0]) > 0
    assert any(name.startswith("DLV-04 an event is delivered twice") for name in rows)
    samples = {each.name: each for family in text_string_to_metric_families(told) for each in family.samples}
    assert samples["agent_conformance_violations_total"].labels == {"requirement": "DLV-04"}
    assert samples["agent_conformance_expected_events_total"].value > 0
