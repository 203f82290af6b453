"""Run SimpleJWT's own tests with SimpleJWT alone and with this app, and compare what differs with a list.

The tests come from the source distribution of the version that is installed. Without a package index they
are skipped, and it is said so. Exit status: 0 if what differs is in DIFFERENCES, and all of it.
"""

import os
import re
import subprocess
import sys
import tarfile
import tempfile
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = "djangorestframework_simplejwt"
# What the suite imports, and we do not.
NEEDED = ("freezegun==1.5.5", "python-jose==3.5.0")
COMMAND = [
    "-m",
    "pytest",
    "-q",
    "-rA",
    "-n0",
    "-c",
    "/dev/null",
    "--rootdir=.",
    "-p",
    "no:cacheprovider",
]
ENDED = re.compile(r"^(PASSED|FAILED|ERROR|XFAIL|SKIPPED) tests/\w+\.py::([\w:]+)", re.MULTILINE)
WITHOUT_INDEX = ("NewConnectionError", "NameResolutionError", "ProxyError", "(from versions: none)")

# A reason, as the guide gives it -> the tests that pass with SimpleJWT alone, and fail with this app.
DIFFERENCES: dict[str, tuple[str, ...]] = {
    (
        "A token needs a session, and `get_user` returns the session's user. A payload with"
        " only `user_id` is refused."
    ): (
        "TestJWTAuthentication::test_get_inactive_user",
        "TestJWTAuthentication::test_get_user",
        "TestJWTAuthentication::test_get_user_with_check_revoke_token",
        "TestJWTAuthentication::test_get_user_with_str_user_id_claim",
        "TokenVerifySerializerShouldHonourBlacklist::test_token_verify_serializer_should_honour_blacklist_if_blacklisting_enabled",
        "TokenVerifySerializerShouldHonourBlacklist::test_token_verify_serializer_should_not_honour_blacklist_if_blacklisting_not_enabled",
    ),
    (
        "Views accept only access tokens, the verify endpoint only access and refresh tokens."
        " Sliding tokens and unknown types are refused."
    ): (
        "TestJWTAuthentication::test_get_validated_token_accept_known_token",
        "TestTestView::test_user_can_get_sliding_token_and_use_it",
        "TestTokenVerifySerializer::test_it_should_not_raise_token_error_if_token_has_wrong_type",
        "TestTokenVerifyView::test_it_should_ignore_token_type",
    ),
    ('An error is `{"detail", "code"}`, without SimpleJWT\'s `messages` for each token class.'): (
        "TestJWTAuthentication::test_get_validated_token_reject_unknown_token",
    ),
    (
        "Our serializers raise the 401 itself, `devices.api.errors.SessionDenied` (an "
        "`InvalidToken`), where SimpleJWT's raise `TokenError`, or `DoesNotExist` for a "
        "deleted user."
    ): (
        "TestTokenRefreshSerializer::test_it_should_raise_error_for_deleted_users",
        "TestTokenRefreshSerializer::test_it_should_raise_error_for_inactive_users",
        "TestTokenRefreshSerializer::test_it_should_raise_token_error_if_token_has_wrong_type",
        "TestTokenRefreshSerializer::test_it_should_raise_token_error_if_token_invalid",
        "TestTokenVerifySerializer::test_it_should_raise_token_error_if_token_invalid",
    ),
    (
        "The blacklist view answers 200 to any token (RFC 7009, section 2.2). SimpleJWT's"
        " answers 401 to an invalid one."
    ): (
        "TestTokenBlacklistSerializer::test_it_should_raise_token_error_if_token_has_wrong_type",
        "TestTokenBlacklistSerializer::test_it_should_raise_token_error_if_token_invalid",
        "TestTokenBlacklistView::test_it_should_return_401_if_token_invalid",
    ),
    (
        "A token ends with its session. No row of `OutstandingToken` or `BlacklistedToken` is"
        " written."
    ): ("TestTokenBlacklistSerializer::test_it_should_blacklist_refresh_token_if_everything_ok",),
    (
        "A refresh creates new tokens from the session. Claims that were added to the old"
        " token by hand are not copied."
    ): (
        "TestTokenRefreshSerializer::test_it_should_blacklist_refresh_token_if_tokens_should_be_rotated_and_blacklisted",
        "TestTokenRefreshSerializer::test_it_should_return_access_token_if_everything_ok",
        "TestTokenRefreshSerializer::test_it_should_return_refresh_token_if_tokens_should_be_rotated",
        "TestTokenRefreshView::test_it_should_return_access_token_if_everything_ok",
    ),
    (
        "An access token lives for `ACCESS_TOKEN_LIFETIME`, or until its session ends, by"
        " Django's clock. `AccessToken.lifetime` and SimpleJWT's own clock, which its tests"
        " move, have no effect."
    ): (
        "TestTestView::test_expired_token",
        "TestTokenRefreshSerializer::test_it_should_return_access_token_for_active_users",
    ),
    (
        "SimpleJWT's test passes a mock as the request, which has no address. A login needs a"
        " real request, or none."
    ): (
        "TestTokenObtainPairSerializer::test_it_should_produce_a_json_web_token_when_valid",
        "TestTokenObtainSerializer::test_it_should_not_validate_if_user_not_found",
        "TestTokenObtainSerializer::test_it_should_raise_if_user_not_active",
        "TestTokenObtainSlidingSerializer::test_it_should_produce_a_json_web_token_when_valid",
    ),
    (
        "The README sets `LEEWAY`, so a token is good for seconds longer. SimpleJWT alone does the"
        " same with it."
    ): ("TestToken::test_check_exp",),
    (
        "The token backend is this app's, which reads `SIGNING_KEYS`. One that code has imported"
        " before is another object."
    ): ("TestToken::test_get_token_backend",),
    (
        "The README sets `ISSUER` and `AUDIENCE`, so tokens have two more claims, and tokens"
        " without them are refused. SimpleJWT alone does the same with these settings."
    ): (
        "TestJWTAuthentication::test_get_validated_token",
        "TestToken::test_init_bad_sig_token_given_no_verify",
        "TestToken::test_init_token_given",
        "TestToken::test_str",
        "TestUntypedToken::test_it_should_accept_and_verify_any_type_of_token",
    ),
}


