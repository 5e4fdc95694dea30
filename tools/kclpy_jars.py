"""Check the jars that amazon-kclpy's build downloaded against the checked-in list.

The build fetches them from a Maven repository and checks nothing: a jar that was cut short goes unnoticed.
The list, kclpy-jars.sha256, has the form of sha256sum: one `<hex digest>  <file name>` a line. To make it
anew for another amazon-kclpy, run sha256sum over `*.jar` in the directory of jars, and read the difference.
"""

import hashlib
import importlib.util
import sys
from pathlib import Path

LIST = Path(__file__).resolve().parent.parent / "kclpy-jars.sha256"


def installed_directory() -> Path | None:
    """Where the installed amazon-kclpy keeps its jars, or None where it is not installed."""
    spec = importlib.util.find_spec("amazon_kclpy")
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / "jars"


def read_list(text: str) -> dict[str, str]:
    """Read the text of kclpy-jars.sha256 into the SHA-256 (hex) expected of each jar, by file name."""
    expected = {}
    for line in text.splitlines():
        digest, name = line.split()
        expected[name] = digest
    return expected


def differences(expected: dict[str, str], directory: Path) -> list[str]:
    """Say what is missing, extra or different in a directory of jars, one sentence each."""
    found = {jar.name: hashlib.sha256(jar.read_bytes()).hexdigest() for jar in directory.glob("*.jar")}
    missing = [f"{name} is missing" for name in expected.keys() - found.keys()]
    extra = [f"{name} is not in {LIST.name}" for name in found.keys() - expected.keys()]
    different = [
        f"{name} has SHA-256 {found[name]}, expected {expected[name]}"
        for name in expected.keys() & found.keys()
        if found[name] != expected[name]
    ]
    return sorted(missing + extra + different)


def main() -> int:
    """Print what is wrong with the installed jars; return 0 when nothing is, 1 otherwise."""
    directory = installed_directory()
    if directory is None:
        print("amazon-kclpy is not installed here", file=sys.stderr)
        return 1
    wrong = differences(read_list(LIST.read_text()), directory)
    for sentence in wrong:
        print(f"kclpy jars: {sentence}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
