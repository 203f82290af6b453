"""Whatever is sent, the answer is a 4xx that says what is wrong with it, never a 5xx, and nothing changes."""

import gzip
import json
import tracemalloc

import httpx
import pytest

from accounts.models import User
from devices.models import DeviceSession
from tests.client import PASSWORD, Device, refusal
from tests.contract import PASSWORDS

# Every endpoint that reads a body, with one that it would accept.
BODIES = {
    "/api/register": {"email": "new@example.org", "password": PASSWORD},
    "/api/login": {"email": "alice@example.org", "password": PASSWORD},
    "/api/token": {"email": "alice@example.org", "password": PASSWORD},
    "/api/token/refresh": {"refresh": "x"},
    "/api/token/verify": {"token": "x"},
    "/api/token/blacklist": {"refresh": "x"},
    "/api/me/password": PASSWORDS,
    "/api/sessions/current": {"name": "x"},
}
FIELDS = [(path, field) for path, body in BODIES.items() for field in body]


def send(device, path, body, **headers):
    method = "PATCH" if path == "/api/sessions/current" else "POST"
    data = body if isinstance(body, bytes) else json.dumps(body)
    return device.generic(method, path, data, content_type="application/json", **headers)


@pytest.fixture
def phone(alice, sign_in):
    """A signed-in device; whatever is sent from it has changed nothing in the end."""
    device = sign_in(alice)
    before = list(User.objects.values()), list(DeviceSession.objects.values())
    yield device
    assert (list(User.objects.values()), list(DeviceSession.objects.values())) == before


WRONG = {
    "null": None,
    "true": True,
    "false": False,
    "0": 0,
    "an int": 84635201974635,
    "a huge int": 10**300,
    "a float": 1.5,
    "infinity": float("inf"),
    "a list": ["x"],
    "an empty list": [],
    "a list of lists": [[[]]],
    "an object": {"x": "y"},
    "an empty object": {},
    "nothing": "",
    "blanks": "   ",
    "NUL": "a\0b",
}
# The names can be taken back, and passwords may be of blanks.
ALLOWED = {("name", "nothing"), ("name", "blanks"), ("password", "blanks")}


@pytest.mark.parametrize(("path", "field"), FIELDS)
def test_15_3_5_a_value_of_another_type_is_refused(phone, path, field):
    for wrong, value in WRONG.items():
        if (field, wrong) in ALLOWED:
            continue
        text = json.dumps({**BODIES[path], field: value}).replace("Infinity", "1e999")
        answer = send(phone, path, text.encode())
        assert (answer.status_code, list(answer.json())) == (400, [field]), wrong
        assert all(isinstance(message, str) for message in answer.json()[field])
        assert answer["Cache-Control"] == "no-store"


@pytest.mark.parametrize("value", [0, 1, "yes", "on", "true", None, []])
def test_15_3_5_a_wish_has_one_spelling(phone, value):
    body = {**BODIES["/api/login"], "remember": value}
    answer = send(phone, "/api/login", body)
    assert (answer.status_code, list(answer.json())) == (400, ["remember"])


@pytest.mark.parametrize("path", BODIES)
def test_15_3_5_a_body_that_is_no_object_or_an_empty_one_is_refused(phone, path):
    for body in (None, True, 0, 1.5, "x", "", [], ["x"], [{}]):
        answer = send(phone, path, body)
        assert (answer.status_code, list(answer.json())) == (400, ["non_field_errors"]), body
    for body in ({}, {"": ""}, b""):
        answer = send(phone, path, body)
        assert (answer.status_code, set(answer.json())) == (400, set(BODIES[path]))


def nested(depth, opening=b"[", closing=b"]"):
    return opening * depth + closing * depth


