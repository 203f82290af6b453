"""Takes one protection out at a time and sees that its tests fail: `make mutants`, on PostgreSQL.

A mutant that no test notices, or that does not apply any more, fails the run.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent

ROWS = "devices/core/sessions/rows.py"
ENDING = "devices/core/sessions/ending.py"
BEGINNING = "devices/core/sessions/beginning.py"
USING = "devices/core/sessions/using.py"
OWNING = "devices/core/sessions/owning.py"
LIVENESS = "devices/core/life/liveness.py"
LIVENESS_TESTS = "tests/devices/core/life/test_liveness.py"
TOKENS = "devices/core/life/tokens.py"

LINEAGE = "tests/test_lineage.py"
INTERLEAVINGS = "tests/test_interleavings.py"
MACHINE = "tests/test_model_machine.py"
RACES = "tests/races"

COOKIE = "devices/web/cookie.py"
COOKIES = "tests/devices/web/test_cookie.py"
ADAPTERS = "accounts/adapters.py"
REAUTHENTICATION = "accounts/reauthentication.py"
WAYS_IN = "tests/test_ways_in.py"
FACTOR = "accounts/second_factor.py"
DOORS = "tests/test_every_door.py"

STAFF = "devices/core/oversight/staff.py"
STAFFS = "tests/devices/core/oversight/test_staff.py"
STAFF_API = "tests/devices/api/test_staff.py"
IMPERSONATION = "tests/devices/web/test_impersonation.py"
BORDER = "tests/test_staff_border.py"

STEPUP = "devices/core/stepup.py"
NOTICES = "devices/core/watch/notices.py"
SUSPICION = "devices/core/watch/suspicion.py"
WATCH = "tests/test_watch.py"
PRIVACY = "tests/devices/core/forget/test_privacy.py"


class Mutant(NamedTuple):
    without: str
    file: str
    old: str
    new: str
    # What has to fail: pytest's paths, and its -k.
    tests: str
    match: str


HOSTS = "tests/hosts"

MUTANTS = [
    # In projects of other people.
    Mutant(
        "distrust of a user whom others put where Django keeps its own",
        COOKIE,
        'if known is None or known is not getattr(request, "_device_user", None):',
        "if known is None:",
        HOSTS,
        "cookies",
    ),
    Mutant(
        "asking the managers of the user model",
        "devices/core/life/lookup.py",
        "return [each for each in managers if type(each).get_queryset is not plain]",
        "return []",
        HOSTS,
        "soft_deletion",
    ),
    Mutant(
        "SimpleJWT's rule after the login",
        USING,
        "if not liveness.is_admitted(session):",
        "if False:",
        HOSTS,
        "soft_deletion",
    ),
    Mutant(
        "the session behind a token that a subclass read",
        "devices/api/authentication.py",
        "return _session_behind(validated_token).user",
        "return super().get_user(validated_token)",
        HOSTS,
        "authentication",
    ),
    Mutant(
        "calling what a subclass overrides",
        "devices/api/authentication.py",
        "if self._is_extended():",
        "if False:",
        HOSTS,
        "authentication",
    ),
    Mutant(
        "the place of our middleware",
        "devices/checks/authentication.py",
        "if ours < cookies or early:",
        "if ours < cookies:",
        HOSTS,
        "cookies",
    ),
    Mutant(
        "the limit of guesses on the asynchronous way in",
        "devices/backends.py",
        "async def aauthenticate(",
        "async def unused(",
        HOSTS,
        "cookies",
    ),
    # The address of the client.
    Mutant(
        "reading forwarding headers from the right",
        "devices/core/caller/address.py",
        "islice(_hops(forwarded), _HOPS)",
        "iter([*_hops(forwarded)][::-1])",
        "tests/proxies/test_platforms.py",
        "clients_address",
    ),
    Mutant(
        "stopping at the first hop that is not trusted",
        "devices/core/caller/address.py",
        "client, is_proxy = address, _is_trusted(address, trusted)",
        "client = address",
        "tests/proxies/test_platforms.py",
        "clients_address",
    ),
    Mutant(
        "one limit for clients without an address",
        "devices/core/proof/attempts.py",
        'if client.ip_address else "")',
        "if client.ip_address else username)",
        "tests/test_guessing.py",
        "without_an_address",
    ),
    Mutant(
        "a link that needs no login where all other pages do",
        "devices/web/review.py",
        "[login_not_required, never_cache]",
        "[never_cache]",
        WATCH,
        "needs_no_login",
    ),
    Mutant(
        "a heartbeat that comes round as messages do",
        "devices/core/life/bus.py",
        "if any(notice.payload == sign for notice in came if notice.channel == self._own):",
        "if True:",
        "tests/proxies/test_pgbouncer.py",
        "heard",
    ),
    # Strange sign-ins, and what comes of them.
    Mutant(
        "hours, not days, in the speed of travel",
        "devices/core/watch/risk.py",
        "/ timedelta(hours=1), 0.0)",
        "/ timedelta(days=1), 0.0)",
        "tests/devices/core/watch/test_risk.py",
        "EL7",
    ),
    Mutant(
        "no learning from what is too strange",
        "devices/core/watch/past.py",
        "if not assessment.is_at_least(RiskLevel.HIGH):",
        "if True:",
        WATCH,
        "too_strange or is_high",
    ),
    Mutant(
        "writing the past over what was read, and over nothing else",
        "devices/core/watch/past.py",
        "pk=row.pk, data=row.data",
        "pk=row.pk",
        "tests/races/test_watch.py",
        "learned",
    ),
    Mutant(
        "the doubt about a strange session",
        STEPUP,
        "    if session.doubted_at is not None:\n        if second_factor",
        "    if False:\n        if second_factor",
        WATCH,
        "V8_2_4",
    ),
    Mutant(
        "the doubt that the password alone does not end",
        STEPUP,
        "        raise SessionDoubted",
        "        pass",
        WATCH,
        "V8_2_4_a_doubted_session",
    ),
    Mutant(
        "the doubt that only a second factor ends",
        OWNING,
        "if mfa or ends_doubt:",
        "if True:",
        WATCH,
        "reauthentication",
    ),
    Mutant(
        "the age of a proof from before the clock was put back",
        STEPUP,
        "abs(timezone.now() - proved_at)",
        "(timezone.now() - proved_at)",
        "tests/test_stepup.py",
        "put_back",
    ),
    Mutant(
        "judging an approved session again",
        SUSPICION,
        "    new = [mark for mark in marks if mark not in before]",
        "    new = marks if judged.score > session.risk_score else []",
        WATCH,
        "approved_session",
    ),
    Mutant(
        "what was found is found once",
        SUSPICION,
        "    new = [mark for mark in marks if mark not in before]",
        "    new = marks",
        WATCH,
        "in_the_log_once or comes_from_elsewhere",
    ),
    Mutant(
        "refusing a repeat from elsewhere",
        USING,
        " and not suspicion.is_elsewhere(session, client)",
        "",
        WATCH,
        "repeat or handed_out",
    ),
    Mutant(
        "another country of a repeat",
        SUSPICION,
        "return bool(now.country and last) and now.country not in (last, began.country)",
        "return False",
        WATCH,
        "repeat or handed_out",
    ),
    Mutant(
        "another kind of device of a repeat",
        SUSPICION,
        'return _mark("refresh_device_class", now) not in session.unusual_uses.splitlines()',
        "pass",
        WATCH,
        "shares_no_lineage",
    ),
    Mutant(
        "doubting a cookie from elsewhere",
        USING,
        "if use is not None and use.is_doubtful:",
        "if False:",
        WATCH,
        "cookie",
    ),
    Mutant(
        "noting an access token from elsewhere",
        USING,
        "if use is not None and is_first:",
        "if False:",
        WATCH,
        "access_token_from",
    ),
    Mutant(
        "what was noted can still be found",
        SUSPICION,
        "NOTED + mark for mark",
        "mark for mark",
        WATCH,
        "access_token_from",
    ),
    Mutant(
        "the grace of a clock that is put back",
        USING,
        "abs(now - session.rotated_at)",
        "(now - session.rotated_at)",
        LINEAGE,
        "put_back",
    ),
    Mutant(
        "a copy that signs out is a copy",
        USING,
        "if claims.generation == session.generation or _may_repeat(session, claims.generation, now):",
        "if True:",
        LINEAGE,
        "S09",
    ),
    Mutant(
        "no eviction by doubted sessions",
        BEGINNING,
        "(is_doubted and not _has_room(account, now))",
        "False",
        WATCH,
        "A23",
    ),
    Mutant(
        "doubted sessions go first",
        BEGINNING,
        "order_by(trusted_first, ",
        "order_by(",
        WATCH,
        "A23",
    ),
    Mutant(
        "the session of a device that a doubted login says it is",
        BEGINNING,
        "        is_here &= Q(doubted_at__isnull=False)",
        "        pass",
        WATCH,
        "A37",
    ),
    Mutant(
        "an id on another kind of device proves nothing",
        BEGINNING,
        '            proven = ""',
        "            pass",
        WATCH,
        "proves_nothing",
    ),
    Mutant(
        "the attempts of a device's home",
        "devices/core/proof/attempts.py",
        "_known_address(username, client) or _known_device(username, client)",
        "_known_device(username, client) or _known_address(username, client)",
        WATCH,
        "A33",
    ),
    Mutant(
        "a device that was the owner's before is not disowned",
        "devices/core/watch/past.py",
        " and not (known and known.first < began)",
        "",
        WATCH,
        "A33_a_no",
    ),
    Mutant(
        "no answer by the session that is asked about",
        "devices/web/review.py",
        "current is None or current == session or",
        "current is None or",
        WATCH,
        "suspect_does or owes_no_proof",
    ),
    Mutant(
        "a proof of whoever answers for another session",
        "devices/web/review.py",
        '@method_decorator(recently_confirmed, name="dispatch")\n',
        "",
        WATCH,
        "suspect_does or owes_no_proof",
    ),
    Mutant(
        "no answer for somebody else's session",
        "devices/web/review.py",
        " or current.user_id != session.user_id",
        "",
        WATCH,
        "somebody_else",
    ),
    Mutant(
        "a no after a yes",
        OWNING,
        "        if is_mine:\n            answer[",
        "        if True:\n            answer[",
        WATCH,
        "later_no",
    ),
    Mutant(
        "telling the owner of a yes",
        OWNING,
        "            notices.write(session.user_id, NoticeKind.SESSION_APPROVED",
        "            print(session.user_id, NoticeKind.SESSION_APPROVED",
        WATCH,
        "told_to_the_owner",
    ),
    Mutant(
        "the address of when a notice was written",
        NOTICES,
        "_address_of(user_id) if address is None else address",
        '"" if address is None else address',
        "tests/devices/core/watch/test_notices.py",
        "afterwards",
    ),
    Mutant(
        "mails to the former address",
        NOTICES,
        "if notice.kind != NoticeKind.ADDRESS_CHANGED:",
        "if False:",
        "tests/devices/core/watch/test_notices.py",
        "told_to_both",
    ),
    Mutant(
        "a proof before mails are switched off: API",
        "devices/api/views.py",
        "if notices.switched_off(request.user, **wanted):",
        "if False:",
        WATCH,
        "switching_off",
    ),
    Mutant(
        "a proof before mails are switched off: page",
        "devices/web/preferences.py",
        "session is None or stepup.missing_proof(session)",
        "session is None",
        WATCH,
        "switching_off",
    ),
    Mutant(
        "a yes that counts once",
        OWNING,
        "asked = asked.filter(reviewed_at__isnull=True)",
        "pass",
        WATCH,
        "yes_counts_once",
    ),
    Mutant(
        "the age of a link",
        "devices/core/watch/review.py",
        ", max_age=LIFETIME",
        "",
        WATCH,
        "seven_days",
    ),
    Mutant(
        "taking a mail by a conditional UPDATE",
        NOTICES,
        "if not _due(now).filter(pk=notice_id).update(**taken):",
        "if not Notice.objects.filter(pk=notice_id).update(**taken):",
        "tests/races/test_watch.py",
        "mail",
    ),
    Mutant(
        "a mail that a dead worker had is due again",
        NOTICES,
        '"due_at": now + conf.NOTICE_LEASE',
        '"done_at": now',
        "tests/devices/core/watch/test_notices.py",
        "R05",
    ),
    Mutant(
        "text in mails that no mail program makes a link of",
        "devices/core/watch/notifications.py",
        '.replace("://", ": //")',
        "",
        WATCH,
        "A22_A27",
    ),
    # Refresh and replay.
    Mutant(
        "compare and swap of the generation",
        USING,
        "filter(generation=session.generation, expires_at__gt=now)",
        "filter(expires_at__gt=now)",
        INTERLEAVINGS,
        "A17",
    ),
    Mutant(
        "compare and swap of the generation",
        USING,
        "filter(generation=session.generation, expires_at__gt=now)",
        "filter(expires_at__gt=now)",
        RACES,
        "A15",
    ),
    Mutant(
        "a successor made of the row alone",
        TOKENS,
        "uuid.uuid5(session.pk, str(session.generation)).hex",
        "uuid.uuid4().hex",
        RACES,
        "A15",
    ),
    Mutant(
        "the same successor for who lost the race",
        USING,
        "    if _may_repeat(session, claims.generation, now) and not",
        "    if False and not",
        RACES,
        "A15",
    ),
    Mutant(
        "the grace for two tabs",
        USING,
        "return in_grace or session.generation_used < session.generation",
        "return session.generation_used < session.generation",
        LINEAGE,
        "R09",
    ),
    Mutant(
        "recovery of an answer lost hours ago",
        USING,
        "return in_grace or session.generation_used < session.generation",
        "return in_grace",
        LINEAGE,
        "R09",
    ),
    Mutant(
        "the end of the grace",
        USING,
        "return in_grace or session.generation_used < session.generation",
        "return True",
        LINEAGE,
        "A14",
    ),
    Mutant(
        "the end of the grace",
        USING,
        "return in_grace or session.generation_used < session.generation",
        "return True",
        MACHINE,
        "",
    ),
    Mutant(
        "the grace for the predecessor only",
        USING,
        "    if generation != session.generation - 1:\n        return False\n",
        "",
        LINEAGE,
        "A17",
    ),
    Mutant(
        "noting that a successor was used",
        USING,
        "if is_due or claims.generation > session.generation_used:",
        "if is_due:",
        LINEAGE,
        "A14",
    ),
    Mutant(
        "the end of a session whose token is replayed",
        USING,
        "if revoke(session, reason=RevokeReason.REUSE):",
        "if False:",
        LINEAGE,
        "A14",
    ),
    Mutant(
        "signals after commit",
        "devices/core/log/telling.py",
        "database.on_commit(lambda: signal.send_robust(sender=DeviceSession, **arguments))",
        "signal.send_robust(sender=DeviceSession, **arguments)",
        LINEAGE,
        "A14",
    ),
    Mutant(
        "the refusal of a token ahead of its row",
        LIVENESS,
        "if session is None or claims.generation > session.generation:",
        "if session is None:",
        LINEAGE,
        "R22",
    ),
    # Limits in time, and what a refresh or a row may hold.
    Mutant(
        "the idle limit, to the second",
        LIVENESS,
        "session.expires_at <= now",
        "session.expires_at < now",
        LINEAGE,
        "7_3_1",
    ),
    Mutant(
        "the absolute limit",
        USING,
        '"expires_at": min(now + conf.IDLE_LIMIT, session.absolute_expires_at),',
        '"expires_at": now + conf.IDLE_LIMIT, "absolute_expires_at": now + conf.SESSION_MAX_AGE,',
        LINEAGE,
        "7_3_2",
    ),
    Mutant(
        "the absolute limit",
        USING,
        '"expires_at": min(now + conf.IDLE_LIMIT, session.absolute_expires_at),',
        '"expires_at": now + conf.IDLE_LIMIT, "absolute_expires_at": now + conf.SESSION_MAX_AGE,',
        MACHINE,
        "",
    ),
    Mutant(
        "a refresh that is no login",
        USING,
        '        "rotated_at": now,\n        "expires_at"',
        '        "rotated_at": now,\n        "authenticated_at": now,\n        "expires_at"',
        LINEAGE,
        "S23",
    ),
    Mutant(
        "no token at rest",
        BEGINNING,
        '"session.started", {"method": method}',
        '"session.started", {"method": __import__("devices.core.life.tokens").core.tokens.issue(session)}',
        LINEAGE,
        "S08",
    ),
    # Revocation.
    Mutant(
        "the look at revoked_at",
        LIVENESS,
        "if session.revoked_at is not None:",
        "if False:",
        RACES,
        "A19",
    ),
    Mutant(
        "WHERE revoked_at IS NULL",
        ROWS,
        "pk=session.pk, user_id=session.user_id, revoked_at__isnull=True",
        "pk=session.pk, user_id=session.user_id",
        INTERLEAVINGS,
        "",
    ),
    Mutant(
        "the refusal where another request wrote the end down",
        USING,
        "            revoke(session, reason=reason)\n            raise SessionRevoked\n",
        "            if revoke(session, reason=reason):\n                raise SessionRevoked\n",
        INTERLEAVINGS,
        "A13",
    ),
    Mutant(
        "the look at the account",
        LIVENESS,
        "if not session.user.is_active or session.auth_stamp == DEACTIVATED:",
        "if False:",
        RACES,
        "deactivation_by_update",
    ),
    Mutant(
        "the least recently active session as the one to go",
        BEGINNING,
        '"-last_active", "-created_at"',
        '"last_active", "created_at"',
        MACHINE,
        "",
    ),
    Mutant(
        "the trigger that remembers a deactivation",
        "devices/receivers.py",
        "        triggers.install(using)",
        "        pass",
        MACHINE,
        "",
    ),
    Mutant(
        "reading where it is written",
        "devices/models.py",
        "        return self._db or router.db_for_write(self.model, **self._hints)",
        "        return super().db",
        "tests/platforms/test_databases.py",
        "replica",
    ),
    Mutant(
        "transactions on the database of the sessions",
        "devices/core/database.py",
        "    return transaction.atomic(using=alias())",
        "    return transaction.atomic()",
        "tests/platforms/test_databases.py",
        "alias",
    ),
    Mutant(
        "the statement's hash in its name",
        "devices/core/life/statements.py",
        """        name = f"{name}_{hashlib.sha256(sql.encode()).hexdigest()[:16]}"
