"""Shared fixtures. Studies of minutes carry the mark `long`, which setup.cfg deselects and `make test-full` runs."""

import os

import pytest

os.environ["CHAOSNUM_LEDGER"] = ""  # runs of tests keep no cells: what a test is about must be computed


@pytest.fixture
def toys(monkeypatch):
    """The registry holds the toy claims alone."""
    from toy_claims import toys

    from chaosnum import registry

    found = toys()
    monkeypatch.setattr(registry, "claims", lambda: found)
    return found
