"""SubscribeToShard: events of a bounded size, how far behind they are, and the shard's end.

The gap: ministack answers a deep shard in one event of any size (146 MB seen; SDKs refuse it), always says 0
behind, and ends a closed shard with a continuation number, which the KCL takes for an error. AWS (API
reference, "SubscribeToShard"): a subscription lasts five minutes; a second call within five seconds is
refused, a later one takes over; the last event of a closed shard has ChildShards and no
ContinuationSequenceNumber. A ministack that cuts its events and ends them so lets this go.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import orjson

from sandbox.emulator import Receive, Send, Service
from sandbox.kinesis import cbor as cbor_format
from sandbox.kinesis.model import Shard, Stream, children, is_open, unread
from sandbox.kinesis.reading import batch, milliseconds_behind, start_after
from sandbox.kinesis.streams import Clock, Streams
from sandbox.wire import RefusedError, Request, Response, error

EVENT_BYTES = 2 * 1024 * 1024
EVENT_RECORDS = 10_000
SUBSCRIPTION_SECONDS = 300
TAKEOVER_SECONDS = 5
IDLE_SECONDS = 5  # an event is sent this often even when nothing came
LOOK_SECONDS = 0.05

Headers = dict[str, str]


@dataclass(slots=True, eq=False)
class Subscription:
    """A live SubscribeToShard: where it stands, and how its events are written."""

    stream: Stream
    shard_id: str
    after: str
    started_at: float
    cbor: bool
    message: Callable[[Headers, bytes], bytes]
    ended: bool = False

    @property
    def shard(self) -> Shard:
        """The shard it reads."""
        return self.stream["shards"][self.shard_id]

    def exhausted(self) -> bool:
        """Whether the shard is closed and read to its end."""
        return not is_open(self.shard) and not self.unread()

    def unread(self) -> int:
        """How many records wait to be sent."""
        return unread(self.shard["records"], self.after)

    def next_event(self, now: float) -> bytes:
        """Return the next event, which may be empty; the last one of a closed shard tells its children."""
        found = batch(self.shard["records"], self.after, EVENT_RECORDS, EVENT_BYTES)
        if found:
            self.after = found[-1]["SequenceNumber"]
        payload: dict[str, object] = {
            "Records": found,
            "MillisBehindLatest": milliseconds_behind(self.shard["records"], self.after, now),
        }
        self.ended = self.exhausted()
        if self.ended:
            payload["ChildShards"] = children(self.stream, self.shard_id)
        else:
            payload["ContinuationSequenceNumber"] = max(self.after, self.shard["starting_sequence_number"])
        return self.event("SubscribeToShardEvent", payload)

    def event(self, kind: str, payload: Mapping[str, object]) -> bytes:
        """Write an event."""
        return self.message(
            {":message-type": "event", ":event-type": kind, **self._type()}, self._body(payload)
        )

    def exception(self, kind: str, text: str) -> bytes:
        """Write an exception, after which the stream of events ends."""
        headers = {":message-type": "exception", ":exception-type": kind, **self._type()}
        return self.message(headers, self._body({"message": text}))

    def _type(self) -> Headers:
        return {":content-type": "application/x-amz-cbor-1.1" if self.cbor else "application/json"}

    def _body(self, payload: Mapping[str, object]) -> bytes:
        return cbor_format.dumps(payload) if self.cbor else orjson.dumps(payload)


@dataclass(frozen=True, slots=True)
class FanOut:
    """Answers SubscribeToShard; holds the live subscription of each consumer and shard."""

    streams: Streams
    clock: Clock
    respond_with: Callable[[Callable[[Send, Receive], object]], object]
    live: dict[tuple[str, str], Subscription] = field(default_factory=dict)

    def subscribe(self, request: Request, cbor: bool) -> Response | tuple[int, Headers, object]:  # noqa: FBT001 - ministack's signature
        """SubscribeToShard."""
        try:
            subscription = self._subscription(request, cbor=cbor)
        except RefusedError as refused:
            return error(400, refused.code, refused.message)
        key = (request["ConsumerARN"], request["ShardId"])
        self.live[key] = subscription

        async def run(send: Send, receive: Receive) -> None:
            try:
                await self._run(key, subscription, send, receive)
            finally:
                if self.live.get(key) is subscription:
                    del self.live[key]

        return 200, {"Content-Type": "application/vnd.amazon.eventstream"}, self.respond_with(run)

    def _subscription(self, request: Request, *, cbor: bool) -> Subscription:
        consumer_arn, shard_id = request.get("ConsumerARN", ""), request.get("ShardId", "")
        consumer = self.streams.kinesis["_consumer_from_arn"](consumer_arn)
        if consumer is None:
            raise RefusedError("ResourceNotFoundException", f"Consumer {consumer_arn} not found.")
        stream = self.streams.by_arn(consumer["StreamARN"])
        after = start_after(self.streams.shard(stream, shard_id), request.get("StartingPosition") or {})
        now, live = self.clock(), self.live.get((consumer_arn, shard_id))
        if live is not None and now - live.started_at < TAKEOVER_SECONDS:
            raise RefusedError(
                "ResourceInUseException",
                f"Another active subscription exists for consumer {consumer_arn} and shard {shard_id}.",
            )
        message = self.streams.kinesis["_eventstream_message"]
        return Subscription(stream, shard_id, after, now, cbor, message)

    async def _run(
        self, key: tuple[str, str], subscription: Subscription, send: Send, receive: Receive
    ) -> None:
        async def write(body: bytes, *, more: bool = True) -> None:
            await send({"type": "http.response.body", "body": body, "more_body": more})

        async def disconnected() -> None:
            while (await receive()).get("type") != "http.disconnect":
                pass

        watcher = asyncio.create_task(disconnected())
        try:
            await write(subscription.event("initial-response", {}))
            sent_at = 0.0
            until = subscription.started_at + SUBSCRIPTION_SECONDS
            while not (subscription.ended or watcher.done() or self.clock() >= until):
                lost = self._lost(key, subscription)
                if lost is not None:
                    await write(subscription.exception(*lost))
                    break
                idle = self.clock() - sent_at >= IDLE_SECONDS
                if subscription.unread() or subscription.exhausted() or idle:
                    await write(subscription.next_event(self.clock()))
                    sent_at = self.clock()
                else:
                    await asyncio.wait({watcher}, timeout=LOOK_SECONDS)
            await write(b"", more=False)
        finally:
            watcher.cancel()

    def _lost(self, key: tuple[str, str], subscription: Subscription) -> tuple[str, str] | None:
        """Return the error that ends a subscription: taken over, or its stream, shard or consumer is gone."""
        consumer_arn, shard_id = key
        if self.live.get(key) is not subscription:
            return "ResourceInUseException", f"The subscription to shard {shard_id} was taken over."
        if self.streams.kinesis["_consumer_from_arn"](consumer_arn) is None:
            return "ResourceNotFoundException", f"Consumer {consumer_arn} not found."
        stream = self.streams.kinesis["_resolve_stream_by_arn"](subscription.stream["StreamARN"])
        if stream is not subscription.stream or shard_id not in stream["shards"]:
            return "ResourceNotFoundException", f"Shard {shard_id} not found."
        return None


def apply(kinesis: Service, responses: Service, clock: Clock) -> None:
    """Replace SubscribeToShard."""
    kinesis["_subscribe_to_shard"] = FanOut(
        Streams(kinesis, clock), clock, responses["StreamingResponse"]
    ).subscribe
