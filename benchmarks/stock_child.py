"""The stock way: kclpy's own loop and Python's json, as AWS's sample has it. Decodes each record and drops it."""

import json

from amazon_kclpy import kcl
from amazon_kclpy.v3 import processor


class DecodeAndDrop(processor.RecordProcessorBase):
    """Checkpoints after each batch, as the sample does."""

    def initialize(self, initialize_input):
        """Nothing to make ready."""

    def process_records(self, process_records_input):
        """Decode every record and checkpoint behind the batch."""
        for record in process_records_input.records:
            json.loads(record.binary_data)
        if process_records_input.records:
            process_records_input.checkpointer.checkpoint()

    def lease_lost(self, lease_lost_input):
        """Nothing to let go of."""

    def shard_ended(self, shard_ended_input):
        """Let the children begin."""
        shard_ended_input.checkpointer.checkpoint()

    def shutdown_requested(self, shutdown_requested_input):
        """Keep what is done."""
        shutdown_requested_input.checkpointer.checkpoint()


if __name__ == "__main__":
    kcl.KCLProcess(DecodeAndDrop()).run()
