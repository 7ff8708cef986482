"""`python -m tests.operations`: photograph the status page of an engine at work, for `reports/samples/`."""

import asyncio
import logging
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.operations.chromium import photographed
from tests.reference_impl.engine_harness import Client, engine, say, script, tool

PICTURE = Path(__file__).parents[2] / "reports" / "samples" / "status-page.png"
USERS = 12


async def busy(client: Client, number: int) -> None:
    """Run one thing after the other; now and then one that fails."""
    while True:
        nap = tool("sleep", ms=20 * number, text="x")
        await client.run(script(nap, say("words " * 30)))
        await client.run(script({"fail": "the model is overloaded"}) if number % 5 == 0 else "plain")


async def main() -> None:
    """Write the picture."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        target = await stack.enter_async_context(engine(engine_name="one"))
        clients = [await stack.enter_async_context(target.client(f"user-{number}")) for number in range(USERS)]
        work = [asyncio.create_task(busy(client, number)) for number, client in enumerate(clients)]
        logging.getLogger("reference_impl.tools").error("tool %s failed in a way of its own", "echo")
        await photographed(f"{target.http}/", folder, PICTURE, height=960)
        for task in work:
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)


if __name__ == "__main__":
    asyncio.run(main())
