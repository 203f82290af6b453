"""devices_verifier: good tokens pass, all others do not, and nobody passes while it knows too little."""

import json
import math
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import jwt
import pytest
from devices_verifier import NotReady, TokenRefused, Verifier
from devices_verifier import verifier as module
from devices_verifier.ended import Ended
from jwt.algorithms import HMACAlgorithm

from tests.forge import base64, claims_of, encoded

from .site import Key, serve

pytestmark = pytest.mark.own_database

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def _server():
    with serve() as site:
        yield site


@pytest.fixture
def site(_server):
    _server.__init__(_server.server)
    return _server


@pytest.fixture
def verifier(site):
    with site.verifier() as verifier:
        yield verifier


def eventually(true, within=3.0):
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if true():
            return True
        time.sleep(0.01)
    return False


def code(verifier, token):
    return code_of(lambda: verifier.verify(token))


def code_of(call):
    try:
        call()
    except (TokenRefused, NotReady) as error:
        return error.code
    return ""


@contextmanager
def broken(site, **changes):
    """The site as it does something else, until the block is left."""
    before = {name: getattr(site, name) for name in changes}
    for name, value in changes.items():
        setattr(site, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(site, name, value)


# Tokens


def test_a_good_token_gives_its_claims_and_asks_nobody(site, verifier):
    token = site.access()
    claims = verifier.verify(token)
    assert dict(claims) == claims_of(token)
    with pytest.raises(TypeError):
        claims["user_id"] = "8"
    asked, read = len(site.asked), site.read_keys
    for _ in range(1000):
        assert verifier.verify(token) is claims
    assert len(site.asked) - asked <= 2
    assert site.read_keys == read


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": 1},
        {"exp": ...},
        {"exp": "x"},
        {"exp": float("1e400")},
        {"nbf": 4_000_000_000},
        {"iss": "https://other.test"},
        {"iss": ...},
        {"aud": "other"},
        {"aud": ["devices-api", "other"]},
        {"aud": ...},
        {"token_type": "refresh"},
        {"token_type": ...},
        {"session_id": ...},
        {"session_id": 7},
        {"act": {"sub": "1"}},
        {"cnf": {"jkt": "thumbprint"}},
        {"cnf": {}},
        {"cnf": {"x5t#S256": "thumbprint"}},
        {"cnf": None},
        {"act": "1"},
    ],
)
def test_a_token_with_other_claims_is_refused(site, verifier, changes):
    token = site.access(**changes)
    assert code(verifier, token) == code(verifier, token) == "token_not_valid"


def test_a_token_ends_when_it_says_also_when_it_is_known(site, verifier, monkeypatch):
    token = site.access()
    assert code(verifier, token) == ""
    now = time.time()
    monkeypatch.setattr(module.time, "time", lambda: now + 304)
    assert code(verifier, token) == ""
    monkeypatch.setattr(module.time, "time", lambda: now + 306)
    assert code(verifier, token) == "token_not_valid"


def test_S13_a_bound_token_is_let_in_with_its_own_key_only(site, verifier):
    bound, free = site.access(cnf={"jkt": "one"}), site.access()
    assert verifier.verify(bound, jkt="one")["cnf"] == {"jkt": "one"}
    for token, jkt in ((bound, None), (bound, "two"), (free, "one")):
        with pytest.raises(TokenRefused):
            verifier.verify(token, jkt=jkt)


@pytest.mark.parametrize("token", ["", ".", "..", "a.b.c", "\0", "ü.ü.ü", "\ud800", "a" * 10_000])
def test_what_is_no_token_is_refused(verifier, token):
    assert code(verifier, token) == "token_not_valid"


def test_A04_no_public_key_is_a_secret(site, verifier):
    token = site.access()
    public = site.key.jwk
    for text in (json.dumps(public), json.dumps(public, separators=(",", ":"))):
        for head in ({"alg": "HS256", "typ": "JWT", "kid": "one"}, {"alg": "HS256", "typ": "JWT"}):
            message = encoded(head) + b"." + encoded(claims_of(token))
            signature = HMACAlgorithm(HMACAlgorithm.SHA256).sign(message, text.encode())
            forged = (message + b"." + base64(signature)).decode()
            assert code(verifier, forged) == "token_not_valid"


