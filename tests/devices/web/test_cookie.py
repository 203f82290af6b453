"""Browsers with a cookie session of Django: each is a session as any other, and is out when that ends."""

import pytest
from asgiref.sync import async_to_sync
from django.conf import settings as project
from django.contrib.auth import BACKEND_SESSION_KEY, SESSION_KEY, login, user_logged_in
from django.contrib.auth.backends import ModelBackend, RemoteUserBackend
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.views import LoginView
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import path
from rest_framework.parsers import FormParser, MultiPartParser
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import User
from devices.core import sessions
from devices.models import Activity, DeviceSession, RevokeReason
from devices.web.cookie import ID, Proof
from project import urls as site
from tests.authenticator import enrol
from tests.client import CHROME, FIREFOX, PASSWORD, Device

DAY = 86400


class Browser(Client):
    def __init__(self, agent=CHROME, ip="203.0.113.7", **kwargs):
        super().__init__(HTTP_USER_AGENT=agent, REMOTE_ADDR=ip, **kwargs)

    def sign_in(self, email, password=PASSWORD, path="/accounts/login/", field="login"):
        answer = self.post(path, {field: email, "password": password, "remember": "on"})
        assert answer.status_code == 302, answer.content
        return self

    def is_in(self):
        return self.get("/devices/").status_code == 200

    @property
    def device_session(self):
        return DeviceSession.objects.get(pk=self.session[ID])


@pytest.fixture(
    autouse=True,
    params=["devices.web.session_engines.db", "django.contrib.sessions.backends.db"],
    ids=["our engine", "Django's engine"],
)
def an_engine(request, settings):
    """The site's, and what a project has that reads its cookie sessions through the middleware alone."""
    settings.SESSION_ENGINE = request.param


@pytest.fixture
def root(make_user):
    return make_user("root@example.org", is_staff=True, is_superuser=True)


# allauth's form, and Django's own, as a site without allauth has it.
DOORS = [("/accounts/login/", "login"), ("/plain/login/", "username")]
pytestmark = pytest.mark.urls(__name__)


class SignIn(APIView):
    """A view that has looked at nobody before it signs somebody in."""

    authentication_classes = ()
    permission_classes = ()
    parser_classes = (FormParser, MultiPartParser)

    def post(self, request):
        user = User.objects.get(email=request.data["email"])
        login(request, user, project.AUTHENTICATION_BACKENDS[0])
        return Response()


urlpatterns = [
    path("sign-in", SignIn.as_view()),
    path("plain/login/", LoginView.as_view(template_name="home.html")),
    *site.urlpatterns,
]


@pytest.mark.parametrize(("path", "field"), DOORS)
def test_V6_1_3_signing_in_to_pages_is_a_session(root, path, field):
    browser = Browser().sign_in(root.email, path=path, field=field)
    session = DeviceSession.objects.get()
    assert (session.user, session.login_method, session.device) == (
        root,
        "password",
        "Chrome on Windows",
    )
    assert session.ip_address == "203.0.113.7"
    assert browser.device_session == session
    assert browser.is_in()
    [started] = Activity.objects.all()
    assert (started.kind, started.data) == ("session.started", {"method": "password"})


@pytest.mark.parametrize(("path", "field"), DOORS)
def test_a_revoked_one_is_out_at_the_next_request_and_loses_its_cookie(root, sign_in, path, field):
    browser = Browser().sign_in(root.email, path=path, field=field)
    phone = sign_in(root)
    listed = phone.get("/api/sessions").json()
    assert len(listed) == 2
    assert phone.delete(f"/api/sessions/{browser.device_session.pk}").status_code == 204
    name = project.SESSION_COOKIE_NAME
    answer = browser.get("/devices/")
    assert (answer.status_code, answer["Location"].split("?")[0]) == (302, "/accounts/login/")
    assert answer.cookies[name].value == "" and answer.cookies[name]["max-age"] == 0
    page = browser.get(answer["Location"])
    assert "This session was signed out." in page.content.decode()


