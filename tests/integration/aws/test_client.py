"""What the client makes of a service's answers: a scripted server on the loopback, then the sandbox."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import aiohttp
import orjson
import pytest
import pytest_asyncio
from aiohttp import web

from consumer.aws.client import Address, AwsClient, CallPolicy
from consumer.aws.clients import open_clients
from consumer.aws.services import service_named
from consumer.aws.signer import Credentials
from consumer.errors import Rejected, SettingsError, Unavailable
from sandbox.process import SandboxProcess
from tests.support.aws import FixedCredentials, clients_of

KEYS = Credentials("AKIDEXAMPLE", "secret")
QUICK = CallPolicy(connect_timeout=1.0, total_timeout=1.0, retries=3, retry_base=0.0)
CONDITION = "ConditionalCheckFailedException"


def ok(body: bytes = b"{}", **headers: str) -> Callable[[], web.StreamResponse]:
    return lambda: web.Response(body=body, headers=headers)


def error(code: str, status: int = 400, **headers: str) -> Callable[[], web.StreamResponse]:
    body = orjson.dumps({"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": f"it says {code}"})
    return lambda: web.Response(status=status, body=body, headers=headers)


def hang_up() -> web.StreamResponse:
    raise ConnectionResetError


@dataclass(slots=True)
class ScriptedServer:
    """Gives the answers it was told to, in order; then none."""

    answers: list[Callable[[], web.StreamResponse]] = field(default_factory=list)
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append((dict(request.headers), await request.read()))
        if not self.answers:
            await asyncio.sleep(30)
        answer = self.answers.pop(0)
        if answer is hang_up and request.transport is not None:
            request.transport.close()
        return answer() if answer is not hang_up else web.Response()


@pytest_asyncio.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    scripted = ScriptedServer()
    application = web.Application()
    application.router.add_post("/", scripted.handle)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    scripted.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield scripted
    await runner.cleanup()


@pytest.fixture
def credentials() -> FixedCredentials:
    return FixedCredentials(KEYS)


@pytest_asyncio.fixture
async def client(server: ScriptedServer, credentials: FixedCredentials) -> AsyncIterator[AwsClient]:
    async with open_clients(
        lambda _service, _region: server.url, credentials=credentials, policy=QUICK
    ) as clients:
        yield clients.client("dynamodb", "us-east-1")


async def test_a_request_carries_target_content_type_signature_and_its_body(
    client: AwsClient, server: ScriptedServer
) -> None:
    server.answers = [ok(b'{"Item":{"id":{"S":"o-1"}}}')]
    answer = await client.call("GetItem", {"TableName": "orders"})
    assert answer == ({"Item": {"id": {"S": "o-1"}}}, None)
    headers, body = server.requests[0]
    assert body == b'{"TableName":"orders"}'
    assert headers["X-Amz-Target"] == "DynamoDB_20120810.GetItem"
    assert headers["Content-Type"] == "application/x-amz-json-1.0"
    assert headers["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
    assert server.url.endswith(headers["Host"])


async def test_bytes_are_sent_as_they_are(client: AwsClient, server: ScriptedServer) -> None:
    server.answers = [ok()]
    await client.call("PutItem", b'{ "TableName" : "orders" }')
    assert server.requests[0][1] == b'{ "TableName" : "orders" }'


async def test_an_expected_error_is_an_answer(client: AwsClient, server: ScriptedServer) -> None:
    server.answers = [error(CONDITION)]
    answer = await client.call("PutItem", {}, expect=(CONDITION,))
    assert answer.error == CONDITION
    assert answer.body["message"] == f"it says {CONDITION}"


@pytest.mark.parametrize(
    "code",
    ["ValidationException", "ItemCollectionSizeLimitExceededException", "SerializationException"],
)
async def test_the_record_s_own_fault_is_rejected_at_once(
    client: AwsClient, server: ScriptedServer, code: str
) -> None:
    server.answers = [error(code)]
    with pytest.raises(Rejected, match=f"dynamodb PutItem: it says {code}") as raised:
        await client.call("PutItem", {})
    assert raised.value.code == code
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "code",
    [
        "AccessDeniedException",
        "ResourceNotFoundException",
        "ExpiredTokenException",
        "TransactionCanceledException",
        "ResourceInUseException",
        CONDITION,
        "NobodyKnowsThisException",
    ],
)
async def test_any_other_error_is_an_outage_and_not_tried_again_at_once(
    client: AwsClient, server: ScriptedServer, code: str
) -> None:
    server.answers = [error(code)]
    with pytest.raises(Unavailable, match=code) as raised:
        await client.call("PutItem", {})
    assert raised.value.code == code
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param(error("ThrottlingException"), id="throttled"),
        pytest.param(error("ProvisionedThroughputExceededException"), id="throughput"),
        pytest.param(error("TransactionConflictException"), id="conflict"),
        pytest.param(error("InternalServerError", 500), id="500"),
        pytest.param(lambda: web.Response(status=503), id="503 without a body"),
        pytest.param(ok(b"{}", **{"x-amz-crc32": "1"}), id="wrong checksum"),
        pytest.param(ok(b"<html>"), id="not JSON"),
        pytest.param(ok(b"[]"), id="JSON, but no object"),
        pytest.param(lambda: web.Response(status=502, body=b'"bad gateway"'), id="a proxy's text"),
        pytest.param(lambda: web.Response(status=503, body=b"null"), id="a proxy's null"),
        pytest.param(hang_up, id="connection closed"),
    ],
)
async def test_a_passing_trouble_is_overcome_by_quick_retries(
    client: AwsClient, server: ScriptedServer, trouble: Callable[[], web.StreamResponse]
) -> None:
    server.answers = [trouble, trouble, trouble, ok(b'{"done":true}')]
    assert (await client.call("PutItem", {})).body == {"done": True}


async def test_a_trouble_that_stays_is_unavailable_with_its_code(
    client: AwsClient, server: ScriptedServer
) -> None:
    server.answers = [error("ThrottlingException")] * 4
    with pytest.raises(Unavailable) as raised:
        await client.call("PutItem", {})
    assert raised.value.code == "ThrottlingException"
    assert len(server.requests) == 4


async def test_a_service_that_does_not_answer_in_time_is_unavailable(
    server: ScriptedServer, credentials: FixedCredentials
) -> None:
    policy = CallPolicy(total_timeout=0.05, retries=1, retry_base=0.0)
    async with open_clients(
        lambda _service, _region: server.url, credentials=credentials, policy=policy
    ) as clients:
        with pytest.raises(Unavailable) as raised:
            await clients.client("dynamodb", "us-east-1").call("PutItem", {})
    assert "Timeout" in raised.value.code
    assert len(server.requests) == 2


async def test_an_address_where_nobody_listens_is_unavailable(credentials: FixedCredentials) -> None:
    async with open_clients(
        lambda _service, _region: "http://127.0.0.1:1", credentials=credentials, policy=QUICK
    ) as clients:
        with pytest.raises(Unavailable, match="dynamodb PutItem in us-east-1"):
            await clients.client("dynamodb", "us-east-1").call("PutItem", {})


async def test_a_checksum_that_is_right_is_taken(client: AwsClient, server: ScriptedServer) -> None:
    body = b'{"Count":1}'
    server.answers = [ok(body, **{"x-amz-crc32": str(zlib.crc32(body))})]
    assert (await client.call("Scan", {})).body == {"Count": 1}


@pytest.mark.parametrize("code", ["ExpiredTokenException", "UnrecognizedClientException"])
async def test_keys_that_are_refused_are_looked_for_anew(
    client: AwsClient, server: ScriptedServer, credentials: FixedCredentials, code: str
) -> None:
    server.answers = [error(code)]
    with pytest.raises(Unavailable):
        await client.call("PutItem", {})
    assert credentials.discarded == 1


async def test_a_wrong_clock_is_corrected_once_by_the_service_s(
    server: ScriptedServer, credentials: FixedCredentials
) -> None:
    async with aiohttp.ClientSession() as session:
        client = AwsClient(
            service=service_named("dynamodb"),
            address=Address("us-east-1", server.url),
            session=session,
            credentials=credentials,
            policy=QUICK,
            clock=lambda: 1_795_260_324.0,  # 2026-11-21 11:25:24
        )
        date = "Sat, 21 Nov 2026 12:00:00 GMT"
        server.answers = [error("InvalidSignatureException", 400, Date=date), ok(), ok()]
        await client.call("PutItem", {})
        await client.call("PutItem", {})
        sent = [headers["X-Amz-Date"] for headers, _ in server.requests]
        assert sent == ["20261121T112524Z", "20261121T120000Z", "20261121T120000Z"]
        server.answers = [error("InvalidSignatureException", 400, Date=date)]
        with pytest.raises(Unavailable, match="InvalidSignatureException"):
            await client.call("PutItem", {})


async def test_calls_run_side_by_side(client: AwsClient, server: ScriptedServer) -> None:
    server.answers = [ok()] * 100
    await asyncio.gather(*(client.call("PutItem", {"n": n}) for n in range(100)))
    assert sorted(orjson.loads(body)["n"] for _, body in server.requests) == list(range(100))


async def test_a_service_that_is_not_in_the_table_is_said_so(
    server: ScriptedServer, credentials: FixedCredentials
) -> None:
    async with open_clients(lambda _service, _region: server.url, credentials=credentials) as clients:
        with pytest.raises(SettingsError, match="dynamodb, kinesis"):
            clients.client("s3", "us-east-1")
        assert clients.client("kinesis", "us-east-1") is clients.client("kinesis", "us-east-1")


async def test_the_sandbox_s_dynamodb_understands_us(sandbox: SandboxProcess, prefix: str) -> None:
    async with clients_of(sandbox) as clients:
        dynamodb = clients.client("dynamodb", "us-east-1")
        key = {"AttributeName": "id", "AttributeType": "S"}
        await dynamodb.call(
            "CreateTable",
            {
                "TableName": prefix,
                "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": [key],
                "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            },
        )
        put = {
            "TableName": prefix,
            "Item": {"id": {"S": "Zoë"}, "n": {"N": "12345678901234567890123456789012345678"}},
            "ConditionExpression": "attribute_not_exists(id)",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        assert (await dynamodb.call("PutItem", put)).error is None
        again = await dynamodb.call("PutItem", put, expect=(CONDITION,))
        assert again.error == CONDITION
        assert again.body["Item"] == put["Item"]
        with pytest.raises(Rejected) as rejected:
            await dynamodb.call("PutItem", {"TableName": prefix, "Item": {"n": {"N": "1"}}})
        assert rejected.value.code == "ValidationException"
        with pytest.raises(Unavailable) as unavailable:
            await dynamodb.call("PutItem", {"TableName": f"{prefix}-none", "Item": {"id": {"S": "1"}}})
        assert unavailable.value.code == "ResourceNotFoundException"


async def test_the_sandbox_s_kinesis_understands_us(sandbox: SandboxProcess, prefix: str) -> None:
    async with clients_of(sandbox) as clients:
        kinesis = clients.client("kinesis", "us-east-1")
        await kinesis.call("CreateStream", {"StreamName": prefix, "ShardCount": 1})
        summary = await kinesis.call("DescribeStreamSummary", {"StreamName": prefix})
        assert summary.body["StreamDescriptionSummary"]["StreamName"] == prefix
