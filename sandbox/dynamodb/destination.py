"""The table's Kinesis destination: each write that changes something becomes a record in AWS's shape.

The gap and what AWS documents stand in records.py. ministack calls `_fan_out_to_kinesis` at each write, in
order, with a native record that carries both images; this takes it from there.
"""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.dynamodb.clock import CreationClock, coarse
from sandbox.dynamodb.delivery import Delivery, Later
from sandbox.dynamodb.records import Change, Item, envelope, partition_key, same_item
from sandbox.emulator import Emulator, Service
from sandbox.faults.fault import Fault

Strike = Callable[[str, str], list[Fault]]  # (table, stream) -> the faults that strike a record on its way


@dataclass(frozen=True, slots=True)
class Destination:
    """Makes records of writes and hands them to the delivery. `new_id` makes event ids."""

    dynamodb: Service
    responses: Service
    clock: CreationClock
    delivery: Delivery
    strike: Strike
    new_id: Callable[[], str]

    def deliver_change(self, table: str, native: Mapping[str, Any]) -> None:
        """Send a write on to each active destination of its table; `native` is ministack's record of it."""
        destinations = [
            destination
            for destination in self.dynamodb["_kinesis_destinations"].get(table, [])
            if destination["DestinationStatus"] == "ACTIVE"
        ]
        details = native["dynamodb"]
        old, new = details.get("OldImage"), details.get("NewImage")
        if not destinations or (old is not None and new is not None and same_item(old, new)):
            return
        change = self._change(table, native, details["Keys"], old, new)
        key = partition_key(table, change.keys)
        microseconds = self.clock.next((self.responses["get_account_id"](), change.region, table))
        for destination in destinations:
            arn = destination["StreamArn"]
            struck = self.strike(table, arn)
            step = max((fault.delay_seconds for fault in struck if fault.kind == "coarse_clock"), default=0.0)
            data = envelope(
                change,
                event_id=self.new_id(),
                microseconds=coarse(microseconds, step),
                precision=destination["ApproximateCreationDateTimePrecision"],
            )
            self.delivery.deliver(arn, key, data, struck)

    def _change(
        self, table: str, native: Mapping[str, Any], keys: Item, old: Item | None, new: Item | None
    ) -> Change:
        size = self.dynamodb["_item_size_bytes"]
        identity = native.get("userIdentity")
        return Change(
            table=table,
            region=native["awsRegion"],
            event_name=native["eventName"],
            keys=keys,
            old=old,
            new=new,
            user_identity=identity and {"type": identity["Type"], "principalId": identity["PrincipalId"]},
            size_bytes=size(keys) + (size(old) if old else 0) + (size(new) if new else 0),
        )


def apply(emulator: Emulator, clock: Callable[[], float], strike: Strike, later: Later) -> None:
    """Replace how ministack delivers a table's changes to Kinesis."""
    kinesis, dynamodb = emulator.kinesis, emulator.dynamodb

    def shard_of(stream_arn: str, key: str) -> str:
        stream = kinesis["_resolve_stream_by_arn"](stream_arn)
        if stream is None:
            return ""
        shard: str = kinesis["_route_to_shard"](kinesis["_partition_key_to_hash"](key), stream)
        return shard

    dynamodb["_fan_out_to_kinesis"] = Destination(
        dynamodb=dynamodb,
        responses=emulator.responses,
        clock=CreationClock(clock),
        delivery=Delivery(shard_of, kinesis["put_record_internal"], later),
        strike=strike,
        new_id=lambda: str(uuid.uuid4()),
    ).deliver_change
