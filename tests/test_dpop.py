"""DPoP (RFC 9449): tokens that are bound to a key of their device, and are of no use without it."""

import time

import jwt
import pytest
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import include, path
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken

from devices.api.authentication import DeviceSessionAuthentication
from devices.core import sessions, tokens
from devices.core.binding import replay
from devices.core.binding.dpop import Presentation
from devices.core.clients.client import Client
from devices.core.notifications import outbox
from devices.exceptions import KeyNotProved, SessionError
from devices.models import Activity, DeviceSession, LoginThrottle, UsedProof
from tests.authenticator import enrol
from tests.client import CHROME, PASSWORD, Device, refusal
from tests.dpop import SITE, DPoPDevice, Key

HEADLESS = "/_allauth/app/v1"


@pytest.fixture
def phone(alice):
    return DPoPDevice().sign_in(alice.email)


@pytest.fixture
def configure(settings):
    def configure(**given):
        settings.DEVICES = {**settings.DEVICES, **given}

    return configure


def credentials(user):
    return {"email": user.email, "password": PASSWORD}


def thief(phone, **headers):
    """Somebody with a copy of the tokens, on another machine."""
    device = Device("curl/8.6.0", "198.51.100.66")
    device.access, device.refresh_token = phone.access, phone.refresh_token
    device.credentials(HTTP_AUTHORIZATION=f"Bearer {phone.access}", **headers)
    return device


# Tokens that are bound


def test_S_RFC9449_a_client_that_begins_with_a_proof_gets_bound_tokens(alice):
    phone = DPoPDevice()
    answer = phone.post("/api/login", credentials(alice)).json()
    assert answer["token_type"] == "DPoP"
    session = DeviceSession.objects.get()
    assert session.binding == "dpop"
    for token in (answer["access_token"], answer["refresh_token"]):
        claims = jwt.decode(token, options={"verify_signature": False})
        assert claims["cnf"] == {"jkt": session.binding_key}
    phone.hold(answer)
    assert phone.get("/api/sessions/current").json()["binding"] == "dpop"
    assert phone.rotate().is_in()


@pytest.mark.parametrize("path", ["/api/token", "/api/register"])
def test_each_sign_in_method_binds(alice, path):
    phone = DPoPDevice()
    email = alice.email if path == "/api/token" else "new@example.org"
    answer = phone.post(path, {"email": email, "password": PASSWORD}).json()
    assert answer["token_type"] == "DPoP"
    phone.hold(answer)
    refreshed = phone.refresh().json()
    assert set(refreshed) == {"access", "refresh", "token_type"}
    phone.hold(refreshed)
    assert phone.is_in() and not thief(phone).is_in()


def test_a_client_that_begins_without_one_gets_bearer_tokens_as_ever(alice, sign_in):
    phone = sign_in(alice)
    assert Device().post("/api/login", credentials(alice)).json()["token_type"] == "bearer"
    assert set(phone.refresh().json()) == {"access", "refresh"}
    # A proof that nobody asked for is not looked at, but the scheme says that there is one to be checked.
    assert phone.get("/api/me", HTTP_DPOP="junk").status_code == 200
    answer = Device().get("/api/me", HTTP_AUTHORIZATION=f"DPoP {phone.access}", HTTP_DPOP="junk")
    assert refusal(answer) == (401, "token_not_valid")


@pytest.mark.parametrize("blank", [" ", "  ", "\t"], ids=ascii)
def test_an_unbound_token_is_none_of_dpop_behind_any_blank(alice, sign_in, blank):
    access = sign_in(alice).access
    answer = Device().get("/api/me", HTTP_AUTHORIZATION=f"DPoP{blank}{access}")
    assert answer.status_code == 401


def test_no_endpoint_of_allauths_takes_an_unbound_token_for_a_bound_one(alice, sign_in):
    phone = sign_in(alice)
    path = f"{HEADLESS}/auth/session"
    assert phone.get(path).status_code == 200
    as_dpop = {"HTTP_AUTHORIZATION": f"DPoP {phone.access}", "HTTP_DPOP": "junk"}
    assert Device().get(path, **as_dpop).status_code == 401


