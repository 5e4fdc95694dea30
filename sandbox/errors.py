"""What the sandbox raises.

SandboxError
├── SandboxStartError     it did not start; the message says why
└── EmulatorChangedError  the installed ministack is not the one the sandbox is written for
"""


class SandboxError(Exception):
    """The root of the sandbox's errors."""


class SandboxStartError(SandboxError):
    """The sandbox did not start; the message carries what it said before it ended."""


class EmulatorChangedError(SandboxError):
    """The installed ministack lacks a name that a patch replaces."""
