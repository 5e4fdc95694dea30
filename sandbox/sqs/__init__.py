"""SQS, where ministack differs from AWS: a module for each gap. Queues stay in ministack's own store."""

from sandbox.emulator import Service
from sandbox.sqs import size


def apply(sqs: Service) -> None:
    """Put right all of SQS, before the first request."""
    size.apply(sqs)