def test_the_same_key_is_the_same_device_and_another_one_is_not(alice, clock):
    key = Key()
    first = DPoPDevice(key=key).sign_in(alice.email)
    again = DPoPDevice(key=key).sign_in(alice.email)
    assert not first.is_in() and again.is_in()
    assert DeviceSession.objects.get(pk=first.session_id).revoke_reason == "superseded"
    another = DPoPDevice(ip="198.51.100.9").sign_in(alice.email)
    assert again.is_in() and another.is_in()
    news = Activity.objects.filter(kind="device.new").values_list("session_id", flat=True)
    assert [str(pk) for pk in news] == [another.session_id]


def test_a_key_that_is_shown_says_more_than_an_id_that_can_be_copied(alice, clock):
    key = Key()
    phone = DPoPDevice(key=key)
    phone.credentials(HTTP_X_DEVICE_ID="alices-phone")
    phone.sign_in(alice.email)
    copied = Device(CHROME, "198.51.100.9")
    copied.credentials(HTTP_X_DEVICE_ID="alices-phone")
    copied.sign_in(alice.email)
    # It ends no session of the device whose id it has, and is a new device.
    assert phone.is_in()
    assert Activity.objects.filter(session_id=copied.session_id, kind="device.new").exists()


# Never without the key: each door that takes tokens


def subclass(**overrides):
    return type("Own", (DeviceSessionAuthentication,), overrides)


class FromCookie(DeviceSessionAuthentication):
    """A recipe: the access token comes in a cookie."""

    def get_header(self, request):
        token = request.COOKIES.get("access", "")
        return f"Bearer {token}".encode() if token else None


OWN_CLASSES = {
    "as it is": DeviceSessionAuthentication,
    "own reading": subclass(get_validated_token=lambda self, raw: AccessToken(raw)),
    "own user": subclass(get_user=lambda self, token: DeviceSessionAuthentication.get_user(self, token)),
    "own claims": subclass(get_validated_token=lambda self, raw: AccessToken(raw).payload),
}  # fmt: skip


@pytest.mark.parametrize("name", OWN_CLASSES)
def test_a_class_of_a_host_project_lets_nobody_in_without_the_key(phone, name):
    class View(APIView):
        authentication_classes = (OWN_CLASSES[name],)

        def get(self, request):
            return Response(str(request.user.pk))

    view = View.as_view()

    def ask(scheme, proof):
        headers = {"HTTP_AUTHORIZATION": f"{scheme} {phone.access}"}
        return view(APIRequestFactory().get("/api/me", **headers, **proof)).status_code

    right = {"HTTP_DPOP": phone.key.proof("GET", f"{SITE}/api/me", phone.access)}
    # Of claims alone nobody knows which token the proof was made for.
    assert ask("DPoP", right) == (401 if name == "own claims" else 200)
    assert ask("Bearer", {}) == ask("DPoP", {}) == 401
    assert (
        ask("Bearer", {"HTTP_DPOP": phone.key.proof("GET", f"{SITE}/api/me", phone.access)}) == 401
    )
    assert ask("DPoP", {"HTTP_DPOP": Key().proof("GET", f"{SITE}/api/me", phone.access)}) == 401


def test_a_token_in_a_cookie_needs_the_key_too(phone):
    class View(APIView):
        authentication_classes = (FromCookie,)

        def get(self, request):
            return Response(str(request.user.pk))

    def ask(**headers):
        request = APIRequestFactory().get("/api/me", **headers)
        request.COOKIES["access"] = phone.access
        return View.as_view()(request).status_code

    assert ask() == 401
    assert ask(HTTP_DPOP=Key().proof("GET", f"{SITE}/api/me", phone.access)) == 401
    assert ask(HTTP_DPOP=phone.key.proof("GET", f"{SITE}/api/me", "another")) == 401
    assert ask(HTTP_DPOP=phone.key.proof("GET", f"{SITE}/api/me", phone.access)) == 200


def test_verifying_a_bound_token_takes_the_key(phone):
    for token in (phone.access, phone.refresh_token):
        body = {"token": token}
        assert refusal(Device().post("/api/token/verify", body)) == (401, "token_not_valid")
        url = f"{SITE}/api/token/verify"
        proof = phone.key.proof("POST", url, token)
        assert Device().post("/api/token/verify", body, HTTP_DPOP=proof).status_code == 200


def test_who_finds_a_refresh_token_can_end_its_session_and_no_more(phone):
    assert (
        thief(phone).post("/api/token/blacklist", {"refresh": phone.refresh_token}).status_code
        == 200
    )
    assert refusal(phone.get("/api/me")) == (401, "session_revoked")
    assert DeviceSession.objects.get().revoke_reason == "logout"