def test_the_cookie_of_a_revoked_session_opens_nothing_when_it_is_sent_again(alice):
    browser = Browser().sign_in(alice.email)
    kept = browser.cookies[project.SESSION_COOKIE_NAME].value
    sessions.revoke(browser.device_session, reason=RevokeReason.ADMIN)
    assert not browser.is_in()
    browser.cookies[project.SESSION_COOKIE_NAME] = kept
    assert not browser.is_in()


def test_V14_3_1_signing_out_ends_it_and_leaves_nothing_of_it_in_the_browser(alice):
    browser = Browser().sign_in(alice.email)
    session = browser.device_session
    pages = ("/devices/", "/devices/notifications/", f"/devices/{session.pk}/")
    for page in (*pages, f"/devices/{session.pk}/sign-out/"):
        assert "no-store" in browser.get(page)["Cache-Control"]
    answer = browser.post("/accounts/logout/")
    # What other programs of this origin keep is theirs.
    assert "Clear-Site-Data" not in answer
    assert not answer.cookies[project.SESSION_COOKIE_NAME].value
    session.refresh_from_db()
    assert (session.revoke_reason, session.revoked_by) == ("logout", alice)
    assert not browser.is_in()


def test_V14_3_1_a_project_may_have_browsers_clear_more(alice, settings):
    settings.DEVICES = {**settings.DEVICES, "CLEAR_SITE_DATA": ["cache", "storage"]}
    browser = Browser().sign_in(alice.email)
    assert "Clear-Site-Data" not in browser.get("/devices/")
    assert browser.post("/accounts/logout/")["Clear-Site-Data"] == '"cache", "storage"'


def test_7_2_4_each_sign_in_has_a_key_and_an_id_of_its_own(root):
    browser = Browser()
    browser.get("/accounts/login/")
    keys, ids = [], []
    for _ in range(2):
        browser.sign_in(root.email, path="/plain/login/", field="username")
        keys.append(browser.cookies[project.SESSION_COOKIE_NAME].value)
        ids.append(browser.session[ID])
    assert len(set(keys)) == len(set(ids)) == 2
    first, second = (DeviceSession.objects.get(pk=pk) for pk in ids)
    assert (first.revoke_reason, second.revoke_reason) == ("superseded", "")
    stale = Browser()
    stale.cookies[project.SESSION_COOKIE_NAME] = keys[0]
    assert not stale.is_in()


def test_A37_a_preset_key_is_not_adopted(alice):
    mallorys = Browser()
    mallorys.get("/accounts/login/")
    session = mallorys.session
    session["bait"] = True
    session.save()
    victim = Browser()
    victim.cookies[project.SESSION_COOKIE_NAME] = session.session_key
    victim.sign_in(alice.email)
    assert victim.cookies[project.SESSION_COOKIE_NAME].value != session.session_key
    mallorys.cookies[project.SESSION_COOKIE_NAME] = session.session_key
    assert victim.is_in() and not mallorys.is_in()


def test_A10_a_session_of_somebody_else_signs_nobody_in(alice, mallory):
    browser, hers = Browser().sign_in(mallory.email), Browser(FIREFOX).sign_in(alice.email)
    cookie = browser.session
    cookie[ID] = hers.session[ID]
    cookie.save()
    assert not browser.is_in()
    assert hers.is_in()


@pytest.mark.parametrize("value", [None, "", "x", 7, ["a"], "0" * 32])
def test_a_cookie_session_without_a_session_of_ours_signs_nobody_in(alice, value):
    """One that is older than this app, say: it could be neither seen nor ended."""
    browser = Browser().sign_in(alice.email)
    cookie = browser.session
    cookie.pop(ID)
    if value is not None:
        cookie[ID] = value
    cookie.save()
    assert not browser.is_in()
    assert SESSION_KEY not in browser.session


def test_another_person_in_the_same_browser_ends_the_session_of_the_first(alice, root):
    browser = Browser().sign_in(alice.email)
    hers = browser.device_session
    browser.sign_in(root.email, path="/plain/login/", field="username")
    hers.refresh_from_db()
    assert hers.revoke_reason == "logout"
    assert browser.device_session.user == root
    assert Browser().sign_in(alice.email).is_in()


