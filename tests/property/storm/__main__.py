"""Any number of histories, over all cores, until one of them breaks the promise."""

import argparse
import os
import sys
import time
from collections.abc import Iterator
from functools import cache
from multiprocessing import get_context

from tests.property.storm.outfit import Outfit
from tests.property.storm.report import failure_of

_PORTION = 20


@cache
def _outfit() -> Outfit:
    """One a process."""
    return Outfit()


def _first_failure(seeds: range) -> str | None:
    return next((report for seed in seeds if (report := failure_of(seed, _outfit()))), None)


def _portions(first: int, histories: int) -> Iterator[range]:
    for start in range(first, first + histories, _PORTION):
        yield range(start, min(start + _PORTION, first + histories))


def main() -> int:
    """Exit code 1 where a history broke the promise; its report goes to standard output."""
    parser = argparse.ArgumentParser(prog="make storm", description=__doc__)
    parser.add_argument("--histories", type=int, default=1_000, help="how many")
    parser.add_argument("--seed", type=int, default=None, help="the first one's; the others follow it")
    arguments = parser.parse_args()
    first = int(time.time()) * 1_000 if arguments.seed is None else arguments.seed
    done, began = 0, time.monotonic()
    with get_context("fork").Pool(min(os.cpu_count() or 1, arguments.histories)) as pool:
        portions = list(_portions(first, arguments.histories))
        for portion, report in zip(portions, pool.imap(_first_failure, portions), strict=True):
            if report is not None:
                sys.stdout.write(f"\n{report}\n")
                return 1
            done += len(portion)
            if sys.stdout.isatty():
                rate = done / (time.monotonic() - began)
                sys.stdout.write(f"\r{done} of {arguments.histories} histories, {rate:.0f} a second ")
                sys.stdout.flush()
    seconds = time.monotonic() - began
    sys.stdout.write(f"\rThe promise held in {done} histories, from seed {first} on, in {seconds:.0f} s.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
