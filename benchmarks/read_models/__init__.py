"""Records a second of one shard process into each store, beside the naive way in the same run.

The naive way is one statement per record by the store's own client, as a first handler is written: it has
the version in its condition, and neither ledger nor batches. Every store is a real server; DynamoDB, which
can't be had, is one in memory that answers 5 ms after it was asked. PostgreSQL is measured twice: on the same
machine, and behind a relay by which each answer takes a network's millisecond more.
"""
