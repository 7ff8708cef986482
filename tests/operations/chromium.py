"""A headless browser: what a page looks like and says once its script has run, and what it has asked for."""

import asyncio
import json
from pathlib import Path

from tests.debian import chromium


async def browse(url: str, folder: Path, *arguments: str) -> str:
    """What Chromium prints of a page after `arguments`, in a profile of its own."""
    words = chromium(str(folder / "profile"), *arguments, url)
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*words, stdout=pipe, stderr=asyncio.subprocess.DEVNULL)
    output, _ = await process.communicate()
    assert process.returncode == 0
    return output.decode()


async def rendered(url: str, folder: Path) -> str:
    """The page's elements once its script has run for some seconds of its own time."""
    return await browse(url, folder, "--virtual-time-budget=2500", "--dump-dom")


async def photographed(url: str, folder: Path, picture: Path, *, width: int = 900, height: int = 860) -> None:
    """Write a PNG of the page."""
    await browse(
        url, folder, "--virtual-time-budget=60000", f"--screenshot={picture}", f"--window-size={width},{height}"
    )


async def requested(url: str, folder: Path) -> set[str]:
    """Every URL that the page has asked for; the browser's own errands are not its doing."""
    log = folder / "net-log.json"
    await browse(url, folder, "--virtual-time-budget=2500", f"--log-net-log={log}", "--dump-dom")
    text = log.read_text()
    events = json.loads(text if text.rstrip().endswith("}") else text.rstrip().rstrip(",") + "]}")["events"]
    asked = [event["params"] for event in events if "url" in event.get("params", {})]
    return {request["url"] for request in asked if url.startswith(str(request.get("initiator")))}
