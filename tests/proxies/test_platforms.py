"""Headers as platforms send them, honest and forged, with the settings in docs/proxies.md."""

from ipaddress import ip_address, ip_network

import pytest

from devices.models import DeviceSession
from tests.client import PASSWORD, Device

from .servers import PAGE

CLIENT, V6, FORGED = "203.0.113.7", "2001:db8:1::7", "192.0.2.66"
CLOUDFLARE = "173.245.48.0/20,2400:cb00::/32"
XFF = "X-Forwarded-For"


def appended(client):
    return lambda sent: {XFF: f"{sent[XFF]}, {client}" if XFF in sent else client}


def overwritten(header, client):
    return lambda sent: {**appended("198.51.100.1")(sent), header: client}


# Name, networks, header, peer, what the platform makes of a client's headers, the client's address.
PLATFORMS = [
    ("Cloudflare", CLOUDFLARE, XFF, "173.245.48.9", appended(CLIENT), CLIENT),
    ("Cloudflare", CLOUDFLARE, XFF, "2400:cb00::9", appended(V6), V6),
    (
        "Cloudflare",
        CLOUDFLARE,
        "CF-Connecting-IP",
        "173.245.48.9",
        overwritten("CF-Connecting-IP", CLIENT),
        CLIENT,
    ),
    # With nginx behind it, on the site's own machine.
    (
        "Cloudflare",
        f"{CLOUDFLARE},127.0.0.1/32",
        XFF,
        "127.0.0.1",
        lambda sent: appended("173.245.48.9")(appended(CLIENT)(sent)),
        CLIENT,
    ),
    ("AWS load balancer (ALB)", "10.0.1.0/24", XFF, "10.0.1.9", appended(CLIENT), CLIENT),
    ("AWS load balancer (ALB)", "10.0.1.0/24", XFF, "10.0.1.9", appended(f"{CLIENT}:4711"), CLIENT),
    ("AWS load balancer (ALB)", "10.0.1.0/24", XFF, "10.0.1.9", appended(f"[{V6}]:4711"), V6),
    (
        "Azure Application Gateway",
        "10.0.1.0/24",
        XFF,
        "10.0.1.9",
        appended(f"{CLIENT}:4711"),
        CLIENT,
    ),
    (
        "Google Cloud load balancer",
        "130.211.0.0/22,35.191.0.0/16,198.51.100.200/32",
        XFF,
        "35.191.0.9",
        lambda sent: appended("198.51.100.200")(appended(CLIENT)(sent)),
        CLIENT,
    ),
    (
        "Fly.io",
        "172.16.0.0/12",
        "Fly-Client-IP",
        "172.16.0.9",
        overwritten("Fly-Client-IP", CLIENT),
        CLIENT,
    ),
    ("Heroku", "10.0.0.0/8", XFF, "10.1.2.3", appended(CLIENT), CLIENT),
    (
        "Kubernetes, ingress-nginx",
        "10.244.0.0/16",
        XFF,
        "10.244.0.9",
        lambda _: {XFF: CLIENT, "X-Real-IP": CLIENT},
        CLIENT,
    ),
    (
        "Kubernetes, ingress-nginx",
        "10.244.0.0/16",
        "X-Real-IP",
        "10.244.0.9",
        lambda _: {XFF: CLIENT, "X-Real-IP": CLIENT},
        CLIENT,
    ),
]

SENT = [
    {},
    {XFF: FORGED},
    {XFF: "x"},
    {XFF: ""},
    {XFF: "unknown"},
    {XFF: f"{FORGED}, 10.0.0.1"},
    {"Forwarded": f"for={FORGED}"},
    {"X-Real-IP": FORGED},
    {"True-Client-IP": FORGED},
    {"CF-Connecting-IP": FORGED},
    {"Fly-Client-IP": FORGED},
]


@pytest.fixture(params=PLATFORMS, ids=lambda it: f"{it[0]}, {it[2]}, {it[5]}")
def platform(request, settings):
    name, networks, header, *rest = request.param
    [row] = [line for line in PAGE.splitlines() if line.startswith(f"| {name} |")]
    assert f"`{header}`" in row
    settings.DEVICES = {
        **settings.DEVICES,
        "TRUSTED_PROXIES": networks.split(","),
        "TRUSTED_PROXY_HEADER": header,
        "LOGIN_ATTEMPTS_PER_ADDRESS": len(SENT),
    }
    return rest


def through(platform, sent, email, password=PASSWORD):
    """The answer to a login that comes over the platform from a client that sent these headers."""
    peer, pass_on, _ = platform
    device = Device(ip=peer)
    headers = {**sent, **pass_on(sent)}
    return device.post("/api/login", {"email": email, "password": password}, headers=headers)


@pytest.mark.parametrize("sent", SENT, ids=str)
def test_a_session_has_the_clients_address(alice, platform, sent):
    session_id = through(platform, sent, alice.email).json()["session_id"]
    session = DeviceSession.objects.get(pk=session_id)
    assert (session.ip_address, session.last_ip) == (platform[2], platform[2])


def test_no_header_gives_more_guesses(alice, platform, clock):
    spray = [
        through(platform, sent, f"user{number}@example.org", "wrong").status_code
        for number, sent in enumerate(SENT)
    ]
    assert spray == [401] * len(SENT)
    assert through(platform, {}, alice.email).status_code == 429
    assert through(platform, {XFF: "x"}, alice.email).status_code == 429
    peer, pass_on, client = platform
    neighbour = str(ip_address(client) + (1 << 64 if ":" in client else 1))
    elsewhere = [peer, lambda sent: moved(pass_on(sent), client, neighbour), neighbour]
    assert through(elsewhere, {}, alice.email).status_code == 200


def moved(headers, client, neighbour):
    return {name: value.replace(client, neighbour) for name, value in headers.items()}


@pytest.mark.parametrize("sent", SENT, ids=str)
def test_who_goes_around_the_platform_is_taken_for_who_calls(alice, platform, settings, sent):
    networks = map(ip_network, settings.DEVICES["TRUSTED_PROXIES"])
    assert not any(ip_address("198.51.100.9") in network for network in networks)
    around = ["198.51.100.9", lambda sent: sent, None]
    session_id = through(around, sent, alice.email).json()["session_id"]
    assert DeviceSession.objects.get(pk=session_id).ip_address == "198.51.100.9"
