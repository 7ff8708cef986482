"""A headless Chromium, driven over its DevTools protocol: what a page does, and how it looks."""

import base64
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from websockets.sync.client import ClientConnection, connect

from tests.debian import chromium

_LISTENS = "DevTools listening on "
_TALKATIVE = ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")


class Tab:
    """One page. `events` are what the browser has told since the page was opened."""

    def __init__(self, socket: ClientConnection, session: str) -> None:
        self._socket = socket
        self._session = session
        self._last = 0
        self.events: list[dict[str, Any]] = []

    def call(self, method: str, **parameters: Any) -> Any:
        """Call a method of the protocol and return its result."""
        self._last += 1
        message = {"id": self._last, "method": method, "params": parameters}
        self._socket.send(json.dumps(message | ({"sessionId": self._session} if self._session else {})))
        while (answer := json.loads(self._socket.recv())).get("id") != self._last:
            self.events.append(answer)
        assert "error" not in answer, answer
        return answer["result"]

    def open(self, page: Path, *, width: int = 1100, height: int = 900, dark: bool = False, fragment: str = "") -> None:
        """Open a file, and wait until it is loaded."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.visit("about:blank")
        self.visit(page.resolve().as_uri() + (f"#{fragment}" if fragment else ""))

    def visit(self, address: str) -> None:
        """Go to an address, and wait until it is loaded."""
        self.events.clear()
        self.call("Page.navigate", url=address)
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(json.loads(self._socket.recv()))

    def run(self, script: str) -> Any:
        """Evaluate an expression in the page, and return its value."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def complaints(self) -> list[dict[str, Any]]:
        """Return what the page wrote to the console, and its errors."""
        self.run("0")
        return [event for event in self.events if event.get("method") in _TALKATIVE]

    def requests(self) -> list[str]:
        """Return the addresses that the page asked for."""
        self.run("0")
        sent = [event for event in self.events if event.get("method") == "Network.requestWillBeSent"]
        return [event["params"]["request"]["url"] for event in sent]

    def screenshot(self, path: Path, selector: str = "html", *, height: int | None = None) -> None:
        """Write a picture of an element, of at most that height in px, in the format of the file's name."""
        box = self.run(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)}); const b = e.getBoundingClientRect();"
            "return {x: b.x + scrollX, y: b.y + scrollY, width: b.width, height: b.height}; })()"
        )
        clip = box | {"height": min(box["height"], height or box["height"]), "scale": 1}
        form = {"format": "webp", "quality": 70} if path.suffix == ".webp" else {"format": "png"}
        shot = self.call("Page.captureScreenshot", **form, captureBeyondViewport=True, clip=clip)
        path.write_bytes(base64.b64decode(shot["data"]))


@contextmanager
def browser() -> Iterator[Tab]:
    """Start a browser with one page, and end it."""
    with TemporaryDirectory(prefix="browser-", ignore_cleanup_errors=True) as profile:
        command = chromium(profile, "--remote-debugging-port=0", "about:blank")
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr is not None
            try:
                line = next(line for line in process.stderr if line.startswith(_LISTENS))
                with connect(line.removeprefix(_LISTENS).strip(), max_size=None, compression=None) as socket:
                    whole = Tab(socket, "")
                    target = whole.call("Target.createTarget", url="about:blank")["targetId"]
                    session = whole.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
                    tab = Tab(socket, session)
                    for domain in ("Page", "Runtime", "Log", "Network"):
                        tab.call(f"{domain}.enable")
                    yield tab
            finally:
                process.terminate()
