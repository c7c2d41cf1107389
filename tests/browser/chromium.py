"""chromium.py -- a headless Chromium, driven through a pipe.

Chromium speaks its DevTools protocol on descriptors 3 and 4: JSON messages, each
ended by a NUL. That needs no port, no driver and no library.

    chromium = Chromium(directory)
    with Guest(chromium) as browser:
        page = browser.open("http://127.0.0.1:1234/demo/")
        page.run("document.title")
        page.until("document.querySelector('.row') !== null", "a first row")

A start costs more than most tests, so one serves all of them; each test has a
browser context of its own, with its own storage, cookies and connections, and that
one's pages end with it.

until() waits inside the page: the condition is looked at whenever the document
changes or has loaded, so nothing here sleeps and nothing is asked for again and
again.
"""

import base64
import fcntl
import json
import os
import select
import shutil
import signal
import subprocess

from patience import DEADLINE_S, Deadline, TimedOut

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
         "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--disable-extensions",
         "--disable-dev-shm-usage", "--mute-audio", "--hide-scrollbars",
         "--no-proxy-server",
         "--ignore-certificate-errors", "--remote-debugging-pipe"]

# Resolves when the condition holds; the document is looked at on each change.
UNTIL = """new Promise((resolve) => {
  const holds = () => { try { return Boolean(%s); } catch { return false; } };
  if (holds()) return resolve(true);
  const look = () => {
    if (holds()) { observer.disconnect(); resolve(true); }
  };
  const observer = new MutationObserver(look);
  document.addEventListener('readystatechange', look);
  observer.observe(document, {subtree: true, childList: true,
                              attributes: true, characterData: true});
})"""


def high_pipe():
    """A pipe whose ends are out of the way of 3 and 4."""
    ends = os.pipe()
    high = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends]
    for end in ends:
        os.close(end)
    return high


class Chromium:
    """The process and the protocol; pages are of a Guest."""

    def __init__(self, directory):
        # What is written to descriptor 3 over there, and read from 4 here.
        to_read, self.writing = high_pipe()
        self.reading, to_write = high_pipe()
        self.log = open(os.path.join(directory, "chromium.log"), "ab")
        self.process = subprocess.Popen(
            ["bash", "-c", f'exec "$@" 3<&{to_read} 4>&{to_write}', "-",
             shutil.which("chromium"), *FLAGS,
             f"--user-data-dir={os.path.join(directory, 'profile')}",
             "about:blank"],
            pass_fds=(to_read, to_write), stdin=subprocess.DEVNULL,
            stdout=self.log, stderr=self.log, start_new_session=True)
        os.close(to_read)
        os.close(to_write)
        self.buffer = b""
        self.number = 0
        self.events = []

    def close(self):
        """Ends the browser with all processes of its session."""
        os.close(self.writing)
        os.close(self.reading)
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        self.log.close()

    # ---- the protocol --------------------------------------------------

    def call(self, method, session=None, deadline=None, **parameters):
        """Sends a command and waits for its result."""
        self.send(method, session, **parameters)
        deadline = deadline or Deadline(DEADLINE_S * 2)
        while True:
            answer = self.next_message(deadline, method)
            if answer.get("id") == self.number:
                assert "error" not in answer, (method, answer["error"])
                return answer["result"]
            self.events.append(answer)

    def send(self, method, session=None, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.writing, data):]

    def next_message(self, deadline, what):
        while b"\0" not in self.buffer:
            left = deadline.left(f"Chromium to answer {what}")
            if not select.select([self.reading], [], [], left)[0]:
                continue
            data = os.read(self.reading, 1 << 20)
            assert data, "Chromium ended; see chromium.log"
            self.buffer += data
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)


class Guest:
    """A browser context: as a browser of its own, for one test."""

    def __init__(self, chromium):
        self.chromium = chromium
        self.context = chromium.call(
            "Target.createBrowserContext")["browserContextId"]
        chromium.events.clear()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.chromium.call("Target.disposeBrowserContext",
                           browserContextId=self.context)

    def open(self, url, width=1280, height=900, **features):
        target = self.chromium.call("Target.createTarget", url="about:blank",
                                    browserContextId=self.context)
        session = self.chromium.call("Target.attachToTarget", flatten=True,
                                     targetId=target["targetId"])["sessionId"]
        page = Page(self.chromium, session, target["targetId"])
        page.call("Runtime.enable")
        page.call("Log.enable")
        page.call("Page.enable")
        page.call("Emulation.setDeviceMetricsOverride", width=width,
                  height=height, deviceScaleFactor=1, mobile=width < 600)
        page.call("Emulation.setEmulatedMedia", features=[
            {"name": name.replace("_", "-"), "value": value}
            for name, value in features.items()])
        page.call("Page.navigate", url=url)
        page.until("document.readyState === 'complete'", "the page to load")
        return page


class Page:
    def __init__(self, browser, session, target):
        self.browser = browser
        self.session = session
        self.target = target
        self.account = "document.body.innerText"  # what a vain wait tells

    def close(self):
        self.browser.call("Target.closeTarget", targetId=self.target)

    def end_process(self):
        """The page's process is gone, without a word."""
        self.browser.send("Page.crash", self.session)

    def call(self, method, deadline=None, **parameters):
        return self.browser.call(method, self.session, deadline, **parameters)

    def run(self, script, deadline=None):
        """The value of an expression, after its promise if it is one."""
        answer = self.call("Runtime.evaluate", deadline, expression=script,
                           awaitPromise=True, returnByValue=True,
                           userGesture=True)
        assert "exceptionDetails" not in answer, (script, answer)
        return answer["result"].get("value")

    def until(self, condition, what, seconds=None):
        deadline = Deadline(seconds or DEADLINE_S)
        while True:
            try:
                self.run(UNTIL % condition, deadline)
                return
            except TimedOut:
                raise TimedOut(f"waited in vain for {what}; the page says: "
                               f"{self.run(self.account)}") from None
            except AssertionError:  # navigated away while it waited
                deadline.left(what)

    def text(self):
        return self.run("document.body.innerText")

    def complaints(self):
        """What the page threw and did not catch."""
        return [event["params"]["exceptionDetails"]
                for event in self.browser.events
                if event.get("method") == "Runtime.exceptionThrown"]

    def screenshot(self, path):
        data = self.call("Page.captureScreenshot", format="png",
                         captureBeyondViewport=True)["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))