def test_simplejwts_own_blacklist_ends_it_too(phone):
    RefreshToken(phone.refresh_token).blacklist()
    assert not phone.is_in()


def test_a_proof_that_was_looked_at_before_is_still_the_key_of_one_session_only(alice, phone):
    """One request, whose proof was found good for one session, asks for another one, too."""
    other = DPoPDevice("curl/8.6.0").sign_in(alice.email)
    url = f"{SITE}/api/me"
    proof = phone.key.proof("GET", url, phone.access)
    mine = Client(presentation=Presentation("dpop", proof, "GET", (url,)))
    assert sessions.authenticate(phone.access.encode(), lambda: mine)
    with pytest.raises(KeyNotProved):
        sessions.get_valid_session(tokens.read_access(other.access), lambda: mine)
    assert sessions.get_valid_session(tokens.read_access(phone.access), lambda: mine, phone.access)


def test_logging_out_takes_the_key(phone):
    assert thief(phone).post("/api/logout").status_code == 401
    assert phone.post("/api/logout").status_code == 204
    assert not phone.is_in()


@pytest.fixture
def app(alice):
    """An app that signs in through allauth's endpoints, with a key."""
    app = DPoPDevice()
    answer = app.post(f"{HEADLESS}/auth/login", credentials(alice))
    assert answer.status_code == 200, answer.json()
    app.hold(answer.json()["meta"])
    return app


def test_allauths_endpoints_bind_and_take_the_key(app):
    session = DeviceSession.objects.get()
    assert session.binding == "dpop"
    path = f"{HEADLESS}/auth/session"
    assert app.get(path).status_code == 200
    assert app.get("/api/me").status_code == 200
    assert app.get(f"{HEADLESS}/account/authenticators").status_code == 200
    copy = thief(app)
    for stolen in (path, f"{HEADLESS}/account/authenticators", "/api/me"):
        assert copy.get(stolen).status_code == 401
        proof = Key().proof("GET", SITE + stolen, app.access)
        as_dpop = {"HTTP_AUTHORIZATION": f"DPoP {app.access}", "HTTP_DPOP": proof}
        assert Device().get(stolen, **as_dpop).status_code == 401
    assert app.get(path).status_code == 200


def test_allauths_refresh_takes_the_key(app):
    path, body = f"{HEADLESS}/tokens/refresh", {"refresh_token": app.refresh_token}
    assert thief(app).post(path, body).status_code in (400, 401)
    assert DeviceSession.objects.get().generation == 0
    assert app.post(path, body).status_code == 200


def test_the_store_of_an_app_opens_no_page_without_the_key(app):
    """Its key is one that nobody but the server knows; and were it known, it opens nothing."""
    from devices.contrib.allauth import AppSession

    app.get(f"{HEADLESS}/account/authenticators")
    browser = Browser()
    store = AppSession(DeviceSession.objects.get())
    store.update({"_auth_user_id": str(DeviceSession.objects.get().user_id)})
    browser.cookies["sessionid"] = browser.cookies["__Host-sessionid"] = store.key
    assert browser.get("/devices/").status_code == 302


def test_verbs_ask_for_the_key_of_the_caller(phone):
    claims = tokens.read_access(phone.access)
    refresh = tokens.read_refresh(phone.refresh_token)
    for verb in (
        lambda: sessions.get_valid_session(claims, Client),
        lambda: sessions.authenticate_claims(claims, Client()),
        lambda: sessions.rotate(refresh, Client()),
        lambda: sessions.authenticate(phone.access.encode(), Client),
        lambda: sessions.authenticate_cookie(claims.user_id, claims.session_id, Client),
    ):
        with pytest.raises(SessionError):
            verb()
    assert phone.is_in()


def test_a_bound_token_is_good_for_no_session_that_is_bound_otherwise(phone):
    for binding, key in (("none", ""), ("dpop", "another-thumbprint"), ("dbsc", "another")):
        DeviceSession.objects.update(binding=binding, binding_key=key)
        assert refusal(thief(phone).get("/api/me")) == (401, "token_not_valid")
        assert refusal(phone.get("/api/me")) == (401, "token_not_valid")
        assert phone.refresh().status_code != 200


