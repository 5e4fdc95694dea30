"""What a pod finds where its dead letters are to go."""

import io
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from consumer.errors import SettingsError, Unavailable
from consumer.log import open_log
from consumer.pod.letters import LetterClients, look_at_letters, try_files
from consumer.pod.preflight import inspect
from consumer.pod.start import prepare
from consumer.stores.opened import Stores
from sandbox.faults.fault import Fault
from sandbox.process import SandboxProcess
from tests.integration.pod.conftest import REGION, Shop

TWO_WEEKS = "1209600"


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, sandbox: SandboxProcess) -> None:
    for name, value in sandbox.environment.items():
        monkeypatch.setenv(name, value)


class Denying:
    """A client of AWS for somebody who may do nothing."""

    def __getattr__(self, operation: str) -> Any:  # noqa: ANN401 - any of boto3's methods
        def denied(**_: object) -> None:
            code = {"head_bucket": "403", "get_topic_attributes": "AuthorizationError"}
            raise ClientError(
                {"Error": {"Code": code.get(operation, "AccessDenied"), "Message": "no"}}, operation
            )

        return denied


def create_queue(shop: Shop, **attributes: str) -> str:
    created = shop.aws.sqs.create_queue(QueueName=shop.prefix, Attributes=attributes)  # type: ignore[arg-type]  # literals
    return created["QueueUrl"]


def to(**on_failure: object) -> dict[str, dict[str, object]]:
    return {"on_failure": on_failure}


async def test_a_good_queue_bucket_and_topic_are_told_without_a_warning(shop: Shop, stores: Stores) -> None:
    shop.make_all()
    url = create_queue(shop, MessageRetentionPeriod=TWO_WEEKS)
    shop.aws.s3.create_bucket(Bucket=shop.prefix)
    topic = shop.aws.sns.create_topic(Name=shop.prefix)["TopicArn"]
    delivery = to(sqs=url, claim_check=f"s3://{shop.prefix}/large", sns=topic)

    found = await inspect(shop.settings(delivery=delivery), stores, REGION)

    assert found.warnings == ()
    assert found.letters.retention_seconds == 14 * 86_400
    assert found.letters.told == [
        f"queue {url}, keeps letters 14 d, takes 1,048,576 bytes a message",
        f"bucket {shop.prefix}, is there",
        f"topic {topic}, is there",
    ]


def test_a_queue_that_drops_letters_early_or_takes_no_large_ones_is_warned_of_with_the_way_out(
    shop: Shop,
) -> None:
    url = create_queue(shop, MessageRetentionPeriod="345600", MaximumMessageSize="262144")

    found = look_at_letters(shop.settings(delivery=to(sqs=url)), REGION)

    retention, size = found.warnings
    assert (
        "delivery.on_failure.sqs: the queue drops a letter after 4 d; make that 14 days: aws sqs" in retention
    )
    assert f"--queue-url {url} --attributes MessageRetentionPeriod=1209600" in retention
    assert "delivery.on_failure.sqs: the queue takes 262,144 bytes" in size
    assert "set claim_check" in size
    assert found.retention_seconds == 345_600
    assert found.problems == []


async def test_what_is_not_there_is_told_at_once_with_what_to_do(shop: Shop, stores: Stores) -> None:
    shop.make_all()
    url = create_queue(shop)
    shop.aws.sqs.delete_queue(QueueUrl=url)
    topic = f"arn:aws:sns:us-east-1:000000000000:{shop.prefix}"
    own = shop.processor("view") | {"delivery": to(s3=f"s3://{shop.prefix}/dead")}
    delivery = to(sqs=url, claim_check=f"s3://{shop.prefix}-large", sns=topic)

    with pytest.raises(SettingsError) as caught:
        await inspect(shop.settings(delivery=delivery, processors=[own]), stores, REGION)

    create = "create it, or correct the name"
    assert str(caught.value).splitlines() == [
        f"delivery.on_failure.sqs: there is no queue {url}; create it, or correct the URL",
        f"delivery.on_failure.claim_check: there is no bucket '{shop.prefix}-large'; {create}",
        f"delivery.on_failure.sns: there is no topic {topic}; create it, or correct the ARN",
        f"processors.view.delivery.on_failure.s3: there is no bucket '{shop.prefix}'; {create}",
    ]