def test_so_it_does_where_a_view_has_not_looked_who_is_signed_in(alice, mallory, settings):
    if settings.SESSION_ENGINE.startswith("django."):
        pytest.skip("Django's engine forgets whose session it was")
    browser = Browser().sign_in(alice.email)
    hers, elsewhere = browser.device_session, Browser(FIREFOX).sign_in(alice.email)
    assert browser.post("/sign-in", {"email": mallory.email}).status_code == 200
    hers.refresh_from_db()
    assert hers.revoke_reason == "logout"
    assert browser.is_in() and browser.device_session.user == mallory
    assert elsewhere.is_in()
    # Of one's own, the new one takes the place.
    mine = browser.device_session
    browser.post("/sign-in", {"email": mallory.email})
    mine.refresh_from_db()
    assert mine.revoke_reason == "superseded"
    assert browser.is_in()


def test_A23_browsers_and_apps_share_one_limit(alice, sign_in, settings):
    settings.DEVICES = {**settings.DEVICES, "MAX_SESSIONS": 2}
    browser, phone = Browser().sign_in(alice.email), sign_in(alice)
    other = Browser(FIREFOX).sign_in(alice.email)
    assert not browser.is_in()
    assert phone.is_in() and other.is_in()


def test_the_site_s_pages_and_an_api_client_in_one_browser_are_two_sessions(alice):
    browser = Browser().sign_in(alice.email)
    front_end = Device()
    front_end.cookies = browser.cookies
    front_end.sign_in(alice.email)
    assert DeviceSession.objects.active().count() == 2
    front_end.sign_in(alice.email)
    assert browser.is_in() and front_end.is_in()
    assert DeviceSession.objects.active().count() == 2


def test_A33_the_owner_gets_in_on_her_browser_while_a_stranger_tries(alice):
    home = Browser().sign_in(alice.email)
    home.post("/accounts/logout/")
    for _ in range(11):
        Browser(ip="198.51.100.66").post(
            "/accounts/login/", {"login": alice.email, "password": "wrong"}
        )
    stranger = Browser(ip="198.51.100.67").post(
        "/accounts/login/", {"login": alice.email, "password": PASSWORD}
    )
    assert "Too many attempts. Try again in " in stranger.content.decode()
    home.defaults["REMOTE_ADDR"] = "192.0.2.99"
    home.sign_in(alice.email)
    assert home.is_in()


# What it costs


def verbs(browser, path="/devices/"):
    with CaptureQueriesContext(connection) as sent:
        assert browser.get(path).status_code == 200
    return [query["sql"].split()[0] for query in sent]


@pytest.mark.django_db(transaction=True)
def test_R14_a_page_costs_the_cookie_and_one_query_more_and_writes_nothing(make_user, clock):
    browser = Browser().sign_in(make_user().email)
    browser.get("/docs")
    # The name at the top of the page comes with the session.
    reads = ["SELECT"] * 2
    assert verbs(browser, "/docs") == reads
    clock.shift(59)
    assert len(verbs(browser, "/docs")) == 2
    clock.shift(1)
    assert verbs(browser, "/docs")[2:] == ["UPDATE"]
    assert len(verbs(browser, "/docs")) == 2
    assert browser.device_session.last_active == DeviceSession.objects.get().last_active


def test_the_api_asks_nothing_about_cookies(alice, sign_in):
    browser, phone = Browser().sign_in(alice.email), sign_in(alice)
    with CaptureQueriesContext(connection) as sent:
        answer = browser.get("/api/me", headers={"Authorization": f"Bearer {phone.access}"})
    assert answer.status_code == 200 and len(sent) == 2
    assert not [query for query in sent if "django_session" in query["sql"]]


# Limits in time


def test_V7_3_1_the_idle_limit_moves_with_use_and_ends_it(alice, clock):
    browser = Browser().sign_in(alice.email)
    began = browser.device_session.expires_at
    clock.shift(DAY)
    assert browser.is_in()
    assert browser.device_session.expires_at == began
    for _ in range(3):
        clock.shift(20 * DAY)
        assert browser.is_in()
    clock.shift(30 * DAY + 1)
    assert not browser.is_in()


