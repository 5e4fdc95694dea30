"""The fault switch from the outside: what tests, the demo and benchmarks use."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass

from sandbox.control_client import call
from sandbox.faults.fault import Fault


@dataclass(frozen=True, slots=True)
class Applied:
    """A fault that is on, and how often it has struck."""

    id: str
    fault: Fault
    strikes: int


@dataclass(frozen=True, slots=True)
class FaultClient:
    """Adds and removes the faults of the sandbox at `endpoint`; raises URLError where it is gone."""

    endpoint: str

    def add(self, fault: Fault) -> str:
        """Turn a fault on and return its id."""
        fault_id: str = call(self.endpoint, "POST", "/faults", asdict(fault))["id"]
        return fault_id

    def remove(self, fault_id: str) -> None:
        """Turn a fault off; one that has ended is off already."""
        call(self.endpoint, "DELETE", f"/faults/{fault_id}")

    def clear(self) -> None:
        """Turn all faults off."""
        call(self.endpoint, "DELETE", "/faults")

    def list(self) -> list[Applied]:
        """Return the faults that are on."""
        return [
            Applied(entry["id"], Fault(**entry["fault"]), entry["strikes"])
            for entry in call(self.endpoint, "GET", "/faults")["faults"]
        ]

    def strikes(self, fault_id: str) -> int:
        """Return how often a fault has struck; 0 for one that is off."""
        return next((applied.strikes for applied in self.list() if applied.id == fault_id), 0)

    @contextmanager
    def applied(self, *faults: Fault) -> Iterator[tuple[str, ...]]:
        """Have faults on for a block; yields their ids."""
        ids = tuple(self.add(fault) for fault in faults)
        try:
            yield ids
        finally:
            for fault_id in ids:
                self.remove(fault_id)
