"""A15: many refreshes of one token."""

import jwt
import pytest

from devices.models import Activity, DeviceSession

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]


def test_A15_parallel_refreshes_of_one_token_converge(site, rounds, tally, alice):
    for _ in rounds(50):
        phone = site.caller.login(alice.email)
        answers = site.par(20, lambda caller, i: caller.refresh(phone.refresh))
        assert [answer.status_code for answer in answers] == [200] * 20
        successors = {answer.json()["refresh"] for answer in answers}
        assert len(successors) == 1
        [successor] = successors
        # The same `jti`, `iat` and `exp`, since it is the same token.
        claims = jwt.decode(successor, options={"verify_signature": False})
        assert (claims["session_id"], claims["generation"]) == (phone.session_id, 1)
        # One of them moved the row, the others found it moved.
        moves = [line for line in site.events("refresh.succeeded") if phone.session_id in line]
        assert len(moves) == 1
        session = DeviceSession.objects.get(pk=phone.session_id)
        assert (session.generation, session.revoked_at) == (1, None)
        # Each of the twenty can go on.
        asked = [site.caller.me(answer.json()["access"]) for answer in answers]
        assert [answer.status_code for answer in asked] == [200] * 20
        assert not Activity.objects.filter(kind="refresh.reused").exists()
        tally(rounds=1, refreshed=len(answers), successors=len(successors))
