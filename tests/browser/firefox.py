"""firefox.py -- a headless Firefox, driven by WebDriver BiDi.

The same surface as chromium.py: open() gives a page with run, until, text,
complaints, screenshot and close. Firefox speaks the protocol by itself, on a
WebSocket whose port it writes into its profile; no driver and no library.

It starts slowly, so one serves all tests; each test has a user context of its own,
with its own storage and cookies, and that one's pages end with it.
"""

import base64
import json
import os
import shutil
import signal
import subprocess

from chromium import Page
from http_raw import Connection
from patience import DEADLINE_S, Deadline, eventually
from ws_raw import WebSocket

# Firefox itself sets what automation wants; these keep it from calling home and
# from going through a proxy of the machine.
PREFERENCES = {
    "network.proxy.type": 0,
    "app.update.disabledForTesting": True,
    "browser.safebrowsing.update.enabled": False,
    "services.settings.server": "data:,#remote-settings-dummy/v1",
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "ui.useOverlayScrollbars": 1,  # a page is as wide as its window
}


def value_of(remote):
    """A BiDi RemoteValue as Python has it. What is of use only over there (a
    node, a stream, an object that was shown before) is None."""
    kind = remote["type"]
    if "value" not in remote:
        return None
    if kind == "array":
        return [value_of(item) for item in remote["value"]]
    if kind == "object":
        return {name: value_of(item) for name, item in remote["value"]}
    if kind in ("string", "number", "boolean"):
        return remote["value"]
    return None


class Firefox:
    """The process and the session; pages are of a Guest."""

    def __init__(self, directory):
        profile = os.path.join(directory, "profile")
        os.mkdir(profile)
        with open(os.path.join(profile, "user.js"), "w") as file:
            for name, value in PREFERENCES.items():
                file.write(f"user_pref({json.dumps(name)}, "
                           f"{json.dumps(value)});\n")
        self.log = open(os.path.join(directory, "firefox.log"), "ab")
        self.process = subprocess.Popen(
            [shutil.which("firefox-esr"), "--headless", "--no-remote",
             "--profile", profile, "--remote-debugging-port", "0",
             "about:blank"],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
            start_new_session=True, env={**os.environ, "HOME": directory})
        self.number = 0
        self.events = []
        self.socket = None
        try:
            self.connect(os.path.join(profile, "WebDriverBiDiServer.json"))
        except BaseException:
            self.close()
            raise

    def connect(self, port_file):
        port = eventually(lambda: self.read_port(port_file),
                          "Firefox to listen", DEADLINE_S * 3)
        self.socket = WebSocket(Connection(port), "/session",
                                {"Host": f"127.0.0.1:{port}"})
        assert self.socket.status == 101, self.socket.head
        self.call("session.new", capabilities={
            "alwaysMatch": {"acceptInsecureCerts": True}})
        self.call("session.subscribe", events=["log.entryAdded"])

    def read_port(self, port_file):
        assert self.process.poll() is None, "Firefox ended; see firefox.log"
        try:
            with open(port_file) as file:
                return json.load(file)["ws_port"]
        except (FileNotFoundError, json.JSONDecodeError):
            return None

    def close(self):
        """Ends the browser with all processes of its session."""
        if self.socket is not None:
            self.socket.connection.close()
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        self.log.close()

    def call(self, method, deadline=None, **parameters):
        """Sends a command and waits for its result."""
        self.number += 1
        self.socket.say(id=self.number, method=method, params=parameters)
        deadline = deadline or Deadline(DEADLINE_S * 2)
        while True:
            left = deadline.left(f"Firefox to answer {method}")
            answer = self.socket.next_json(left)
            if answer.get("id") == self.number:
                assert answer["type"] == "success", (method, answer)
                return answer["result"]
            if answer["type"] == "event":
                self.events.append(answer)


class Guest:
    """A user context: as a browser of its own, for one test."""

    def __init__(self, firefox):
        self.firefox = firefox
        self.context = firefox.call("browser.createUserContext")["userContext"]
        firefox.events.clear()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.firefox.call("browser.removeUserContext", userContext=self.context)

    def open(self, url, width=1280, height=900):
        tab = self.firefox.call("browsingContext.create", type="tab",
                                userContext=self.context)["context"]
        self.firefox.call("browsingContext.setViewport", context=tab,
                          viewport={"width": width, "height": height},
                          devicePixelRatio=1)
        self.firefox.call("browsingContext.navigate", context=tab, url=url,
                          wait="complete")
        return FirefoxPage(self.firefox, tab)


class FirefoxPage(Page):
    """until() and text() are those of a page in Chromium."""

    def __init__(self, firefox, tab):
        super().__init__(firefox, None, tab)

    def close(self):
        self.call("browsingContext.close")

    def call(self, method, deadline=None, **parameters):
        return self.browser.call(method, deadline, context=self.target,
                                 **parameters)

    def run(self, script, deadline=None):
        """The value of an expression, after its promise if it is one."""
        answer = self.browser.call(
            "script.evaluate", deadline, expression=script, awaitPromise=True,
            target={"context": self.target}, userActivation=True)
        assert answer["type"] == "success", (script, answer)
        return value_of(answer["result"])

    def complaints(self):
        """What a page threw and did not catch."""
        return [event["params"] for event in self.browser.events
                if event["params"].get("type") == "javascript"
                and event["params"].get("level") == "error"]

    def screenshot(self, path):
        data = self.call("browsingContext.captureScreenshot",
                         origin="document")["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))
