"""The data set that the tests of evaluations share."""

from __future__ import annotations

from pathlib import Path

import pytest
from evaluation_set import write_evaluation_set


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """See :func:`evaluation_set.write_evaluation_set`; not to be written to."""
    return write_evaluation_set(tmp_path_factory.mktemp("set"))
