"""Regions and endpoints are found where botocore finds them, and said plainly where there are none."""

from pathlib import Path

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from botocore.parsers import ResponseParserError

from consumer.aws.boto import (
    boto_client,
    default_region,
    endpoint_url,
    errors_as_unavailable,
    is_endpoint_overridden,
)
from consumer.errors import SettingsError, Unavailable

VARIABLES = (
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_PROFILE",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_KINESIS",
    "AWS_ENDPOINT_URL_DYNAMODB",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
)


@pytest.fixture(autouse=True)
def profile(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An AWS configuration file of the test's own, and none of the machine's variables."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / "config"
    path.write_text("")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(path))
    return path


def test_no_region_anywhere_is_a_settings_error_that_says_what_to_set() -> None:
    with pytest.raises(SettingsError, match="AWS_REGION"):
        default_region()


def test_a_region_comes_from_the_environment_before_the_profile(
    monkeypatch: pytest.MonkeyPatch, profile: Path
) -> None:
    profile.write_text("[default]\nregion = eu-north-1\n")
    assert default_region() == "eu-north-1"
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    assert default_region() == "eu-west-1"
    monkeypatch.setenv("AWS_REGION", "eu-west-2")
    assert default_region() == "eu-west-2"


def test_an_endpoint_is_aws_s_own_where_nothing_is_set() -> None:
    assert endpoint_url("dynamodb", "eu-west-1") == "https://dynamodb.eu-west-1.amazonaws.com"
    assert not is_endpoint_overridden("dynamodb", "eu-west-1")


def test_a_service_s_own_variable_goes_before_the_common_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
    monkeypatch.setenv("AWS_ENDPOINT_URL_KINESIS", "http://127.0.0.1:4567")
    assert endpoint_url("dynamodb", "eu-west-1") == "http://127.0.0.1:4566"
    assert endpoint_url("kinesis", "eu-west-1") == "http://127.0.0.1:4567"
    assert is_endpoint_overridden("kinesis", "eu-west-1")


def test_a_profile_may_name_an_endpoint(profile: Path) -> None:
    profile.write_text("[default]\nendpoint_url = http://127.0.0.1:4568\n")
    assert endpoint_url("kinesis", "eu-west-1") == "http://127.0.0.1:4568"


@pytest.mark.parametrize(
    ("service", "region"), [("dynamodb", "not a region"), ("no-such-service", "eu-west-1")]
)
def test_an_endpoint_that_can_t_be_is_a_settings_error_of_one_line(service: str, region: str) -> None:
    with pytest.raises(SettingsError, match="no endpoint of") as raised:
        endpoint_url(service, region)
    assert len(str(raised.value)) < 200


def test_a_boto3_client_is_for_the_region_asked_for() -> None:
    assert boto_client("kinesis", "eu-west-1").meta.region_name == "eu-west-1"
    assert (
        boto_client("dynamodb", "eu-west-2").meta.endpoint_url == "https://dynamodb.eu-west-2.amazonaws.com"
    )


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        pytest.param(
            ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "DeleteMessage"),
            "AccessDenied",
            "queue q: AccessDenied: no",
            id="the service refused",
        ),
        pytest.param(
            EndpointConnectionError(endpoint_url="http://127.0.0.1:1"),
            "EndpointConnectionError",
            'queue q: Could not connect to the endpoint URL: "http://127.0.0.1:1"',
            id="nobody answered",
        ),
        pytest.param(
            ResponseParserError("invalid XML received"),
            "ResponseParserError",
            "queue q: ResponseParserError: invalid XML received",
            id="a proxy answered",
        ),
        pytest.param(
            AttributeError("'list' object has no attribute 'get'"),
            "AttributeError",
            "queue q: AttributeError: 'list' object has no attribute 'get'",
            id="a proxy answered by a JSON list",
        ),
    ],
)
def test_whatever_boto3_raises_is_unavailable_with_its_code(error: Exception, code: str, text: str) -> None:
    with pytest.raises(Unavailable) as raised, errors_as_unavailable("queue q"):
        raise error
    assert (raised.value.code, str(raised.value)) == (code, text)
