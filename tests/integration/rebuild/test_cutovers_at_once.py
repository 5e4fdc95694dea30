"""Cut-overs of two processors of one application: they share rows, and keep out of each other's way."""

from collections.abc import Mapping
from typing import Any

from checkpoint.api import Api
from consumer.aws.client import Answer
from consumer.commands.rebuild.plan import RebuildPlan
from tests.integration.rebuild.test_cutover import STEPS, Both, both_at, control_of, run


class Conflicting:
    """DynamoDB on which another transaction holds the control row when the first one comes."""

    def __init__(self, real: Api) -> None:
        self._real = real
        self.cancelled = 0

    async def call(
        self, operation: str, request: Mapping[str, Any], *, expect: tuple[str, ...] = ()
    ) -> Answer:
        if operation == "TransactWriteItems" and not self.cancelled:
            self.cancelled += 1
            reasons = [{"Code": "TransactionConflict"}, {"Code": "None"}]
            return Answer({"CancellationReasons": reasons}, "TransactionCanceledException")
        answer = await self._real.call(operation, request, expect=expect)
        return Answer(answer.body, answer.error)


async def test_a_last_step_that_another_transaction_is_in_the_way_of_is_taken_again(
    both: Both, dynamodb: Api, plan: RebuildPlan
) -> None:
    """Else the processor would stand still until somebody ran the cut-over once more."""
    obeying, busy = await both_at(both, 5), Conflicting(dynamodb)

    stage = await run(busy, plan)

    await obeying
    control = await control_of(dynamodb, plan)
    assert (stage.steps, busy.cancelled) == ([*STEPS], 1)
    assert (control.phase, control.generation) == ("live", 1)
