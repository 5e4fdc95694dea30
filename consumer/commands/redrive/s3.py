"""Letters as objects in S3, and the claim checks of letters in a queue."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from consumer.commands.redrive.source import Found, asking
from consumer.errors import Unavailable
from consumer.shard.deadletter.letter import ClaimCheck

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

_GONE = "NoSuchKey"
_CHANGED = "PreconditionFailed"
_READ = "allow s3:ListBucket on the bucket and s3:GetObject on what is in it, and see that it is there"
_REMOVE = "allow s3:DeleteObject and s3:GetObject"


class BucketLetters:
    """The objects of one place in a bucket."""

    def __init__(self, client: "S3Client", uri: str, without: Sequence[str] = ()) -> None:
        """`uri`: s3://bucket, s3://bucket/prefix, or one object's; `without`: places in it to leave alone."""
        self._client = client
        self._uri = uri
        self._bucket, self._prefix = _parts(uri)
        self._without = [key for bucket, key in map(_parts, without) if bucket == self._bucket]
        self._keys: list[str] = []
        """Listed, and not read yet."""
        self._listed_to: str | None = ""
        """Where the next page begins; None: all is listed."""
        self._tags: dict[str, str] = {}
        """The ETag that each object had when it was read."""

    async def count(self) -> int:
        """How many objects there are."""
        return await asyncio.to_thread(self._count)

    async def hidden(self) -> int:
        """None: an object is there for whoever reads it."""
        return 0

    async def take(self, most: int) -> list[Found]:
        """The next objects."""
        while self._keys or self._listed_to is not None:
            if not self._keys:
                self._keys, self._listed_to = await asyncio.to_thread(self._list, self._listed_to or "")
            keys = self._keys[:most]
            found = await asyncio.gather(*(asyncio.to_thread(self._get, key) for key in keys))
            del self._keys[:most]
            there = [entry for entry in found if entry is not None]
            if there:
                return there
        return []

    async def remove(self, found: Sequence[Found]) -> list[Found]:
        """Delete each object if it is still the one that was read; gives those that are not."""
        gone = await asyncio.gather(*(asyncio.to_thread(self._delete, entry.key) for entry in found))
        return [entry for entry, is_gone in zip(found, gone, strict=True) if not is_gone]

    async def close(self) -> None:
        """Nothing is held."""

    def _count(self) -> int:
        count, after = 0, ""
        while True:
            keys, more = self._list(after)
            count += len(keys)
            if more is None:
                return count
            after = more

    def _list(self, after: str) -> tuple[list[str], str | None]:
        """A page of keys, and where the next one begins; None: there is none."""
        with asking(f"{self._uri} can't be listed", _READ):
            page = self._client.list_objects_v2(Bucket=self._bucket, Prefix=self._prefix, StartAfter=after)
        keys = [entry["Key"] for entry in page.get("Contents", [])]
        ours = [key for key in keys if _is_in(key, self._prefix)]
        ours = [key for key in ours if not any(_is_in(key, place) for place in self._without)]
        return ours, keys[-1] if page["IsTruncated"] else None

    def _get(self, key: str) -> Found | None:
        """The object; None: somebody has removed it since it was listed."""
        place = f"s3://{self._bucket}/{key}"
        try:
            with asking(f"{place} can't be read", _READ):
                answer = self._client.get_object(Bucket=self._bucket, Key=key)
                text = answer["Body"].read()
        except Unavailable as error:
            if error.code == _GONE:
                return None
            raise
        self._tags[key] = answer["ETag"]
        return Found(key, place, text)

    def _delete(self, key: str) -> bool:
        """Whether it is gone (Amazon S3 User Guide, "How to perform conditional deletes")."""
        if key not in self._tags:
            return True
        try:
            with asking(f"s3://{self._bucket}/{key} can't be deleted", _REMOVE):
                self._client.delete_object(Bucket=self._bucket, Key=key, IfMatch=self._tags[key])
        except Unavailable as error:
            if error.code == _CHANGED:
                return False
            if error.code != _GONE:
                raise
        del self._tags[key]
        return True


class ObjectClaimChecks:
    """What messages of a queue point to."""

    def __init__(self, client: "S3Client") -> None:
        self._client = client

    async def fetch(self, check: ClaimCheck) -> bytes | None:
        """The object, None if there is none."""
        return await asyncio.to_thread(self._get, check)

    async def remove(self, check: ClaimCheck) -> None:
        """Delete the object."""
        await asyncio.to_thread(self._delete, check)

    def _get(self, check: ClaimCheck) -> bytes | None:
        bucket, key = _parts(check.s3)
        try:
            with asking(f"{check.s3} can't be read", "allow s3:GetObject and s3:ListBucket on its bucket"):
                return self._client.get_object(Bucket=bucket, Key=key)["Body"].read()
        except Unavailable as error:
            if error.code == _GONE:
                return None
            raise

    def _delete(self, check: ClaimCheck) -> None:
        bucket, key = _parts(check.s3)
        with asking(f"{check.s3} can't be deleted", _REMOVE):
            self._client.delete_object(Bucket=bucket, Key=key)


def _is_in(key: str, place: str) -> bool:
    return not place or key == place or key.startswith(f"{place.rstrip('/')}/")


def _parts(uri: str) -> tuple[str, str]:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key
