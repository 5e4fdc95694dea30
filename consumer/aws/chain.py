"""What botocore finds by itself: credentials, and the certificates it trusts.

Imported only when it is needed: botocore costs 10 MB, and each shard has a process of its own.
"""

import ssl
from importlib.resources import as_file, files

import botocore.session
from botocore.exceptions import BotoCoreError

from consumer.aws.signer import Credentials
from consumer.errors import Unavailable


class BotocoreChain:
    """botocore's credential chain, renewed by botocore as it sees fit; blocking."""

    def __init__(self) -> None:
        self._found = botocore.session.Session().get_credentials()

    def keys(self) -> Credentials | None:
        """The keys as they are now.

        Raises:
            Unavailable: the service that has them does not answer, or refuses.
        """
        if self._found is None:
            return None
        try:
            frozen = self._found.get_frozen_credentials()
        except BotoCoreError as error:
            raise Unavailable(f"AWS credentials: {error}", code=type(error).__name__) from error
        if not frozen.access_key or not frozen.secret_key:
            return None
        return Credentials(frozen.access_key, frozen.secret_key, frozen.token)


def trust() -> ssl.SSLContext:
    """As boto3: AWS_CA_BUNDLE or the profile's `ca_bundle`, else the certificates that botocore brings."""
    bundle = botocore.session.Session().get_config_variable("ca_bundle")
    if bundle:
        return ssl.create_default_context(cafile=bundle)
    with as_file(files("botocore") / "cacert.pem") as path:
        return ssl.create_default_context(cafile=path)
