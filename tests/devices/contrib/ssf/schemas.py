"""SSF 1.0 and CAEP 1.0 as JSON schemas: their required claims, values and formats. The examples that the
specifications print are held to them, too, in test_sets.
"""

from typing import Any

TEXT = {"type": "object", "minProperties": 1, "additionalProperties": {"type": "string"}}
SIMPLE = {
    "oneOf": [
        {
            "properties": {
                "format": {"const": "iss_sub"},
                "iss": {"type": "string", "pattern": "^https://"},
                "sub": {"type": "string"},
            },
            "required": ["format", "iss", "sub"],
            "additionalProperties": False,
        },
        {
            "properties": {"format": {"const": "opaque"}, "id": {"type": "string"}},
            "required": ["format", "id"],
            "additionalProperties": False,
        },
    ]
}
SUBJECT = {
    "oneOf": [
        SIMPLE,
        {
            "properties": {
                "format": {"const": "complex"},
                **dict.fromkeys(("user", "device", "session", "tenant", "application"), SIMPLE),
            },
            "required": ["format"],
            "minProperties": 2,
            "additionalProperties": False,
        },
    ]
}
COMMON = {
    "event_timestamp": {"type": "number"},
    "initiating_entity": {"enum": ["admin", "user", "policy", "system"]},
    "reason_admin": TEXT,
    "reason_user": TEXT,
}


def _event(required: list[str], **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {**COMMON, **properties},
        "required": required,
        "additionalProperties": False,
    }


CAEP = "https://schemas.openid.net/secevent/caep/event-type/"
COMPLIANCE = {"enum": ["compliant", "not-compliant"]}
STRING = {"type": "string"}
EVENTS = {
    f"{CAEP}session-revoked": _event([]),
    f"{CAEP}credential-change": _event(
        ["credential_type", "change_type"],
        credential_type=STRING,
        change_type={"enum": ["create", "revoke", "update", "delete"]},
        friendly_name=STRING,
        x509_issuer=STRING,
        x509_serial=STRING,
        fido2_aaguid=STRING,
    ),
    f"{CAEP}assurance-level-change": _event(
        ["namespace", "current_level"],
        namespace=STRING,
        current_level=STRING,
        previous_level=STRING,
        change_direction={"enum": ["increase", "decrease"]},
    ),
    f"{CAEP}device-compliance-change": _event(
        ["previous_status", "current_status"], previous_status=COMPLIANCE, current_status=COMPLIANCE
    ),
    "https://schemas.openid.net/secevent/ssf/event-type/verification": _event([], state=STRING),
}
SET = {
    "type": "object",
    "properties": {
        "iss": {"type": "string", "pattern": "^https://"},
        "jti": STRING,
        "iat": {"type": "integer"},
        "aud": STRING,
        "txn": STRING,
        "sub_id": SUBJECT,
        "events": {
            "type": "object",
            "properties": EVENTS,
            "additionalProperties": False,
            "minProperties": 1,
            "maxProperties": 1,
        },
    },
    # Neither `sub` nor `exp` (SSF 1.0 §4.1).
    "required": ["iss", "jti", "iat", "aud", "sub_id", "events"],
    "additionalProperties": False,
}
CONFIGURATION = {
    "type": "object",
    "properties": {
        "stream_id": {"type": "string", "pattern": "^[A-Za-z0-9._~-]+$"},
        "iss": {"type": "string", "pattern": "^https://"},
        "aud": {},
        "delivery": {
            "type": "object",
            "properties": {
                "method": {"enum": ["urn:ietf:rfc:8935", "urn:ietf:rfc:8936"]},
                "endpoint_url": {"type": "string", "pattern": "^https://"},
            },
            "required": ["method", "endpoint_url"],
            "additionalProperties": False,
        },
        **{
            name: {"type": "array", "items": STRING}
            for name in ("events_supported", "events_requested", "events_delivered")
        },
        "min_verification_interval": {"type": "integer"},
        "description": STRING,
    },
    "required": ["stream_id", "iss", "aud", "delivery", "events_delivered"],
    "additionalProperties": False,
}
METADATA = {
    "type": "object",
    "properties": {
        "spec_version": {"const": "1_0"},
        "issuer": {"type": "string", "pattern": "^https://[^?#]+$"},
        "delivery_methods_supported": {"type": "array", "minItems": 1},
        "authorization_schemes": {
            "type": "array",
            "items": {"type": "object", "required": ["spec_urn"]},
        },
        "default_subjects": {"enum": ["ALL", "NONE"]},
        "critical_subject_members": {"type": "array", "items": STRING},
        **{
            name: {"type": "string", "pattern": "^https://"}
            for name in (
                "jwks_uri",
                "configuration_endpoint",
                "status_endpoint",
                "add_subject_endpoint",
                "remove_subject_endpoint",
                "verification_endpoint",
            )
        },
    },
    "required": ["issuer"],
    "additionalProperties": False,
}
