"""The AWS services we call by their JSON protocol, and whose fault each error code is."""

import re
from dataclasses import dataclass
from types import MappingProxyType

from consumer.errors import SettingsError

_THROTTLING = frozenset(
    {
        "BandwidthLimitExceeded",
        "KMSThrottlingException",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "TooManyRequestsException",
    }
)
"""AWS SDKs and Tools Reference Guide, "Retry behavior": throttling errors (Kinesis: LimitExceeded)."""

_TRANSIENT = frozenset(
    {
        "InternalFailure",
        "InternalServerError",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceUnavailable",
    }
)
"""The same page: transient errors; every 5xx is one too, whatever its code."""

_ABOUT_SIZE = re.compile(r"\bsize\b", re.IGNORECASE)
"""DynamoDB has no code for it: "Item size has exceeded the maximum allowed size", "Size of hashkey has …"."""


@dataclass(frozen=True, slots=True)
class Service:
    """How one service is called. All codes that are neither retried nor rejected mean Unavailable at once.

    Attributes:
        name: botocore's name of it, also the name it is signed for.
        target_prefix: what stands before the operation's name in X-Amz-Target.
        content_type: names the version of the JSON protocol.
        rejected: closed list: the record is at fault, and no other record would be.
        retried: worth a quick second try.
    """

    name: str
    target_prefix: str
    content_type: str
    rejected: frozenset[str] = frozenset()
    retried: frozenset[str] = _THROTTLING | _TRANSIENT


_SERVICES = MappingProxyType(
    {
        service.name: service
        for service in (
            Service(
                name="dynamodb",
                target_prefix="DynamoDB_20120810",
                content_type="application/x-amz-json-1.0",
                # Amazon DynamoDB Developer Guide, "Error handling with DynamoDB". A table that is missing,
                # encrypted with a disabled key, or not ours to write fails every record alike: not here.
                rejected=frozenset(
                    {
                        "ItemCollectionSizeLimitExceededException",
                        "SerializationException",
                        "ValidationException",
                    }
                ),
                retried=_THROTTLING
                | _TRANSIENT
                | {
                    "ReplicatedWriteConflictException",
                    "TransactionConflictException",
                    "TransactionInProgressException",
                },
            ),
            # Only read from: no record of ours is in a request, so none can be at fault.
            Service(
                name="kinesis", target_prefix="Kinesis_20131202", content_type="application/x-amz-json-1.1"
            ),
        )
    }
)


def service_named(name: str) -> Service:
    """The table's row.

    Raises:
        SettingsError: a service that is not in the table.
    """
    try:
        return _SERVICES[name]
    except KeyError:
        raise SettingsError(
            f"{name!r} is not one of the services called by JSON: {', '.join(_SERVICES)}"
        ) from None


def is_about_size(message: str) -> bool:
    """Whether a service refused something for being too large: no other record's fault, nor the store's."""
    return _ABOUT_SIZE.search(message) is not None
