"""What can go wrong that is not a finding.

    ConformanceError
    ├── UsageError          exit 64: an option, a file or a recording is wrong
    ├── TargetUnreachable   exit 69: the target cannot be started or reached
    └── HarnessError        exit 70: the kit itself failed

A violated requirement is never an exception: it is a `conformance.verdict.Finding`.
"""

from typing import ClassVar


class ConformanceError(Exception):
    """Root of the kit's own errors; `exit_code` is what the command line ends with."""

    exit_code: ClassVar[int] = 70


class UsageError(ConformanceError):
    """Wrong usage or configuration. The message says what, where and what to do."""

    exit_code = 64


class TargetUnreachable(ConformanceError):
    """The target could not be started, did not become ready, or refuses connections."""

    exit_code = 69


class HarnessError(ConformanceError):
    """The kit itself failed; nothing can be said about the target."""

    exit_code = 70