def test_V7_3_2_the_absolute_limit_does_not_move(alice, clock):
    browser = Browser().sign_in(alice.email)
    for _ in range(4):
        clock.shift(20 * DAY)
        assert browser.is_in()
    session = browser.device_session
    assert session.expires_at == session.absolute_expires_at
    clock.shift(10 * DAY)
    assert not browser.is_in()


# The account


def test_A18_who_changes_the_password_in_a_browser_stays_in_and_all_others_are_out(alice, sign_in):
    browser, other, phone = Browser().sign_in(alice.email), Browser(FIREFOX), sign_in(alice)
    other.sign_in(alice.email)
    session = browser.device_session
    form = {
        "oldpassword": PASSWORD,
        "password1": "another horse 10",
        "password2": "another horse 10",
    }
    assert browser.post("/accounts/password/change/", form).status_code == 302
    assert browser.is_in() and browser.device_session == session
    assert not other.is_in() and not phone.is_in()
    alice.refresh_from_db()
    assert alice.check_password("another horse 10")


def test_A18_the_same_through_django_s_own_view(root, sign_in):
    browser, phone = Browser().sign_in(root.email), sign_in(root)
    form = {
        "old_password": PASSWORD,
        "new_password1": "another horse 10",
        "new_password2": "another horse 10",
    }
    assert browser.post("/admin/password_change/", form).status_code == 302
    assert browser.is_in() and not phone.is_in()


def test_A18_a_copy_of_an_earlier_cookie_is_out_after_it(root, settings, an_engine):
    """Where the whole session is in the cookie, too, and there is no key to change."""
    for engine in (settings.SESSION_ENGINE, "django.contrib.sessions.backends.signed_cookies"):
        settings.SESSION_ENGINE = engine
        root.set_password(PASSWORD)
        root.save()
        browser, copy = Browser().sign_in(root.email), Browser()
        assert browser.is_in()
        for name, cookie in browser.cookies.items():
            copy.cookies[name] = cookie.value
        assert copy.is_in()
        form = {
            "old_password": PASSWORD,
            "new_password1": "another horse 10",
            "new_password2": "another horse 10",
        }
        assert browser.post("/admin/password_change/", form).status_code == 302
        assert browser.is_in()
        assert not copy.is_in(), engine
        assert browser.is_in()


def test_A18_staff_who_change_somebody_s_password_keep_nothing_of_theirs(root, alice):
    staff, hers = Browser().sign_in(root.email), Browser(FIREFOX).sign_in(alice.email)
    form = {"password1": "another horse 10", "password2": "another horse 10"}
    path = f"/admin/accounts/user/{alice.pk}/password/"
    assert staff.post(path, {**form, "usable_password": "true"}).status_code == 302
    assert staff.is_in() and not hers.is_in()


def test_A18_a_password_changed_elsewhere_is_the_end(alice):
    browser = Browser().sign_in(alice.email)
    alice.set_password("another horse 10")
    alice.save()
    assert not browser.is_in()


def test_a_password_that_is_hashed_anew_ends_nothing(alice, settings, sign_in):
    browser = Browser().sign_in(alice.email)
    before = User.objects.get().password
    settings.PASSWORD_HASHERS = [
        "django.contrib.auth.hashers.ScryptPasswordHasher",
        *settings.PASSWORD_HASHERS,
    ]
    sign_in(alice)
    assert User.objects.get().password != before
    assert browser.is_in()


def test_A13_a_deactivated_account_is_out_for_good(alice):
    browser = Browser().sign_in(alice.email)
    User.objects.update(is_active=False)
    assert not browser.is_in()
    User.objects.update(is_active=True)
    assert not browser.is_in()


def test_A12_a_deleted_account_is_out(alice):
    browser = Browser().sign_in(alice.email)
    alice.delete()
    assert not browser.is_in()


def deactivate(request, user):
    User.objects.filter(pk=user.pk).update(is_active=False)
    return Proof("password")


