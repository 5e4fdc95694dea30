"""boto3's clients, and what botocore knows of regions and endpoints.

A shard process imports it with its first dead letter for AWS, and not before: boto3 and a client cost 20 MB.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, overload

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from consumer.errors import SettingsError, Unavailable

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_kinesis import KinesisClient
    from types_boto3_s3 import S3Client
    from types_boto3_sns import SNSClient
    from types_boto3_sqs import SQSClient


@overload
def boto_client(service: Literal["dynamodb"], region: str, *, attempts: int = ...) -> "DynamoDBClient": ...
@overload
def boto_client(service: Literal["kinesis"], region: str, *, attempts: int = ...) -> "KinesisClient": ...
@overload
def boto_client(service: Literal["s3"], region: str, *, attempts: int = ...) -> "S3Client": ...
@overload
def boto_client(service: Literal["sns"], region: str, *, attempts: int = ...) -> "SNSClient": ...
@overload
def boto_client(service: Literal["sqs"], region: str, *, attempts: int = ...) -> "SQSClient": ...
def boto_client(
    service: Literal["dynamodb", "kinesis", "s3", "sns", "sqs"], region: str, *, attempts: int = 5
) -> object:
    """A blocking client for what is not hot; endpoints and credentials by botocore's own rules.

    `attempts`: in all, a few seconds apart, where another may help; one waits 10 s for its answer.
    """
    config = Config(
        connect_timeout=3,
        read_timeout=10,
        retries={"mode": "standard", "total_max_attempts": attempts},
        user_agent_extra="tidemark",
    )
    return boto3.session.Session().client(service, region_name=region, config=config)


@contextmanager
def errors_as_unavailable(what: str) -> Iterator[None]:
    """What boto3 raises is raised as Unavailable, with the service's code: "<what>: <code>: <why>".

    An answer that is not the service's makes botocore raise whatever its parser meets, of no common root.
    """
    try:
        yield
    except ClientError as error:
        said = error.response["Error"]
        code = said.get("Code", "Unknown")
        raise Unavailable(f"{what}: {code}: {said.get('Message') or 'no message'}", code=code) from error
    except (BotoCoreError, ValueError) as error:  # ValueError: an endpoint that is no URL
        raise Unavailable(f"{what}: {error}", code=type(error).__name__) from error
    except Unavailable as error:
        raise Unavailable(f"{what}: {error}", code=error.code) from error
    except Exception as error:
        name = type(error).__name__
        raise Unavailable(f"{what}: {name}: {error}", code=name) from error


def default_region() -> str:
    """The region of the environment (AWS_REGION, AWS_DEFAULT_REGION) or else of the profile.

    Raises:
        SettingsError: none is set.
    """
    # botocore itself does not read AWS_REGION; the JVM's SDK reads nothing else.
    region = os.environ.get("AWS_REGION") or botocore.session.Session().get_config_variable("region")
    if not region:
        raise SettingsError("no AWS region is set: set AWS_REGION, or `region` in the AWS profile")
    return str(region)


def endpoint_url(service: str, region: str) -> str:
    """Where botocore would call a service: AWS_ENDPOINT_URL_<SERVICE>, AWS_ENDPOINT_URL, the profile, or AWS.

    Raises:
        SettingsError: botocore knows no such service, or the region's name is not one.
    """
    return _endpoint_url(service, region, Config())


def is_endpoint_overridden(service: str, region: str) -> bool:
    """Whether the environment or the profile names another endpoint than AWS's own.

    Raises:
        SettingsError: as endpoint_url.
    """
    ignoring = Config(ignore_configured_endpoint_urls=True)  # type: ignore[call-arg]  # the stubs lack it
    own = _endpoint_url(service, region, ignoring)
    return endpoint_url(service, region) != own


def _endpoint_url(service: str, region: str, config: Config) -> str:
    try:
        client = botocore.session.Session().create_client(
            service,
            region_name=region,
            # An endpoint needs no credentials: without these the whole chain would be asked for them.
            aws_access_key_id="none",
            aws_secret_access_key="none",  # noqa: S106 - not a secret
            config=config,
        )
    except (BotoCoreError, ValueError) as error:
        text = str(error).split(". Valid service names", 1)[0]
        raise SettingsError(f"no endpoint of {service!r} in region {region!r}: {text}") from error
    return str(client.meta.endpoint_url)
