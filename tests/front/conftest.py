"""conftest.py -- one server for the whole table; the proxies in front of it.

table_world    the World of that server.

The helpers are those of the black-box and of the proxies' tests.
"""

import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "blackbox"),
                str(HERE.parent / "proxies")]

from server_fixtures import *  # noqa: E402, F401, F403
from world import World  # noqa: E402


@pytest.fixture(scope="session")
def table_world(tmp_path_factory):
    world = World(tmp_path_factory.mktemp("tidings"))
    world.start(drain_ms=100, tls=True)
    try:
        yield world
        world.end()
    finally:
        world.abandon()
