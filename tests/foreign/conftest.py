"""conftest.py -- the fixtures of the tests with clients that others wrote.

library        each of libraries.LIBRARIES in turn.
connect        starts the library's client on a channel of the test's server.

The server is the one that the black-box tests start (world).
"""

import importlib.util
import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
BLACKBOX = HERE.parent / "blackbox"
sys.path[:0] = [str(HERE), str(BLACKBOX)]

_spec = importlib.util.spec_from_file_location("blackbox_conftest",
                                               BLACKBOX / "conftest.py")
_blackbox = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_blackbox)

pytest_configure = _blackbox.pytest_configure
pytest_sessionstart = _blackbox.pytest_sessionstart
pytest_runtest_makereport = _blackbox.pytest_runtest_makereport
nats_server = _blackbox.nats_server
idle_world = _blackbox.idle_world
world = _blackbox.world

from libraries import LIBRARIES, Client  # noqa: E402
from random_events import TYPES  # noqa: E402


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
