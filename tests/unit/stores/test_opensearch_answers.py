"""Whose fault an answer of OpenSearch is, and where its address says it is."""

import pytest

from consumer.errors import Rejected, SettingsError, Unavailable
from consumer.settings.clusters import read_address
from consumer.stores.opensearch.answers import Cause, Failure, failure_of, verdict, verdict_of_request
from consumer.stores.opensearch.cluster import JSON, Answer
from consumer.stores.opensearch.index import MOST_BYTES, MOST_DOCUMENTS, Document, Index, Kept, portions


class Says:
    """A cluster with one answer."""

    def __init__(self, *answers: Answer) -> None:
        self._answers = list(answers)
        self.asked: list[bytes] = []

    async def call(
        self, method: str, path: str, query: object = None, *, body: bytes = b"", content_type: str = JSON
    ) -> Answer:
        self.asked.append(body)
        return self._answers.pop(0)


def refused(kind: str, status: int = 400) -> Answer:
    return Answer(status, {"error": {"type": kind, "reason": "no"}, "status": status})


DOCUMENTS = [Document("a", 1, b"{}"), Document("b", 1, b"{}")]
WRITTEN = Answer(200, {"items": [{"index": {"status": 201}}]})


@pytest.mark.parametrize(
    ("status", "kind", "is_rejected"),
    [
        (400, "mapper_parsing_exception", True),
        (400, "strict_dynamic_mapping_exception", True),
        (400, "illegal_argument_exception", True),
        (400, "index_closed_exception", False),
        (400, "never_heard_of_exception", False),
        (403, "cluster_block_exception", False),
        (404, "index_not_found_exception", False),
        (429, "opensearch_rejected_execution_exception", False),
        (500, "mapper_parsing_exception", False),
        (503, "unavailable_shards_exception", False),
    ],
)
def test_a_documents_fault_is_a_closed_list(status: int, kind: str, *, is_rejected: bool) -> None:
    error = verdict(status, Failure(kind, "no"))
    assert (isinstance(error, Rejected), error.code) == (is_rejected, kind)
    assert isinstance(error, Unavailable) or error.by_store


@pytest.mark.parametrize("status", [401, 403, 429])
def test_what_a_person_must_do_is_said(status: int) -> None:
    error = verdict_of_request(status, failure_of(status, "<html>no</html>"))
    assert isinstance(error, Unavailable)
    assert error.code == f"Http{status}"
    assert len(str(error)) > len("opensearch: <html>no</html>")


def test_the_cause_is_told_with_the_reason() -> None:
    failure = Failure("mapper_parsing_exception", "failed to parse", Cause("no number"))
    assert failure.sentence == "failed to parse: no number"


@pytest.mark.parametrize(
    "body", [{}, [], "<html>", {"items": []}, {"items": [{"index": {}}] * 2}, WRITTEN.body]
)
async def test_a_page_that_is_no_answer_is_never_taken_for_a_success(body: object) -> None:
    ends = await Index(Says(Answer(200, body)), "view").write(DOCUMENTS)
    assert [getattr(end, "code", end) for end in ends] == ["NotOpenSearch", "NotOpenSearch"]


async def test_a_read_that_answers_for_fewer_ids_is_no_answer() -> None:
    with pytest.raises(Unavailable):
        await Index(Says(Answer(200, {"docs": [{"found": False}]})), "view").look(["a", "b"], "_tidemark")


@pytest.mark.parametrize("status", [400, 413])
async def test_a_request_that_is_refused_whole_is_halved(status: int) -> None:
    answer = refused("action_request_validation_exception", status)
    cluster = Says(answer, answer, WRITTEN)
    first, second = await Index(cluster, "view").write(DOCUMENTS)
    assert (isinstance(first, Rejected), second) == (True, Kept.WRITTEN)
    assert [body.count(b"_id") for body in cluster.asked] == [2, 1, 1]


async def test_a_request_that_is_refused_for_another_reason_is_not_halved() -> None:
    cluster = Says(Answer(400, "<html>plain HTTP sent to a port for TLS</html>"))
    ends = await Index(cluster, "view").write(DOCUMENTS)
    assert [isinstance(end, Unavailable) for end in ends] == [True, True]
    assert len(cluster.asked) == 1


def test_a_request_has_no_more_than_so_many_documents_and_bytes() -> None:
    small = [Document(str(number), 1, b"{}") for number in range(2 * MOST_DOCUMENTS + 1)]
    assert [len(portion) for portion in portions(small)] == [MOST_DOCUMENTS, MOST_DOCUMENTS, 1]
    half = b"x" * (MOST_BYTES // 2)
    large = [Document("a", 1, half), Document("b", 1, b"x" * MOST_BYTES * 2), Document("c", 1, half)]
    assert [len(portion) for portion in portions(large)] == [1, 1, 1]
    assert list(portions([])) == []


@pytest.mark.parametrize(
    ("url", "shown", "login"),
    [
        ("http://localhost:9200", "http://localhost:9200", None),
        ("https://search.example.com", "https://search.example.com:443", None),
        ("https://user:p%40ss@there:1/deep/", "https://there:1/deep", ("user", "p@ss")),
        ("http://[::1]:9200", "http://[::1]:9200", None),
    ],
)
def test_an_address_is_read_off_its_url(url: str, shown: str, login: tuple[str, str] | None) -> None:
    address = read_address(url)
    assert (address.shown, address.login) == (shown, login)
    assert "p@ss" not in repr(address)


@pytest.mark.parametrize(
    "url",
    [
        "localhost:9200",
        "ftp://there",
        "https://",
        "http://there:port",
        "https://x.us-east-1.aoss.amazonaws.com",
    ],
)
def test_what_is_no_address_is_told_without_its_password(url: str) -> None:
    with pytest.raises(SettingsError, match="url: "):
        read_address(url)
    with pytest.raises(SettingsError) as told:
        read_address(url.replace("://", "://user:secret@"))
    assert "secret" not in str(told.value)
