"""other_origin.py -- a page whose origin is not Tidings': the same host, another
port. An empty document, unless `page` is set to one."""

import http.server
import threading

EMPTY = "<!doctype html><title>elsewhere</title><body></body>"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        page = self.server.other.page.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *_):
        pass


class OtherOrigin:
    page = EMPTY

    def __enter__(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.other = self
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()
        self.origin = f"http://127.0.0.1:{self.server.server_port}"
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
