"""Trust is boto3's."""

from importlib.resources import files
from pathlib import Path

import pytest

from consumer.aws.chain import trust


def test_the_certificates_that_botocore_brings_are_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_CA_BUNDLE", raising=False)
    assert trust().cert_store_stats()["x509_ca"] > 50


def test_a_bundle_of_the_user_s_own_is_trusted_instead(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    text = (files("botocore") / "cacert.pem").read_text(encoding="utf-8")
    end = "-----END CERTIFICATE-----"
    bundle = tmp_path / "bundle.pem"
    bundle.write_text(text[text.index("-----BEGIN") : text.index(end)] + end + "\n")
    monkeypatch.setenv("AWS_CA_BUNDLE", str(bundle))
    assert trust().cert_store_stats()["x509"] == 1
