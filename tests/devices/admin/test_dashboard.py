"""The dashboard: its figures, where each leads, for whom it is, and that nothing in it runs."""

import re
from html import unescape

import pytest
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext

from devices.admin import charts
from devices.core import sessions
from devices.core.clients.client import Client
from devices.core.log import security_log
from devices.core.log.security_log import Event
from devices.core.staff import statistics
from devices.models import DeviceSession, RevokeReason, StatsSnapshot
from tests.client import CHROME, FIREFOX, IPHONE, Device

from .pages import LIST

FAILED = "/admin/devices/failedlogin/"
DASHBOARD = LIST + "dashboard/"


def page(browser):
    statistics.count()
    answer = browser.get(DASHBOARD)
    assert answer.status_code == 200
    return answer.content.decode()


def text(html):
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", html)))


@pytest.fixture
def life(alice, mallory, start):
    """Living, ended and suspicious sessions of two people."""
    start(alice, IPHONE, "8.8.8.8"), start(alice, CHROME, "81.2.69.142"), start(mallory, FIREFOX)
    sessions.revoke(start(mallory), reason=RevokeReason.REUSE)
    suspicious = start(mallory, "curl/8.5.0")
    DeviceSession.objects.filter(pk=suspicious.pk).update(risk_level="high", login_method="google")


def test_each_figure_leads_to_a_list_of_as_many(viewer, life):
    html = page(viewer)
    links = set(re.findall(rf'href="({re.escape(LIST)}\?[^"]+)"[^>]*>([\d,]+)</a>', html))
    assert len(links) > 15
    for url, number in links:
        answer = viewer.get(unescape(url))
        assert answer.status_code == 200, url
        listed = answer.context["cl"].result_count
        assert listed == int(number.replace(",", "")), url


def test_each_bar_leads_to_the_same_list_as_its_line_in_the_table(viewer, life):
    html = page(viewer)
    bars = set(re.findall(r'xlink:href="(/[^"]+)"', html))
    lines = set(re.findall(rf'href="({re.escape(LIST)}\?[^"]+)"', html))
    assert bars and {unescape(bar) for bar in bars} <= {unescape(line) for line in lines}


def test_it_shows_who_and_whence_most(viewer, alice, life):
    html = text(page(viewer))
    assert f"{alice.email} 2" in html
    assert "203.0.113.7 2" in html
    waiting = DeviceSession.objects.pending_review().count()
    assert waiting >= 1
    assert f"Suspicious, waiting for an answer {waiting}" in html


def test_failed_logins_are_shown_day_by_day(viewer, alice):
    Device().post("/api/login", {"email": alice.email, "password": "wrong"})
    html = page(viewer)
    assert "Failed sign-ins 1 in the past 24 hours; 0 more were blocked" in text(html)
    assert re.search(r"<td class=\"number\">1</td><td class=\"number\">0</td>", html)


def test_each_country_leads_to_the_sign_ins_that_failed_there(viewer, alice):
    for address in ("41.58.3.1", "41.58.3.2", "8.8.8.8", "192.0.2.1"):
        security_log.log(Event.LOGIN_FAILED, user_id=alice.pk, client=Client(address, ""))
    html = page(viewer)
    assert "Nigeria 2 0" in text(html)
    links = re.findall(rf'href="({re.escape(FAILED)}\?[^"]*country=[^"]+)"[^>]*>(\d+)</a>', html)
    assert {number for _url, number in links} == {"1", "2"}
    for url, number in links:
        rows = viewer.get(unescape(url)).context["cl"].result_list
        assert sum(row.count for row in rows) == int(number), url


def test_an_empty_site_has_an_empty_dashboard(viewer):
    DeviceSession.objects.all().delete()
    html = page(viewer)
    assert "Active sessions 0 of 0 people" in text(html)
    assert "pygal-chart" not in html
    assert html.count("There are none.") >= 8


def test_without_pygal_there_are_tables_alone(viewer, life, monkeypatch):
    monkeypatch.setattr(charts, "pygal", None)
    monkeypatch.setattr(charts, "IS_DRAWN", False)
    html = page(viewer)
    assert "pygal-chart" not in html
    assert html.count("<details open>") == 10


def test_where_there_are_too_many_to_count_it_says_what_to_do(viewer, monkeypatch):
    monkeypatch.setattr(statistics, "current", StatsSnapshot)
    answer = viewer.get(DASHBOARD)
    assert answer.status_code == 200
    assert "manage.py count_sessions" in answer.content.decode()


def test_the_dashboard_costs_as_many_queries_for_a_thousand_sessions_as_for_one(
    viewer, alice, bystanders
):
    bystanders(alice, 1)
    page(viewer)
    with CaptureQueriesContext(connection) as for_one:
        viewer.get(DASHBOARD)
    bystanders(alice, 1000)
    statistics.count()
    with CaptureQueriesContext(connection) as for_many:
        viewer.get(DASHBOARD)
    assert len(for_many) == len(for_one) <= 7


