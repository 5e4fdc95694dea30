"""Make .venv: a virtual environment with every package at its pinned hash, checked jars, and Tidemark itself.

Any Python from 3.8 can start it, so that an old one is told what to do instead of failing on syntax. It does
nothing when .venv carries the stamp of the files it was made from.
"""

from __future__ import annotations

import fcntl
import hashlib
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
VENV_PYTHON = VENV / "bin" / "python"
STAMP = VENV / "tidemark-setup.sha256"
MADE_FROM = (
    "constraints-build.txt",
    "constraints.txt",
    "kclpy-jars.sha256",
    "pyproject.toml",
    "tools/setup_venv.py",
)
OLDEST_PYTHON = (3, 11)

INSTALL = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps")
HASHED = ("--require-hashes", "--only-binary=:all:")
# Its build downloads the jars, and needs the pinned setuptools and wheel rather than whatever is newest.
KCLPY_FROM_SOURCE = ("--no-binary=amazon-kclpy", "--no-build-isolation")
# Both, or the next install takes up the wheel that pip built around the bad jars.
FORGET_KCLPY = (
    ("-m", "pip", "cache", "remove", "--quiet", "amazon_kclpy"),
    ("-m", "pip", "uninstall", "--quiet", "--yes", "amazon-kclpy"),
)


class SetupError(Exception):
    """Setting up failed. The text says what failed and what to do."""


def main() -> int:
    """Bring .venv up to date; return the exit status."""
    wanted = fingerprint()
    if is_stamped(wanted):
        return 0
    try:
        with (ROOT / ".venv.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # two makes in one checkout take turns
            if not is_stamped(wanted):
                set_up()
                STAMP.write_text(wanted)
    except SetupError as error:
        print(f"setup: {error}", file=sys.stderr)
        return 1
    return 0


def fingerprint() -> str:
    """Name the state that .venv is made from: where it is, and what is pinned (hex SHA-256)."""
    digest = hashlib.sha256(str(VENV).encode())
    for name in MADE_FROM:
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def is_stamped(wanted: str) -> bool:
    """Tell whether .venv was made, to its end, from the files as they are now."""
    return VENV_PYTHON.exists() and STAMP.exists() and STAMP.read_text() == wanted


def set_up() -> None:
    """Make the environment and install into it, in the order the steps need each other."""
    STAMP.unlink(missing_ok=True)
    if not venv_works():
        make_venv()
    print("setup: installing into .venv (the first time about 480 MB, a minute or two)", flush=True)
    install("the build tools", *HASHED, "-r", "constraints-build.txt")
    install_packages()
    if not jars_are_right():
        print("setup: fetching the jars once more", file=sys.stderr, flush=True)
        for forget in FORGET_KCLPY:
            in_venv(*forget)
        install_packages()
        if not jars_are_right():
            raise SetupError("the jars (named above) are not those of kclpy-jars.sha256; .venv is not usable")
    install("Tidemark", "--no-build-isolation", "--editable", ".")
    if not in_venv("-m", "pip", "--quiet", "check"):
        raise SetupError("the installed packages do not fit each other (named above); run make constraints")


def venv_works() -> bool:
    """Tell whether .venv holds a Python that is new enough, and a pip."""
    probe = f"import sys, pip; sys.exit(sys.version_info < {OLDEST_PYTHON})"
    return VENV_PYTHON.exists() and in_venv("-c", probe)


def make_venv() -> None:
    """Make an empty .venv with the Python that runs this."""
    if sys.version_info < OLDEST_PYTHON:
        raise SetupError(
            f"Tidemark needs Python 3.11 or newer; {sys.executable} is {sys.version.split()[0]}."
            " Install one, or name it: make setup PYTHON=python3.12"
        )
    if not succeeds(sys.executable, "-m", "venv", "--clear", str(VENV)):
        raise SetupError("python -m venv failed (above); on Debian and Ubuntu: apt-get install python3-venv")


def install_packages() -> None:
    """Install every pinned package, amazon-kclpy and its jars among them."""
    install("the packages", *HASHED, *KCLPY_FROM_SOURCE, "-r", "constraints.txt")


def install(what: str, *arguments: str) -> None:
    """Run pip install; once more if it fails, for downloads do (and nobody retries the jars)."""
    if in_venv(*INSTALL, *arguments):
        return
    print(f"setup: installing {what} failed; trying once more", file=sys.stderr, flush=True)
    if not in_venv(*INSTALL, *arguments):
        message = f"installing {what} failed twice (pip says why, above); make setup starts again from there"
        raise SetupError(message)


def jars_are_right() -> bool:
    """Check the installed jars; what is wrong with them is printed."""
    return in_venv("-m", "tools.kclpy_jars")


def in_venv(*arguments: str) -> bool:
    """Run the Python of .venv; tell whether it succeeded."""
    return succeeds(str(VENV_PYTHON), *arguments)


def succeeds(*command: str) -> bool:
    """Run a command at the root of the checkout; tell whether it succeeded."""
    return subprocess.run(command, cwd=ROOT, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
