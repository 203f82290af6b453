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


def test_R22_parallel_refreshes_of_a_token_ahead_of_its_row_converge(site, rounds, tally, alice):
    for _ in rounds(50):
        phone = site.caller.login(alice.email)
        ahead = phone.refresh
        for _ in range(2):
            ahead = site.caller.refresh(ahead).json()["refresh"]
        # The database has lost both, as an asynchronous standby may.
        rows = DeviceSession.objects.filter(pk=phone.session_id)
        rows.update(generation=0, generation_used=0)
        answers = site.par(20, lambda caller, i: caller.refresh(ahead))
        assert [answer.status_code for answer in answers] == [200] * 20
        successors = {answer.json()["refresh"] for answer in answers}
        assert len(successors) == 1
        session = rows.get()
        assert (session.generation, session.revoked_at) == (3, None)
        assert Activity.objects.filter(kind="refresh.recovered", session=session).count() == 1
        tally(rounds=1, refreshed=len(answers), successors=len(successors))
