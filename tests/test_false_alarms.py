"""A short month of benchmarks/risk.py: few false alarms, and no takeover that nobody hears of."""

import re
from pathlib import Path

import pytest
from django.conf import settings

from benchmarks import risk
from devices.conf import conf
from devices.core.risk.rules import LEVELS, POINTS

PAGE = (Path(settings.BASE_DIR) / "docs/risk.md").read_text()

FIGURES = PAGE.split("<!-- figures -->")[1].split("<!-- end of figures -->")[0]


@pytest.fixture(scope="module")
def months():
    return [
        risk.run(seed, people_=150, takeovers_=30, cities=cities)
        for seed, cities in ((7, False), (8, True))
    ]


def test_false_alarms_are_below_half_a_percent_of_logins(months):
    logins = sum(month.logins for month in months)
    assert logins > 8000
    assert sum(month.suspicious + month.not_new for month in months) / logins < 0.005


def test_98_of_100_takeovers_are_noticed(months):
    assert sum(month.takeovers for month in months) == 60
    assert sum(month.noticed for month in months) / 60 >= 0.98


def test_a_takeover_after_an_absence_is_more_suspicious_than_another(settings):
    def suspicious(month):
        return month.takeovers - month.levels["low"] - month.levels["none"]

    by_absence = risk.run_absence(7, people_=60, takeovers_=40)
    settings.DEVICES = {"RISK_POINTS": {"dormant": 0}}
    without = risk.run_absence(7, people_=60, takeovers_=40)
    assert suspicious(by_absence) > 1.3 * suspicious(without)
    assert by_absence.suspicious <= without.suspicious + 1


def test_without_the_rules_no_takeover_would_be_noticed(settings):
    settings.DEVICES = {"RISK_POINTS": dict.fromkeys(POINTS, 0)}
    assert risk.run(7, people_=20, takeovers_=10).noticed == 0


def test_the_page_shows_the_figures_of_a_run_and_keeps_the_promise():
    rows = dict(re.findall(r"^\| \**([^|*]+)\** \| \**([^|*]+)\** \|", FIGURES, re.MULTILINE))
    assert float(rows["false alarms, of all logins"].rstrip("%")) <= 0.25
    assert rows["takeovers"] == "250"
    noticed = rows["takeovers noticed"]
    assert int(noticed.split()[0]) >= 0.98 * 250
    assert risk.behaviour() in PAGE


def test_the_page_has_the_points_and_the_levels_of_the_code():
    points = re.findall(r"^\| `(\w+)` \| (\d+) \|", PAGE, re.MULTILINE)
    assert {name: int(n) for name, n in points} == {
        **POINTS,
        **{str(k): n for k, n in LEVELS.items()},
    }
    assert f"`RISK_MEMORY_DAYS` ({conf.RISK_MEMORY_DAYS.days})" in PAGE
