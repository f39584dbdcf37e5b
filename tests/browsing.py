"""A folder served on this machine only, and a page of it opened in a real browser."""

import functools
import http.server
import threading
from contextlib import contextmanager


@contextmanager
def serving(folder, headers=None):
    """The address at which a folder is served, with these headers on every answer."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def end_headers(self):
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            super().end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Handler, directory=str(folder))
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


class Visit:
    """A page opened, with what the browser complained of and asked for."""

    def __init__(self, browser, address, page, width=1300, scheme="light", scripts=True):
        self.context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme=scheme,
            java_script_enabled=scripts,
        )
        self.tab = self.context.new_page()
        self.complaints, self.foreign = [], []
        self.tab.on("console", self._console)
        self.tab.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.tab.on("request", lambda request: self._request(request.url, address))
        self.tab.goto(address + page, wait_until="load")

    def _console(self, message):
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def _request(self, url, address):
        if not url.startswith((address, "data:", "blob:")):
            self.foreign.append(url)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.context.close()
