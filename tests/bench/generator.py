"""Builds the load generator and runs it.

A run prints JSON lines; with `hold` it stops at the phases "connected" and
"measured" until it is told to go on, so that memory can be looked at.
"""

import json
import os
import subprocess

from servers import CannotMeasure, pin

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
BUILD = os.environ.get("BENCH_BUILD", os.path.join(ROOT, "build", "bench"))
RUN_LIMIT_S = 300


class LostEvents(Exception):
    """Events were lost, came twice or never: the figure would be worthless."""


def build():
    """Compiles what is new, and checks that the generator notices lost events."""
    for command in (
            ["cmake", "-S", os.path.join(ROOT, "tests", "bench"), "-B", BUILD],
            ["cmake", "--build", BUILD, "--parallel", "2"],
            [tool("bench_event_test")]):
        done = subprocess.run(command, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            raise CannotMeasure(done.stdout[-3000:])


def tool(name):
    return os.path.join(BUILD, name)


def flags(options):
    words = []
    for name, value in options.items():
        words += [f"--{name}", str(value)]
    return words


class Load:
    """`loadgen COMMAND` against a server. Use as a context manager with hold."""

    def __init__(self, server, command="run", **options):
        options.setdefault("kind", server.kind)
        options.setdefault("pids", ",".join(str(pid) for pid in server.pids()))
        options["port"] = server.port
        self.process = subprocess.Popen(
            [tool("loadgen"), command] + flags(options), preexec_fn=pin,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def end(self):
        """Ends it, wherever it is."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def line(self):
        """The next result."""
        text = self.process.stdout.readline()
        if not text:
            raise CannotMeasure(self.process.stderr.read().strip())
        return json.loads(text)

    def reach(self, phase):
        got = self.line()
        if got.get("phase") != phase:
            raise CannotMeasure(f"{phase} expected, not {got}")

    def go_on(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()


def measure(server, command="run", **options):
    """Runs it to its end and returns the result."""
    load = Load(server, command, **options)
    try:
        out, err = load.process.communicate(timeout=RUN_LIMIT_S)
    except subprocess.TimeoutExpired:
        load.end()
        raise CannotMeasure("the generator did not come to an end") from None
    if load.process.returncode not in (0, 1) or not out.strip():
        raise CannotMeasure(err.strip())
    result = json.loads(out.strip().splitlines()[-1])
    check(result)
    return result


def check(result):
    for fault in ("lost", "twice", "closed", "missing"):
        if result.get(fault):
            raise LostEvents(f"{fault}: {result[fault]}")


def commit_time(directory, milliseconds):
    """What one LMDB commit costs in `directory`, in microseconds."""
    out = subprocess.run([tool("bench_commit"), directory, str(milliseconds)],
                         check=True, capture_output=True, text=True,
                         preexec_fn=pin).stdout
    return json.loads(out)
