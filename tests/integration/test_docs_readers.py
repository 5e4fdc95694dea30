"""docs/projection.md's readers, run on a read model of one live row and one tombstone."""

import os
import subprocess
import sys

import pytest

from sandbox.process import SandboxProcess
from tests.integration.conftest import Aws
from tests.support.pages import ROOT, blocks

LIVE = {"M": {"v": {"N": "1"}, "p": {"S": "us"}, "d": {"S": "1c3192a3e52f8a95bc88457272b3c914"}}}
GONE = {"M": {"v": {"N": "2"}, "p": {"S": "us"}, "d": {"S": "-"}}}
SCAN, GET = blocks(ROOT / "docs" / "projection.md", "python", under="Reading it")


@pytest.fixture
def view(aws: Aws, prefix: str) -> str:
    name = f"{prefix}-view"
    aws.dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "orderId", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "orderId", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    aws.dynamodb.put_item(TableName=name, Item={"orderId": {"S": "A-1"}, "_tidemark": LIVE})
    aws.dynamodb.put_item(TableName=name, Item={"orderId": {"S": "A-2"}, "_tidemark": GONE})
    return name


def run(sandbox: SandboxProcess, code: str) -> str:
    environment = {**os.environ, **sandbox.environment}
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True
    ).stdout


def test_a_scan_with_the_filter_sees_no_tombstone(sandbox: SandboxProcess, view: str) -> None:
    code = SCAN.text.replace("order-view", view)

    assert run(sandbox, f"{code}print([row['orderId'] for row in rows])") == "['A-1']\n"


@pytest.mark.parametrize(("order", "is_there"), [("A-1", True), ("A-2", False), ("A-3", False)])
def test_a_get_tells_a_tombstone_from_a_row(
    sandbox: SandboxProcess, view: str, order: str, *, is_there: bool
) -> None:
    code = GET.text.replace("order-view", view).replace("A-1", order)

    assert run(sandbox, f"{code}print(is_there)") == f"{is_there}\n"