# Who has to


def test_off_binds_nobody_any_more_and_keeps_those_who_are(phone, alice, configure):
    configure(DPOP="off")
    other = DPoPDevice()
    assert other.post("/api/login", credentials(alice)).json()["token_type"] == "bearer"
    assert phone.rotate().is_in() and not thief(phone).is_in()


@pytest.mark.parametrize("path", ["/api/login", "/api/token", "/api/register"])
def test_required_lets_nobody_begin_without(alice, configure, path):
    configure(DPOP="required")
    email = "new@example.org" if path == "/api/register" else alice.email
    answer = Device().post(path, {"email": email, "password": PASSWORD})
    assert refusal(answer) == (400, "invalid_dpop_proof")
    assert answer["WWW-Authenticate"].startswith(
        'DPoP error="invalid_dpop_proof", error_description="proof_missing"'
    )
    assert not DeviceSession.objects.exists()
    assert DPoPDevice().post(path, {"email": email, "password": PASSWORD}).status_code < 300


def staff_or_apps(user, client):
    return user.is_staff or client.user_agent.startswith("OurApp/")


def test_a_function_says_of_whom_it_is_required(alice, make_user, configure):
    configure(DPOP="tests.test_dpop.staff_or_apps")
    clerk = make_user("clerk@example.org", is_staff=True)
    assert Device().post("/api/login", credentials(alice)).status_code == 200
    assert refusal(Device().post("/api/login", credentials(clerk))) == (400, "invalid_dpop_proof")
    assert Device("OurApp/1").post("/api/login", credentials(alice)).status_code == 400
    assert DPoPDevice().sign_in(clerk.email).is_in()
    # Whoever is to be bound is told how (RFC 9449 §7.1).
    assert Device().get("/api/me")["WWW-Authenticate"] == (
        'Bearer realm="api", DPoP algs="ES256 Ed25519 EdDSA RS256"'
    )


def test_pages_are_signed_in_to_as_ever(alice, configure):
    configure(DPOP="required")
    browser = Browser(headers={"User-Agent": CHROME})
    form = {"login": alice.email, "password": PASSWORD}
    assert browser.post("/accounts/login/", form).status_code == 302
    assert DeviceSession.objects.get().binding == "none"
    assert browser.get("/devices/").status_code == 200


def test_an_app_of_allauths_has_to_as_well(alice, configure):
    configure(DPOP="required")
    answer = Device().post(f"{HEADLESS}/auth/login", credentials(alice))
    assert answer.status_code == 403
    assert not DeviceSession.objects.exists()
    assert DPoPDevice().post(f"{HEADLESS}/auth/login", credentials(alice)).status_code == 200


# Nonces


def test_S_RFC9449_8_a_nonce_is_asked_for_where_the_setting_says_so(alice, configure):
    configure(DPOP_NONCE=True)
    phone = DPoPDevice()
    first = phone.post("/api/login", credentials(alice))
    assert refusal(first) == (400, "use_dpop_nonce")
    assert 'error="use_dpop_nonce"' in first["WWW-Authenticate"]
    assert phone.nonce and phone.nonce == first["DPoP-Nonce"]
    phone.sign_in(alice.email)
    assert phone.is_in() and phone.rotate().is_in()
    phone.nonce = None
    again = phone.get("/api/me")
    assert refusal(again) == (401, "use_dpop_nonce")
    assert phone.is_in(), "with the nonce of the answer"


@pytest.mark.parametrize("nonce", ["", "junk", "n.1.x", "ä", "\ud800", 7, None, ["n"]])
def test_a_nonce_that_is_none_of_ours_asks_for_another(alice, configure, nonce):
    configure(DPOP_NONCE=True)
    proof = Key().proof("POST", SITE + "/api/login", nonce=nonce)
    answer = Device().post("/api/login", credentials(alice), HTTP_DPOP=proof)
    assert refusal(answer) == (400, "use_dpop_nonce")


def test_a_nonce_grows_old_and_the_next_one_comes_before(alice, configure, clock):
    configure(DPOP_NONCE=True)
    phone = DPoPDevice()
    phone.post("/api/login", credentials(alice))
    phone.sign_in(alice.email)
    first = phone.nonce
    clock.shift(20)
    assert phone.is_in() and phone.nonce == first
    clock.shift(20)
    assert phone.is_in() and phone.nonce != first, "half of its time is over"
    phone.nonce = first
    clock.shift(25)
    assert refusal(phone.get("/api/me")) == (401, "use_dpop_nonce")


