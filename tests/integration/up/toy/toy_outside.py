"""A program the toy flow calls; it is not part of the flow and has no sidecar."""

from __future__ import annotations

import os
from http.server import HTTPServer, SimpleHTTPRequestHandler

if __name__ == "__main__":
    HTTPServer(("127.0.0.1", int(os.environ["APP_PORT"])), SimpleHTTPRequestHandler).serve_forever()
