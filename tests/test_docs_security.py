"""docs/security.md and docs/threats.md: their tests exist, events and numbers are those of the code."""

import re
from pathlib import Path

from django.conf import settings
from rest_framework_simplejwt import settings as jwt

from devices.conf import conf
from devices.core import throttling
from devices.core.log import security_log
from devices.core.log.security_log import Event

ROOT = Path(settings.BASE_DIR)
TEXT = (ROOT / "docs" / "security.md").read_text()
THREATS = (ROOT / "docs" / "threats.md").read_text()
PROSE = " ".join(TEXT.split())


def table(heading: str, text: str = TEXT) -> list[list[str]]:
    lines = text.split(f"{heading}\n")[1].split("\n#")[0].splitlines()
    rows = [line.strip("| ").split(" | ") for line in lines if line.startswith("| ")]
    return [[cell.strip() for cell in row] for row in rows][2:]


def test_each_test_it_names_exists():
    named = set(re.findall(r"`(test_\w+)`", TEXT + THREATS))
    suite = "".join(path.read_text() for path in ROOT.glob("tests/**/test_*.py"))
    assert len(named) > 100
    assert named <= set(re.findall(r"^def (test_\w+)\(", suite, re.MULTILINE))
    for path in re.findall(r"`(tests/[\w/]+\.py)`", TEXT + THREATS):
        assert (ROOT / path).exists(), path


def test_each_threat_has_an_id_a_rule_and_a_test():
    threats = THREATS.split("## Protected, ")[0]
    headings = re.findall(r"^## .*", threats, re.MULTILINE)
    assert len(headings) == 10
    for heading in headings:
        for ids, happens, rule, tests in table(heading, THREATS):
            assert re.fullmatch(r"[ARSV][\d.]+(?:(?:, |–)[ARSV][\d.]+)*", ids), ids
            assert happens and rule, ids
            assert re.fullmatch(r"`test[\w/.]+`(?:, `test_\w+`)*", tests), ids


def test_the_table_of_events_is_that_of_the_code(db, security_lines):
    for event in Event:
        security_log.log(event)
    written = {line["event"]: line["level"].lower() for line in security_lines.events}
    documented = {event.strip("`"): level for event, level, _ in table("## The security log")}
    assert documented == written
    assert set(written) == {event.value for event in Event}


def test_its_numbers_are_those_of_the_settings():
    def in_days(time):
        return f"{time.days} days"

    def in_minutes(time):
        return f"{time.total_seconds() / 60:.0f} minutes"

    limits = {
        where.strip("`"): ours
        for _, ours, _, where in table("## Session timeouts and token lifetimes")
    }
    assert limits == {
        'SIMPLE_JWT["ACCESS_TOKEN_LIFETIME"]': in_minutes(jwt.api_settings.ACCESS_TOKEN_LIFETIME),
        'SIMPLE_JWT["REFRESH_TOKEN_LIFETIME"]': in_days(jwt.api_settings.REFRESH_TOKEN_LIFETIME),
        'DEVICES["SESSION_MAX_AGE"]': in_days(conf.SESSION_MAX_AGE),
        'DEVICES["REFRESH_GRACE"]': f"{conf.REFRESH_GRACE.seconds} seconds",
    }
    for sentence in (
        f"at most {conf.MAX_SESSIONS} sessions (`MAX_SESSIONS`)",
        f"at most {in_minutes(conf.STEP_UP_MAX_AGE)} old (`STEP_UP_MAX_AGE`",
        f"{conf.LOGIN_FAILURES_PER_ACCOUNT} times a minute for one account",
        f"{conf.LOGIN_ATTEMPTS_PER_ADDRESS} times a minute from one address",
        f"after {throttling.MAX_CONSECUTIVE} failures in a row",
    ):
        assert sentence in PROSE
    assert throttling.WINDOW.seconds == 60
