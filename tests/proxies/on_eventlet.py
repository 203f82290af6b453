"""The site on eventlet's own server: `python -m tests.proxies.on_eventlet PORT`."""

import sys

import eventlet  # type: ignore[import-not-found]

eventlet.monkey_patch()

from eventlet import wsgi  # type: ignore[import-not-found]  # noqa: E402

from project.wsgi import application  # noqa: E402

wsgi.server(eventlet.listen(("127.0.0.1", int(sys.argv[1]))), application, log_output=False)
