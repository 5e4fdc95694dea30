"""Our signatures are botocore's, header by header."""

import datetime as dt

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import pytest

from consumer.aws.signer import Credentials, Signer

NOW = 1_795_260_324.75
CONTENT_TYPE = "application/x-amz-json-1.0"
PLAIN = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
TEMPORARY = Credentials("ASIAEXAMPLE", "secret", "token/with+all=kinds//of==characters")


def botocores_headers(
    monkeypatch: pytest.MonkeyPatch,
    *,
    service: str,
    region: str,
    url: str,
    target: str,
    body: bytes,
    credentials: Credentials,
    now: float = NOW,
) -> dict[str, str]:
    moment = dt.datetime.fromtimestamp(now, tz=dt.UTC)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: moment)
    request = botocore.awsrequest.AWSRequest(
        method="POST",
        url=url,
        data=body,
        headers={"Content-Type": CONTENT_TYPE, "X-Amz-Target": target},
    )
    keys = botocore.credentials.Credentials(credentials.access_key, credentials.secret_key, credentials.token)
    botocore.auth.SigV4Auth(keys, service, region).add_auth(request)
    return {name: str(value) for name, value in request.headers.items()}


@pytest.mark.parametrize("credentials", [PLAIN, TEMPORARY], ids=["plain", "temporary"])
@pytest.mark.parametrize(
    ("service", "region", "url"),
    [
        ("dynamodb", "us-east-1", "https://dynamodb.us-east-1.amazonaws.com"),
        ("dynamodb", "us-east-1", "https://dynamodb.us-east-1.amazonaws.com/"),
        ("kinesis", "eu-central-1", "https://kinesis.eu-central-1.amazonaws.com"),
        ("kinesis", "cn-north-1", "https://kinesis.cn-north-1.amazonaws.com.cn"),
        ("dynamodb", "us-gov-west-1", "https://dynamodb.us-gov-west-1.amazonaws.com:443"),
        ("dynamodb", "us-east-1", "http://127.0.0.1:4566"),
        ("dynamodb", "us-east-1", "http://localhost:80"),
        ("dynamodb", "us-east-1", "http://[::1]:4566"),
        ("kinesis", "us-east-1", "https://gateway.example:8443/aws/kinesis"),
        ("kinesis", "us-east-1", "https://gateway.example/a b/"),
    ],
)
@pytest.mark.parametrize(
    "body",
    [b"{}", b'{"TableName":"t"}', '{"name":"Zoë \U0001f600"}'.encode(), b"x" * 400_000],
    ids=["empty", "ascii", "unicode", "large"],
)
def test_a_signature_is_botocore_s(
    monkeypatch: pytest.MonkeyPatch,
    service: str,
    region: str,
    url: str,
    body: bytes,
    credentials: Credentials,
) -> None:
    target = "DynamoDB_20120810.PutItem"
    expected = botocores_headers(
        monkeypatch,
        service=service,
        region=region,
        url=url,
        target=target,
        body=body,
        credentials=credentials,
    )
    signer = Signer(service=service, region=region, url=url, content_type=CONTENT_TYPE, clock=lambda: NOW)
    headers = signer.headers(target, body, credentials)
    headers.pop("Host")  # botocore leaves it to its HTTP client, but signs it
    assert headers == expected


def test_a_new_day_and_new_keys_are_signed_with_a_new_signing_key(monkeypatch: pytest.MonkeyPatch) -> None:
    times = [NOW]
    url = "https://dynamodb.us-east-1.amazonaws.com"
    signer = Signer(
        service="dynamodb", region="us-east-1", url=url, content_type=CONTENT_TYPE, clock=lambda: times[-1]
    )
    for now, credentials in ((NOW, PLAIN), (NOW, TEMPORARY), (NOW + 86_400, TEMPORARY), (NOW, PLAIN)):
        times.append(now)
        expected = botocores_headers(
            monkeypatch,
            service="dynamodb",
            region="us-east-1",
            url=url,
            target="DynamoDB_20120810.GetItem",
            body=b"{}",
            credentials=credentials,
            now=now,
        )
        headers = signer.headers("DynamoDB_20120810.GetItem", b"{}", credentials)
        assert headers["Authorization"] == expected["Authorization"]


def test_a_correction_of_the_clock_is_signed() -> None:
    signer = Signer(
        service="dynamodb",
        region="us-east-1",
        url="https://dynamodb.us-east-1.amazonaws.com",
        content_type=CONTENT_TYPE,
        clock=lambda: NOW,
    )
    behind = signer.headers("t", b"{}", PLAIN)["X-Amz-Date"]
    ahead = signer.headers("t", b"{}", PLAIN, skew_seconds=3600.0)["X-Amz-Date"]
    assert (behind, ahead) == ("20261121T112524Z", "20261121T122524Z")


def test_secrets_are_not_shown_where_credentials_are_printed() -> None:
    assert "secret" not in repr(TEMPORARY)
    assert "token/" not in repr(TEMPORARY)
