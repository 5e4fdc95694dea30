import ast
import itertools
import re
import shutil
import subprocess
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tools import kclpy_jars

ROOT = Path(__file__).resolve().parents[2]
CONSTRAINTS = ("constraints.txt", "constraints-build.txt")
PIN = re.compile(r"^[a-z0-9-]+==\S+( ; [^\\]+)? \\$")
HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}( \\)?$")
COMMENT = re.compile(r"^ +#[^/]*(requirements/\w+\.in)?$")

CLOCKS = {"now", "utcnow", "today"}
FILES = {"open", "read_text", "read_bytes", "write_text", "write_bytes", "exists", "mkdir", "unlink"}


def pins(name: str) -> list[Requirement]:
    lines = (ROOT / name).read_text().splitlines()
    return [Requirement(line.removesuffix("\\")) for line in lines if PIN.match(line)]


def applicable_pins() -> list[Requirement]:
    return [pin for name in CONSTRAINTS for pin in pins(name) if pin.marker is None or pin.marker.evaluate()]


def pure_modules() -> list[Path]:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (rooms,) = (
        contract["source_modules"] for contract in contracts if contract["name"].endswith("reads no clock")
    )
    return sorted(path for room in rooms for path in ROOT.glob(room.replace(".", "/") + ".py"))


@pytest.mark.parametrize("name", CONSTRAINTS)
def test_constraints_hold_nothing_but_pins_and_their_hashes(name: str) -> None:
    lines = (ROOT / name).read_text().splitlines()

    strange = [line for line in lines if not any(form.match(line) for form in (PIN, HASH, COMMENT))]

    assert strange == []


@pytest.mark.parametrize("name", CONSTRAINTS)
def test_every_pin_has_a_hash(name: str) -> None:
    lines = (ROOT / name).read_text().splitlines()

    bare = [
        line for line, following in itertools.pairwise(lines) if PIN.match(line) and not HASH.match(following)
    ]

    assert bare == []


def test_every_requirement_is_pinned_to_a_version_it_allows() -> None:
    pinned = {
        pin.name.lower(): next(iter(pin.specifier)).version for name in CONSTRAINTS for pin in pins(name)
    }

    for file in (ROOT / "requirements").glob("*.in"):
        lines = [line for line in file.read_text().splitlines() if line and not line.startswith("#")]
        for requirement in map(Requirement, lines):
            assert requirement.specifier.contains(pinned[requirement.name.lower()]), requirement


def test_what_is_installed_is_what_is_pinned() -> None:
    installed = {pin.name: version(pin.name) for pin in applicable_pins()}

    assert installed == {pin.name: next(iter(pin.specifier)).version for pin in applicable_pins()}


def test_the_list_of_jars_is_that_of_kclpy_3_1_3_and_of_what_is_installed() -> None:
    expected = kclpy_jars.read_list(kclpy_jars.LIST.read_text())
    directory = kclpy_jars.installed_directory()

    assert len(expected) == 79
    assert "amazon-kinesis-client-multilang-3.1.3.jar" in expected
    assert directory is not None
    assert kclpy_jars.differences(expected, directory) == []


def test_a_missing_an_extra_and_a_changed_jar_are_each_named(tmp_path: Path) -> None:
    for name, content in (("right.jar", b""), ("changed.jar", b"cut short"), ("extra.jar", b"")):
        (tmp_path / name).write_bytes(content)
    of_nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

    wrong = kclpy_jars.differences(
        dict.fromkeys(("right.jar", "changed.jar", "gone.jar"), of_nothing), tmp_path
    )

    assert [sentence.split()[0] for sentence in wrong] == ["changed.jar", "extra.jar", "gone.jar"]
    assert of_nothing in wrong[0]


def test_make_help_lists_every_target() -> None:
    targets = re.findall(r"^\.PHONY: (\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)

    command = [shutil.which("make") or "make", "--no-print-directory", "help"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout

    assert [line.split()[1] for line in listed.splitlines()] == targets


@pytest.mark.parametrize("path", pure_modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_pure_room_asks_for_no_present_time_and_touches_no_file(path: Path) -> None:
    calls = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]

    names = {call.attr if isinstance(call, ast.Attribute) else getattr(call, "id", "") for call in calls}

    assert names & (CLOCKS | FILES) == set()