def test_A45_it_is_for_those_who_may_see_sessions(clerk, viewer, root, alice):
    assert clerk.get(DASHBOARD).status_code == 403
    assert "Dashboard" not in clerk.get("/admin/").content.decode()
    customer = Browser()
    customer.force_login(alice)
    for browser in (Browser(), customer):
        assert browser.get(DASHBOARD)["Location"].startswith("/admin/login/")
    for browser in (viewer, root):
        assert browser.get(DASHBOARD).status_code == 200
        assert f'href="{DASHBOARD}"' in browser.get(LIST).content.decode()
        assert f'href="{DASHBOARD}"' in browser.get("/admin/devices/").content.decode()


# On the admin's first page


def test_what_matters_first_stands_on_the_admins_first_page(viewer, life):
    Device().post("/api/login", {"email": "alice@example.org", "password": "wrong"})
    statistics.count()
    html = viewer.get("/admin/").content.decode()
    assert "Active sessions 4" in text(html)
    assert "by the quarter hour (UTC)" in html
    assert "United Kingdom" in html and "United States" in html
    assert "Countries from which sign-ins failed in the past 24 hours" in html
    for path in (
        DASHBOARD,
        f"{LIST}?suspicious=waiting",
        FAILED,
        "/admin/devices/activity/?by=staff",
    ):
        assert f'href="{path}"' in html
    assert f'<form class="find" method="get" action="{LIST}"' in html


def test_it_stands_there_for_who_may_see_sessions(clerk, root, life):
    statistics.count()
    assert "overview" not in clerk.get("/admin/").content.decode()
    assert "overview" in root.get("/admin/").content.decode()


def test_the_first_page_costs_one_query_more(viewer, clerk, alice, bystanders):
    bystanders(alice, 100)
    statistics.count()
    with CaptureQueriesContext(connection) as sent:
        viewer.get("/admin/")
    assert len([each for each in sent if "devices_statssnapshot" in each["sql"]]) == 1
    assert not [each for each in sent if '"devices_devicesession"' in each["sql"]]


def test_failures_by_the_quarter_hour_lead_to_a_list_of_them_in_any_zone(
    viewer, alice, clock, settings
):
    settings.TIME_ZONE = "Asia/Kolkata"
    clock.move_to("2026-03-01T18:29:00Z")
    wrong = {"email": alice.email, "password": "wrong"}
    Device().post("/api/login", wrong)
    clock.shift(60)
    Device().post("/api/login", wrong), Device().post("/api/login", wrong)
    html = page(viewer)
    assert "by the quarter hour (Asia/Kolkata)" in html
    [half_past] = set(re.findall(rf'href="({FAILED}\?from=2026-03-01T18%3A30[^"]+)"', html))
    [row] = viewer.get(unescape(half_past)).context["cl"].result_list
    assert row.count == 2
    # Midnight there.
    assert re.search(
        r'<th scope="row"><bdi>midnight</bdi></th><td class="number"><a href="[^"]+">2<', html
    )


HOSTILE = [
    "<script>alert(1)</script>",
    '"><svg onload=alert(1)>',
    "</svg><b>x",
    "{{7*7}}",
    "]]>&lt;",
]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_A27_markup_from_a_client_is_text_in_charts_and_tables(viewer, alice, start, hostile):
    session = start(alice)
    DeviceSession.objects.filter(pk=session.pk).update(
        os=hostile[:32], browser=hostile[:32], country="<b", login_method=hostile[:32]
    )
    html = page(viewer)
    for tag in ("<script>alert", "<svg onload", "<b>x", "<b&", ">49<"):
        assert tag not in html
    assert unescape(html).count(hostile[:20]) >= 4


def test_A27_text_from_right_to_left_turns_nothing_around_it(viewer, alice, start):
    session, turned = start(alice), "\u202egnp.exe"
    DeviceSession.objects.filter(pk=session.pk).update(os=turned)
    html = page(viewer)
    isolated = rf"(?:<bdi>|\u2068|<title>){turned}"
    assert len(re.findall(isolated, html)) == html.count(turned) >= 2


def test_3_4_3_no_script_and_no_style_stands_in_it(viewer, life):
    main = page(viewer).split('<div id="content"')[1].split('<footer id="footer">')[0]
    assert "pygal-chart" in main
    assert not re.search(r"<script|<style|\sstyle=|\son\w+=", main)


def test_charts_draw_nothing_of_nothing():
    assert charts.lying(charts.Series("x", [])) == ""
    assert charts.upright(charts.Series("x", [charts.Bar("a", 0)])) == ""


def test_long_names_are_cut_in_the_chart_alone():
    svg = charts.lying(charts.Series("x", [charts.Bar("A" * 64, 1, "?a=1&b=2")]))
    assert "A" * 21 + "…" in svg
    assert f"<title>{'A' * 64}: 1 (x)</title>" in svg
    assert 'href="?a=1&amp;b=2"' in svg
