"""Tokens that code of the project makes or reads by hand are found where they are written."""

from types import SimpleNamespace

import pytest
from rest_framework.settings import api_settings
from rest_framework_simplejwt import tokens

from devices.api.authentication import DeviceSessionAuthentication
from devices.checks import source

FROM = "from rest_framework_simplejwt"
OURS = "from devices.api.authentication import DeviceSessionAuthentication"

FOUND = {
    f"{FROM}.tokens import RefreshToken\nRefreshToken.for_user(user)": "W115 2 RefreshToken.for_user",
    f"{FROM}.tokens import AccessToken as T\n\nT.for_user(user)": "W115 3 T.for_user",
    f"{FROM} import tokens as jwt\njwt.RefreshToken.for_user(user)": (
        "W115 2 jwt.RefreshToken.for_user"
    ),
    f"def view():\n    {FROM}.tokens import RefreshToken\n    RefreshToken.for_user(user)": (
        "W115 3 RefreshToken.for_user"
    ),
    "import rest_framework_simplejwt.tokens\n"
    "rest_framework_simplejwt.tokens.AccessToken(raw)['user_id']": (
        "W116 2 rest_framework_simplejwt.tokens.AccessToken"
    ),
    f"{FROM}.tokens import AccessToken\nAccessToken(raw)": "W116 2 AccessToken",
    f"{FROM}.tokens import UntypedToken\nUntypedToken(raw)": "W116 2 UntypedToken",
    f"{FROM}.serializers import TokenObtainPairSerializer\nTokenObtainPairSerializer.get_token(user)": (
        "W115 2 TokenObtainPairSerializer.get_token"
    ),
    "from shop.serializers import LoginSerializer\nLoginSerializer.get_token(user)": (
        "W115 2 LoginSerializer.get_token"
    ),
    f"{FROM}.serializers import TokenObtainPairSerializer as Stock\n"
    "class Login(Stock):\n    def validate(self, attrs):\n        return self.get_token(self.user)": (
        "W115 4 self.get_token"
    ),
    f"{FROM}.authentication import JWTAuthentication\n"
    "async def enter(scope):\n    if scope:\n        return JWTAuthentication().get_validated_token(raw)": (
        "W117 4 JWTAuthentication().get_validated_token"
    ),
    f"{FROM}.tokens import RefreshToken\n"
    "class Mine(RefreshToken):\n    @classmethod\n    def of(cls, user):\n        cls.for_user(user)": (
        "W115 5 cls.for_user"
    ),
    f"{FROM}.tokens import RefreshToken\nclass A(RefreshToken): ...\nclass B(A): ...\nB.for_user(user)": (
        "W115 4 B.for_user"
    ),
    f"{FROM}.tokens import AccessToken\nclass Mine(AccessToken): ...\nMine(raw)": "W116 3 Mine",
    f"{FROM}.tokens import AccessToken\ndef who(raw, kind=None):\n    Kind = kind or AccessToken\n"
    "    return Kind(raw)['user_id']": "W116 4 Kind",
    f"{FROM}.tokens import AccessToken, RefreshToken, Token\n"
    "def who(raw, *, kind: type[Token] = AccessToken):\n    return kind(raw)": "W116 3 kind",
    f"{FROM}.tokens import AccessToken, RefreshToken\n"
    "kind = RefreshToken if is_refresh else AccessToken\nkind(raw)": "W116 3 kind",
    f"{FROM}.tokens import AccessToken\nclass Door:\n    kind: type = AccessToken\n"
    "    def who(self):\n        return self.kind(raw)": "W116 5 self.kind",
    f"{FROM}.tokens import RefreshToken\nclass Door:\n    kind = RefreshToken\n"
    "    def open(self, user):\n        self.kind.for_user(user)": "W115 5 self.kind.for_user",
    f"{FROM}.backends import TokenBackend\n"
    "TokenBackend('HS256').decode(raw, verify=False)": "W116 2 TokenBackend('HS256').decode",
    f"{FROM}.state import token_backend\ntoken_backend.decode(raw)": "W116 2 token_backend.decode",
    f"{FROM} import state\nstate.token_backend.encode({{}})": "W115 2 state.token_backend.encode",
    f"{FROM}.backends import TokenBackend\ntokenBackend = TokenBackend(algorithm='HS256')\n"
    "valid_data = tokenBackend.decode(raw, verify=False)": "W116 3 tokenBackend.decode",
    "import jwt\njwt.decode(raw, settings.SIMPLE_JWT['SIGNING_KEY'], ['HS256'])": "W116 2 jwt.decode",
    f"from jwt import decode as read\n{FROM}.settings import api_settings as told\n"
    "read(raw, key=told.VERIFYING_KEY)": "W116 3 read",
    "from jose import jwt\njwt.encode({}, settings.SIMPLE_JWT['SIGNING_KEY'])": "W115 2 jwt.encode",
    "from django_bolt.auth import JWTAuthentication as Bearer\n"
    "Bearer(secret=settings.SIMPLE_JWT['SIGNING_KEY'])": "W116 2 Bearer",
    "from django_bolt.auth import create_jwt_for_user\n"
    "create_jwt_for_user(user, secret=settings.SIMPLE_JWT['SIGNING_KEY'])": "W115 2 create_jwt_for_user",
    f"{FROM}.tokens import RefreshToken\nasync def leave(raw):\n    RefreshToken(raw).blacklist()": (
        "W117 3 RefreshToken"
    ),
    f"{OURS} as Base\nclass Own(Base):\n    def authenticate(self, request):\n"
    "        try:\n            found = super().authenticate(request)\n"
    "        except AuthenticationFailed:\n            return None\n"
    "        user, token = found\n        if not user.profile.is_valid(token):\n"
    "            raise InvalidToken\n        return user, token": "W171 9 user.profile.is_valid(token)",
    f"{OURS}\nclass Own(DeviceSessionAuthentication):\n    def authenticate(self, request):\n"
    "        user, auth = super().authenticate(request) or (None, None)\n"
    "        user.tenant = auth['tenant']": "W171 5 auth['tenant']",
    f"{OURS}\nclass Own(DeviceSessionAuthentication):\n    def authenticate(self, request):\n"
    "        user, claims = super().authenticate(request)\n"
    "        user.tenant = claims.get('tenant')": "W171 5 claims.get",
    "from devices.api import authentication\n"
    "class Own(authentication.DeviceSessionAuthentication):\n    def authenticate(self, request):\n"
    "        user, token = super().authenticate(request)\n"
    "        if 'tenant' not in token:\n            raise InvalidToken": "W171 5 'tenant' not in token",
    "def view(request):\n    return request.auth['tenant']": "W166 2 request.auth['tenant']",
    "def of(self):\n    return self.request.auth.get('tenant')": "W166 2 self.request.auth.get",
    "def middleware(request):\n    request.auth.payload": "W166 2 request.auth.payload",
    "from django.contrib.auth import SESSION_KEY\nstore[SESSION_KEY] = str(user.pk)": (
        "W157 2 store[SESSION_KEY]"
    ),
    "from django.contrib import auth\nrequest.session[auth.SESSION_KEY] = user.pk": (
        "W157 2 request.session[auth.SESSION_KEY]"
    ),
    "from django.contrib.auth import SESSION_KEY as WHO\nstore.update({\n    WHO: user.pk})": (
        "W157 3 WHO"
    ),
    "store['_auth_user_id'] = user.pk": "W157 1 store['_auth_user_id']",
}