@pytest.mark.parametrize("alg", ["none", "HS256", "RS256", "ES384", "EdDSA", "", None])
def test_A03_a_key_takes_its_own_algorithm_only(site, verifier, alg):
    _, payload, signature = site.access().split(".")
    head = encoded({"alg": alg, "typ": "at+jwt", "kid": "one"}).decode()
    assert code(verifier, f"{head}.{payload}.{signature}") == "token_not_valid"
    assert code(verifier, f"{head}.{payload}.") == "token_not_valid"


@pytest.mark.parametrize("kid", ["two", "../one", "http://127.0.0.1/", "", 1, None, ["one"], {}])
def test_V9_1_3_a_key_that_is_not_published_verifies_nothing(site, verifier, kid):
    mine = Key("one")
    claims = claims_of(site.access())
    head = {"alg": "ES256", "typ": "at+jwt", "kid": kid, "jwk": mine.jwk, "jku": site.url}
    message = encoded(head) + b"." + encoded(claims)
    signature = jwt.algorithms.ECAlgorithm(jwt.algorithms.ECAlgorithm.SHA256).sign(
        message, mine.private
    )
    read = site.read_keys
    assert code(verifier, (message + b"." + base64(signature)).decode()) == "token_not_valid"
    # Nobody makes it fetch anything.
    assert site.read_keys == read


def test_V9_2_2_a_message_of_the_feed_is_no_token(site, verifier):
    claims = claims_of(site.access())
    assert code(verifier, site.key.sign(claims, "devices-feed+jwt")) == "token_not_valid"
    assert code(verifier, site.key.sign(claims, "JWT")) == ""


# What has ended


def test_a_session_that_ended_is_refused_within_a_second(site, verifier):
    session_id = str(uuid4())
    token, other = site.access(session_id=session_id), site.access()
    assert code(verifier, token) == ""
    site.end(session_id)
    began = time.monotonic()
    assert eventually(lambda: code(verifier, token) == "session_revoked")
    assert time.monotonic() - began < 1
    assert code(verifier, site.access(session_id=session_id)) == "session_revoked"
    assert code(verifier, other) == ""


def test_a_session_on_somebody_s_behalf_ends_with_that_of_who_began_it(site, verifier):
    origin = str(uuid4())
    token = site.access(act={"sub": "1", "sid": origin})
    assert code(verifier, token) == ""
    site.end(origin)
    assert eventually(lambda: code(verifier, token) == "session_revoked")


def test_restarted_it_is_right_at_once(site):
    session_id = str(uuid4())
    token, other = site.access(session_id=session_id), site.access()
    site.end(session_id)
    verifier = site.verifier()
    # The first question starts it, and waits for the answer.
    assert code(verifier, token) == "session_revoked"
    assert code(verifier, other) == ""
    verifier.stop()


def test_a_large_history_is_read_before_anybody_is_let_in(site):
    """In pages, of which only the last one makes it ready."""
    pages = []

    def page(said):
        pages.append(verifier.staleness)
        return {**said, "more": len(pages) < 4, "ended": {str(len(pages)): time.time() + 60}}

    verifier = site.verifier()
    with broken(site, before=page):
        assert verifier.start()
        assert pages[:4] == [float("inf")] * 4
    assert verifier.status()["ended"] >= 4
    verifier.stop()


# Staleness


def test_without_the_feed_it_refuses_after_the_bound_and_never_before(site):
    token = site.access()
    with site.verifier(max_staleness=1.5) as verifier:
        with broken(site, status=500):
            seen = []
            until = time.monotonic() + 3
            while time.monotonic() < until:
                before = verifier.staleness
                answer = code(verifier, token)
                seen.append((before, answer, verifier.staleness))
                time.sleep(0.005)
        assert {answer for _, answer, _ in seen} == {"", "unavailable"}
        assert all(after > 1.5 for _, answer, after in seen if answer)
        assert all(before <= 1.5 for before, answer, _ in seen if not answer)
        assert verifier.error
        assert eventually(lambda: code(verifier, token) == "")
        assert verifier.error == ""


def test_before_the_first_message_nobody_is_let_in(site):
    with broken(site, status=503):
        verifier = site.verifier()
        assert not verifier.start(timeout=0.3)
        with pytest.raises(NotReady) as refused:
            verifier.verify(site.access())
        assert (refused.value.status, refused.value.code) == (503, "unavailable")
        assert verifier.status()["staleness"] is None
    assert eventually(lambda: code(verifier, site.access()) == "")
    verifier.stop()


