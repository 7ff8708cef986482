"""`make examples`: gate every example by the commands of the guide or its README, its workflow, and the action."""

import os
import sys
import tempfile
from pathlib import Path

from tests.examples import action, gate, guide, image


def main() -> int:
    """Return 0 where each gate is green, otherwise 1."""
    failed = False
    ways = [(example, "guide", guide.of_reader(example)) for example in guide.EXAMPLES.values()]
    ways += [(example, "README", guide.of_readme(example)) for example in guide.BY_README]
    ways += [(example, "workflow", guide.of_workflow(example)) for example, _, _ in ways]
    for example, who, steps in ways:
        with tempfile.TemporaryDirectory() as folder:
            failed |= told(f"{example}, as the {who} has it", *gate.run(steps, gate.copy(example, Path(folder))))
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as temp:
        example = guide.BY_README[0]
        os.environ["JWT_SECRET"] = guide.of_workflow(example).environment["JWT_SECRET"]
        found = action.run(gate.copy(example, Path(folder)), Path(temp), baseline="baseline.toml")
        failed |= told(f"{example}, by the action, installed anew", *found)
    with tempfile.TemporaryDirectory() as folder:
        failed |= told("the Dockerfile's first stage, without Docker", *image.build(Path(folder)))
    return int(failed)


def told(what: str, code: int, output: str) -> bool:
    """Say what came of a way; return whether it failed."""
    print(f"{what}: exit code {code}", flush=True)
    if code:
        print(output, flush=True)
    return code != 0


if __name__ == "__main__":
    sys.exit(main())
