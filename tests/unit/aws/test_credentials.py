"""Keys are at hand without blocking, renewed in time, and looked for anew when they are refused."""

import asyncio
from pathlib import Path

import pytest
from botocore.credentials import Credentials as BotocoreCredentials
from botocore.exceptions import ClientError, CredentialRetrievalError

from consumer.aws.chain import BotocoreChain
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

    def __init__(self, found: Credentials | None) -> None:
        self.found = found
        self.fails = False
        self.breaks: Exception | None = None
        self.looks = 0

    def __call__(self) -> "Chain":
        self.looks += 1
        if self.breaks is not None:
            raise self.breaks
        return self

    def keys(self) -> Credentials | None:
        if self.fails:
            raise Unavailable("the role is not there yet", code="CredentialRetrievalError")
        return self.found


async def renewed(provider: CredentialsProvider) -> Credentials:
    """The keys once a renewal that was begun in the background is done."""
    await provider.current()
    await asyncio.sleep(0)
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        await task
    return await provider.current()


async def test_the_chain_is_gone_through_once_for_many_requests() -> None:
    chain = Chain(Credentials("key", "secret", "token"))
    provider = CredentialsProvider(chain, Clock())
    answers = await asyncio.gather(*(provider.current() for _ in range(10)))
    assert set(answers) == {Credentials("key", "secret", "token")}
    assert chain.looks == 1


async def test_keys_that_botocore_renewed_are_used_a_minute_later_at_most() -> None:
    chain = Chain(Credentials("old", "secret"))
    clock = Clock()
    provider = CredentialsProvider(chain, clock)
    assert (await provider.current()).access_key == "old"
    chain.found = Credentials("new", "secret")
    assert (await renewed(provider)).access_key == "old"
    clock.now += REFRESH_INTERVAL_SECONDS
    assert (await provider.current()).access_key == "old"  # nobody waits for the renewal
    assert (await renewed(provider)).access_key == "new"


async def test_the_same_keys_stay_the_same_object_so_that_the_signing_key_is_kept() -> None:
    clock = Clock()
    provider = CredentialsProvider(Chain(Credentials("key", "secret")), clock)
    first = await provider.current()
    clock.now += REFRESH_INTERVAL_SECONDS
    assert await renewed(provider) is first


async def test_refused_keys_are_looked_for_through_the_whole_chain() -> None:
    chain = Chain(Credentials("old", "secret"))
    provider = CredentialsProvider(chain, Clock())
    old = await provider.current()
    chain.found = Credentials("new", "secret")
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
    chain.found = Credentials("key", "secret")
    assert (await provider.current()).access_key == "key"


async def test_a_chain_that_fails_is_unavailable_until_it_works() -> None:
    chain = Chain(Credentials("key", "secret"))
    chain.fails = True
    provider = CredentialsProvider(chain, Clock())
    with pytest.raises(Unavailable, match="the role is not there yet"):
        await provider.current()
    chain.fails = False
    assert (await provider.current()).access_key == "key"


async def test_a_renewal_that_fails_leaves_the_old_keys_in_use() -> None:
    chain = Chain(Credentials("old", "secret"))
    clock = Clock()
    provider = CredentialsProvider(chain, clock)
    old = await provider.current()
    chain.fails = True
    provider.discard(old)
    assert await provider.current() is old
    clock.now += REFRESH_INTERVAL_SECONDS
    assert await renewed(provider) is old


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(
            ClientError({"Error": {"Code": "IDPCommunicationError"}}, "AssumeRoleWithWebIdentity"), id="STS"
        ),
        pytest.param(
            CredentialRetrievalError(provider="container", error_msg="not yet"), id="the pod's agent"
        ),
        pytest.param(FileNotFoundError("token"), id="the token's file"),
    ],
)
async def test_a_chain_that_breaks_in_any_way_is_an_outage_and_never_a_record_s_fault(
    error: Exception,
) -> None:
    chain = Chain(Credentials("old", "secret"))
    chain.breaks = error
    provider = CredentialsProvider(chain, Clock())
    with pytest.raises(Unavailable) as raised:
        await provider.current()
    assert raised.value.code == type(error).__name__
    chain.breaks = None
    old = await provider.current()
    chain.breaks = error
    provider.discard(old)
    assert await provider.current() is old


@pytest.fixture
def no_keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A credentials file of the test's own, and no keys anywhere else."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    return tmp_path / "credentials"


def test_the_chain_begins_with_the_environment_as_botocore_s_does(
    monkeypatch: pytest.MonkeyPatch, no_keys: Path
) -> None:
    no_keys.write_text("[default]\naws_access_key_id = file\naws_secret_access_key = secret\n")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "environment")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    assert from_chain().keys() == BotocoreChain().keys() == Credentials("environment", "secret", "token")


def test_keys_of_a_profile_are_found(no_keys: Path) -> None:
    no_keys.write_text("[default]\naws_access_key_id = file\naws_secret_access_key = secret\n")
    assert from_chain().keys() == Credentials("file", "secret")


@pytest.mark.usefixtures("no_keys")
def test_a_chain_without_any_keys_says_so() -> None:
    assert from_chain().keys() is None


def test_a_role_that_can_t_be_had_is_unavailable_with_botocore_s_words(
    monkeypatch: pytest.MonkeyPatch, no_keys: Path
) -> None:
    no_keys.write_text("[default]\naws_access_key_id = file\naws_secret_access_key = secret\n")
    error = CredentialRetrievalError(provider="container", error_msg="it is not there yet")

    def refuse(_self: BotocoreCredentials) -> None:
        raise error

    monkeypatch.setattr(BotocoreCredentials, "get_frozen_credentials", refuse)
    with pytest.raises(Unavailable, match="it is not there yet"):
        from_chain().keys()
