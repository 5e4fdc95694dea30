"""A stream that is split and merged: parents are read to their end before their children are begun."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sandbox.faults.fault import Fault
from tests.end_to_end.harness import Service
from tests.end_to_end.resharding import merge, open_shards, parents_of, split
from tests.end_to_end.shop import Shop
from tests.end_to_end.stage import Stage
from tests.end_to_end.truth import (
    SHARD_END,
    assert_read_model_equals_source,
    checkpoints,
    wait_until_checkpointed,
)
from tests.integration.streams import read_shard

_BETWEEN_LOOKS_SECONDS = 0.05


@contextmanager
def lease_history(stage: Stage) -> Iterator[list[dict[str, str]]]:
    """All checkpoints there ever are together while the block runs, oldest first, without repeats."""
    history = [checkpoints(stage)]
    stopped = threading.Event()

    def look() -> None:
        while not stopped.wait(_BETWEEN_LOOKS_SECONDS):
            now = checkpoints(stage)
            if now != history[-1]:
                history.append(now)

    thread = threading.Thread(target=look, name="lease history")
    thread.start()
    try:
        yield history
    finally:
        stopped.set()
        thread.join()


def assert_no_child_began_before_its_parents_end(
    history: list[dict[str, str]], parents: dict[str, frozenset[str]]
) -> None:
    for leases in history:
        begun = {shard for shard, checkpoint in leases.items() if checkpoint.isdecimal()}
        too_early = [
            (shard, parent)
            for shard in begun
            for parent in parents[shard]
            if leases.get(parent, SHARD_END) != SHARD_END
        ]
        assert not too_early, f"checkpointed before their parents' end: {too_early} in {leases}"


def wait_until_at_work_on(service: Service, *shards: str) -> None:
    service.wait_until(
        lambda: {shard.shard_id for shard in service.shards()} >= set(shards),
        f"{shards} are at work",
    )


def test_under_load_parents_are_drained_before_children_and_a_stop_soon_after_loses_nothing(
    stage: Stage,
) -> None:
    shop = Shop(stage)
    with Service(stage) as service:
        service.wait_until_at_work()
        with shop.writing(rate=150), lease_history(stage) as history:
            left, right = open_shards(stage)
            children = split(stage, left)
            wait_until_at_work_on(service, right, *children)
            child = merge(stage, max(children), right)
            wait_until_at_work_on(service, min(children), child)
            at_work = service.settled()
            service.wait_until_settled(at_work + 150)
            # Within a minute of a shard's end KCL does not end by itself: it has to be ended.
            assert service.stop() == 0
        seen = set().union(*history)
        assert seen >= {left, right, *children, child}
        assert_no_child_began_before_its_parents_end(history, parents_of(stage))

    with Service(stage):
        wait_until_checkpointed(stage, records=shop.written)
    assert_read_model_equals_source(stage)


def test_the_children_of_a_shard_wait_until_all_of_it_is_settled(stage: Stage) -> None:
    shop = Shop(stage)
    with Service(stage) as service:
        service.wait_until_at_work()
        parent = open_shards(stage)[0]
        with stage.sandbox.faults.applied(Fault("down", "dynamodb", resource=stage.view)):
            shop.write(200)
            children = split(stage, parent)
            shop.write(200)
            inside = len(read_shard(stage.aws.kinesis, stage.stream, parent).records)
            service.wait_until(
                lambda: any(
                    shard.shard_id == parent and shard.records_received == inside
                    for shard in service.shards()
                ),
                "all of the parent is received",
            )
            service.wait_until(lambda: children <= checkpoints(stage).keys(), "KCL knows of the children")
            assert not children & {shard.shard_id for shard in service.shards()}
            assert checkpoints(stage)[parent] != SHARD_END
        wait_until_at_work_on(service, *children)
        wait_until_checkpointed(stage)
    assert_read_model_equals_source(stage)
