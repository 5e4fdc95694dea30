"""The stock way, as AWS's sample has it: kclpy's own loop and json; decodes each record and drops it."""

import json
from typing import Any

from amazon_kclpy import kcl
from amazon_kclpy.v3 import processor


class DecodeAndDrop(processor.RecordProcessorBase):  # type: ignore[misc]  # kclpy is untyped
    """Checkpoints after each batch, as the sample does."""

    def initialize(self, initialize_input: Any) -> None:  # noqa: ANN401 - kclpy is untyped
        """Nothing to make ready."""

    def process_records(self, process_records_input: Any) -> None:  # noqa: ANN401 - kclpy is untyped
        """Decode every record and checkpoint behind the batch."""
        for record in process_records_input.records:
            json.loads(record.binary_data)
        if process_records_input.records:
            process_records_input.checkpointer.checkpoint()

    def lease_lost(self, lease_lost_input: Any) -> None:  # noqa: ANN401 - kclpy is untyped
        """Nothing to let go of."""

    def shard_ended(self, shard_ended_input: Any) -> None:  # noqa: ANN401 - kclpy is untyped
        """Let the children begin."""
        shard_ended_input.checkpointer.checkpoint()

    def shutdown_requested(self, shutdown_requested_input: Any) -> None:  # noqa: ANN401 - kclpy is untyped
        """Keep what is done."""
        shutdown_requested_input.checkpointer.checkpoint()


if __name__ == "__main__":
    kcl.KCLProcess(DecodeAndDrop()).run()
