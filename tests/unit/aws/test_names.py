"""What the names of queues and topics say."""

import pytest

from consumer.aws.names import region_of_queue, region_of_topic


@pytest.mark.parametrize(
    ("url", "region"),
    [
        ("https://sqs.eu-west-1.amazonaws.com/123456789012/q", "eu-west-1"),
        ("https://sqs-fips.us-gov-west-1.amazonaws.com/123456789012/q", "us-gov-west-1"),
        ("https://sqs.cn-north-1.amazonaws.com.cn/123456789012/q", "cn-north-1"),
        ("https://sqs.eu-west-1.api.aws/123456789012/q", "eu-west-1"),
        ("https://vpce-0a1b2c.sqs.ap-south-1.vpce.amazonaws.com/123456789012/q", "ap-south-1"),
        ("https://eu-west-3.queue.amazonaws.com/123456789012/q", "eu-west-3"),
        ("http://127.0.0.1:4566/000000000000/q", "ca-central-1"),
        ("http://sqs.internal.example/q", "ca-central-1"),
    ],
)
def test_a_queues_region_is_its_urls_or_else_the_pods(url: str, region: str) -> None:
    assert region_of_queue(url, "ca-central-1") == region


def test_a_topics_region_is_its_arns() -> None:
    assert region_of_topic("arn:aws-cn:sns:cn-north-1:123456789012:letters") == "cn-north-1"