def fetch(folder: Path) -> None:
    """Put the suite, and what it needs, into a folder."""
    version = metadata.version(PACKAGE)
    pip = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")
    source = ("download", "--no-deps", "--no-binary", ":all:", f"{PACKAGE}=={version}")
    for command in (
        (*pip, *source, "--dest", str(folder)),
        (*pip, "install", "--target", str(folder / "needed"), *NEEDED),
    ):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            if any(sign in done.stderr for sign in WITHOUT_INDEX):
                print("SKIPPED: SimpleJWT's own tests, since the package index cannot be reached.")
                sys.exit()
            sys.exit(done.stderr)
    with tarfile.open(next(folder.glob("*.tar.gz"))) as archive:
        archive.extractall(folder, filter="data")
    # Only its tests: what they import is the package that is installed.
    next(folder.glob(f"{PACKAGE}-*/tests")).rename(folder / "tests")


def passed(folder: Path, *options: str, posts: str = "json") -> set[str]:
    """The names of the tests that pass."""
    path = [ROOT / "tools", ROOT, folder / "needed"] if options else [folder / "needed"]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(map(str, path)),
        "SUITE_POSTS": posts,
    }
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    command = (sys.executable, *COMMAND, "-p", "no:randomly", *options, "tests")
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    ended = {name: how for how, name in ENDED.findall(done.stdout)}
    good = {name for name, how in ended.items() if how == "PASSED"}
    if not good:
        sys.exit(done.stdout + done.stderr)
    print(f"{len(good)} pass {'with this app, posting ' + posts if options else 'with SimpleJWT'}")
    return good


def main() -> None:
    listed = {name: reason for reason, names in DIFFERENCES.items() for name in names}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fetch(folder)
        plain = passed(folder)
        failed = False
        for posts in ("json", "forms"):
            ours = passed(folder, "-p", "simplejwt_over_sessions", posts=posts)
            differ = plain - ours
            for test in sorted(differ - listed.keys()):
                print(f"UNEXPECTED: {test} fails with this app, posting {posts}")
            for test in sorted(listed.keys() - differ):
                print(f"OUT OF DATE: {test} does not differ, posting {posts}")
            failed |= differ != listed.keys()
    for reason, names in DIFFERENCES.items():
        print(f"\n{reason}", *names, sep="\n  ")
    sys.exit(failed)


if __name__ == "__main__":
    main()
