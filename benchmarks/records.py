"""Change records as a table's Kinesis destination delivers them, and the daemon's messages with them."""

import base64
import json
import random
import uuid
from collections.abc import Iterable, Iterator
from itertools import count, islice

from consumer.record import Image

TABLE = "orders"
KEYS = 5_000
RECORDS_A_MESSAGE = 2_000
_FIRST_MICROS = 1_795_250_544_000_000
_FIRST_SEQUENCE_NUMBER = 49_600_000_000_000_000_000_000_000_000_000_000_000


def envelope(number: int, chance: random.Random, keys: int = KEYS) -> bytes:
    """One order's change, about a kilobyte."""
    order = f"o-{number % keys}"
    image: Image = {
        "orderId": {"S": order},
        "customerId": {"S": f"customer-{chance.randrange(10**6):06}"},
        "status": {"S": "PLACED"},
        "totalPrice": {"N": f"{chance.randrange(10**5) / 100:.2f}"},
        "createdAt": {"S": "2026-01-31T00:00:00Z"},
        "note": {"S": "x" * 110},
        "quantity": {"N": str(chance.randrange(1, 9))},
        "gift": {"BOOL": True},
        "tags": {"L": [{"S": "a"}, {"S": "b"}]},
    }
    document = {
        "awsRegion": "us-east-1",
        "eventID": str(uuid.UUID(int=chance.getrandbits(128))),
        "eventName": "MODIFY",
        "userIdentity": None,
        "recordFormat": "application/json",
        "tableName": TABLE,
        "dynamodb": {
            "ApproximateCreationDateTime": _FIRST_MICROS + number,
            "Keys": {"orderId": {"S": order}},
            "NewImage": image,
            "OldImage": {**image, "status": {"S": "NEW"}, "note": {"S": "y" * 40}},
            "SizeBytes": 500,
            "ApproximateCreationDateTimePrecision": "MICROSECOND",
        },
        "eventSource": "aws:dynamodb",
    }
    return json.dumps(document, separators=(",", ":")).encode()


def envelopes(how_many: int, keys: int = KEYS) -> Iterator[bytes]:
    """The same records in every run, of so many orders by turns."""
    chance = random.Random(20261121)
    return (envelope(number, chance, keys) for number in range(how_many))


def newest_versions(how_many: int, keys: int = KEYS) -> dict[str, int]:
    """Of each order, the microseconds that its last change carries."""
    return {f"o-{number % keys}": _FIRST_MICROS + number for number in range(how_many)}


def messages(records: Iterable[bytes], arrived_at_ms: int) -> Iterator[bytes]:
    """The records as processRecords lines, each made when it is asked for."""
    numbers = count(_FIRST_SEQUENCE_NUMBER)
    waiting = iter(records)
    while data := list(islice(waiting, RECORDS_A_MESSAGE)):
        batch = [
            {
                "action": "record",
                "data": base64.b64encode(record).decode("ascii"),
                "partitionKey": "a" * 32,
                "sequenceNumber": str(next(numbers)),
                "approximateArrivalTimestamp": arrived_at_ms,
                "subSequenceNumber": 0,
            }
            for record in data
        ]
        line = {"action": "processRecords", "records": batch, "millisBehindLatest": 0}
        yield json.dumps(line, separators=(",", ":")).encode() + b"\n"
