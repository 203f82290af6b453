"""Pages of ours that other packages and front ends begin with, each played in a project of its own."""

import pytest

from .shop import blocks, compare, lines, play

# A view of the project's own for new passwords.
PASSWORD = blocks("recipes/end-sessions")[1:]
# The second factor, and no other limit than ours.
FACTOR = 'DEVICES = globals().get("DEVICES", {}) | {"SECOND_FACTOR": "tests.factor.Codes"}\n'
OF_ALLAUTH = """INSTALLED_APPS += ["allauth.mfa"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_RATE_LIMITS = False
"""


# By name: the page, how many of its blocks are needed and how many are played, and the package.
PAGES = {
    "cookies": ("recipes/cookies", 1, 1, ""),
    "cookies for both tokens": ("recipes/cookies", 2, 2, ""),
    "allauth, apps": ("integrations/allauth", 2, 4, "allauth"),
    "Channels": ("recipes/channels", 1, 2, "channels"),
    "Django Ninja": ("recipes/ninja", 2, 3, "ninja"),
    "adrf": ("integrations/adrf", 2, 4, "adrf"),
    "GraphQL (Strawberry)": ("integrations/strawberry", 2, 2, "strawberry"),
    "plain Django views": ("recipes/outside-drf", 2, 2, ""),
}
# Of the page about logins of one's own: without DRF.
PLAIN = [
    ("shop/plain.py", blocks("recipes/login-view")[1][1]),
    (
        "shop/urls.py",
        'urlpatterns += [path("plain/login", plain.login), path("plain/refresh", plain.refresh)]\n',
    ),
]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_of_ours(name, tmp_path):
    page, needed, played, package = PAGES[name]
    for needs in filter(None, (package, "pyotp")):
        pytest.importorskip(needs, reason=f"needs {needs}: make test-integrations")
    found = blocks(page)
    factor = OF_ALLAUTH if package == "allauth" else FACTOR
    own = PLAIN if page == "recipes/outside-drf" else []
    given = [*found[:played], *own, *PASSWORD, ("shop/settings.py", factor)]
    [seen] = play("recipes_story", tmp_path, *given, kind=name).values()
    compare(name, lines(found[:needed]), seen)