NO_JSON = {
    "broken": b'{"refresh": "x"',
    "quotes": b"{'refresh': 'x'}",
    "a comma": b'{"refresh": "x",}',
    "a comment": b'{"refresh": "x"} // y',
    "two values": b'{"refresh": "x"}{"refresh": "x"}',
    "NaN": b'{"refresh": NaN}',
    "Infinity": b'{"refresh": "x", "y": [-Infinity]}',
    "a BOM": b'\xef\xbb\xbf{"refresh": "x"}',
    "UTF-16": '{"refresh": "x"}'.encode("utf-16"),
    "UTF-16 without a BOM": '{"refresh": "x"}'.encode("utf-16-le"),
    "Latin-1": '{"refresh": "é"}'.encode("latin-1"),
    "overlong UTF-8": b'{"refresh": "\xc0\xaf"}',
    "a surrogate": b'{"refresh": "\\ud800"}',
    "a surrogate as a key": b'{"refresh": "x", "\\udfff": 1}',
    "a raw surrogate": b'{"refresh": "\xed\xa0\x80"}',
    "a raw newline": b'{"refresh": "a\nb"}',
    "a raw NUL": b'{"refresh": "a\0b"}',
    "a key twice": b'{"refresh": "x", "refresh": "y"}',
    "a key twice, one escaped": b'{"refresh": "x", "r\\u0065fresh": "x"}',
    "a key twice inside": b'{"refresh": "x", "y": [{"a": 1, "a": 1}]}',
    "gzip": gzip.compress(b'{"refresh": "x"}'),
    "a gzip bomb": gzip.compress(b"x" * 100_000_000),
    "one byte": b"\xff",
    "blanks": b" " * 10_000,
    "an int of 200,000 digits": b'{"refresh": ' + b"9" * 200_000 + b"}",
    "100,000 lists": nested(100_000),
    "40,000 objects": nested(40_000, b'{"a":', b"}").replace(b":}", b":1}"),
    "100,000 open lists": b"[" * 100_000,
    "33 lists": nested(33),
    "lists in a field": b'{"refresh": ' + nested(33) + b"}",
    "lists in a field nobody asked for": b'{"refresh": "x", "y": ' + nested(40) + b"}",
}


@pytest.mark.parametrize("body", NO_JSON.values(), ids=NO_JSON)
def test_A43_what_is_not_json_is_refused(phone, body):
    for path in BODIES:
        answer = send(phone, path, body)
        assert refusal(answer) == (400, "parse_error")
        assert answer.json()["detail"] == "The request is not valid JSON."


@pytest.mark.parametrize("path", ["/api/sessions/current", "/api/token/verify"])
def test_SJ12_no_depth_of_nesting_is_an_error_of_ours(phone, path):
    (field,) = BODIES[path]
    for depth in (*range(28, 36), *range(100, 900, 50), *range(900, 1001, 2)):
        for body in (
            json.dumps(field).encode().join((b"{", b":")) + nested(depth) + b"}",
            nested(depth),
        ):
            assert send(phone, path, body).status_code == 400, depth


BIG = {
    "3 MB": b'{"refresh": "' + b"x" * 3_000_000 + b'"}',
    "50 MB": b'{"refresh": "' + b"x" * 50_000_000 + b'"}',
    "a million keys": json.dumps(dict.fromkeys(map(str, range(1_000_000)))).encode(),
    "one byte too many": b" " * 262_145,
}


@pytest.mark.parametrize("body", BIG.values(), ids=BIG)
def test_A43_a_body_of_megabytes_is_refused(phone, body):
    for path in ("/api/token/refresh", "/api/login", "/api/sessions/current"):
        assert refusal(send(phone, path, body)) == (413, "too_large")


COSTLY = {
    **{key: NO_JSON[key] for key in ("40,000 objects", "100,000 lists", "a gzip bomb")},
    "3 MB": BIG["3 MB"],
    "a million keys": BIG["a million keys"],
    "as many keys as fit": json.dumps(dict.fromkeys(map(str, range(18_000)))).encode(),
    "as many lists as fit": b"[" + b"[]," * 87_000 + b"[]]",
    "as many digits as fit": b"[" + b"9" * 262_000 + b"]",
    "a name as long as fits": b'{"name": "' + b"\\u00e9" * 43_000 + b'"}',
}


@pytest.mark.parametrize("body", COSTLY.values(), ids=COSTLY)
def test_A43_refusing_costs_little(phone, body):
    tracemalloc.start()
    assert 400 <= send(phone, "/api/sessions/current", body).status_code < 500
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 50_000_000


