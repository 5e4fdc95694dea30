"""DynamoDB: its Kinesis destination, expiry, keys and arithmetic, where ministack differs from AWS.

A module for each gap; each says the gap, what AWS documents, and when it may go. Tables stay in ministack's
own store. Of Kinesis only the putting of a record is used.
"""

from collections.abc import Callable

from sandbox.dynamodb import destination, expiry, keys, numbers, partiql
from sandbox.dynamodb.delivery import Later
from sandbox.dynamodb.destination import Strike
from sandbox.dynamodb.expiry import Reaper
from sandbox.emulator import Emulator


def apply(emulator: Emulator, *, clock: Callable[[], float], strike: Strike, later: Later) -> Reaper:
    """Put right all of DynamoDB, before the first request; returns the reaper of expired items, to be run.

    `clock` is seconds of the wall clock; `strike` gives the faults that strike a record on its way to
    Kinesis; `later` calls back after seconds.
    """
    keys.apply(emulator.dynamodb)
    numbers.apply(emulator.dynamodb)
    partiql.apply(emulator.dynamodb)
    reaper = expiry.apply(emulator, clock)
    destination.apply(emulator, clock, strike, later)
    return reaper