def test_with_a_nonce_the_clock_of_the_client_does_not_count(alice, configure):
    configure(DPOP_NONCE=True)
    phone = DPoPDevice()
    phone.post("/api/login", credentials(alice))
    behind = phone.key.proof("POST", SITE + "/api/login", iat=86400, nonce=phone.nonce)
    answer = Device().post("/api/login", credentials(alice), HTTP_DPOP=behind)
    assert answer.status_code == 200


def test_to_ask_for_a_nonce_counts_no_password_and_uses_up_no_code(alice, configure, clock):
    configure(DPOP_NONCE=True)
    app = enrol(alice)
    phone = DPoPDevice()
    body = {**credentials(alice), "otp": app.code()}
    for _ in range(3):
        phone.nonce = None
        assert refusal(phone.post("/api/login", body)) == (400, "use_dpop_nonce")
    assert not LoginThrottle.objects.exists()
    assert phone.post("/api/login", body).status_code == 200


# Where the client believes to be


@pytest.mark.parametrize(
    "htu",
    [
        "http://testserver/api/sessions/current",
        "HTTP://TESTSERVER/api/sessions/current",
        "http://testserver:80/api/sessions/current",
        "http://testserver/api/sessions/current?page=1",
        "http://testserver/api/sessions/current#top",
        "http://testserver/api/sessions/%63urrent",
        # SITE_URL, whatever the proxy made of it.
        "https://devices.test/api/sessions/current",
        "https://devices.test:443/api/sessions/current",
    ],
)
def test_S_RFC9449_9_an_address_is_the_same_in_all_its_spellings(phone, htu):
    proof = phone.key.proof("GET", htu, phone.access)
    answer = phone.get("/api/sessions/current?x=1", HTTP_DPOP=proof)
    assert answer.status_code == 200


class Where(APIView):
    authentication_classes = (DeviceSessionAuthentication,)

    def get(self, request, name):
        return Response(name)


urlpatterns = [path("api/files/<str:name>", Where.as_view()), path("", include("project.urls"))]


@pytest.mark.urls(__name__)
@pytest.mark.parametrize("site_url", ["", "https://devices.test"])
@pytest.mark.parametrize(
    ("name", "others"),
    [
        ("a%3Fb", ["a", "a?b", "a%253Fb"]),
        ("a%23b", ["a", "a#b", "a%2523b"]),
        ("50%25", ["50", "50%2525"]),
        ("%2541", ["A", "%41"]),
        ("%C3%A4;b=c", ["%C3%A4", "a;b=c"]),
    ],
)
def test_S_RFC9449_9_what_is_escaped_in_a_path_is_no_query_and_no_other_path(
    phone, configure, name, others, site_url
):
    configure(SITE_URL=site_url)
    for site in filter(None, (SITE, site_url)):
        base = f"{site}/api/files/"
        right = phone.key.proof("GET", base + name, phone.access)
        assert phone.get(f"/api/files/{name}", HTTP_DPOP=right).status_code == 200
        for other in others:
            wrong = phone.key.proof("GET", base + other, phone.access)
            answer = phone.get(f"/api/files/{name}", HTTP_DPOP=wrong)
            assert (answer.status_code, answer.json()["code"]) == (401, "invalid_dpop_proof"), other


def test_behind_a_proxy_the_address_is_that_of_the_proxy(phone, configure, settings):
    configure(SITE_URL="")
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    settings.USE_X_FORWARDED_HOST = True
    proxied = {"HTTP_X_FORWARDED_PROTO": "https", "HTTP_X_FORWARDED_HOST": "api.example.org"}
    for htu, status in (
        ("https://api.example.org/api/me", 200),
        ("http://testserver/api/me", 401),
        ("https://testserver/api/me", 401),
        ("https://devices.test/api/me", 401),
    ):
        proof = phone.key.proof("GET", htu, phone.access)
        assert phone.get("/api/me", HTTP_DPOP=proof, **proxied).status_code == status, htu


def test_below_a_path_that_the_proxy_takes_off(phone, configure, settings):
    configure(SITE_URL="https://example.org/app")
    for prefix in (None, "/app"):
        settings.FORCE_SCRIPT_NAME = prefix
        proof = phone.key.proof("GET", "https://example.org/app/api/me", phone.access)
        assert phone.get("/api/me", HTTP_DPOP=proof).status_code == 200