FINE = {
    "a look at who is signed in": (
        "from django.contrib.auth import SESSION_KEY\ndef who(session):\n"
        "    return {'id': session[SESSION_KEY]}, session.get('_auth_user_id')"
    ),
    "a key of its own in Django's session": (
        "SESSION_KEY = 'cart'\ndef put(request, cart):\n    request.session[SESSION_KEY] = cart"
    ),
    "the backend by which somebody is signed in": (
        "from django.contrib.auth import BACKEND_SESSION_KEY\n"
        "def move(data):\n    data[BACKEND_SESSION_KEY] = 'shop.backends.Backend'"
    ),
    "the logout that ends a session": f"{FROM}.tokens import RefreshToken\nRefreshToken(raw).blacklist()",
    "an empty token for a purpose of its own": f"{FROM}.tokens import AccessToken\nAccessToken()",
    "a class of its own": (
        f"{FROM}.tokens import Token\nclass Link(Token): ...\nLink(raw)\nLink.for_user(user)"
    ),
    "tokens of a key of its own": (
        "import jwt\njwt.encode({'user_id': 1}, settings.LINK_KEY)\njwt.decode(raw, settings.LINK_KEY)"
    ),
    "another key than that of the tokens": (
        "import jwt\nuser_id = jwt.decode(raw, settings.SECRET_KEY)['user_id']"
    ),
    "a look at the session by django-bolt": (
        "from django_bolt.auth import JWTAuthentication\n"
        "JWTAuthentication(secret=settings.SIMPLE_JWT['SIGNING_KEY'], revoked_token_handler=has_ended)"
    ),
    "a type of its own": (
        f"{FROM}.tokens import AccessToken\nclass Link(AccessToken):\n    token_type = 'link'\n"
        "    @classmethod\n    def of(cls, user):\n        return cls.for_user(user)\nLink(raw)"
    ),
    "Django's token for forms": f"import {source.SIMPLEJWT}\ncsrf.get_token(request)\nget_token(request)",
    "tokens of another package": "from knox import AccessToken\nAccessToken.for_user(user)\nAccessToken(raw)",
    "a session that a thread asks for": (
        f"{FROM}.authentication import JWTAuthentication as Stock\n"
        "def find(raw):\n    return Stock().get_validated_token(raw)\n"
        "async def enter(raw):\n"
        "    await sync_to_async(Stock().get_validated_token)(raw)\n"
        "    await sync_to_async(lambda: Stock().get_validated_token(raw))()"
    ),
    "the session of a request": "request.auth.user\nrequest.auth.shop.tenant\nrequest.authors['alice']",
    "another name for what asks for the session": (
        f"{FROM}.tokens import RefreshToken\nclass Door:\n    kind = RefreshToken\n"
        "    def leave(self, raw):\n        self.kind(raw).blacklist()"
    ),
    "a token, and no class of them": (
        f"{FROM}.tokens import AccessToken\ntoken = AccessToken()\ntoken('a claim')"
    ),
    "a session that is handed on as what it is, and a token that is only returned": (
        f"{OURS}\nclass Own(DeviceSessionAuthentication):\n    def authenticate(self, request):\n"
        "        user, session = super().authenticate(request)\n        note(user, session)\n"
        "        return user, session\nclass Next(DeviceSessionAuthentication):\n"
        "    def authenticate(self, request):\n        user, token = super().authenticate(request)\n"
        "        return user, token"
    ),
    "a name that is used again for the token of a cookie": (
        f"{OURS}\nclass Own(DeviceSessionAuthentication):\n    def authenticate(self, request):\n"
        "        token = None\n        user, token = super().authenticate(request) or (None, None)\n"
        "        if token is None:\n            token = request.COOKIES.get('token')\n"
        "            return self.get_user(self.get_validated_token(token)), None\n        return user, token"
    ),
    "the token of another class": (
        f"{FROM}.authentication import JWTAuthentication\nclass Own(JWTAuthentication):\n"
        "    def authenticate(self, request):\n        user, token = super().authenticate(request)\n"
        "        return user, token['id']"
    ),
    "another backend, and another package's": (
        f"{FROM}.state import token_backend\nbackend.decode(raw)\ntoken_backend.get_leeway()"
    ),
    "a backend of tokens that is not SimpleJWT's": (
        "from shop.links import token_backend\ntoken_backend.decode(jwt)"
    ),
    "no Python": f"{FROM} import (",
    "a name that is only imported": f"{FROM}.tokens import RefreshToken, AccessToken",
}


