"""What the message of an error has to be."""

from __future__ import annotations

import pytest

from zsavs.errors import ZsavsError


def one_line(error: pytest.ExceptionInfo[ZsavsError]) -> str:
    """The message, which has to fit into ``zsavs: error: ...``."""
    message = str(error.value)
    assert message
    assert "\n" not in message
    return message