def test_an_idle_feed_does_not_look_like_a_dead_one(site):
    token = site.access()
    with site.verifier(max_staleness=1.0) as verifier:
        until = time.monotonic() + 3
        while time.monotonic() < until:
            assert code(verifier, token) == ""
            time.sleep(0.01)


def test_stopped_it_gets_stale_and_started_again_it_is_right(site):
    verifier = site.verifier(max_staleness=0.5)
    verifier.start()
    verifier.stop()
    assert eventually(lambda: code(verifier, site.access()) == "unavailable")
    assert verifier.start()
    assert code(verifier, site.access()) == ""
    verifier.stop()


def test_what_it_keeps_is_exact_and_bounded(site):
    tokens = [site.access(session_id=str(number)) for number in range(4)]
    for number in range(3):
        site.end(str(number), seconds=2)
    with site.verifier(max_ended=2) as verifier:
        # One found no room, so it cannot be told which tokens are good.
        assert {code(verifier, token) for token in tokens} == {"unavailable"}
        assert verifier.status()["ended"] == 2
        # Until no token of it can be in time.
        assert eventually(lambda: code(verifier, tokens[3]) == "", within=4)


def test_what_has_expired_is_forgotten():
    ended = Ended(2)
    ended.add({"a": 10, "b": 20, "past": 1}, now=5)
    assert ("a" in ended, "b" in ended, "past" in ended) == (True, True, False)
    ended.add({"c": 30}, now=15)
    assert ("a" in ended, "b" in ended, "c" in ended) == (False, True, True)
    assert ended.incomplete_until == 0
    # Told again, it takes no further place.
    ended.add({"b": 25}, now=15)
    assert (len(ended), ended.incomplete_until) == (2, 0)
    ended.add({"d": 40}, now=15)
    assert ended.incomplete_until == 40


# Messages that are none


def remember(said):
    remembered.append(said)
    return said


