"""buffering_nginx.py -- a proxy that streams do not get through.

Over HTTP/1.1 nginx passes chunks on although it buffers; over HTTP/1.0, which is
what it speaks when nobody says otherwise, it gathers them.
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "proxies"))

from proxy import Nginx  # noqa: E402


class BufferingNginx(Nginx):
    """Configured by somebody who did not know what is behind it: it gathers
    answers before it passes them on, and knows no upgrades."""

    def documented(self):
        return f"""server {{
            listen 127.0.0.1:{self.port};
            location / {{
                proxy_pass http://127.0.0.1:{self.tidings_port};
                proxy_buffering on;
                proxy_ignore_headers X-Accel-Buffering;
            }}
        }}"""
