"""The paths of the contract with clients, for what has to hold on each of them."""

PASSWORDS = {
    "current_password": "correct horse battery 9",
    "new_password": "another horse 9 battery",
}

# What needs an active session: method, path, a body that would be accepted.
PROTECTED = [
    ("get", "/api/me", None),
    ("post", "/api/me/password", PASSWORDS),
    ("get", "/api/me/notifications", None),
    ("patch", "/api/me/notifications", {"new_device": False}),
    ("get", "/api/trusted-devices", None),
    ("get", "/api/sessions", None),
    ("get", "/api/sessions/history", None),
    ("get", "/api/sessions/current", None),
    ("get", "/api/sessions/current/activity", None),
    ("patch", "/api/sessions/current", {"name": "mine"}),
    ("delete", "/api/sessions/current", None),
    ("post", "/api/sessions/current/confirm", {"password": "correct horse battery 9"}),
    ("post", "/api/sessions/revoke-all", None),
    ("post", "/api/logout", None),
]

# What needs rights besides.
STAFF = [
    ("get", "/api/admin/sessions", None),
    ("post", "/api/admin/sessions/revoke", {"dry_run": True, "all": True}),
    ("get", "/api/admin/stats", None),
]

# What is open to everybody, since it is how one gets in, or out with a refresh token alone.
OPEN = [
    ("post", "/api/register"),
    ("post", "/api/login"),
    ("post", "/api/login/code"),
    ("post", "/api/token"),
    ("post", "/api/token/code"),
    ("post", "/api/token/refresh"),
    ("post", "/api/token/verify"),
    ("post", "/api/token/blacklist"),
]

# Which methods each path takes, beside OPTIONS.
METHODS: dict[str, set[str]] = {}
for method, path in [(m, p) for m, p, _ in PROTECTED] + OPEN:
    METHODS.setdefault(path, set()).update({"GET", "HEAD"} if method == "get" else {method.upper()})
