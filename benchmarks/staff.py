"""How soon staff have their pages, and how soon a set of sessions is ended, among a million sessions.

    DATABASE_URL=postgres://… python -m benchmarks.staff [--sessions 1000000]

On PostgreSQL, in a database of its own that is dropped thereafter. A page is asked for several times through
Django's test client, with middleware and templates; the best time counts, since the machine has other work.
"""

import argparse
import logging
import os
import time
from typing import Any

import django

FILL = """
SELECT setseed(0.5);
INSERT INTO accounts_user (password, is_superuser, email, is_active, is_staff, date_joined)
SELECT '!', false, 'p' || i || '@example.org', true, false, now()
FROM generate_series(1, greatest({n} / 5, 2)) i;
INSERT INTO devices_devicesession (
  id, user_id, name, device, device_type, browser, os, user_agent, device_key, ip_address, last_ip,
  country, city, login_method, authenticated_at, risk_score, risk_level, created_at, last_active,
  expires_at, absolute_expires_at, revoked_at, revoke_reason, password_stamp, generation, generation_used,
  rotated_at, is_place_uncertain, binding, binding_key, binding_proofs, unusual_uses)
SELECT gen_random_uuid(), u.id, '', b || ' on ' || o, t, b, o, repeat('Mozilla/5.0 ', 10), md5(i::text),
  a, a, c, '', m, at, CASE WHEN i % 500 = 0 THEN 70 ELSE 0 END,
  CASE WHEN i % 500 = 0 THEN 'high' ELSE 'none' END, at, at + random() * interval '5 days',
  at + interval '30 days', at + interval '90 days',
  CASE WHEN i % 3 = 0 THEN at + (now() - at) * random() END,
  CASE WHEN i % 3 = 0 THEN r ELSE '' END, md5('x'), 1, 1, at,
  false, 'none', '', 0, ''
FROM (SELECT i, now() - interval '90 days' * ({n} - i) / {n} - random() * interval '1 hour' AS at,
    1 + floor(random() * random() * greatest({n} / 5, 2))::int AS un,
    (ARRAY['Chrome', 'Chrome', 'Safari', 'Firefox', 'Edge', 'Opera', 'curl'])[1 + (random() * 6)::int] b,
    (ARRAY['Windows', 'Windows', 'macOS', 'iOS', 'Android', 'Linux'])[1 + (random() * 5)::int] o,
    (ARRAY['desktop', 'desktop', 'mobile', 'mobile', 'tablet', 'cli'])[1 + (random() * 5)::int] t,
    (ARRAY['DE', 'DE', 'FR', 'US', 'US', 'GB', 'JP', 'BR', ''])[1 + (random() * 8)::int] c,
    (ARRAY['password', 'password', 'password', 'google', 'passkey'])[1 + (random() * 4)::int] m,
    (ARRAY['logout', 'limit', 'user', 'reuse', 'admin'])[1 + (random() * 4)::int] r,
    ('10.' || (random() * 80)::int || '.' || (random() * 255)::int || '.7')::inet a
  FROM generate_series(1, {n}) i) g
JOIN accounts_user u ON u.id = un;
ANALYZE;
"""

LIST = "/admin/devices/devicesession/"
API = "/api/admin/sessions"
PAGES = {
    "dashboard": f"{LIST}dashboard/",
    "list": LIST,
    "list, active": f"{LIST}?state=active",
    "list, revoked": f"{LIST}?state=revoked",
    "list, a rare browser": f"{LIST}?browser=curl&state=active",
    "list, four filters": f"{LIST}?os=Linux&browser=Opera&country=BR&device_type=cli",
    "list, suspicious": f"{LIST}?suspicious=waiting",
    "list, by risk": f"{LIST}?o=-1",
    "list, by last use": f"{LIST}?o=-7",
    "list, by last use, four filters": f"{LIST}?o=-7&os=Linux&browser=Opera&country=BR&device_type=cli",
    "list, of a day": f"{LIST}?since=day",
    "list, a network": f"{LIST}?q=10.1.2.0/24",
    "list, a person": f"{LIST}?q=p17@",
    "REST: figures": "/api/admin/stats",
    "REST: list": API,
    "REST: list, revoked": f"{API}?status=revoked",
    "REST: list, a network": f"{API}?ip=10.1.2.0/24",
    "REST: list, a person": f"{API}?email=p77@example.org",
    "REST: list, suspicious": f"{API}?suspicious=true",
}


def measure(number: int) -> None:
    from django.contrib.auth import get_user_model
    from django.db import connection
    from django.test import Client as Browser
    from django.test.utils import CaptureQueriesContext, setup_databases, teardown_databases

    from devices.core import sessions, tokens
    from devices.core.clients.client import Client
    from devices.core.staff import bulk_revocation, statistics
    from devices.models import DeviceSession

    made = setup_databases(verbosity=0, interactive=False)
    try:
        with connection.cursor() as cursor:
            cursor.execute(FILL.format(n=number))
        users: Any = get_user_model()._default_manager
        root = users.create_superuser("root@example.org", "correct horse battery 9")
        browser = Browser()
        browser.force_login(root)
        access = tokens.issue(sessions.start(root, Client("192.0.2.1", "x"))).access
        counted = statistics.count()
        print(f"{number:,} sessions, {counted.data['live']['sessions']:,} of them living")
        print(f"counting the figures: {counted.took:.1f} s\n")
        print("| page | queries | ms |\n| --- | --: | --: |")
        for name, path in PAGES.items():
            times = []
            for _ in range(5):
                begun = time.perf_counter()
                with CaptureQueriesContext(connection) as queries:
                    answer = browser.get(path, headers={"Authorization": f"Bearer {access}"})
                times.append(time.perf_counter() - begun)
                assert answer.status_code == 200, (path, answer.status_code)
            print(f"| {name} | {len(queries)} | {1000 * min(times):.0f} |")
        chosen = DeviceSession.objects.filter(os="Linux")
        begun = time.perf_counter()
        done = bulk_revocation.revoke(chosen, by=root, note="x")
        took = time.perf_counter() - begun
        print(
            f"\nending sessions, in batches of {bulk_revocation.BATCH}: {done.sessions / took:,.0f} a second"
        )
    finally:
        teardown_databases(made, verbosity=0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--sessions", type=int, default=1_000_000)
    arguments = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()
    logging.disable(logging.CRITICAL)
    measure(arguments.sessions)
