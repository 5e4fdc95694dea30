"""Kinesis Data Streams: what ministack gets wrong about shards, iterators, retention and enhanced fan-out.

A module for each gap; each says the gap, what AWS documents, and when it may go. Streams stay in ministack's
own store (model.py says what we add to it), so that what we do not patch keeps working. Nothing here knows
DynamoDB.
"""

from sandbox.emulator import Emulator
from sandbox.kinesis import cbor, expiry, fan_out, listing, reading, resharding
from sandbox.kinesis.streams import Clock


def apply(emulator: Emulator, clock: Clock) -> None:
    """Put right all of Kinesis, before the first request. `clock` is seconds of the wall clock."""
    expiry.apply(emulator.kinesis, clock)
    resharding.apply(emulator.kinesis, clock)
    listing.apply(emulator.kinesis, clock)
    reading.apply(emulator.kinesis, clock)
    fan_out.apply(emulator.kinesis, emulator.responses, clock)
    cbor.apply(emulator.kinesis)