def test_a_host_that_is_none_of_ours_opens_nothing(phone, settings):
    settings.ALLOWED_HOSTS = ["testserver"]
    proof = phone.key.proof("GET", "http://stranger.example/api/me", phone.access)
    answer = phone.get("/api/me", HTTP_DPOP=proof, HTTP_HOST="stranger.example")
    assert answer.status_code == 400


# Once, and no longer than needed


def test_a_proof_is_used_up_whatever_else_the_view_says(phone):
    proof = phone.key.proof("PATCH", SITE + "/api/sessions/current", phone.access)
    bad = phone.patch("/api/sessions/current", {"name": "x" * 99}, HTTP_DPOP=proof)
    assert bad.status_code == 400
    again = phone.patch("/api/sessions/current", {"name": "mine"}, HTTP_DPOP=proof)
    assert refusal(again) == (401, "invalid_dpop_proof")


def test_used_proofs_are_forgotten_when_their_time_is_over(alice, clock, monkeypatch):
    monkeypatch.setattr(replay, "TURN", 1)
    phone = DPoPDevice().sign_in(alice.email)
    for _ in range(5):
        assert phone.is_in()
    assert UsedProof.objects.count() == 6
    clock.shift(121)
    assert phone.is_in()
    assert UsedProof.objects.count() == 1


def test_the_hourly_round_forgets_them_too(alice, clock):
    from devices.core import maintenance

    DPoPDevice().sign_in(alice.email)
    maintenance.tidy()
    assert UsedProof.objects.count() == 1
    clock.shift(121)
    maintenance.tidy()
    assert not UsedProof.objects.exists()


def test_a_proof_outlives_no_memory_of_it(alice, clock):
    """One from the future is remembered for as long as it is good."""
    phone = DPoPDevice().sign_in(alice.email)
    early = phone.key.proof("GET", SITE + "/api/me", phone.access, iat=int(time.time()) + 60)
    assert phone.get("/api/me", HTTP_DPOP=early).status_code == 200
    for _ in range(4):
        clock.shift(29.9)
        replay.purge(100)
        assert phone.get("/api/me", HTTP_DPOP=early).status_code == 401


# What it costs


@pytest.mark.django_db(transaction=True)
def test_a_bearer_request_asks_nothing_more_and_a_proof_one_insert(make_user, sign_in, monkeypatch):
    # One proof in some deletes old ones.
    monkeypatch.setattr(replay, "purge", lambda limit: 0)
    alice = make_user()
    bearer, phone = sign_in(alice), DPoPDevice().sign_in(alice.email)

    def statements(device):
        device.get("/api/sessions/current")
        with CaptureQueriesContext(connection) as sent:
            assert device.get("/api/sessions/current").status_code == 200
        return [q["sql"].split()[0] for q in sent]

    assert statements(bearer) == ["SELECT"]
    assert statements(phone) == ["SELECT", "INSERT"]


# Somebody with a copy


def test_the_owner_is_told_once_and_stays_signed_in(phone, alice, mailoutbox):
    copy = thief(phone)
    for _ in range(3):
        assert refusal(copy.get("/api/me")) == (401, "token_not_valid")
    assert refusal(copy.refresh()) == (401, "token_not_valid")
    outbox.send_due()
    [mail] = [m for m in mailoutbox if m.subject.startswith("A copy of your session")]
    assert mail.to == [alice.email]
    assert Activity.objects.filter(kind="binding.failed").count() == 1
    assert phone.rotate().is_in()


# A database that does not know, a Redis that is away


def test_where_nobody_can_tell_whether_a_proof_was_used_nobody_gets_in(phone, alice, configure):
    configure(DPOP_STORE="redis://127.0.0.1:1/0")
    answer = phone.get("/api/me")
    assert (refusal(answer), answer["Retry-After"]) == ((503, "unavailable"), "5")
    assert refusal(phone.refresh()) == (503, "unavailable")
    assert refusal(DPoPDevice().post("/api/login", credentials(alice))) == (503, "unavailable")
    assert Device().sign_in(alice.email).is_in(), "bearer tokens ask for none"
    assert phone.get(f"{HEADLESS}/auth/session").status_code == 503
