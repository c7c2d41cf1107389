"""What the process keeps to itself, and whom it runs as. operations.md."""

import os
import pathlib
import re
import resource
import shutil
import signal
import tempfile

import pytest
import world as world_module
from marks import serve
from patience import eventually
from world import World

NOBODY = 65534


def limits_of(pid):
    """Name of a limit -> soft and hard."""
    text = pathlib.Path(f"/proc/{pid}/limits").read_text()
    return dict(re.findall(r"^(Max .+?)  +(\S+ +\S+)", text, re.M))


def let_cores(idle_world):
    def before_exec():
        resource.setrlimit(resource.RLIMIT_CORE, (1 << 30, 1 << 30))
        # Ignored in what a shell starts in the background, and inherited.
        signal.signal(signal.SIGQUIT, signal.SIG_DFL)

    idle_world.before_exec = before_exec


def status_of(process):
    """The wait status of one that ends, which tells of a core."""
    def ended():
        number, status = os.waitpid(process.pid, os.WNOHANG)
        return number and [status]

    status, = eventually(ended, "the process to end")
    process.returncode = -1
    return status


@pytest.mark.parametrize("number", [signal.SIGABRT, signal.SIGQUIT])
def test_a_crash_leaves_no_core(idle_world, number):
    """Keys and tokens would be in it."""
    let_cores(idle_world)
    idle_world.start()
    process = idle_world.process
    assert limits_of(process.pid)["Max core file size"].split() == ["0", "0"]
    idle_world.process = None
    os.kill(process.pid, number)
    assert not os.WCOREDUMP(status_of(process))
    left = [path.name for path in idle_world.directory.iterdir()]
    assert not [name for name in left if "core" in name], left


@serve(core_dumps=True)
def test_for_debugging_cores_may_be_left_on(idle_world):
    let_cores(idle_world)
    idle_world.start()
    hard = limits_of(idle_world.process.pid)["Max core file size"].split()[1]
    assert hard == str(1 << 30)


@pytest.fixture
def ordinary_world():
    """A server that an ordinary user runs, in a directory of that user's."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="tidings-"))
    binary = directory / "tidings"
    shutil.copy(world_module.BINARY, binary)
    binary.chmod(0o755)
    world = World(directory, binary=binary)
    if os.geteuid() == 0:
        os.chown(directory, NOBODY, NOBODY)

        def become_nobody():
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)

        world.before_exec = become_nobody
    try:
        yield world
        world.end()
    finally:
        world.abandon()
        shutil.rmtree(directory)


def test_it_runs_as_an_ordinary_user_whom_nobody_looks_into(ordinary_world):
    ordinary_world.start()
    assert ordinary_world.publish("news", "x")
    assert "running as root" not in ordinary_world.output()
    owner = os.stat(f"/proc/{ordinary_world.process.pid}/mem").st_uid
    assert owner == 0, "the same user's debugger could attach"


def test_root_is_told_that_it_is_not_needed(world):
    assert ("running as root" in world.output()) == (os.geteuid() == 0)


def test_version_all_says_everything_in_a_line_each(idle_world):
    done = idle_world.tidings("version", "--all")
    assert done.returncode == 0 and not done.stderr
    versions, flaws = done.stdout.decode().split("known flaws, as of ")
    for name in ("civetweb", "nats.c", "lmdb", "libuv", "OpenSSL", "zlib",
                 "jsmn"):
        assert re.search(rf"^  {re.escape(name)} \S", versions, re.M), versions
        assert re.search(rf"^  {re.escape(name)} +(CVE-\d+-\d+|none) .+$", flaws,
                         re.M), flaws
    states = re.findall(r"^  \S+ +CVE-\S+ \((?:all|before \S+)\): "
                        r"(not in this version|not reachable|CONCERNS US)",
                        flaws, re.M)
    assert len(states) == flaws.count("CVE-"), flaws
    assert idle_world.tidings("version", "x").returncode == 2