@pytest.fixture
def app(tmp_path, monkeypatch):
    shop = tmp_path / "shop"
    (shop / "api").mkdir(parents=True)
    config = SimpleNamespace(name="shop", path=str(shop))
    monkeypatch.setattr(source.apps, "get_app_configs", lambda: [config])
    monkeypatch.chdir(tmp_path)
    return shop


def said():
    return {message.id.removeprefix("devices."): message.msg for message in source.check()}


@pytest.mark.parametrize(("code", "expected"), FOUND.items())
def test_each_line_is_named(app, code, expected):
    (app / "api/views.py").write_text(code)
    kind, line, call = expected.split(maxsplit=2)
    messages = said()
    assert list(messages) == [kind]
    assert f"shop/api/views.py:{line} ({call})" in messages[kind]


def test_django_s_secret_key_is_looked_for_where_it_signs_the_tokens(app, settings):
    (app / "ws.py").write_text(FINE["another key than that of the tokens"])
    (app / "links.py").write_text("import jwt\njwt.decode(raw, settings.SECRET_KEY)['mail']")
    settings.SIMPLE_JWT = settings.SIMPLE_JWT | {"SIGNING_KEY": settings.SECRET_KEY}
    assert [*said()] == ["W116"] and "shop/ws.py:2 (jwt.decode)" in said()["W116"]
    assert "links.py" not in said()["W116"]


