"""A site as a verifier sees it, which does whatever a test wants of it. Without Django."""

import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from devices_verifier import Verifier
from jwt.algorithms import ECAlgorithm

ISSUER, AUDIENCE, CLIENT = "https://devices.test", "devices-api", "reports"


class Key:
    def __init__(self, kid: str) -> None:
        self.kid, self.private = kid, ec.generate_private_key(ec.SECP256R1())

    @property
    def jwk(self) -> dict[str, Any]:
        public = ECAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
        return {**public, "kid": self.kid, "alg": "ES256", "use": "sig"}

    def sign(self, payload: Any, typ: str = "at+jwt", **headers: Any) -> str:
        return jwt.encode(payload, self.private, "ES256", {"kid": self.kid, "typ": typ, **headers})


class Site:
    def __init__(self, server: str = "") -> None:
        self.key = Key("one")
        self.jwks: Any = {"keys": [self.key.jwk]}
        self.ended: list[tuple[int, str, float]] = []
        self.withdrawn: dict[str, float] = {}
        self.asked: list[dict[str, str]] = []
        self.read_keys = 0
        # What becomes of a message before, and after, it is signed; and of the answer.
        self.before: Callable[[dict[str, Any]], dict[str, Any]] = lambda said: said
        self.after: Callable[[str], str] = lambda text: text
        self.status = 200
        # Of its own: a verifier of an earlier test may still ask, which is to count for nothing here.
        self.path = f"/{uuid4().hex}"
        self.server = server
        self.url = server + self.path

    def end(self, session_id: str, seconds: float = 3600) -> None:
        self.ended.append((len(self.ended) + 1, session_id, time.time() + seconds))

    def access(self, **changes: Any) -> str:
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "exp": now + 300,
            "iat": now,
            "jti": uuid4().hex,
            "token_type": "access",
            "user_id": "7",
            "session_id": str(uuid4()),
            "generation": 0,
        }
        said = {name: value for name, value in {**claims, **changes}.items() if value is not ...}
        return self.key.sign(said)

    def message(self, asked: dict[str, str]) -> str:
        began, path = time.monotonic(), self.path
        since, wait = asked.get("since"), float(asked["wait"])
        after = int(since or 0)
        # As the site: it waits if there is nothing to tell.
        while True:
            waited = time.monotonic() - began
            news = [each for each in self.ended if each[0] > after]
            if news or since is None or waited >= wait:
                break
            time.sleep(0.02)
        if self.path != path:
            # It waited until the next test, whose changes are not for it.
            return ""
        names = sorted(key["kid"] for key in self.jwks["keys"])
        said = {
            "iss": ISSUER,
            "aud": CLIENT,
            "iat": int(time.time()),
            "nonce": asked["nonce"],
            "waited": waited,
            "since": since,
            "cursor": str(news[-1][0] if news else after),
            "reset": since is None,
            "more": False,
            "ended": {session_id: until for _, session_id, until in news},
            "keys": self.withdrawn,
            "jwks": _digest(names),
        }
        return self.after(self.key.sign(self.before(said), "devices-feed+jwt"))

    def verifier(self, **changes: Any) -> Verifier:
        given = {
            "jwks_url": f"{self.url}/jwks",
            "issuer": ISSUER,
            "audience": AUDIENCE,
            "client_id": CLIENT,
            "client_secret": "secret",
            "max_staleness": 2.0,
            **changes,
        }
        return Verifier(f"{self.url}/feed", **given)


def _digest(names: list[str]) -> str:
    return hashlib.sha256(json.dumps(names).encode()).hexdigest()


@contextmanager
def serve() -> Iterator[Site]:
    site = Site()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args: Any) -> None:
            pass

        def do_GET(self) -> None:
            if not self.path.startswith(site.path):
                return self.send_error(404)
            site.read_keys += 1
            self.answer(json.dumps(site.jwks))

        def do_POST(self) -> None:
            form = self.rfile.read(int(self.headers["Content-Length"])).decode()
            if not self.path.startswith(site.path):
                return self.send_error(404)
            asked = {name: value for name, [value] in parse_qs(form).items()}
            site.asked.append({**asked, "authorization": self.headers["Authorization"]})
            self.answer(site.message(asked))

        def answer(self, text: str) -> None:
            body = text.encode()
            try:
                self.send_response(site.status)
                self.send_header("Content-Length", str(len(body)))
                if site.status == 302:
                    self.send_header("Location", site.url + "/elsewhere")
                self.end_headers()
                self.wfile.write(body)
            except OSError:
                self.close_connection = True

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    site.__init__(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
