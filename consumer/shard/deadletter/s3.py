"""Dead letters as objects in S3: in the place of a queue, or beside it for what is too large."""

import hashlib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from consumer.aws.names import bucket_and_prefix
from consumer.errors import Unavailable
from consumer.shard.deadletter.blocking import Lazy, Threads, see_receipt
from consumer.shard.deadletter.letter import ClaimCheck, DeadLetter, Origin, encode, letter_id, to_document

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

_REMEDIES: Mapping[str, str] = MappingProxyType(
    {
        "AccessDenied": "allow s3:PutObject on arn:aws:s3:::{bucket}/{prefix}*, and the use of its KMS key",
        "NoSuchBucket": "create the bucket, or correct {setting}",
    }
)
"""Amazon S3 API Reference, "Error responses"."""


class Bucket:
    """The place in S3 that a setting names. Its calls block."""

    def __init__(self, uri: str, setting: str, client: Lazy["S3Client"]) -> None:
        """`uri`: s3://bucket or s3://bucket/prefix; `setting`: where a person finds it."""
        self._setting = setting
        self._client = client
        self._name, self._prefix = bucket_and_prefix(uri)

    def put(self, name: str, body: bytes) -> str:
        """Write an object, over the one of that name if there is one, and return its URI.

        S3 checks what arrives against the checksum that boto3 sends with it, and keeps it.

        Raises:
            Unavailable: it isn't written for sure; what to do.
        """
        from consumer.aws.boto import errors_as_unavailable  # noqa: PLC0415 - boto3 only where a letter is written

        key = f"{self._prefix}{name}"
        uri = f"s3://{self._name}/{key}"
        try:
            with errors_as_unavailable(f"the dead letter {uri} can't be written"):
                answer = self._client().put_object(
                    Bucket=self._name,
                    Key=key,
                    Body=body,
                    ContentType="application/json",
                    ChecksumAlgorithm="CRC32",
                )
                see_receipt(answer, "ETag")
        except Unavailable as error:
            remedy = _REMEDIES.get(error.code, "it is tried again")
            remedy = remedy.format(bucket=self._name, prefix=self._prefix, setting=self._setting)
            raise Unavailable(f"{error}; {remedy}", code=error.code) from error
        return uri

    def check_in(self, identifier: str, body: bytes) -> ClaimCheck:
        """Keep a whole letter, and return the claim check for it.

        The name tells the content too: the letter of a record that dies again says another time, and must not
        take the place of the one that an earlier message points to.

        Raises:
            Unavailable: as put.
        """
        digest = hashlib.sha256(body).hexdigest()
        return ClaimCheck(self.put(f"{identifier}.{digest[:16]}.json", body), len(body), digest)


class BucketDeadLetters:
    """An object a letter: <prefix>/<application>/<processor>/<shard>/<sequence number>.<sub>.json."""

    def __init__(self, bucket: Bucket, threads: Threads, origin: Origin, clock: Callable[[], float]) -> None:
        """`clock`: Unix seconds."""
        self._bucket = bucket
        self._threads = threads
        self._origin = origin
        self._clock = clock

    async def write(self, letter: DeadLetter) -> None:
        """Write the object; the same record's takes its own place again."""
        await self._threads.run(lambda: self._put(letter))

    def _put(self, letter: DeadLetter) -> None:
        body = encode(to_document(letter, self._origin, self._clock()))
        self._bucket.put(f"{letter_id(letter, self._origin)}.json", body)
