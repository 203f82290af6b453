"""docs/recipes/refused-tokens.md: what the error of a refused token has as its causes."""

import traceback
from uuid import uuid4

import jwt
import pytest
from django.conf import settings

from devices.exceptions import TokenNotValid
from devices.shortcuts import Client, authenticate, start_session

from .test_docs import DOCS

KEY = settings.SIMPLE_JWT["SIGNING_KEY"]

CAUSES = {
    "ExpiredSignatureError": {"exp": 1},
    "InvalidSignatureError": {"key": "another key of at least 32 bytes, as HS256 needs it"},
    "InvalidAudienceError": {"aud": "another"},
    "InvalidIssuerError": {"iss": "another"},
    "MissingRequiredClaimError": {"aud": None},
    # In the year 2100.
    "ImmatureSignatureError": {"iat": 4_102_444_800},
    "KeyError: 'session_id'": {"session_id": None},
    "Token has wrong type": {"token_type": "refresh"},
    "TokenNotValid": {"session_id": str(uuid4())},
}


@pytest.mark.django_db
@pytest.mark.parametrize("cause", CAUSES)
def test_the_causes_are_those_of_the_page(alice, cause):
    assert f"`{cause}`" in DOCS["recipes/refused-tokens.md"]
    access = start_session(Client(), alice).access
    key, claims = KEY, jwt.decode(access, options={"verify_signature": False}) | CAUSES[cause]
    if "key" in claims:
        key = claims.pop("key")
    claims = {name: value for name, value in claims.items() if value is not None}
    with pytest.raises(TokenNotValid) as refused:
        authenticate(jwt.encode(claims, key, algorithm="HS256"))
    told = "".join(traceback.format_exception(refused.value))
    assert cause in told
    others = [other for other in CAUSES if other != cause and other in told]
    assert others == ([] if cause == "TokenNotValid" else ["TokenNotValid"])
