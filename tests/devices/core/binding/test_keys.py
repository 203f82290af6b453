"""Public keys: read, named as RFC 7638 has it, and refused where they are none."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import get_default_algorithms

from devices.core.binding import keys
from devices.core.binding.keys import InvalidKey

# RFC 7638 §3.1.
RSA_OF_THE_RFC = {
    "kty": "RSA",
    "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXj"
    "BZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJ"
    "ZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniI"
    "qbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
    "e": "AQAB",
    "alg": "RS256",
    "kid": "2011-04-29",
}
# RFC 8037 A.3.
ED25519_OF_THE_RFC = {
    "kty": "OKP",
    "crv": "Ed25519",
    "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
}
# RFC 9449 §6.1: the key of its examples, and the thumbprint in their `cnf`.
EC_OF_THE_RFC = {
    "kty": "EC",
    "crv": "P-256",
    "x": "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs",
    "y": "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA",
}


@pytest.mark.parametrize(
    ("jwk", "algorithm", "thumbprint"),
    [
        (RSA_OF_THE_RFC, "RS256", "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"),
        (ED25519_OF_THE_RFC, "Ed25519", "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"),
        (ED25519_OF_THE_RFC, "EdDSA", "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"),
        (EC_OF_THE_RFC, "ES256", "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"),
    ],
)
def test_S_RFC7638_the_keys_of_the_standards_have_the_names_they_say(jwk, algorithm, thumbprint):
    assert keys.parse(jwk, algorithm).thumbprint == thumbprint


def public(key, algorithm):
    return get_default_algorithms()[algorithm].to_jwk(key.public_key(), as_dict=True)


def test_a_key_is_its_required_members_and_nothing_besides():
    key = keys.parse({**EC_OF_THE_RFC, "kid": "mine", "use": "sig", "x5u": "https://x"}, "ES256")
    assert dict(key.jwk) == EC_OF_THE_RFC
    assert key == keys.parse(EC_OF_THE_RFC, "ES256")


def test_one_key_has_one_name_however_it_is_spelled():
    """The last character of 43 in base64url has four spellings of the same 256 bits, and zeros may lead."""
    name = keys.parse(EC_OF_THE_RFC, "ES256").thumbprint
    assert keys.parse({**EC_OF_THE_RFC, "y": EC_OF_THE_RFC["y"] + "="}, "ES256").thumbprint == name
    exponent = {**RSA_OF_THE_RFC, "e": "AAEAAQ"}
    assert keys.parse(exponent, "RS256") == keys.parse(RSA_OF_THE_RFC, "RS256")


LITTLE = public(rsa.generate_private_key(65537, 1024), "RS256")
P384 = public(ec.generate_private_key(ec.SECP384R1()), "ES384")
ED25519 = public(Ed25519PrivateKey.generate(), "EdDSA")


@pytest.mark.parametrize(
    ("jwk", "algorithm"),
    [
        (None, "ES256"),
        ([], "ES256"),
        ("{}", "ES256"),
        ({}, "ES256"),
        ({**EC_OF_THE_RFC, "d": "AA"}, "ES256"),
        ({**EC_OF_THE_RFC, "d": None}, "ES256"),
        ({"kty": "oct", "k": "c2VjcmV0"}, "HS256"),
        ({"kty": "oct", "k": "c2VjcmV0"}, "ES256"),
        (EC_OF_THE_RFC, "none"),
        (EC_OF_THE_RFC, "HS256"),
        (EC_OF_THE_RFC, "ES384"),
        (EC_OF_THE_RFC, "RS256"),
        (EC_OF_THE_RFC, "EdDSA"),
        (P384, "ES256"),
        (P384, "ES384"),
        (ED25519, "ES256"),
        ({**ED25519, "crv": "Ed448"}, "EdDSA"),
        ({**ED25519, "x": "AA"}, "EdDSA"),
        ({**EC_OF_THE_RFC, "crv": "secp256k1"}, "ES256"),
        ({**EC_OF_THE_RFC, "x": EC_OF_THE_RFC["y"]}, "ES256"),
        ({**EC_OF_THE_RFC, "x": ""}, "ES256"),
        ({**EC_OF_THE_RFC, "x": 7}, "ES256"),
        ({**EC_OF_THE_RFC, "x": ["AA"]}, "ES256"),
        ({**EC_OF_THE_RFC, "x": "ä" * 43}, "ES256"),
        ({"kty": "EC", "crv": "P-256", "x": EC_OF_THE_RFC["x"]}, "ES256"),
        (LITTLE, "RS256"),
        ({**RSA_OF_THE_RFC, "n": "_" * 700}, "RS256"),
        ({**RSA_OF_THE_RFC, "e": "_" * 300}, "RS256"),
        ({**RSA_OF_THE_RFC, "e": "Ag"}, "RS256"),
        ({**RSA_OF_THE_RFC, "p": "AA", "q": "AA"}, "RS256"),
    ],
)
def test_what_is_no_public_key_of_its_algorithm_is_refused(jwk, algorithm):
    with pytest.raises(InvalidKey):
        keys.parse(jwk, algorithm)