@pytest.mark.parametrize("code", FINE.values(), ids=FINE)
def test_what_is_fine_is_left_alone(app, code):
    (app / "api/views.py").write_text(code)
    assert said() == {}


@pytest.mark.parametrize("returns_token", [False, True])
def test_an_authentication_of_the_project_may_return_the_token(app, monkeypatch, returns_token):
    class Own(DeviceSessionAuthentication):
        if returns_token:

            def authenticate(self, request):
                return None

    monkeypatch.setattr(api_settings, "DEFAULT_AUTHENTICATION_CLASSES", [Own])
    (app / "views.py").write_text("request.auth['tenant']")
    assert [*said()] == ([] if returns_token else ["W166"])


@pytest.mark.parametrize(
    "name",
    [
        *("tests/base.py", "tests.py", "test_views.py", "conftest.py", "migrations/0001.py"),
        *("static/node_modules/x.py", ".venv/x.py", "api/lib/site-packages/x.py", "notes.txt"),
    ],
)
def test_what_serves_nobody_is_not_read(app, name):
    path = app / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(next(iter(FOUND)))
    assert said() == {}


def test_packages_that_are_installed_are_not_read(app, tmp_path, monkeypatch):
    installed = tmp_path / "lib/site-packages/theirs"
    installed.mkdir(parents=True)
    (installed / "views.py").write_text(next(iter(FOUND)))
    config = SimpleNamespace(name="theirs", path=str(installed))
    monkeypatch.setattr(source.apps, "get_app_configs", lambda: [config])
    assert said() == {}


def test_the_package_with_the_urls_is_read_though_it_is_no_app(
    app, tmp_path, settings, monkeypatch
):
    (tmp_path / "site_of_shop").mkdir()
    (tmp_path / "site_of_shop/__init__.py").touch()
    (tmp_path / "site_of_shop/asgi.py").write_text(
        f"{FROM}.tokens import AccessToken\nAccessToken(raw)"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    settings.ROOT_URLCONF = "site_of_shop.urls"
    assert "site_of_shop/asgi.py:2" in said()["W116"]


def test_the_names_are_those_of_simplejwt():
    assert all(issubclass(getattr(tokens, name), tokens.Token) for name in source.TOKENS)
