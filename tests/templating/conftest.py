"""An application in a folder of its own."""

from pathlib import Path

import pytest

from erlen.app import Erlen


@pytest.fixture
def app(tmp_path: Path) -> Erlen:
    return Erlen("shop", root_path=str(tmp_path))
