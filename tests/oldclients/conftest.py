"""conftest.py -- the browser tests' fixtures, and nginx in front of the server.

old   nginx as nginx.conf has it: pages and streams of one origin, old paths.
"""

import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "browser"),
                str(HERE.parent / "blackbox")]

from browser_fixtures import *  # noqa: E402, F403
from old_server import OldServer  # noqa: E402


@pytest.fixture
def old(idle_world, tmp_path):
    with OldServer(idle_world, tmp_path / "nginx") as server:
        yield server