def test_whoever_may_not_look_is_told_which_permission_it_takes(shop: Shop) -> None:
    delivery = to(
        sqs="https://sqs.us-east-1.amazonaws.com/123456789012/letters",
        claim_check="s3://large",
        sns="arn:aws:sns:us-east-1:123456789012:letters",
    )

    def denying(_: str) -> Any:  # noqa: ANN401 - one for every service
        return Denying()

    found = look_at_letters(
        shop.settings(delivery=delivery), REGION, LetterClients(denying, denying, denying)
    )

    for problem, permission in zip(
        found.problems, ("sqs:GetQueueAttributes", "s3:ListBucket", "sns:GetTopicAttributes"), strict=True
    ):
        assert "not allowed to look at" in problem
        assert f"allow {permission} on it" in problem


@pytest.mark.parametrize("service", ["sqs", "s3", "sns"])
def test_a_service_that_can_t_be_asked_now_is_waited_for(
    shop: Shop, sandbox: SandboxProcess, service: str
) -> None:
    url = create_queue(shop)
    shop.aws.s3.create_bucket(Bucket=shop.prefix)
    topic = shop.aws.sns.create_topic(Name=shop.prefix)["TopicArn"]
    settings = shop.settings(delivery=to(sqs=url, claim_check=f"s3://{shop.prefix}", sns=topic))
    fault = Fault(kind="down", service=service, resource=f"*{shop.prefix}")

    with sandbox.faults.applied(fault), pytest.raises(Unavailable, match=r"delivery\.on_failure"):
        look_at_letters(settings, REGION)

    assert look_at_letters(settings, REGION).problems == []


def test_places_in_the_settings_are_asked_for_once_and_one_that_nobody_uses_is_none(shop: Shop) -> None:
    shop.aws.s3.create_bucket(Bucket=shop.prefix)
    one, other = (
        shop.processor(name) | {"delivery": to(s3=f"s3://{shop.prefix}/dead")} for name in ("one", "other")
    )

    assert look_at_letters(shop.settings(processors=[one, other]), REGION).told == [
        f"bucket {shop.prefix}, is there"
    ]
    assert look_at_letters(shop.settings(), REGION).told == []


async def test_shard_processes_are_told_how_long_the_queues_keep_letters(
    shop: Shop, stores: Stores, sandbox: SandboxProcess
) -> None:
    shop.make_all()
    url = create_queue(shop, MessageRetentionPeriod="345600")

    context = await prepare(
        shop.settings(delivery=to(sqs=url)),
        stores,
        worker_id="pod-0",
        region=REGION,
        endpoint_url=lambda _service, _region: sandbox.endpoint,
        log=open_log(io.BytesIO()),
    )

    assert context.dead_letter_retention_seconds == 345_600


async def test_a_file_that_can_t_be_written_ends_the_start(
    shop: Shop, stores: Stores, sandbox: SandboxProcess, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    file = {"path": str(tmp_path / "file" / "letters.jsonl"), "durable": True}
    shop.make_all()

    with pytest.raises(SettingsError, match="nothing can be written into"):
        await prepare(
            shop.settings(delivery=to(file=file)),
            stores,
            worker_id="pod-0",
            region=REGION,
            endpoint_url=lambda _service, _region: sandbox.endpoint,
            log=open_log(io.BytesIO()),
        )


def test_a_dead_letter_file_is_tried_and_a_place_that_can_t_be_written_is_told(
    shop: Shop, tmp_path: Path
) -> None:
    good, bad = tmp_path / "volume" / "letters.jsonl", tmp_path / "file" / "letters.jsonl"
    (tmp_path / "file").write_text("in the way")

    try_files(shop.settings(delivery=to(file={"path": str(good), "durable": True})))
    assert list(good.parent.iterdir()) == []
    with pytest.raises(
        SettingsError, match=r"delivery\.on_failure\.file: nothing can be written into .*/file: "
    ):
        try_files(shop.settings(delivery=to(file={"path": str(bad), "durable": True})))
