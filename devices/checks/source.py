"""Code of the project that makes or reads SimpleJWT's tokens or claims, or writes who is signed in.

No setting and no URL shows it.

A login in a view, a middleware for WebSockets: the source is read, since most of it is not imported yet.
"""

import ast
import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeGuard

from django.apps import apps
from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage
from django.utils.module_loading import import_string
from rest_framework import settings as drf
from rest_framework_simplejwt import settings as simplejwt

from .names import AUTHENTICATION

SIMPLEJWT: Final = "rest_framework_simplejwt"
SETTING: Final = "SIMPLE_JWT"
TOKENS: Final = {"RefreshToken", "AccessToken", "SlidingToken", "UntypedToken"}
# `RefreshToken(raw)` asks for the session; see `devices.api.authentication.adopt`.
READERS: Final = TOKENS - {"RefreshToken"}
# What else makes or reads tokens, if it is given the key of SimpleJWT.
BY_HAND: Final = {
    "jwt.encode": "make",
    "jwt.decode": "read",
    "django_bolt.auth.create_jwt_for_user": "make",
    "django_bolt.auth.create_token_pair": "make",
    "django_bolt.auth.JWTAuthentication": "read",
}
# By which django-bolt asks for the session.
ASKS: Final = "revoked_token_handler"
# Whose classes of serializers have a `get_token`.
THEMSELVES: Final = {"self", "cls", "super()"}
# Where Django's session has who is signed in, and the name of that.
USER_KEY: Final = "_auth_user_id"
USER_KEY_NAME: Final = "django.contrib.auth.SESSION_KEY"
# What a file has that is worth parsing.
NEAR: Final = (
    *(SIMPLEJWT, SETTING, "Serializer.get_token(", "jwt", "request.auth.", "request.auth["),
    *("super().authenticate(", USER_KEY, "SESSION_KEY"),
)
# Where packages are installed, and what serves nobody.
INSTALLED: Final = {"site-packages", "dist-packages"}
SKIPPED: Final = {*INSTALLED, "migrations", "tests", "test", "node_modules"}
TESTS: Final = ("test_", "tests.", "conftest.")


class Found(NamedTuple):
    """What is done with a token: "make", "read", "ask" the database for its session, "claim" for a claim.

    "mistake" is for a session that is taken for one, "sign in" for who is written into Django's session.
    """

    line: int
    code: str
    does: str


def check() -> Iterator[CheckMessage]:
    """Check the source of the project's apps for tokens that are made or read without a session."""
    calls: dict[str, list[str]] = {}
    for path in _files():
        for found in sorted(_calls(path)):
            calls.setdefault(found.does, []).append(f"{_shown(path)}:{found.line} ({found.code})")
    if made := calls.get("make"):
        yield checks.Warning(
            f"Tokens without a session are made, which the API refuses: {', '.join(made)}.",
            hint="Call devices.shortcuts.start_session(request, user) for a login, and "
            "refresh_session(request, token) for a refresh; see docs/existing-project.md.",
            id="devices.W115",
        )
    if read := calls.get("read"):
        yield checks.Warning(
            "Tokens are read without a look at their session, so that they work after it has ended: "
            f"{', '.join(read)}.",
            hint="Call devices.shortcuts.authenticate(token), in async code aauthenticate. Middleware has to "
            "catch DevicesError: it would be answered 500. For WebSockets see docs/recipes/channels.md.",
            id="devices.W116",
        )
    if asked := calls.get("ask"):
        yield checks.Warning(
            "Async code asks for the session of a token, which needs the database and raises "
            f"SynchronousOnlyOperation: {', '.join(asked)}.",
            hint="Call await devices.shortcuts.aauthenticate(token), which returns the session; for "
            "WebSockets see docs/recipes/channels.md.",
            id="devices.W117",
        )
    if written := calls.get("sign in"):
        yield checks.Warning(
            "Who is signed in is written into Django's session by hand, which starts no session, so that "
            f"nobody is signed in: {', '.join(written)}.",
            hint="Call Django's login(request, user); without a request, give it an HttpRequest() with that "
            "session. For tokens call devices.shortcuts.start_session(request, user). To act for another "
            "user see docs/impersonation.md.",
            id="devices.W157",
        )
    if (read := calls.get("claim")) and _auth_is_session():
        yield checks.Warning(
            f"Claims are read from request.auth, which is the session, and has none: {', '.join(read)}.",
            hint="Call devices.shortcuts.get_claims(request), also in middleware, and catch TokenNotValid "
            "where requests come without a token. If an authentication class of yours returns the claims as "
            "request.auth, mend middleware, and put this check into SILENCED_SYSTEM_CHECKS.",
            id="devices.W166",
        )
    if mistaken := calls.get("mistake"):
        yield checks.Warning(
            "Authentication classes take for a token what super().authenticate() returns beside the user, "
            f"which is the session: {', '.join(mistaken)}.",
            hint="A session has no claims, so that requests are answered with 500. Read them from "
            "devices.shortcuts.get_claims(request).",
            id="devices.W171",
        )


