"""snippets.py -- the examples of docs/using.md, as they stand there.

An example is a fenced block behind a line `<!-- snippet: name -->`. Replaced in it
are only addresses: the server's and that of NATS, which a test cannot choose.
"""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "using.md"

_FENCE = re.compile(r"^<!-- snippet: ([a-z-]+) -->\n```(\w+)\n(.*?)^```$",
                    re.M | re.S)


def all_snippets():
    """Text by name."""
    found = _FENCE.findall(GUIDE.read_text())
    snippets = {name: text for name, _, text in found}
    assert len(snippets) == len(found), "a name is there twice"
    return snippets


def fences_without_a_name():
    return len(re.findall(r"^```\w+$", GUIDE.read_text(), re.M)) \
        - len(all_snippets())


def snippet(name, world):
    text = all_snippets()[name]
    text = text.replace("localhost:8080", f"127.0.0.1:{world.port}")
    if world.nats_server is not None:
        text = text.replace("127.0.0.1:4222",
                            f"127.0.0.1:{world.nats_server.port}")
    return text
