"""The status page in a browser: what it shows, what it escapes, and that it asks nobody else."""

import logging
from pathlib import Path

from tests.operations.chromium import rendered, requested
from tests.reference_impl.engine_harness import engine, script, tool


async def test_it_shows_what_there_is_as_text_and_no_user(tmp_path: Path) -> None:
    mark = "<b onclick=x>bold</b>"
    async with engine(engine_name=mark) as target, target.client("alice-the-user") as alice:
        done = await alice.run("a word of alice's")
        await alice.run(script({"fail": "a failure of alice's"}))
        await alice.start(script(tool("hang")))
        await alice.have(1, "tool_executing")
        logging.getLogger("reference_impl.tests").error(f"{mark} failed for %s", "alice-the-user")
        page = await rendered(f"{target.http}/", tmp_path)
    for place, shown in (("users", 1), ("running", 1), ("queued", 0), ("connections", 1), ("engines", 1)):
        assert f'<dd id="{place}">{shown}</dd>' in page
    assert page.count("&lt;b onclick=x&gt;bold&lt;/b&gt;") == 2
    assert mark not in page
    assert "&lt;/b&gt; failed for …</td>" in page
    assert 'Runs completed</td><td class="number">1<' in page
    assert 'Runs failed with model_failed</td><td class="number">1<' in page
    assert " ms</dd>" in page
    assert "ready, up " in page
    for private in ("alice", done[0]["run_id"], done[0]["thread_id"]):
        assert private not in page


async def test_it_asks_only_its_engine(tmp_path: Path) -> None:
    async with engine() as target, target.web(None) as web:
        asked = await requested(f"{target.http}/", tmp_path)
        policy = (await web.get("/")).headers["content-security-policy"]
    assert asked == {f"{target.http}/{name}" for name in ("status.css", "status.js", "status.json")}
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
