from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path

import psutil
import pytest
from opensearchpy import ConnectionError as NotReachedError
from opensearchpy import OpenSearch

from tests.support.servers.opensearch import VERSION, OpenSearchServer, fresh_indices
from tests.support.servers.opensearch_jars import RUNNERS, MavenMissingError, jars
from tests.support.servers.server import ServerStartError


@pytest.fixture
def client(opensearch: OpenSearchServer) -> Iterator[OpenSearch]:
    client = OpenSearch(opensearch.url, max_retries=0)
    yield client
    client.close()


def test_it_listens_on_loopback_ports_and_nowhere_else(opensearch: OpenSearchServer) -> None:
    assert opensearch.pid is not None
    connections = psutil.Process(opensearch.pid).net_connections()
    listening = [connection.laddr for connection in connections if connection.status == psutil.CONN_LISTEN]
    assert {address.ip.removeprefix("::ffff:") for address in listening} == {"127.0.0.1"}
    assert opensearch.port in {address.port for address in listening}


def test_an_index_name_is_a_test_s_own(
    opensearch: OpenSearchServer, index_prefix: str, client: OpenSearch
) -> None:
    client.index(index=f"{index_prefix}-kept", id="1", body={})
    with fresh_indices(opensearch) as other:
        client.index(index=f"{other}-dropped", id="1", body={})

    assert list(client.indices.get(index=f"{other}*,{index_prefix}*")) == [f"{index_prefix}-kept"]


@pytest.mark.parametrize("end", [OpenSearchServer.stop, OpenSearchServer.kill])
def test_what_was_written_is_there_after_a_stop_and_a_kill(
    opensearch: OpenSearchServer,
    index_prefix: str,
    client: OpenSearch,
    end: Callable[[OpenSearchServer], None],
) -> None:
    client.index(index=index_prefix, id="1", body={"total": 7}, version=10, version_type="external_gte")
    end(opensearch)
    with pytest.raises(NotReachedError):
        client.get(index=index_prefix, id="1")
    opensearch.start()

    kept = client.get(index=index_prefix, id="1")
    assert (kept["_version"], kept["_source"]) == (10, {"total": 7})


def test_scripts_and_bulk_updates_are_there(index_prefix: str, client: OpenSearch) -> None:
    client.index(index=index_prefix, id="1", body={"total": 7}, refresh=True)
    script = {"source": "ctx._source.total += params.by", "params": {"by": 3}}
    client.update(index=index_prefix, id="1", body={"script": script}, refresh=True)
    client.update_by_query(index=index_prefix, body={"script": script}, refresh=True)

    assert client.get(index=index_prefix, id="1")["_source"] == {"total": 13}


@pytest.mark.parametrize("version", [version for version in RUNNERS if version != VERSION])
def test_it_may_be_another_version(version: str) -> None:
    try:
        server = OpenSearchServer(version)
    except MavenMissingError as error:
        pytest.skip(str(error))
    with server, OpenSearch(server.url) as client:
        assert client.info()["version"]["number"] == version
        assert server.ask("PUT", "/an-index") == HTTPStatus.OK


def test_an_unknown_version_is_refused_with_those_there_are() -> None:
    with pytest.raises(ServerStartError, match=r"no OpenSearch 1\.0 for tests, only 3\.8\.0 and 2\.19\.1"):
        OpenSearchServer("1.0")


def test_without_jars_and_maven_the_reason_names_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MavenMissingError, match="apt-get install maven"):
        jars(VERSION)


def test_a_failing_maven_is_told_and_leaves_no_half_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    maven = tmp_path / "mvn"
    maven.write_text("#!/bin/sh\necho no such host\nexit 1\n")
    maven.chmod(0o755)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(ServerStartError, match=r"(?s)can't collect.*no such host"):
        jars(VERSION)
    assert [path.name for path in (tmp_path / "cache" / "tidemark").iterdir()] == ["opensearch.lock"]
