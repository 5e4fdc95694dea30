from consumer.pod.adrift import Adrift
from tests.unit.pod.conftest import NOW, make_shard


def test_while_the_tables_are_out_of_reach_a_shard_without_a_process_falls_behind() -> None:
    adrift = Adrift()
    adrift.look([make_shard("s-1", lag_seconds=2.0, ticked_at=NOW)], None)
    adrift.look([], "Http503")
    adrift.look([], "Http503")

    assert adrift.lags([], NOW + 20) == {"s-1": 22.0}
    assert adrift.lags([make_shard("s-1")], NOW + 20) == {}


def test_a_shard_that_was_let_go_of_while_the_tables_were_in_reach_is_anothers() -> None:
    adrift = Adrift()
    adrift.look([make_shard("s-1")], None)
    assert adrift.lags([], NOW) == {}

    adrift.look([], None)
    adrift.look([], "Http503")
    assert adrift.lags([], NOW) == {}


def test_once_the_tables_are_in_reach_again_nothing_is_adrift() -> None:
    adrift = Adrift()
    adrift.look([make_shard("s-1")], "Http503")
    adrift.look([], None)

    assert adrift.lags([], NOW) == {}
