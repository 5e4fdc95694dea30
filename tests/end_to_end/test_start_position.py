"""Where a new application begins, and that what it began with still holds after a death or a split."""

import time
from datetime import UTC, datetime

from tests.end_to_end.harness import Service
from tests.end_to_end.resharding import open_shards, split
from tests.end_to_end.shop import Shop
from tests.end_to_end.stage import KEY, Stage
from tests.end_to_end.truth import (
    checkpoints,
    differences,
    read_model,
    source,
    wait_until_checkpointed,
)

_NEVER = "300s"
"""A checkpoint_interval that no test lives to see."""

OLD = "old-"
"""Begins the keys of items written before the start position, and never after."""


def write_old_items(stage: Stage) -> None:
    """Write what is before the start position: a start is a whole second, so the next one is waited for."""
    for number in range(20):
        stage.aws.dynamodb.put_item(TableName=stage.table, Item={KEY: {"S": f"{OLD}{number}"}})
    time.sleep(1.1)


def assert_all_but_the_old_items_are_there(stage: Stage) -> None:
    old = {key for key in source(stage) if key.startswith(OLD)}
    assert len(old) == 20
    assert not old & read_model(stage).rows.keys()
    assert [line for line in differences(stage) if not line.startswith(OLD)] == []


def nothing_is_checkpointed(stage: Stage) -> bool:
    return not any(checkpoint.isdecimal() for checkpoint in checkpoints(stage).values())


def test_latest_killed_before_its_first_checkpoint_loses_nothing_written_meanwhile(stage: Stage) -> None:
    write_old_items(stage)
    shop = Shop(stage)
    with Service(stage, stage.write_settings(start="latest", checkpoint_interval=_NEVER)) as service:
        service.wait_until_at_work()
        shop.write(100)
        service.wait_until_settled(100)
        service.kill()
        assert service.survivors() == []
    assert nothing_is_checkpointed(stage)
    shop.write(100)

    with Service(stage, stage.write_settings(start="latest")):
        wait_until_checkpointed(stage)
    assert_all_but_the_old_items_are_there(stage)


def test_latest_killed_before_anything_came_loses_nothing_of_a_shard_split_meanwhile(stage: Stage) -> None:
    write_old_items(stage)
    settings = stage.write_settings(start="latest")
    with Service(stage, settings) as service:
        service.wait_until_at_work()
        service.kill()
        assert service.survivors() == []
    assert nothing_is_checkpointed(stage)
    shop = Shop(stage)
    shop.write(100)
    split(stage, open_shards(stage)[0])
    shop.write(100)

    with Service(stage, settings):
        wait_until_checkpointed(stage)
    assert_all_but_the_old_items_are_there(stage)


def test_latest_stopped_skips_nothing_of_a_shard_split_while_it_was_down(stage: Stage) -> None:
    write_old_items(stage)
    settings = stage.write_settings(start="latest")
    shop = Shop(stage)
    with Service(stage, settings) as service:
        service.wait_until_at_work()
        shop.write(100)
        service.wait_until_settled(100)
        assert service.stop() == 0
    assert not nothing_is_checkpointed(stage)
    shop.write(100)
    children = split(stage, open_shards(stage)[0])
    shop.write(100)
    split(stage, min(children))
    shop.write(100)

    with Service(stage, settings):
        wait_until_checkpointed(stage)
    assert_all_but_the_old_items_are_there(stage)


def test_a_start_at_a_time_takes_what_was_written_since_and_nothing_before(stage: Stage) -> None:
    write_old_items(stage)
    since = datetime.now(UTC).isoformat(timespec="seconds")
    shop = Shop(stage)
    shop.write(100)
    split(stage, open_shards(stage)[0])
    shop.write(100)

    with Service(stage, stage.write_settings(start=since)) as service:
        service.wait_until(lambda: service.get("/readyz").code == 200, "the leases are seeded")
        wait_until_checkpointed(stage)
    assert_all_but_the_old_items_are_there(stage)
