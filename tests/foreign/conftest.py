"""conftest.py -- the fixtures of the tests with clients that others wrote.

library        each of libraries.LIBRARIES in turn.
connect        starts the library's client on a channel of the test's server.

The server is the one that the black-box tests start (world).
"""

import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
BLACKBOX = HERE.parent / "blackbox"
sys.path[:0] = [str(HERE), str(BLACKBOX)]

from libraries import LIBRARIES, Client  # noqa: E402
from random_events import TYPES  # noqa: E402
from server_fixtures import *  # noqa: E402, F403


@pytest.fixture(params=LIBRARIES)
def library(request):
    assert (HERE / "node_modules/.installed").exists(), \
        "scripts/setup foreign installs the clients"
    return LIBRARIES[request.param]


@pytest.fixture
def connect(library, world, tmp_path, request):
    started = []

    def start(target, port=None):
        client = Client(library,
                        f"http://127.0.0.1:{port or world.port}{target}",
                        TYPES, tmp_path / "client.log")
        started.append(client)
        return client

    yield start
    for client in started:
        client.close()
    request.node.add_report_section(
        "call", "client", (tmp_path / "client.log").read_text()[-5000:])
