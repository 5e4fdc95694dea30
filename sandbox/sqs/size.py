"""A message's attributes are part of its size.

The gap: ministack holds a message's body alone against the queue's MaximumMessageSize. AWS (Amazon SQS API
Reference, "MessageAttributeValue"): "All parts of the message attribute, including Name, Type, and Value, are
part of the message size restriction". A ministack that counts them lets this go.
"""

import base64
from collections.abc import Mapping
from typing import Any

from sandbox.emulator import Service

Request = Mapping[str, Any]


def apply(sqs: Service) -> None:
    """Refuse what is too large only with its attributes; what is too large without, ministack refuses."""
    send = sqs["_act_send_message"]

    def send_message(request: Request, url: str) -> object:
        queue = sqs["_get_q"](request.get("QueueUrl", url), "sqs:SendMessage")
        limit = int(queue["attributes"]["MaximumMessageSize"])
        size = len(request.get("MessageBody", "").encode()) + attributes_size(request)
        if size > limit:
            raise sqs["_Err"](
                "InvalidParameterValue",
                f"One or more parameters are invalid. Reason: Message must be shorter than {limit} bytes.",
            )
        sent: object = send(request, url)
        return sent

    sqs["_act_send_message"] = send_message
    sqs["_HANDLERS"]["SendMessage"] = send_message


def attributes_size(request: Request) -> int:
    """Bytes of a request's message attributes."""
    return sum(
        len(name.encode()) + len(value["DataType"].encode()) + _value_size(value)
        for name, value in (request.get("MessageAttributes") or {}).items()
    )


def _value_size(value: Mapping[str, str]) -> int:
    if "StringValue" in value:
        return len(value["StringValue"].encode())
    return len(base64.b64decode(value.get("BinaryValue", "")))
