"""Shared fixtures. Studies of minutes carry the mark `long`, which setup.cfg deselects and `make test-full` runs."""

import pytest


@pytest.fixture
def toys(monkeypatch):
    """The registry holds the toy claims alone."""
    from toy_claims import toys

    from chaosnum import registry

    found = toys()
    monkeypatch.setattr(registry, "claims", lambda: found)
    return found
