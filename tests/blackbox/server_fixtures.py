"""server_fixtures.py -- fixtures and hooks of all tests that talk to a server.

world          a running server of its own for each test, with the settings of
               the marks `serve(...)` on test and module:

                   @serve(head_ms=300)
                   def test_a_head_that_drips_is_cut_off(world): ...

               serve(nats=True) connects it to the session's nats-server.
idle_world     the same, not started: for tests of the start itself.
nats_server    a real nats-server on a port that it chose, one per session.

When a test fails, what its server printed is part of the report. A folder of tests
takes all of it into its conftest.py:

    from server_fixtures import *
"""

import pytest

from nats_raw import NatsServer
from world import World, missing_binary

__all__ = ["pytest_configure", "pytest_sessionstart",
           "pytest_runtest_makereport", "nats_server", "idle_world", "world"]


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "serve(**settings): settings of the server of this test")


def pytest_sessionstart(session):
    if missing_binary():
        pytest.exit(missing_binary(), 2)


def settings_of(request):
    settings = {}
    for mark in reversed(list(request.node.iter_markers("serve"))):
        settings.update(mark.kwargs)
    return settings


@pytest.fixture(scope="session")
def nats_server(tmp_path_factory):
    server = NatsServer(tmp_path_factory.mktemp("nats"))
    yield server
    server.stop()


@pytest.fixture
def idle_world(request, tmp_path, nats_server):
    world = World(tmp_path, nats_server)
    world.settings.update(settings_of(request))
    request.node.world = world
    try:
        yield world
        world.end()
    finally:
        world.abandon()


@pytest.fixture
def world(request, idle_world):
    idle_world.start(**settings_of(request))
    return idle_world


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    world = getattr(item, "world", None)
    if report.failed and world is not None:
        report.sections.append(("server's output", world.output()[-20000:]))
