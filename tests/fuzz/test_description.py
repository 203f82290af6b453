"""Requests made from the served OpenAPI description: every answer is one that it foretells.

Made by schemathesis, from what the description allows and from what it does not. Some hundreds run with the
suite; `make fuzz` sends thousands.
"""

import os
from datetime import timedelta
from random import Random

import pytest
import schemathesis
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from schemathesis.config import SchemathesisConfig
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from devices.core import sessions, tokens
from devices.core.clients.client import Client
from devices.models import DeviceSession, RevokeReason
from project.wsgi import application
from tests.client import CHROME, PASSWORD
from tests.dpop import Key

KEY = Key()

# The callers bring their tokens themselves.
CONFIG = SchemathesisConfig.from_dict({"generation": {"with-security-parameters": False}})
pytestmark = pytest.mark.usefixtures("quiet", "one_connection")

api = schemathesis.openapi.from_wsgi("/api/schema", application, config=CONFIG)

CASES = int(os.environ.get("FUZZ_CASES", "10"))  # for each endpoint, beside those at the edges
COMMON = {"deadline": None, "database": None, "suppress_health_check": list(HealthCheck)}
# The suite sends the same ones each time, and `make fuzz` others.
COMMON["derandomize"] = "FUZZ_CASES" not in os.environ

# Whose requests they are, some more often than others.
STATES = ["fresh", "fresh", "fresh", "staff", "staff", "stale", "ended", "expired", "nobody"]

# What makes a password good or right, an address or a time zone one, or a filter enough, no description says.
JUDGED = {
    "POST /api/register",
    "POST /api/me/password",
    "PATCH /api/me/notifications",
    "POST /api/sessions/current/confirm",
    "GET /api/admin/sessions",
    "POST /api/admin/sessions/revoke",
}


class Caller:
    """Somebody with a session and what belongs to it, in one of the states that an answer depends on."""

    def __init__(self, state, person, root):
        here = Client("203.0.113.7", CHROME)
        user = root if state == "staff" else person
        self.session = sessions.start(user, here)
        self.other = sessions.start(user, here)
        pair = tokens.issue(self.session)
        self.refresh = pair.refresh
        self.headers = {} if state == "nobody" else {"Authorization": f"Bearer {pair.access}"}
        row = DeviceSession.objects.filter(pk=self.session.pk)
        before = timezone.now() - timedelta(hours=1)
        if state == "ended":
            sessions.revoke(self.session, reason=RevokeReason.USER)
        elif state == "expired":
            row.update(expires_at=before)
        elif state == "stale":
            row.update(authenticated_at=before)

    def lend(self, case, chance):
        """Put what exists in place of what was made up, by chance. What shall be wrong is left wrong."""
        if is_meant_well(case, ParameterLocation.PATH) and "id" in case.path_parameters:
            ids = ["current", str(self.session.pk), str(self.other.pk), case.path_parameters["id"]]
            case.path_parameters["id"] = chance.choice(ids)
        if is_meant_well(case, ParameterLocation.HEADER) and "DPoP" in case.headers:
            # One that is made up is refused: no description says what a signature is.
            url = f"http://localhost{case.formatted_path}"
            case.headers["DPoP"] = KEY.proof(case.method, url)
        if is_meant_well(case, ParameterLocation.BODY) and isinstance(case.body, dict):
            mine = {"refresh": self.refresh, "token": self.refresh}
            mine |= {"email": self.session.user.email}
            mine |= {"password": PASSWORD, "current_password": PASSWORD}
            for key in sorted(mine.keys() & case.body.keys()):
                if chance.random() < 0.7:
                    case.body[key] = mine[key]


def is_meant_well(case, location):
    part = case.meta.components.get(location)
    return part is not None and part.mode is GenerationMode.POSITIVE


def ask(case, caller, answers):
    # Text of blanks alone, or with what cannot be shown, may be refused: no description says that either.
    values = case.body.values() if isinstance(case.body, dict) else ()
    texts = [value for value in values if isinstance(value, str)]
    is_judged = any(not text.strip() or not text.isprintable() for text in texts)
    excluded = [positive_data_acceptance] if is_judged or case.operation.label in JUDGED else []
    if any(text != text.strip() for text in texts):
        # Its length is that without the blanks at its ends.
        excluded.append(negative_data_rejection)
    answer = case.call_and_validate(headers=caller.headers, excluded_checks=excluded or None)
    answers[answer.status_code] += 1
    # The next case finds everything as it was.
    transaction.set_rollback(True)


@api.parametrize()
@settings(phases=[Phase.explicit], **COMMON)
def test_the_examples_and_edges_of_the_description_hold(case, alice, root, answers):
    with transaction.atomic():
        ask(case, Caller("staff", alice, root), answers)


@api.parametrize()
@api.given(state=st.sampled_from(STATES), chance=st.randoms(use_true_random=False))
@settings(phases=[Phase.generate], max_examples=CASES, **COMMON)
def test_every_answer_is_one_that_the_description_foretells(
    case, state: str, chance: Random, alice, root, answers
):
    with transaction.atomic():
        caller = Caller(state, alice, root)
        caller.lend(case, chance)
        ask(case, caller, answers)
