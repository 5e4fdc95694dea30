from pathlib import Path

from consumer.settings.context import ShardContext, TableFacts, read_context, write_context
from consumer.settings.load import load_settings
from consumer.settings.model import DeadLetterFile, Delivery, OnFailure

TWO_PROCESSORS = """\
application: shop-orders
source: { kinesis: { stream: orders-changes, table: orders } }
delivery: { batch_size: 50, on_failure: { file: { path: /var/lib/tidemark/letters.jsonl, durable: true } } }
processors:
  - name: as-the-file-says
    projection: { store: { dynamodb: { table: one } }, key: { orderId: keys.orderId } }
  - name: one-at-a-time
    projection: { store: { dynamodb: { table: two } }, key: { orderId: keys.orderId } }
    delivery: { parallelization_factor: 1 }
"""
ORDERS = TableFacts(name="orders", region="us-east-1", partition_key="orderId", key_types={"orderId": "S"})


def test_a_processor_overrides_the_files_delivery_in_what_it_sets_and_shard_processes_know_it(
    tmp_path: Path,
) -> None:
    file = tmp_path / "tidemark.yaml"
    file.write_text(TWO_PROCESSORS, encoding="utf-8")
    context = ShardContext(
        settings=load_settings(file),
        worker_id="pod-a",
        region="us-east-1",
        endpoints=(),
        source_table=ORDERS,
        source_readable=True,
        targets={},
        stream_retention_hours=24,
        first_start_at=0.0,
    )
    letters = OnFailure(file=DeadLetterFile(path="/var/lib/tidemark/letters.jsonl", durable=True))

    write_context(tmp_path, context)
    read = read_context(tmp_path)

    for settings in (context.settings, read.settings):
        one, two = settings.processors
        assert settings.delivery_of(one) == Delivery(batch_size=50, on_failure=letters)
        assert settings.delivery_of(two) == Delivery(
            batch_size=50, parallelization_factor=1, on_failure=letters
        )
    assert read == context