def _auth_is_session() -> bool:
    """Whether request.auth is the session: an `authenticate` of the project may return what it likes."""
    ours: Any = import_string(AUTHENTICATION)
    given: Any = drf.api_settings.DEFAULT_AUTHENTICATION_CLASSES
    derived = [each for each in given if issubclass(each, ours)]
    return all(each.authenticate.__module__.startswith("devices.") for each in derived)


def _files() -> Iterator[Path]:
    """The modules of the project's own apps, and of the package with its URLs."""
    configs = apps.get_app_configs()
    folders = {each.path for each in configs if each.name.partition(".")[0] != "devices"}
    package = str(getattr(settings, "ROOT_URLCONF", "")).partition(".")[0]
    try:
        spec = find_spec(package) if package else None
    except ValueError:  # a module that was made by hand
        spec = None
    folders |= set((spec and spec.submodule_search_locations) or ())
    seen = set()
    for folder in sorted(folders):
        if not INSTALLED.isdisjoint(Path(folder).parts) or Path(folder).name in SKIPPED:
            continue
        for here, below, names in os.walk(folder):
            below[:] = sorted(
                each for each in below if each not in SKIPPED and not each.startswith((".", "_"))
            )
            for name in sorted(names):
                path = Path(here, name)
                if name.endswith(".py") and not name.startswith(TESTS) and path not in seen:
                    seen.add(path)
                    yield path


