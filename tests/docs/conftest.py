"""conftest.py -- the fixtures of the black-box and the browser tests, and more.

elsewhere      a server of another origin that serves a page of the guide.
libraries      a folder with the libraries that the guide's examples use, in the
               versions pinned beside this file; installed when first needed.
"""

import pathlib
import shutil
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
TESTS = HERE.parent
sys.path[:0] = [str(HERE), str(TESTS / "browser"), str(TESTS / "blackbox")]

from browser_fixtures import *  # noqa: E402, F403
from other_origin import OtherOrigin  # noqa: E402
from snippets import ROOT  # noqa: E402

INSTALL_S = 300


@pytest.fixture
def elsewhere():
    with OtherOrigin() as other:
        yield other


def run(*command, **more):
    assert shutil.which(command[0]), f"scripts/setup docs installs {command[0]}"
    done = subprocess.run(command, capture_output=True, text=True,
                          timeout=INSTALL_S, **more)
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout


def install_node(folder):
    run("npm", "install", "--silent", "--no-package-lock", "--ignore-scripts",
        "--no-audit", "--no-fund", cwd=folder)


def install_python(folder):
    run("/usr/bin/python3", "-m", "pip", "install", "--quiet", "--no-deps",
        "--root-user-action=ignore", "--disable-pip-version-check", "--target",
        folder / "modules", "-r", "requirements.txt", cwd=folder)


def install_go(folder):
    run("go", "mod", "download", "github.com/nats-io/nats.go", cwd=folder)


# Which file pins the versions, and what fetches them.
PINNED = {"node": ("package.json", install_node),
          "python": ("requirements.txt", install_python),
          "go": ("go.mod", install_go)}


@pytest.fixture(scope="session")
def libraries():
    """Gives the folder for a language."""
    def folder_of(language):
        name, install = PINNED[language]
        pinned = (HERE / name).read_text()
        folder = ROOT / "build" / "docs-libraries" / language
        done = folder / "installed"
        if not done.exists() or done.read_text() != pinned:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            (folder / name).write_text(pinned)
            install(folder)
            done.write_text(pinned)
        return folder
    return folder_of