@pytest.mark.parametrize("length", ["", "x", "-1", "1.5", "0x10"])
def test_a_length_that_is_none_is_no_error_of_ours(phone, length):
    answer = send(phone, "/api/token/refresh", {"refresh": "x"}, CONTENT_LENGTH=length)
    assert answer.status_code == 400


@pytest.mark.parametrize(
    "kind",
    [
        "multipart/form-data; boundary=x", "application/x-www-form-urlencoded", "text/plain", "text/html",
        "application/xml", "application/json-patch+json", "json", "*/*x", "/", ";;;", "\xff", "x" * 8000,
    ],
)  # fmt: skip
def test_3_5_2_a_body_of_another_type_is_refused(phone, kind):
    for path, body in BODIES.items():
        method = "PATCH" if path == "/api/sessions/current" else "POST"
        answer = phone.generic(method, path, json.dumps(body), content_type=kind)
        assert refusal(answer) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    "kind",
    ["application/json; charset=utf-16", "application/json;charset=\xff", "APPLICATION/JSON"],
)
# Django looks the charset up. Python 3.15 warns of such names, and 3.17 will not know them.
@pytest.mark.filterwarnings("ignore:Support for non-ascii encoding names:DeprecationWarning")
def test_json_is_utf_8_whatever_else_is_said(phone, kind):
    answer = phone.generic(
        "POST", "/api/token/refresh", b'{"refresh": "\xc3\xa9"}', content_type=kind
    )
    assert refusal(answer) == (401, "token_not_valid")


@pytest.mark.parametrize(
    "accept",
    ["text/html", "application/xml", "junk", "\xff", ";;;", "*/*;q=x", "application/json;q=", "a/b," * 2000],
)  # fmt: skip
def test_whatever_is_accepted_the_answer_is_json(phone, accept):
    answer = phone.get("/api/me", HTTP_ACCEPT=accept)
    assert answer.status_code in (200, 406)
    assert answer["Content-Type"] == "application/json"


@pytest.mark.parametrize("query", ["format=xml", "format=html", "format=%00", "format=", "%ff=%fe"])
def test_whatever_format_is_asked_for_the_answer_is_json(phone, query):
    answer = phone.get("/api/sessions?" + query)
    assert answer.status_code in (200, 404)
    assert answer["Content-Type"] == "application/json"


def test_15_3_7_a_method_in_a_header_or_a_field_is_not_looked_at(phone):
    override = {"HTTP_X_HTTP_METHOD_OVERRIDE": "DELETE"}
    answer = phone.post("/api/sessions/current?_method=DELETE", {"_method": "DELETE"}, **override)
    assert refusal(answer) == (405, "method_not_allowed")


@pytest.mark.parametrize(
    "agent",
    [
        "",
        "\0",
        "\x1b[2J\r\nX: y",
        "\xff\xfe",
        "x" * 100_000,
        "; " * 4000,
        "' OR 1=1 --",
        "<script>",
    ],
    ids=lambda agent: ascii(agent[:12]),
)
def test_A24_any_user_agent_may_sign_in(alice, agent):
    device = Device(agent).sign_in(alice.email)
    stored = DeviceSession.objects.get(pk=device.session_id).user_agent
    assert len(stored) <= 512
    assert stored.isprintable()
    assert device.get("/api/sessions").status_code == 200


@pytest.mark.parametrize("address", ["", "unix:", "fe80::1%eth0", "\0", "999.1.1.1", "x" * 10_000])
def test_A24_a_peer_without_an_address_may_sign_in(alice, address):
    assert Device(ip=address).sign_in(alice.email).is_in()


@pytest.mark.django_db(transaction=True)
def test_A43_over_http_nothing_is_a_5xx_either(live_server):
    def post(**request):
        # A connection each: the server of the tests takes the chunks for the next request.
        return httpx.post(live_server.url + "/api/token/refresh", timeout=30, **request)

    headers = {"Content-Type": "application/json"}
    for body in (b'{"refresh": "x"}', b"x" * 50_000, nested(100_000)):
        answers = [
            post(content=body, headers=headers),
            post(content=iter([body[:10], body[10:]]), headers=headers),
            post(content=body, headers={**headers, "Content-Encoding": "gzip"}),
            post(content=body),
        ]
        assert {answer.status_code for answer in answers} <= {400, 401, 415}
        assert all(answer.json() for answer in answers)