remembered = []


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"before": lambda said: {**said, "nonce": "another"}}, "another question"),
        ({"before": lambda said: {**said, "nonce": None}}, "another question"),
        ({"before": lambda said: {**said, "since": "999"}}, "does not go on"),
        ({"before": lambda said: {k: v for k, v in said.items() if k != "since"}}, "go on"),
        ({"before": lambda said: {**said, "aud": "another service"}}, "not the site's"),
        ({"before": lambda said: {**said, "aud": ["reports", "others"]}}, "not the site's"),
        ({"before": lambda said: {**said, "iss": "https://other.test"}}, "not the site's"),
        ({"before": lambda said: {**said, "cursor": None}}, "no cursor"),
        ({"before": lambda said: {**said, "more": "no"}}, "no cursor"),
        ({"before": lambda said: {**said, "ended": None}}, "not whole"),
        ({"before": lambda said: {**said, "ended": {"a": "b"}}}, "not whole"),
        ({"before": lambda said: {**said, "waited": -1}}, "not whole"),
        # With these it would never be stale, or forget at once what has ended.
        ({"before": lambda said: {**said, "waited": math.nan}}, "not whole"),
        ({"before": lambda said: {**said, "ended": {"a": math.nan}}}, "not whole"),
        ({"before": lambda said: {**said, "ended": {"a": -math.inf}}}, "not whole"),
        ({"before": lambda said: {**said, "keys": {"a": math.inf}}}, "not whole"),
        ({"after": lambda text: text[: len(text) // 2]}, "not the site's"),
        ({"after": lambda text: text[:-8]}, "not the site's"),
        ({"after": lambda text: ""}, "not the site's"),
        ({"after": lambda text: text + "." + text}, "not the site's"),
        ({"after": lambda text: "a" * 3_000_000}, "too large"),
        ({"status": 302}, "answered 302"),
        ({"status": 401}, "answered 401"),
    ],
)
def test_a_message_that_is_not_the_site_s_counts_for_nothing(site, changes, why):
    token = site.access()
    with site.verifier(max_staleness=1.0) as verifier:
        assert code(verifier, token) == ""
        before = verifier.status()["ended"]
        with broken(site, **changes):
            assert eventually(lambda: why in verifier.error), verifier.error
            assert eventually(lambda: code(verifier, token) == "unavailable")
        assert verifier.status()["ended"] == before
        assert eventually(lambda: code(verifier, token) == "")


def test_an_old_message_that_comes_again_counts_for_nothing(site):
    kept = []
    with site.verifier(max_staleness=1.0) as verifier:
        with broken(site, after=lambda text: kept.append(text) or text):
            assert eventually(lambda: len(kept) > 2)
        for old in kept[-2:]:
            with broken(site, after=lambda text, old=old: old):
                assert eventually(lambda: "another question" in verifier.error)
                assert eventually(lambda: code(verifier, site.access()) == "unavailable")
            assert eventually(lambda: code(verifier, site.access()) == "")


def test_a_message_that_is_left_out_is_noticed(site):
    """Whoever answers with the next but one cannot hide what stands in between."""
    hidden = str(uuid4())
    with site.verifier(max_staleness=1.0) as verifier:
        token = site.access(session_id=hidden)
        assert code(verifier, token) == ""
        site.end(hidden)
        # What follows, as if the one before had been told.
        skip = {"since": str(len(site.ended)), "ended": {}}
        with broken(site, before=lambda said: {**said, **skip}):
            assert eventually(lambda: code(verifier, token) in ("unavailable", "session_revoked"))
        assert eventually(lambda: code(verifier, token) == "session_revoked")


@pytest.mark.parametrize("typ", ["devices-feed+jwt", "at+jwt", "JWT"])
def test_a_foreign_key_or_type_signs_no_message(site, typ):
    key = Key("one") if typ == "devices-feed+jwt" else site.key
    with site.verifier(max_staleness=1.0) as verifier:
        token = site.access()
        assert code(verifier, token) == ""
        with broken(site, after=lambda text: key.sign(claims_of(text), typ)):
            assert eventually(lambda: code(verifier, token) == "unavailable")
            assert "not the site's" in verifier.error
        assert eventually(lambda: code(verifier, token) == "")


# Keys


def test_a_new_key_is_known_within_a_second(site, verifier):
    assert code(verifier, site.access()) == ""
    old, site.key = site.key, Key("two")
    token = site.access()
    assert code(verifier, token) == "token_not_valid"
    site.jwks = {"keys": [old.jwk, site.key.jwk]}
    began = time.monotonic()
    assert eventually(lambda: code(verifier, token) == "")
    assert time.monotonic() - began < 1.5


def test_a_connection_that_stays_open_ends_with_its_session_and_not_with_its_token(site, verifier):
    token = site.access(exp=int(time.time()) + 1)
    demand_active = verifier.watch(token)
    assert eventually(lambda: code(verifier, token) == "token_not_valid", within=10)
    demand_active()
    site.end(claims_of(token)["session_id"])
    assert eventually(lambda: code_of(demand_active) == "session_revoked")


def test_a_connection_that_stays_open_ends_with_its_key_and_with_the_feed(site, verifier):
    with pytest.raises(TokenRefused):
        verifier.watch(site.access() + "x")
    demand_active = verifier.watch(site.access())
    site.withdrawn = {"one": time.time() + 3600}
    assert eventually(lambda: code_of(demand_active) == "token_not_valid")
    verifier.stop()
    verifier._fresh_at = -math.inf
    assert code_of(demand_active) == "unavailable"


def test_V11_2_2_a_withdrawn_key_is_refused_although_a_cache_still_has_it(site, verifier):
    token = site.access()
    assert code(verifier, token) == ""
    old, site.key = site.key, Key("two")
    site.jwks = {"keys": [old.jwk, site.key.jwk]}
    other = site.access()
    assert eventually(lambda: code(verifier, other) == "")
    site.withdrawn = {"one": time.time() + 3600}
    site.end(str(uuid4()))
    assert eventually(lambda: code(verifier, token) == "token_not_valid")
    site.jwks = {"keys": [old.jwk, site.key.jwk, Key("three").jwk]}
    read = site.read_keys
    assert eventually(lambda: site.read_keys > read)
    time.sleep(0.2)
    assert code(verifier, token) == "token_not_valid"
    assert code(verifier, other) == ""


EC = Key("one").jwk


@pytest.mark.parametrize(
    "jwks",
    [
        [],
        {"keys": {}},
        {"keys": [EC, EC]},
        {"keys": [{**EC, "kid": ...}]},
        {"keys": [{**EC, "kid": 1}]},
        {"keys": [{**EC, "kid": []}]},
        {"keys": [{**EC, "alg": "HS256"}]},
        {"keys": [{**EC, "alg": "RS256"}]},
        {"keys": [{**EC, "alg": "ES384"}]},
        {"keys": [{**EC, "alg": "none"}]},
        {"keys": [{**EC, "alg": ...}]},
        {"keys": [{**EC, "use": "enc"}]},
        {"keys": [{**EC, "d": EC["x"]}]},
        {"keys": [{**EC, "x": "!!"}]},
        {"keys": [{**EC, "x": EC["y"]}]},
        {"keys": [{**EC, "crv": "P-384"}]},
        {"keys": [{"kty": "oct", "k": "c2VjcmV0" * 8, "kid": "one", "alg": "HS256"}]},
        {"keys": [{**EC, "kid": str(number)} for number in range(51)]},
        {"keys": [None]},
        {"keys": "one"},
        {"other": []},
        None,
        7,
    ],
)
def test_a_set_of_keys_with_one_bad_key_is_not_believed_at_all(jwks):
    from devices_verifier import keys
    from devices_verifier.errors import FeedRefused

    if isinstance(jwks, dict) and isinstance(jwks.get("keys"), list):
        jwks["keys"] = [
            {k: v for k, v in key.items() if v is not ...} if isinstance(key, dict) else key
            for key in jwks["keys"]
        ]
    with pytest.raises(FeedRefused):
        keys.parse(json.dumps(jwks).encode())
    with pytest.raises(FeedRefused):
        keys.parse(b"{")


def test_poisoned_keys_do_not_replace_those_there_are(site, verifier):
    token = site.access()
    mine = Key("mine")
    forged = mine.sign(claims_of(token))
    for poison in ([{**mine.jwk, "alg": "HS256"}, site.key.jwk], [{**mine.jwk, "d": "x"}]):
        with broken(site, jwks={"keys": poison}):
            assert eventually(lambda: "key" in verifier.error)
            assert code(verifier, forged) == "token_not_valid"
    assert eventually(lambda: verifier.error == "")
    assert code(verifier, token) == ""


def test_keys_come_over_https_only():
    for given in ("http://example.org/feed", "ftp://example.org/", "/feed", ""):
        with pytest.raises(ValueError, match="https"):
            Verifier(
                given,
                jwks_url="https://example.org/jwks.json",
                issuer="i",
                audience="a",
                client_id="c",
                client_secret="s",
            )
    with pytest.raises(ValueError, match="algorithm"):
        Verifier(
            "https://example.org/feed",
            jwks_url="https://example.org/jwks.json",
            issuer="i",
            audience="a",
            client_id="c",
            client_secret="s",
            algorithms=["HS256"],
        )


# As a package


def test_many_threads_and_a_follower_agree(site, verifier):
    tokens = [site.access(session_id=str(number)) for number in range(50)]
    wrong = []

    def check(over):
        while not over.is_set():
            known = {each[1] for each in list(site.ended) if each[2] > 0}
            for number, token in enumerate(tokens):
                if code(verifier, token) and str(number) not in {e[1] for e in site.ended} | known:
                    wrong.append(number)

    over = threading.Event()
    threads = [threading.Thread(target=check, args=(over,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(0, 50, 5):
        site.end(str(number))
        time.sleep(0.05)
    assert eventually(lambda: verifier.status()["ended"] >= 10)
    over.set()
    for thread in threads:
        thread.join()
    assert not wrong
    assert [code(verifier, token) != "" for token in tokens] == [n % 5 == 0 for n in range(50)]


def test_it_needs_neither_django_nor_anything_else_of_the_site():
    program = """
import sys
class Not:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("django", "devices", "rest_framework", "starlette", "asgiref"):
            raise ImportError(name)
sys.meta_path.insert(0, Not())
import devices_verifier
print(sorted(name for name in sys.modules if "." not in name and name in ("jwt", "django", "devices")))
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(ROOT / "verifier")},
    )
    assert done.stdout.strip() == "['jwt']", done.stderr
