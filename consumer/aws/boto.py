"""boto3's clients, and what botocore knows of regions and endpoints; never imported by a shard process."""

import os
from typing import TYPE_CHECKING, Literal, overload

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from consumer.errors import SettingsError

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_kinesis import KinesisClient

_CONFIG = Config(
    connect_timeout=3,
    read_timeout=10,
    retries={"mode": "standard", "total_max_attempts": 5},
    user_agent_extra="tidemark",
)


@overload
def boto_client(service: Literal["dynamodb"], region: str) -> "DynamoDBClient": ...
@overload
def boto_client(service: Literal["kinesis"], region: str) -> "KinesisClient": ...
def boto_client(service: Literal["dynamodb", "kinesis"], region: str) -> object:
    """A blocking client for what is not hot; endpoints and credentials by botocore's own rules."""
    return boto3.session.Session().client(service, region_name=region, config=_CONFIG)


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
