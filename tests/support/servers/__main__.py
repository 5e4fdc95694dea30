"""`python -m tests.support.servers`: a PostgreSQL and an OpenSearch to try things on, until Ctrl-C."""

import sys
import threading
from contextlib import ExitStack, suppress

from tests.support.servers.opensearch import OpenSearchServer
from tests.support.servers.opensearch_jars import MavenMissingError
from tests.support.servers.postgresql import PostgreSQLServer


def main() -> None:
    """Serve, and print what other shells need to reach them."""
    with ExitStack() as servers:
        exports = [f"SHOP_DATABASE={servers.enter_context(PostgreSQLServer()).url}"]
        try:
            exports.append(f"SHOP_SEARCH={servers.enter_context(OpenSearchServer()).url}")
        except MavenMissingError as error:
            sys.stderr.write(f"PostgreSQL only: {error}\n")
        sys.stdout.write(f"export {' '.join(exports)}\n")
        sys.stdout.flush()
        threading.Event().wait()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main()