def _calls(path: Path) -> Iterator[Found]:
    try:
        text = path.read_text(encoding="utf-8")
        # Few files are near it, and to parse one takes a hundred times as long as to look.
        is_near = any(name in text for name in NEAR)
        tree = ast.parse(text) if is_near else None
    except (OSError, ValueError, SyntaxError):
        return
    if tree is None:
        return
    yield from _mistaken(tree)
    module = _Module(tree, text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if does := module.does(node, called):
                yield Found(node.lineno, called, does)
        elif _is_claim(node):
            yield Found(node.lineno, ast.unparse(node), "claim")
        elif key := module.signs_in(node):
            yield Found(key.lineno, ast.unparse(key), "sign in")


def _is_claim(node: ast.AST) -> TypeGuard[ast.expr]:
    """Whether it reads request.auth as if that were a token; a session has no `get` and no `payload`."""
    match node:
        case ast.Subscript(value=value) | ast.Attribute(value=value, attr="get" | "payload"):
            return ast.unparse(value).endswith("request.auth")
    return False


def _mistaken(tree: ast.Module) -> Iterator[Found]:
    """Where an `authenticate` that extends one of ours takes the session for a token.

    It reads a claim of it, or hands it on by the name of a token, as code does that was SimpleJWT's.
    """
    ours = {
        each.asname or each.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("devices.")
        for each in node.names
    }
    for owner in ast.walk(tree):
        if isinstance(owner, ast.ClassDef) and any(
            ast.unparse(base).partition(".")[0] in ours for base in owner.bases
        ):
            for method in owner.body:
                if isinstance(method, ast.FunctionDef) and method.name == "authenticate":
                    yield from _mistaken_in(method)


def _mistaken_in(method: ast.FunctionDef) -> Iterator[Found]:
    assigned = [each for each in ast.walk(method) if isinstance(each, ast.Assign)]
    given = [each for each in assigned if "super().authenticate(" in ast.unparse(each.value)]
    pairs = {ast.unparse(target) for each in given for target in each.targets}
    given += [each for each in assigned if ast.unparse(each.value) in pairs]
    seconds = set[str]()
    for each in given:
        match each.targets:
            case [ast.Tuple(elts=[_, ast.Name(name)])]:
                seconds.add(name)
    # A name that is used again, such as for the token of a cookie.
    others = [each for each in assigned if each not in given and ast.unparse(each.value) != "None"]
    seconds -= {ast.unparse(target) for each in others for target in each.targets}
    for node in ast.walk(method):
        match node:
            case (
                ast.Subscript(value=ast.Name(name))
                | ast.Attribute(value=ast.Name(name), attr="get" | "payload")
                | ast.Compare(ops=[ast.In() | ast.NotIn()], comparators=[ast.Name(name)])
            ) if name in seconds:
                yield Found(node.lineno, ast.unparse(node), "mistake")
            case ast.Call(args=args):
                handed = seconds & {each.id for each in args if isinstance(each, ast.Name)}
                if any("token" in name for name in handed):
                    yield Found(node.lineno, ast.unparse(node), "mistake")


class _Module:
    """What is known of a module of the project."""

    def __init__(self, tree: ast.Module, text: str) -> None:
        self._is_near = SIMPLEJWT in text
        self._names = _imported(tree)
        classes = [each for each in ast.walk(tree) if isinstance(each, ast.ClassDef)]
        own = [each for each in classes if _is_token(each, self._names)]
        self._names |= _renamed(tree, self._names)
        self._in_own = {node for each in own for node in ast.walk(each)}
        self._in_async = set(_calls_in_async(tree))
        # By what the key is called that signs the tokens, if PyJWT is given it.
        where = f"{SIMPLEJWT}.settings.api_settings"
        here = (f"{name}." for name, origin in self._names.items() if origin == where)
        self._keys = (SETTING, *here)
        if "user_id" in text and simplejwt.api_settings.SIGNING_KEY == settings.SECRET_KEY:
            self._keys += ("SECRET_KEY",)

    def does(self, node: ast.Call, called: str) -> str:
        """What a call does with a token, as `Found` has it; "" for nothing."""
        owner, _, method = called.rpartition(".")
        is_serializer = owner.endswith("Serializer") or (self._is_near and owner in THEMSELVES)
        is_token = _token(owner, self._names) or (node in self._in_own and owner in THEMSELVES)
        if (method == "for_user" and is_token) or (method == "get_token" and is_serializer):
            return "make"
        if self._is_near and "tokenbackend" in owner.lower().replace("_", ""):
            return {"encode": "make", "decode": "read"}.get(method, "")
        token = _token(called, self._names) if node.args else ""
        if token in READERS:
            return "read"
        if node in self._in_async and (method == "get_validated_token" or token):
            return "ask"
        return self._does_by_hand(node, called)

    def signs_in(self, node: ast.AST) -> ast.expr | None:
        """Where it writes who is signed in, as Django's session has it."""
        match node:
            case ast.Assign(targets=[ast.Subscript(slice=key) as written]):
                return written if self._is_user_key(key) else None
            case ast.Dict(keys=keys):
                return next((each for each in keys if each and self._is_user_key(each)), None)
        return None

    def _is_user_key(self, key: ast.expr) -> bool:
        if isinstance(key, ast.Constant):
            return key.value == USER_KEY
        return _resolved(ast.unparse(key), self._names) == USER_KEY_NAME

    def _does_by_hand(self, node: ast.Call, called: str) -> str:
        """The same of PyJWT, python-jose or django-bolt, with the key of SimpleJWT."""
        does = BY_HAND.get(_resolved(called, self._names))
        if does is None or any(each.arg == ASKS for each in node.keywords):
            return ""
        given = " ".join(map(ast.unparse, [*node.args, *(each.value for each in node.keywords)]))
        keys = self._keys if does == "read" else self._keys[:1]
        return does if any(key in given for key in keys) else ""


def _calls_in_async(tree: ast.AST) -> Iterator[ast.Call]:
    """The calls that run in the event loop: not those in a function within, which may run in a thread."""
    for function in ast.walk(tree):
        below: list[ast.AST] = []
        if isinstance(function, ast.AsyncFunctionDef):
            below += function.body
        while below:
            node = below.pop()
            if isinstance(node, ast.Call):
                yield node
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                below += ast.iter_child_nodes(node)


def _is_token(found: ast.ClassDef, names: dict[str, str]) -> bool:
    """Whether a class of the project derives from one of SimpleJWT's, which goes into `names`.

    One with a type of its own is for another purpose, such as a link in an e-mail.
    """
    bases = (_token(ast.unparse(base), names) for base in found.bases)
    base = next((each for each in bases if each), "")
    assigned = [each for each in found.body if isinstance(each, ast.Assign | ast.AnnAssign)]
    if not base or any("token_type" in ast.unparse(each) for each in assigned):
        return False
    names[found.name] = f"{SIMPLEJWT}.tokens.{base}"
    return True


def _imported(tree: ast.Module) -> dict[str, str]:
    """The local names of what is imported from packages that are looked for, and where it is there."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        module = (node.module or "") if isinstance(node, ast.ImportFrom) else ""
        if isinstance(node, ast.ImportFrom) and module.startswith(
            (SIMPLEJWT, "jwt", "jose", "django_bolt", "django.contrib")
        ):
            names |= {each.asname or each.name: f"{module}.{each.name}" for each in node.names}
        elif isinstance(node, ast.Import):
            names |= {each.asname: each.name for each in node.names if each.asname}
    return names


def _renamed(tree: ast.AST, names: dict[str, str]) -> dict[str, str]:
    """The names that may stand for a class of tokens, as in `kind = given or AccessToken`.

    Of several classes it is the one that is read without its session.
    """
    found: dict[str, str] = {}
    for name, value in _assigned(tree):
        match value:
            case ast.BoolOp(values=choices):
                pass
            case ast.IfExp(body=body, orelse=orelse):
                choices = [body, orelse]
            case _:
                choices = [value]
        tokens = [token for each in choices if (token := _token(ast.unparse(each), names))]
        if tokens:
            token = next((each for each in tokens if each in READERS), tokens[0])
            found[name] = f"{SIMPLEJWT}.tokens.{token}"
    return found


def _assigned(tree: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """What names are given: of variables, of attributes in the body of a class, of arguments by default."""
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[ast.Name(name)], value=value):
                yield name, value
            case ast.AnnAssign(target=ast.Name(name), value=ast.expr() as value):
                yield name, value
            case ast.arguments():
                by_place = [*node.posonlyargs, *node.args]
                defaults = [None] * (len(by_place) - len(node.defaults)) + [*node.defaults]
                for each, default in zip(
                    [*by_place, *node.kwonlyargs], [*defaults, *node.kw_defaults], strict=True
                ):
                    if default is not None:
                        yield each.arg, default


def _token(name: str, names: dict[str, str]) -> str:
    """Which of SimpleJWT's classes of tokens a name stands for; "" for none."""
    first, _, rest = name.partition(".")
    own = rest if first in THEMSELVES else name
    module, _, attribute = _resolved(own, names).rpartition(".")
    return attribute if module == f"{SIMPLEJWT}.tokens" and attribute in TOKENS else ""


def _resolved(name: str, names: dict[str, str]) -> str:
    """Where a name comes from; python-jose has the functions of PyJWT."""
    first, dot, rest = name.partition(".")
    return (names.get(first, first) + dot + rest).removeprefix("jose.")


def _shown(path: Path) -> str:
    """As people name it who work in the project's folder."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