def test_an_account_that_is_deactivated_between_proof_and_session_gets_none(alice, settings):
    settings.DEVICES = {**settings.DEVICES, "LOGIN_PROOF": f"{__name__}.deactivate"}
    browser, given = Browser(), {"login": alice.email, "password": PASSWORD}
    answer = browser.post("/accounts/login/", given, headers={"Accept": "text/html"})
    assert answer.status_code == 403
    # What is no page gets the code.
    User.objects.update(is_active=True)
    answer = browser.post("/accounts/login/", given)
    assert (answer.status_code, answer.json()["code"]) == (401, "no_active_account")
    assert SESSION_KEY not in browser.session
    assert not DeviceSession.objects.exists()


def no_proof(request, user):
    return "password"


def test_a_login_whose_proof_is_none_starts_nothing(alice, settings):
    settings.DEVICES = {**settings.DEVICES, "LOGIN_PROOF": f"{__name__}.no_proof"}
    browser = Browser()
    with pytest.raises(ImproperlyConfigured, match="LOGIN_PROOF"):
        browser.post("/accounts/login/", {"login": alice.email, "password": PASSWORD})
    assert SESSION_KEY not in browser.session and not browser.is_in()
    assert not DeviceSession.objects.exists()


# What else a host project may do


def shown(request, user):
    return Proof("carrier pigeon" * 9, mfa=True, remember=False)


def test_the_host_tells_how_somebody_signed_in(alice, settings, clock):
    settings.DEVICES = {**settings.DEVICES, "LOGIN_PROOF": f"{__name__}.shown"}
    session = Browser().sign_in(alice.email).device_session
    assert session.login_method == ("carrier pigeon" * 9)[:32]
    assert session.mfa_at == session.created_at
    assert (session.absolute_expires_at - session.created_at).total_seconds() == 12 * 3600


class Pigeon(ModelBackend):
    name = "pigeon"


class Sparrow(ModelBackend):
    def get_user(self, user_id):
        user = super().get_user(user_id)
        return None if user and user.email.startswith("caged") else user


class Remote(RemoteUserBackend):
    pass


class Link(ModelBackend):
    def authenticate(self, request, token=None):
        raise NotImplementedError


class Anything(ModelBackend):
    def authenticate(self, request, **kwargs):
        raise NotImplementedError


@pytest.mark.parametrize(
    ("backend", "method"),
    [
        (Pigeon, "pigeon"),
        (Sparrow, "password"),
        (Remote, "Remote"),
        (Link, "Link"),
        (Anything, "password"),
    ],
)
def test_without_a_word_of_the_host_the_backend_tells(alice, settings, backend, method):
    settings.DEVICES = {}
    path = f"{__name__}.{backend.__name__}"
    settings.AUTHENTICATION_BACKENDS = [path]
    browser = Browser()
    browser.force_login(alice, path)
    assert browser.device_session.login_method == method
    assert browser.is_in()


def test_whom_the_backend_no_longer_lets_in_is_out(alice, settings):
    path = f"{__name__}.Sparrow"
    settings.AUTHENTICATION_BACKENDS = [path, *settings.AUTHENTICATION_BACKENDS]
    browser = Browser()
    browser.force_login(alice, path)
    assert browser.is_in()
    User.objects.update(email="caged@example.org")
    assert not browser.is_in()
    other = Browser(FIREFOX)
    other.force_login(alice, "devices.backends.LimitedModelBackend")
    assert other.is_in()
    settings.AUTHENTICATION_BACKENDS = [path]
    assert not other.is_in()


def test_a_login_by_the_backend_in_whose_place_another_one_is_holds(alice, settings):
    """Code of a project, and some packages, name Django's own: `login(request, user, backend="…")`."""
    settings.DEVICES = {}
    browser = Browser()
    browser.force_login(alice, "django.contrib.auth.backends.ModelBackend")
    assert browser.session[BACKEND_SESSION_KEY] == "devices.backends.LimitedModelBackend"
    assert browser.device_session.login_method == "password"
    assert browser.is_in()


def test_a_login_by_a_backend_in_whose_place_there_is_none_signs_nobody_in(alice):
    """As in Django itself."""
    browser = Browser()
    browser.force_login(alice, f"{__name__}.Sparrow")
    assert not browser.is_in()


