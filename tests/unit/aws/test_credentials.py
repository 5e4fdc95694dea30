"""Keys are at hand without blocking, renewed in time, and looked for anew when they are refused."""

import asyncio

import pytest
from botocore.credentials import Credentials as BotocoreCredentials
from botocore.exceptions import CredentialRetrievalError

from consumer.aws.credentials import REFRESH_INTERVAL_SECONDS, CredentialsProvider, from_chain
from consumer.aws.signer import Credentials
from consumer.errors import Unavailable


class Clock:
    """Monotonic seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Chain:
    """A credential chain: what it finds, and how often it was gone through."""

    def __init__(self, found: BotocoreCredentials | None) -> None:
        self.found = found
        self.fails = False
        self.looks = 0

    def __call__(self) -> BotocoreCredentials | None:
        self.looks += 1
        if self.fails:
            raise CredentialRetrievalError(provider="container", error_msg="the role is not there yet")
        return self.found


async def renewed(provider: CredentialsProvider) -> Credentials:
    """The keys once a renewal that was begun in the background is done."""
    await provider.current()
    await asyncio.sleep(0)
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        await task
    return await provider.current()


async def test_the_chain_is_gone_through_once_for_many_requests() -> None:
    chain = Chain(BotocoreCredentials("key", "secret", "token"))
    provider = CredentialsProvider(chain, Clock())
    answers = await asyncio.gather(*(provider.current() for _ in range(10)))
    assert set(answers) == {Credentials("key", "secret", "token")}
    assert chain.looks == 1


async def test_keys_that_botocore_renewed_are_used_a_minute_later_at_most() -> None:
    found = BotocoreCredentials("old", "secret")
    clock = Clock()
    provider = CredentialsProvider(Chain(found), clock)
    assert (await provider.current()).access_key == "old"
    found.access_key = "new"
    assert (await renewed(provider)).access_key == "old"
    clock.now += REFRESH_INTERVAL_SECONDS
    assert (await provider.current()).access_key == "old"  # nobody waits for the renewal
    assert (await renewed(provider)).access_key == "new"


async def test_the_same_keys_stay_the_same_object_so_that_the_signing_key_is_kept() -> None:
    clock = Clock()
    provider = CredentialsProvider(Chain(BotocoreCredentials("key", "secret")), clock)
    first = await provider.current()
    clock.now += REFRESH_INTERVAL_SECONDS
    assert await renewed(provider) is first


async def test_refused_keys_are_looked_for_through_the_whole_chain() -> None:
    chain = Chain(BotocoreCredentials("old", "secret"))
    provider = CredentialsProvider(chain, Clock())
    old = await provider.current()
    chain.found = BotocoreCredentials("new", "secret")
    provider.discard(old)
    assert (await provider.current()).access_key == "new"
    provider.discard(old)  # a late answer to a request signed with the old keys
    await provider.current()
    assert chain.looks == 2


async def test_no_credentials_at_all_is_unavailable_and_looked_for_again() -> None:
    chain = Chain(None)
    provider = CredentialsProvider(chain, Clock())
    with pytest.raises(Unavailable, match="no AWS credentials") as raised:
        await provider.current()
    assert raised.value.code == "NoCredentials"
    chain.found = BotocoreCredentials("key", "secret")
    assert (await provider.current()).access_key == "key"


async def test_a_chain_that_fails_is_unavailable_until_it_works() -> None:
    chain = Chain(BotocoreCredentials("key", "secret"))
    chain.fails = True
    provider = CredentialsProvider(chain, Clock())
    with pytest.raises(Unavailable, match="the role is not there yet"):
        await provider.current()
    chain.fails = False
    assert (await provider.current()).access_key == "key"


async def test_a_renewal_that_fails_leaves_the_old_keys_in_use() -> None:
    chain = Chain(BotocoreCredentials("old", "secret"))
    clock = Clock()
    provider = CredentialsProvider(chain, clock)
    old = await provider.current()
    chain.fails = True
    provider.discard(old)
    assert await provider.current() is old
    clock.now += REFRESH_INTERVAL_SECONDS
    assert await renewed(provider) is old


def test_the_chain_begins_with_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "from-the-environment")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    found = from_chain()
    assert found is not None
    assert found.access_key == "from-the-environment"
