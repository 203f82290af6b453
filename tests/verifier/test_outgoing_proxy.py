"""devices_verifier goes through the proxy that the environment names, and not where NO_PROXY says so."""

import socket
import ssl
import subprocess
import threading
from contextlib import contextmanager, suppress

import pytest
from devices_verifier.http import Endpoint

from tests.ports import free_port

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@contextmanager
def answering(answer):
    """A server that hands each connection to a function; its port."""
    port = free_port()
    with socket.create_server(("127.0.0.1", port)) as server:

        def run():
            with suppress(OSError):
                while True:
                    client, _ = server.accept()
                    threading.Thread(target=answer, args=[client], daemon=True).start()

        threading.Thread(target=run, daemon=True).start()
        try:
            yield port
        finally:
            server.shutdown(socket.SHUT_RDWR)


def head(client):
    text = b""
    while not text.endswith(b"\r\n\r\n"):
        text += client.recv(1)
    return text.decode().split("\r\n")


def pump(source, sink):
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)


@pytest.fixture
def issuer(tmp_path):
    """A site with a certificate of its own; its port, and the file of the certificate."""
    key, crt = tmp_path / "key", tmp_path / "crt"
    names = ["-subj", "/CN=issuer.example.org", "-addext", "subjectAltName=DNS:issuer.example.org"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *names]
    subprocess.run([*command, "-keyout", key, "-out", crt], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(crt, key)

    def answer(client):
        with suppress(OSError), context.wrap_socket(client, server_side=True) as secure:
            while head(secure):
                secure.sendall(OK)

    with answering(answer) as port:
        yield port, str(crt)


@pytest.fixture
def proxy(issuer):
    """A proxy that leads to the issuer, by whatever name; its port, and what it was asked."""
    asked = []

    def answer(client):
        asked.append(head(client))
        site = socket.create_connection(("127.0.0.1", issuer[0]))
        client.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
        threading.Thread(target=pump, args=[site, client], daemon=True).start()
        pump(client, site)

    with answering(answer) as port:
        yield port, asked


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for name in ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def ask(url, crt):
    endpoint = Endpoint(url, crt)
    try:
        return [endpoint.ask("GET", None, {}, 10) for _ in range(2)]
    finally:
        endpoint.close()


@pytest.mark.parametrize("form", ["http://a%40b:c@127.0.0.1:{}", "127.0.0.1:{}"])
def test_it_asks_the_proxy_for_a_tunnel_and_keeps_it(environment, issuer, proxy, form):
    port, asked = proxy
    environment.setenv("HTTPS_PROXY", form.format(port))
    assert ask("https://issuer.example.org/feed", issuer[1]) == [(200, b"ok")] * 2
    [[line, *headers]] = asked
    assert line.startswith("CONNECT issuer.example.org:443 ")
    # a@b:c
    assert ("Proxy-Authorization: Basic YUBiOmM=" in headers) == ("@" in form)


@pytest.mark.parametrize("exempt", ["localhost", "*"])
def test_it_asks_no_proxy_where_no_proxy_says_so(environment, issuer, proxy, exempt):
    environment.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy[0]}")
    environment.setenv("NO_PROXY", exempt)
    with pytest.raises(ssl.SSLCertVerificationError):  # it is that of another name
        ask(f"https://localhost:{issuer[0]}/feed", issuer[1])
    assert proxy[1] == []


def test_plain_http_to_this_machine_asks_no_proxy(environment, proxy):
    environment.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy[0]}")

    def answer(client):
        with suppress(OSError):
            while head(client):
                client.sendall(OK)

    with answering(answer) as port:
        assert ask(f"http://127.0.0.1:{port}/feed", None) == [(200, b"ok")] * 2
    assert proxy[1] == []
