"""What the names of queues, topics and buckets say, and the codes with which their services refuse. Pure."""

import re
from urllib.parse import urlsplit

NO_SUCH_QUEUE = frozenset({"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"})
"""The query protocol's code and the JSON protocol's."""

DENIED = frozenset(
    {
        "403",  # S3's to a HEAD, whose answer has no body
        "AccessDenied",
        "AccessDeniedException",
        "AuthorizationError",  # SNS's
        "KMS.AccessDeniedException",
        "KmsAccessDenied",
    }
)
"""SQS has both of the last ones: by the query protocol and by the JSON protocol."""

_QUEUE_HOST = re.compile(
    r"^(?:.+\.)?sqs(?:-fips)?\.(?P<region>[a-z]{2,}(?:-[a-z]+)+-\d+)\.|^(?P<legacy>[a-z0-9-]+)\.queue\."
)
"""Amazon Simple Queue Service endpoints and quotas; the second is the legacy form."""


def region_of_queue(url: str, otherwise: str) -> str:
    """The region that a queue's URL says, else the one given (an endpoint of one's own says none)."""
    found = _QUEUE_HOST.match(urlsplit(url).hostname or "")
    return (found["region"] or found["legacy"]) if found else otherwise


def region_of_topic(arn: str) -> str:
    """The region that a topic's ARN says."""
    return arn.split(":")[3]


def bucket_and_prefix(uri: str) -> tuple[str, str]:
    """Of s3://bucket/prefix: the bucket, and the prefix with a slash behind it, empty where there is none."""
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    prefix = prefix.strip("/")
    return bucket, f"{prefix}/" if prefix else ""
