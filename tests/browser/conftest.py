"""conftest.py -- the fixtures of the browser tests: browser_fixtures.py. A run of
test_client_faults.py ends with its table."""

import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "blackbox")]

import client_matrix  # noqa: E402
from browser_fixtures import *  # noqa: E402, F403


def pytest_terminal_summary(terminalreporter):
    reports = [report for outcome in ("passed", "failed")
               for report in terminalreporter.stats.get(outcome, ())
               if report.when == "call"]
    for line in client_matrix.lines(reports):
        terminalreporter.write_line(line)
