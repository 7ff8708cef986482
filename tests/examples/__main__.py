"""`make examples`: gate every example by the commands of the guide, and then by those of its workflow."""

import sys
import tempfile
from pathlib import Path

from tests.examples import gate, guide


def main() -> int:
    """Return 0 where each gate is green, otherwise 1."""
    failed = 0
    for example in guide.EXAMPLES.values():
        for who, steps in (("guide", guide.of_reader(example)), ("workflow", guide.of_workflow(example))):
            with tempfile.TemporaryDirectory() as folder:
                code, output = gate.run(steps, gate.copy(example, Path(folder)))
            print(f"{example}, as the {who} has it: exit code {code}", flush=True)
            if code:
                print(output, flush=True)
                failed = 1
    return failed


if __name__ == "__main__":
    sys.exit(main())
