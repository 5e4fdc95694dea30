"""What is done with changes: one folder a processor.

Each has its class (processor.py), pure mapping (mapping.py) and I/O (sink.py).

Processors know nothing of shards, KCL or checkpoints, and never import each other.
"""
