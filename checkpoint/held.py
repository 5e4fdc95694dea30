"""Whether a stream still holds a record.

GetShardIterator AT_SEQUENCE_NUMBER quietly starts later when the record is gone, so nobody else would tell.
AWS API references used: GetRecords, GetShardIterator (Kinesis).
"""

from checkpoint.api import Api

_PAGES = 10
"""GetRecords may answer an empty page before the first record; this many are looked through."""


async def is_held(kinesis: Api, stream: str, shard_id: str, sequence_number: str) -> bool:
    """Whether a record of the shard is there; not where the shard itself is gone, and all of it."""
    answer = await kinesis.call(
        "GetShardIterator",
        {
            "StreamName": stream,
            "ShardId": shard_id,
            "ShardIteratorType": "AT_SEQUENCE_NUMBER",
            "StartingSequenceNumber": sequence_number,
        },
        expect=("InvalidArgumentException", "ResourceNotFoundException"),
    )
    iterator = None if answer.error is not None else answer.body.get("ShardIterator")
    for _ in range(_PAGES):
        if iterator is None:
            return False
        page = await kinesis.call("GetRecords", {"ShardIterator": iterator, "Limit": 1})
        if page.body["Records"]:
            return bool(page.body["Records"][0]["SequenceNumber"] == sequence_number)
        iterator = page.body.get("NextShardIterator")
    return False
