"""How a service says that it is throttling, that it failed, or that it refuses: the errors of each protocol.

The codes are those of each service's API reference, "Common errors" and the operation's own errors.
"""

from collections.abc import Mapping

import orjson

from sandbox.faults.request import AwsRequest
from sandbox.wire import Response, error

# Control operations are throttled by another error than reads and writes of data.
THROTTLED: Mapping[str, str] = {
    "dynamodb": "ThrottlingException",
    "dynamodbstreams": "ThrottlingException",
    "kinesis": "LimitExceededException",
    "sqs": "RequestThrottled",
    "sns": "Throttling",
    "s3": "SlowDown",
}
THROTTLED_DATA = "ProvisionedThroughputExceededException"
DATA_OPERATIONS = frozenset(
    {
        *(
            "PutItem",
            "GetItem",
            "UpdateItem",
            "DeleteItem",
            "Query",
            "Scan",
            "BatchGetItem",
            "BatchWriteItem",
        ),
        *("TransactWriteItems", "TransactGetItems", "ExecuteStatement", "BatchExecuteStatement"),
        *("PutRecord", "PutRecords", "GetRecords", "GetShardIterator"),
    }
)
TRANSACTIONS = frozenset({"TransactWriteItems", "TransactGetItems"})
FAILED: Mapping[str, str] = {
    "dynamodb": "InternalServerError",
    "dynamodbstreams": "InternalServerError",
    "s3": "InternalError",
    "sqs": "InternalError",
}
XML = """<?xml version="1.0" encoding="UTF-8"?>
<ErrorResponse><Error><Type>{kind}</Type><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"""
S3_XML = """<?xml version="1.0" encoding="UTF-8"?>
<Error><Code>{code}</Code><Message>{message}</Message></Error>"""


def throttled(request: AwsRequest) -> Response:
    """Answer that there were too many requests."""
    service = request.service
    code = THROTTLED.get(service, "ThrottlingException")
    if request.operation in DATA_OPERATIONS:
        code = THROTTLED_DATA
    return _error(request, 503 if service == "s3" else 400, code, "The sandbox throttles this request.")


def failed(request: AwsRequest) -> Response:
    """Answer that the service failed; whether the request was carried out is open."""
    code = FAILED.get(request.service, "InternalFailure")
    return _error(request, 500, code, "The sandbox fails this request.")


def rejected(request: AwsRequest) -> Response:
    """Answer that the request is not valid."""
    return _error(request, 400, "ValidationException", "The sandbox rejects this request.")


def conflicting(request: AwsRequest) -> Response:
    """Answer that another transaction is under way on an item: on the first, where there are several.

    "Transaction conflict handling in DynamoDB" (Amazon DynamoDB Developer Guide).
    """
    message = "Transaction is ongoing for the item"
    if request.operation not in TRANSACTIONS:
        return _error(request, 400, "TransactionConflictException", message)
    code = "TransactionCanceledException"
    others = len(orjson.loads(request.body)["TransactItems"]) - 1
    document = {
        "__type": code,
        "Message": "Transaction cancelled, please refer cancellation reasons for specific reasons "
        f"[{', '.join(['TransactionConflict'] + ['None'] * others)}]",
        "CancellationReasons": [{"Code": "TransactionConflict", "Message": message}]
        + [{"Code": "None"}] * others,
    }
    status, headers, _ = error(400, code, "")
    return status, headers, orjson.dumps(document)


def down(http_version: str) -> Response:
    """Answer as a load balancer without a service behind it does."""
    # HTTP/2 has no such header, and its connection is shared with requests that are not struck.
    return 503, {"Connection": "close"} if http_version.startswith("1") else {}, b""


def _error(request: AwsRequest, status: int, code: str, message: str) -> Response:
    if request.service == "s3":
        return status, {"Content-Type": "application/xml"}, S3_XML.format(code=code, message=message).encode()
    if "x-amz-target" not in request.headers:
        kind = "Receiver" if status >= 500 else "Sender"  # noqa: PLR2004 - HTTP's server errors
        body = XML.format(kind=kind, code=code, message=message)
        return status, {"Content-Type": "text/xml"}, body.encode()
    return error(status, code, message)