def test_a_digest_of_the_user_model_s_own_is_compared_as_django_does(alice, monkeypatch):
    browser = Browser().sign_in(alice.email)
    monkeypatch.setattr(User, "get_session_auth_hash", lambda self: "another")
    assert not browser.is_in()


def test_a_digest_of_the_user_model_s_own_outlives_the_secret_key(alice, settings, monkeypatch):
    own = AbstractBaseUser.get_session_auth_hash
    monkeypatch.setattr(User, "get_session_auth_hash", lambda self: own(self))
    browser = Browser().sign_in(alice.email)
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another key of the site, of no use elsewhere"
    assert browser.is_in()
    settings.SECRET_KEY_FALLBACKS = []
    assert not browser.is_in()


def test_the_signal_of_those_who_hand_out_tokens_starts_no_second_session(alice, rf):
    request = rf.post("/api/login")
    user_logged_in.send(sender=User, request=request, user=alice)
    request.session = Client().session
    user_logged_in.send(sender=User, request=request, user=alice)
    user_logged_in.send(sender=User, request=None, user=alice)
    assert not DeviceSession.objects.exists()


def test_the_signal_of_a_login_that_is_sent_again_starts_no_second_session(alice, rf):
    """As by a view of knox that calls Django's `login`: knox sends the signal, too."""
    request = rf.post("/login")
    request.session = Client().session
    request.user = AnonymousUser()
    login(request, alice, backend="devices.backends.LimitedModelBackend")
    user_logged_in.send(sender=User, request=request, user=alice)
    session = DeviceSession.objects.get()
    assert request.session["device_session"] == str(session.pk)
    assert session.revoked_at is None


def test_what_is_asked_without_waiting_is_the_same(alice):
    browser = Browser().sign_in(alice.email)
    request = browser.get("/devices/").wsgi_request
    assert async_to_sync(request.auser)() == alice
    assert request.device_session == browser.device_session


def test_A46_the_end_of_a_session_is_written_although_the_page_fails(alice, settings):
    browser = Browser().sign_in(alice.email)
    session = browser.device_session
    hashed = User(email="x")
    hashed.set_password("another horse 10")
    User.objects.update(password=hashed.password)
    assert not browser.is_in()
    session.refresh_from_db()
    assert session.revoke_reason == "password_changed"


def _fail(**kwargs):
    raise OperationalError("A worker of Citus is away.")


@pytest.mark.parametrize(("path", "field"), DOORS)
def test_a_login_whose_answer_is_an_error_leaves_no_session(alice, path, field):
    """Django stores no cookie session then, so nobody would have it."""
    form = {field: alice.email, "password": PASSWORD}
    user_logged_in.connect(_fail)
    try:
        answer = Browser(raise_request_exception=False).post(path, form)
    finally:
        user_logged_in.disconnect(_fail)
    assert answer.status_code >= 500
    assert not DeviceSession.objects.active().exists()
    assert Browser().sign_in(alice.email, path=path, field=field).is_in()


@pytest.mark.parametrize(("ticked", "days"), [({"remember": "on"}, 90), ({}, 0.5)])
def test_a_browser_that_is_not_to_be_remembered_is_out_after_twelve_hours(alice, ticked, days):
    browser = Browser()
    browser.post("/accounts/login/", {"login": alice.email, "password": PASSWORD, **ticked})
    session = browser.device_session
    assert (session.absolute_expires_at - session.created_at).total_seconds() == days * DAY


@pytest.mark.parametrize(("ticked", "days"), [({"remember": "on"}, 90), ({}, 0.5)])
def test_that_holds_beyond_the_second_factor(alice, clock, ticked, days):
    app, browser = enrol(alice), Browser()
    browser.post("/accounts/login/", {"login": alice.email, "password": PASSWORD, **ticked})
    browser.post("/accounts/2fa/authenticate/", {"code": app.code()})
    session = browser.device_session
    assert session.mfa_at is not None
    assert (session.absolute_expires_at - session.created_at).total_seconds() == days * DAY