""",
        "",
        "tests/devices/core/life/test_lookup.py",
        "another_release",
    ),
    Mutant(
        "the place in the key of what is cached",
        "devices/core/life/liveness.py",
        "    return jwt.api_settings, *database.place(), token",
        "    return token",
        LIVENESS_TESTS,
        "place",
    ),
    Mutant(
        "the look whether the end would be heard",
        "devices/core/life/liveness.py",
        "    if not bus.hears(session._state.db):",
        "    if False:",
        LIVENESS_TESTS,
        "place",
    ),
    Mutant(
        "telling an outage from a wrong statement",
        "devices/core/database.py",
        "        return bool(code & 0xFF in SQLITE_AWAY)",
        "        return True",
        "tests/devices/core/test_database.py",
        "wrong",
    ),
    Mutant(
        "the way that triggers make for a migration",
        "devices/receivers.py",
        "        triggers.make_way(using, plan)",
        "        pass",
        "tests/platforms/test_triggers.py",
        "taken_out",
    ),
    Mutant(
        "the word to those who remember a session",
        ENDING,
        "    liveness.forget(session.user_id for session in sessions)\n",
        "",
        RACES,
        "A19 and cached and (device or admin)",
    ),
    Mutant(
        "a 401 that is committed (ATOMIC_REQUESTS)",
        "devices/api/errors.py",
        "    if isinstance(exc, SessionDenied):\n",
        "    if False:\n",
        "tests/test_atomic_requests.py",
        "",
    ),
    Mutant(
        "the lock of the rows a clean-up takes",
        "devices/core/forget/cleanup.py",
        ".order_by(way.column).select_for_update(skip_locked=True)",
        ".order_by(way.column)",
        RACES,
        "cleaning_up",
    ),
    Mutant(
        "counting a failed login in spite of ATOMIC_REQUESTS",
        "devices/api/routing.py",
        "transaction.non_atomic_requests(cache_control(no_store=True)(view))",
        "cache_control(no_store=True)(view)",
        "tests/test_atomic_requests.py",
        "counted",
    ),
    Mutant(
        "the lock of the rows in which an attempt is counted",
        "devices/core/proof/attempts.py",
        "(%(subquery)s FOR UPDATE)",
        "(%(subquery)s)",
        "tests/test_guessing.py",
        "at_once",
    ),
    # What concerns all sessions of a user.
    Mutant(
        "the user's row locked by a login",
        BEGINNING,
        "        account = _lock_with_past(user)\n        if not is_same(account, user):\n"
        "            raise AccountNotActive\n        # Asked",
        "        account = get_user_model().objects.get(pk=user.pk)\n        # Asked",
        "tests/test_same_device.py",
        "at_once",
    ),
    Mutant(
        "the user's row locked by revoke-all",
        ENDING,
        "        account = lock(user)\n        if account is None:",
        "        account = user\n        if account is None:",
        RACES,
        "racing_logins",
    ),
    Mutant(
        "the password compared under the lock",
        ROWS,
        "account.is_active and account.password == user.password",
        "account.is_active",
        RACES,
        "A18",
    ),
    Mutant(
        "the user's row locked before it is deleted",
        "devices/receivers.py",
        "    sessions.account_leaves(instance)",
        "    pass",
        RACES,
        "A12",
    ),
    Mutant(
        "the least recently active session as the one to go",
        BEGINNING,
        '"-last_active", "-created_at"',
        '"last_active", "created_at"',
        RACES,
        "A23",
    ),
    Mutant(
        "locks that leave the row to foreign keys",
        ROWS,
        "select_for_update(no_key=True)",
        "select_for_update()",
        RACES,
        "R02",
    ),
    # Browsers, other sites and apps.
    Mutant(
        "asking whether the session of a cookie lives",
        "devices/web/middleware.py",
        "            request.user = SimpleLazyObject(partial(cookie.user_of, request))\n",
        "",
        COOKIES,
        "revoked_one_is_out",
    ),
    Mutant(
        "refusing cookies that have no session",
        COOKIE,
        "    except SessionError as error:\n        request.session.flush()",
        "    except __import__('devices.exceptions').exceptions.TokenNotValid:\n"
        "        from django.contrib.auth import get_user\n        return get_user(request)\n"
        "    except SessionError as error:\n        request.session.flush()",
        COOKIES,
        "without_a_session_of_ours",
    ),
    Mutant(
        "asking for session and user together",
        USING,
        "    session = find_living(claims, client_of)\n    now = timezone.now()\n"
        "    if session.last_active > ",
        "    owner = DeviceSession.objects.filter(pk=claims.session_id).values_list('user_id', flat=True)\n"
        "    claims = claims._replace(user_id=str(owner.first()))\n"
        "    session = find_living(claims, client_of)\n    now = timezone.now()\n"
        "    if session.last_active > ",
        COOKIES,
        "A10",
    ),
    Mutant(
        "a new key for whoever signs in again",
        COOKIE,
        "        request.session.cycle_key()\n    request.session[ID]",
        "        pass\n    request.session[ID]",
        COOKIES,
        "7_2_4",
    ),
    Mutant(
        "keeping the session that changes its password",
        "devices/receivers.py",
        "keep=session_at_hand(instance)",
        "keep=None",
        COOKIES,
        "A18",
    ),
    Mutant(
        "one session for all pages of a browser, another for its front ends",
        "devices/http.py",
        "browser_id=_browser_id(request), origin=PAGES)",
        "browser_id=_browser_id(request))",
        COOKIES,
        "in_one_browser",
    ),
    Mutant(
        "knowing a browser at the login by the session of its cookie",
        "devices/core/caller/device_key.py",
        "    keys = {proven_key(user_id, client), proven_key(user_id, replace(client, origin=PAGES))}",
        "    keys = {proven_key(user_id, client)}",
        COOKIES,
        "A33",
    ),
    Mutant(
        "a provider's word, in so many words",
        ADAPTERS,
        "address.verified = address.verified is True",
        "address.verified = bool(address.verified)",
        WAYS_IN,
        "provider_has_not_seen",
    ),
    Mutant(
        "linking only what this site has seen proved, too",
        ADAPTERS,
        "EmailAddress.objects.filter(email__in=proved, verified=True)",
        "EmailAddress.objects.filter(email__in=proved)",
        WAYS_IN,
        "from_who_proves_it or nobody_proved",
    ),
    Mutant(
        "an address proved by somebody, before anybody new gets in",
        "project/ways_in.py",
        'SOCIALACCOUNT_EMAIL_VERIFICATION = "mandatory"',
        'SOCIALACCOUNT_EMAIL_VERIFICATION = "optional"',
        WAYS_IN,
        "nobody_new_gets_in",
    ),
    Mutant(
        "keys of signed-in sessions open nothing for apps",
        "accounts/app_session.py",
        "return None if is_signed_in or store.session_key is None else store",
        "return None if store.session_key is None else store",
        WAYS_IN,
        "A37",
    ),
    # The second factor.
    Mutant(
        "second factor: no session begins without it",
        BEGINNING,
        "        if not mfa and second_factor.required_of(account):\n            raise OtpRequired\n",
        "",
        DOORS,
        "forgets_to_ask",
    ),
    Mutant(
        "second factor: codes are used up under a lock",
        FACTOR,
        "Authenticator.objects.select_for_update().filter(user_id=user.pk)",
        "Authenticator.objects.filter(user_id=user.pk)",
        "tests/accounts/test_second_factor.py",
        "at_once",
    ),
    Mutant(
        "second factor: no earlier code is good after a later one",
        FACTOR,
        'if step <= authenticator.data.get("used_up_to", 0):',
        'if step == authenticator.data.get("used_up_to", 0):',
        "tests/accounts/test_second_factor.py",
        "DJ4",
    ),
    Mutant(
        "second factor: allauth's forms ask where the API does",
        "accounts/apps.py",
        'import_module("accounts.second_factor").take_over()',
        'import_module("accounts.second_factor")',
        DOORS,
        "AA5 or A30",
    ),
    Mutant(
        "second factor: a right password gives no tries at codes back",
        "devices/core/proof/attempts.py",
        '_begin("code", "known for codes", username, client)',
        '_begin("account", "known", username, client)',
        "tests/test_second_factor.py",
        "A32 or passwords_attempts",
    ),
    Mutant(
        "second factor: a password does not step up who has one",
        "devices/core/stepup.py",
        "    if second_factor.required_of(session.user):\n        return MissingProof",
        "    if False:\n        return MissingProof",
        "tests/test_second_factor.py",
        "since_the_login",
    ),
    Mutant(
        "second factor: the password removes none",
        ADAPTERS,
        'if METHOD_OF_ID.get(method["id"]) == method_of(user)',
        "if True",
        DOORS,
        "V7_5_3",
    ),
    Mutant(
        "the doors of allauth that nobody has looked at",
        "project/middleware.py",
        "if not doors.is_known(match):",
        "if False:",
        "tests/test_doors.py",
        "nobody_has_looked_at",
    ),
    Mutant(
        "passwords of apps as they were typed",
        "accounts/inputs.py",
        "fields[field].strip = False",
        "pass",
        "tests/accounts/test_allauth.py",
        "V6_2_9",
    ),
    Mutant(
        "links in allauth's mails that the sender of a request cannot choose",
        ADAPTERS,
        "urlsplit(value).netloc == host",
        "False",
        "tests/accounts/test_allauth.py",
        "mails_name_the_site",
    ),
    Mutant(
        "the limit on challenges for passkeys",
        "project/middleware.py",
        "if match.view_name in doors.PASSKEY_LOGIN:",
        "if False:",
        "tests/accounts/test_allauth.py",
        "bounded_number_of_rows",
    ),
    Mutant(
        "a code by mail in place of something better",
        REAUTHENTICATION,
        'if method_of(user) == "code" else []',
        "",
        DOORS,
        "in_place_of_something_better",
    ),
    Mutant(
        "a code that was mailed before something better was enrolled",
        "accounts/receivers.py",
        "if reauthenticated and method == method_of(user):",
        "if reauthenticated:",
        DOORS,
        "sent_before_a_factor",
    ),
    # Staff.
    Mutant(
        "staff: waiting for no row while holding many",
        ENDING,
        'select_for_update(skip_locked=True, of=("self",))',
        'select_for_update(of=("self",))',
        "tests/devices/core/oversight/test_staff_races.py",
        "waits_for_nobody",
    ),
    Mutant(
        "staff: the sessions of those above them",
        STAFF,
        "        rows = rows.exclude(above)",
        "        pass",
        STAFFS,
        "A45",
    ),
    Mutant(
        "staff: rights that come through a group",
        STAFF,
        "        _has(groups, person, group__permissions__in=lacking),\n",
        "",
        STAFFS,
        "A45",
    ),
    Mutant(
        "staff: a dry run asks for the right to look",
        "devices/api/staff.py",
        'if wish["dry_run"] and not may_look:',
        "if False:",
        STAFF_API,
        "dry_run_is_a_look",
    ),
    Mutant(
        "staff: notes are theirs alone",
        "devices/core/log/activity.py",
        'STAFF_ONLY: Final = frozenset({"note"})',
        "STAFF_ONLY: Final = frozenset[str]()",
        "tests/devices/api/test_activity.py",
        "staff_only",
    ),
    Mutant(
        "staff: changing rows of people above them",
        "devices/admin_site.py",
        "return super().has_change_permission(request, obj) and self._is_in_reach(request, obj)",
        "return super().has_change_permission(request, obj)",
        BORDER,
        "password_of_somebody or nor_is_their_row",
    ),
    Mutant(
        "staff: giving what is theirs to people above them",
        "devices/admin_site.py",
        'kwargs["queryset"] = staff.within_reach(among, _asker(request), "")',
        'kwargs["queryset"] = among',
        BORDER,
        "given_an_address or account_elsewhere",
    ),
    Mutant(
        "staff: actions on rows of people above them",
        "devices/admin_site.py",
        "        if not self._may_act(request, queryset):",
        "        if False:",
        BORDER,
        "called_verified",
    ),
    Mutant(
        "staff: giving rights",
        "devices/admin_site.py",
        "or (gives and not _is_superuser(request))",
        "",
        BORDER,
        "form_that_offers",
    ),
    Mutant(
        "staff: a recent proof before accounts are written to",
        "devices/admin_site.py",
        "if writes and not is_confirmed(request):",
        "if False:",
        BORDER,
        "recent_proof",
    ),
    Mutant(
        "acting for somebody: it proves nothing",
        STEPUP,
        "        return MissingProof.OWNER",
        "        pass",
        IMPERSONATION,
        "proves_nothing",
    ),
    Mutant(
        "acting for somebody: no confirmation",
        OWNING,
        "        raise Impersonated",
        "        pass",
        IMPERSONATION,
        "proves_nothing",
    ),
    Mutant(
        "acting for somebody: it ends with the session of whoever acts",
        USING,
        "if reason is None and liveness.has_lost_origin(session, now):",
        "if False:",
        IMPERSONATION,
        "ends_with",
    ),
    Mutant(
        "acting for somebody: within one's reach",
        "devices/core/oversight/impersonation.py",
        'if staff.out_of_reach(users, by.user, "").exists():',
        "if False:",
        IMPERSONATION,
        "above_them or within_reach",
    ),
    Mutant(
        "acting for somebody: known by the mark of a package",
        "devices/web/impersonation.py",
        "if not any(request.session.get(key) for key in conf.IMPERSONATION_KEYS):",
        "if True:",
        IMPERSONATION,
        "known_by_its_mark",
    ),
    Mutant(
        "acting for somebody: nothing is fresh that was not",
        "devices/web/receivers.py",
        "elif impersonation.is_return(request, user):",
        "elif False:",
        IMPERSONATION,
        "known_by_its_mark",
    ),
    Mutant(
        "staff: the session they are in",
        STAFF,
        "        due = due.exclude(pk=spare)",
        "        pass",
        STAFFS,
        "spared",
    ),
    Mutant(
        "staff: an end to what begins meanwhile",
        STAFF,
        "ahead = due.filter(created_at__lte=batch[-1].created_at)",
        "ahead = due",
        STAFFS,
        "meanwhile",
    ),
    Mutant(
        "staff: everybody, only by that name",
        "devices/api/staff.py",
        'if selection.is_everybody != wish["all"]:',
        "if False:",
        STAFF_API,
        "A45",
    ),
    Mutant(
        "staff: the permission to revoke",
        "devices/api/staff.py",
        "permission_classes = (IsAuthenticated, MayRevoke)",
        "permission_classes = (IsAuthenticated,)",
        STAFF_API,
        "A45",
    ),
    Mutant(
        "staff: a recent proof before revoking",
        "devices/api/staff.py",
        "            RecentlyConfirmed().has_permission(request, self)",
        "            pass",
        STAFF_API,
        "V7_5_3",
    ),
    Mutant(
        "staff: a filter given twice",
        "devices/api/staff.py",
        "if twice := [name for name, values in given.items() if len(values) > 1]:",
        "if twice := []:",
        STAFF_API,
        "A26",
    ),
    Mutant(
        "staff: only what was there at the question",
        "devices/admin/revocation.py",
        "chosen = queryset.filter(created_at__lte=asked_at)",
        "chosen = queryset",
        "tests/devices/admin/test_revocation.py",
        "after_the_question",
    ),
    Mutant(
        "staff: charts without script and style",
        "devices/admin/charts.py",
        "    _undress(svg)\n    svg.set",
        "    svg.set",
        "tests/devices/admin/test_dashboard.py",
        "3_4_3",
    ),
    Mutant(
        "staff: isolated text in charts",
        "devices/admin/charts.py",
        "ISOLATED.format(_short(bar.label))",
        "_short(bar.label)",
        "tests/devices/admin/test_dashboard.py",
        "A27",
    ),
    Mutant(
        "staff: one who counts for all",
        "devices/core/oversight/figures.py",
        "if claim.update(begun_at=timezone.now()):",
        "if True:",
        "tests/devices/core/oversight/test_figures.py",
        "at_once",
    ),
    Mutant(
        "staff: counting on the row that is there",
        "devices/core/log/tally.py",
        "ignore_conflicts=True)\n        row.update",
        "ignore_conflicts=True)\n        Tally.objects.filter(**place, count=0).update",
        "tests/devices/core/oversight/test_staff_races.py",
        "at_once",
    ),
    # What is forgotten, and of whom.
    Mutant(
        "a row that says whether its addresses are whole",
        "devices/core/proof/attempts.py",
        'created_at__gte=F("precise_since"))',
        "created_at__isnull=False)",
        PRIVACY,
        "makes_no_stranger",
    ),
    Mutant(
        "another look at a session that comes back after it was shortened",
        "devices/core/forget/privacy.py",
        "default=Value(now),",
        "default=Value(None),",
        PRIVACY,
        "comes_back",
    ),
    Mutant(
        "addresses found within the data of a line",
        "devices/core/forget/traces.py",
        "return _ADDRESS.sub(_shortened, value)",
        "return value",
        PRIVACY,
        "data_of_a_line",
    ),
    Mutant(
        "clearing what no foreign key reaches",
        "devices/receivers.py",
        "    erasure.account_leaves(instance)\n",
        "",
        "tests/devices/core/test_erasure.py",
        "delete",
    ),
    Mutant(
        "the apostrophe before a formula",
        "devices/core/log/history.py",
        "return _FORMULA.sub(",
        "return cell or _FORMULA.sub(",
        "tests/devices/api/test_history_file.py",
        "no_cell_is_a_formula",
    ),
    Mutant(
        "refusing an empty filter",
        "devices/core/oversight/selection.py",
        "    if not text:\n        raise",
        "    if False:\n        raise",
        "tests/devices/core/oversight/test_selection.py",
        "not_understood",
    ),
    Mutant(
        "the moment until which a session must have begun to be meant",
        "devices/management/commands/revoke_sessions.py",
        ".filter(created_at__lte=timezone.now())",
        "",
        "tests/devices/management/test_revoke_sessions.py",
        "begins_meanwhile",
    ),
    Mutant(
        "the limit of registrations at the API",
        "accounts/views.py",
        'addresses.limit_registration(request._request, serializer.validated_data["email"])',
        "pass",
        "tests/accounts/test_limits.py",
        "registers_twenty or plus",
    ),
    Mutant(
        "the limit of a mailbox at allauth's doors",
        ADAPTERS,
        "addresses.limit_mailbox(self.request, email)",
        "pass",
        "tests/accounts/test_limits.py",
        "plus",
    ),
    Mutant(
        "one mailbox for all its plus addresses",
        "accounts/addresses.py",
        """{local.partition('+')[0]}@""",
        "{local}@",
        "tests/accounts/test_limits.py",
        "plus or mailbox",
    ),
    Mutant(
        "the password that a login in steps began under",
        ADAPTERS,
        ', "accounts.stages.PasswordUnchanged"]',
        "]",
        "tests/test_login_under_way.py",
        "A18",
    ),
    Mutant(
        "asking for a second factor under the lock of the login",
        BEGINNING,
        "second_factor.required_of(account)",
        "second_factor.required_of(user)",
        "tests/test_login_under_way.py",
        "enrolled",
    ),
    Mutant(
        "a recent proof before the API changes a password",
        "accounts/views.py",
        "permission_classes = (IsAuthenticated, RecentlyConfirmed)",
        "permission_classes = (IsAuthenticated,)",
        "tests/test_matrix.py",
        "V7_5_1 and change and password",
    ),
    Mutant(
        "a recent proof before a page changes a password",
        "accounts/pages.py",
        "password_change = recently_confirmed(views.password_change)",
        "password_change = views.password_change",
        "tests/test_matrix.py",
        "V7_5_1 and change and password",
    ),
    Mutant(
        "a recent proof before an app changes a password",
        "accounts/pages.py",
        '        raise_if_reauthentication_required(request, app="allauth.account")\n',
        "",
        "tests/test_matrix.py",
        "V7_5_1 and change and password",
    ),
    Mutant(
        "dropping what was there before the first proof by a link",
        "accounts/adapters.py",
        "if confirmed and not is_theirs:",
        "if False:",
        "tests/accounts/test_first_proof.py",
        "",
    ),
    Mutant(
        "dropping what was there before the first proof by a reset",
        "accounts/adapters.py",
        "            first_proof.by_reset(user)\n",
        "            pass\n",
        "tests/accounts/test_first_proof.py",
        "",
    ),
    Mutant(
        "no address before the first proof",
        "accounts/receivers.py",
        "    first_proof.demand(context.request)\n",
        "",
        "tests/accounts/test_first_proof.py",
        "",
    ),
    Mutant(
        "no identity before the first proof",
        "accounts/adapters.py",
        "        if app in ATTACHING:",
        "        if False:",
        "tests/accounts/test_first_proof.py",
        "",
    ),
    Mutant(
        "no reset by an address that is only claimed",
        "accounts/adapters.py",
        "if email == user.email or mine.exists():",
        "if True:",
        "tests/accounts/test_first_proof.py",
        "",
    ),
    Mutant(
        "forgetting sessions that came before the first proof",
        "accounts/first_proof.py",
        "        sessions.disown_all(user)\n",
        "",
        "tests/accounts/test_first_proof.py",
        "",
    ),
]


def run(mutant: Mutant, tree: Path) -> str:
    """How the tests failed on the tree without this protection; empty if they did not."""
    file = tree / mutant.file
    source = file.read_text()
    if source.count(mutant.old) != 1:
        return ""
    file.write_text(source.replace(mutant.old, mutant.new))
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:randomly", "--tb=line"]
    try:
        done = subprocess.run(
            [*command, mutant.tests, "-k", mutant.match],
            cwd=tree,
            env={**os.environ, "RACE_ROUNDS": "100", "MODEL_STEPS": "5000", "MUTANT": "1"},
            capture_output=True,
            text=True,
        )
    finally:
        file.write_text(source)
    failed = re.search(r"^FAILED \S+::(\S+)(?: - (.*))?", done.stdout, re.MULTILINE)
    return f"{failed[1]}: {failed[2] or ''}" if done.returncode == 1 and failed else ""


def main() -> int:
    if not os.environ.get("DATABASE_URL", "").startswith("postgres"):
        sys.exit("The races need PostgreSQL: set DATABASE_URL.")
    chosen = [mutant for mutant in MUTANTS if all(word in str(mutant) for word in sys.argv[1:])]
    survived = 0
    with tempfile.TemporaryDirectory() as directory:
        tree = Path(directory) / "tree"
        shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(".*", "__pycache__", "*.sqlite3"))
        for mutant in chosen:
            began = time.monotonic()
            how = run(mutant, tree)
            survived += not how
            print(
                f"{'killed' if how else 'SURVIVED':<9} {time.monotonic() - began:5.1f} s  "
                f"{mutant.without}\n{'':<19}{how[:160] or mutant.tests}",
                flush=True,
            )
    print(f"{len(chosen) - survived} of {len(chosen)} killed")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
