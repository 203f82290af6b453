"""OpenTelemetry: what happens is counted and stands on the span, and ages are known when somebody asks."""

import json
import re
from datetime import timedelta
from pathlib import Path

import pytest

pytest.importorskip(
    "opentelemetry.exporter.prometheus",
    reason="needs the packages of opentelemetry: make test-integrations",
)

from django.conf import settings as project  # noqa: E402
from django.db import connection  # noqa: E402
from django.utils import timezone  # noqa: E402
from opentelemetry import metrics, trace  # noqa: E402
from opentelemetry.exporter.prometheus import PrometheusMetricReader  # noqa: E402
from opentelemetry.sdk.metrics import MeterProvider  # noqa: E402
from opentelemetry.sdk.metrics.export import InMemoryMetricReader  # noqa: E402
from opentelemetry.sdk.trace import TracerProvider  # noqa: E402
from opentelemetry.sdk.trace.export import SimpleSpanProcessor  # noqa: E402
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter  # noqa: E402
from prometheus_client import CollectorRegistry, generate_latest  # noqa: E402

from devices.contrib.opentelemetry import instruments  # noqa: E402
from devices.core import sessions  # noqa: E402
from devices.core.liveness import invalidation  # noqa: E402
from devices.core.liveness.cache import session_cache  # noqa: E402
from devices.core.log import security_log  # noqa: E402
from devices.models import DeviceSession, Notification, RevokeReason  # noqa: E402
from tests.bus import redis_server, wait_for  # noqa: E402
from tests.client import Device  # noqa: E402

DASHBOARD = Path(project.BASE_DIR) / "docs" / "grafana.json"

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def reader(monkeypatch):
    """What an SDK of the host's would collect."""
    reader = InMemoryMetricReader()
    registry = CollectorRegistry()
    prometheus = PrometheusMetricReader()
    registry.register(prometheus._collector)
    provider = MeterProvider([reader, prometheus])
    monkeypatch.setattr(metrics, "get_meter", provider.get_meter)
    reader.text = lambda: generate_latest(registry).decode()
    before = list(security_log.logger.handlers)
    instruments.install()
    yield reader
    security_log.logger.handlers[:] = before
    provider.shutdown()


def points(reader, name):
    """(attributes, value) of each series of a metric."""
    found = reader.get_metrics_data()
    if found is None:
        return []
    return [
        (dict(point.attributes), point.value)
        for resource in found.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name == name
        for point in metric.data.data_points
    ]


def counted(reader, **wanted):
    found = points(reader, "devices.events")
    return sum(value for attributes, value in found if wanted.items() <= attributes.items())


def test_what_happens_is_counted(reader, alice, sign_in):
    phone, laptop = sign_in(alice), sign_in(alice)
    Device().post("/api/login", {"email": alice.email, "password": "wrong"})
    phone.rotate()
    laptop.post("/api/logout")
    assert laptop.get("/api/me").status_code == 401
    Device().get("/api/me", HTTP_AUTHORIZATION="Bearer nonsense")
    assert counted(reader, event="login.succeeded") == 2
    assert counted(reader, event="login.failed", outcome="failure") == 1
    assert counted(reader, event="session.started", method="password") == 2
    assert counted(reader, event="refresh.succeeded") == 1
    assert counted(reader, event="session.revoked", reason="logout") == 1
    assert counted(reader, event="session.used_after_end", code="session_revoked") == 1
    assert counted(reader, event="access.refused", code="token_not_valid") == 1
    # Nothing of a person becomes a series.
    names = {name for attributes, _ in points(reader, "devices.events") for name in attributes}
    assert names <= {"event", "outcome", "code", "reason", "method"}


def test_a_request_that_is_traced_says_what_happened_in_it(reader, alice, sign_in, monkeypatch):
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with provider.get_tracer("host").start_as_current_span("POST /api/login"):
        sign_in(alice)
    [span] = exporter.get_finished_spans()
    told = {event.name: dict(event.attributes) for event in span.events}
    assert told["devices.login.succeeded"] == {"event": "login.succeeded", "outcome": "success"}
    assert "devices.session.started" in told
    assert alice.email not in str(told)


def test_an_sdk_that_fails_fails_no_request(reader, alice, sign_in, monkeypatch, capsys):
    def broken(*args, **kwargs):
        raise RuntimeError("no exporter")

    monkeypatch.setattr(trace, "get_current_span", broken)
    assert sign_in(alice).is_in()
    assert "no exporter" in capsys.readouterr().err


@pytest.mark.skipif(
    connection.vendor != "postgresql",
    reason="the thread that measures waits for the test on SQLite",
)
def test_the_ages_of_what_waits_are_known(reader, alice, sign_in):
    assert points(reader, "devices.outbox.age") == [({}, 0.0)]
    assert points(reader, "devices.cleanup.age") == [({}, 0.0)]
    now = timezone.now()
    Notification.objects.create(
        user=alice, kind="new_device", created_at=now, due_at=now - timedelta(hours=2)
    )
    phone = sign_in(alice)
    session = DeviceSession.objects.get(pk=phone.session_id)
    sessions.revoke(session, reason=RevokeReason.LOGOUT)
    ended = now - timedelta(days=30, hours=5)
    DeviceSession.objects.filter(pk=session.pk).update(revoked_at=ended)
    [(_, mail)], [(_, row)] = (
        points(reader, f"devices.{name}.age") for name in ("outbox", "cleanup")
    )
    assert 7200 <= mail < 7260 and 5 * 3600 <= row < 5 * 3600 + 60


def test_a_database_that_is_away_breaks_no_collection(reader, monkeypatch, caplog):
    for name in ("devices.outbox.age", "devices.cleanup.age"):
        assert len(points(reader, name)) <= 1
    monkeypatch.setattr(instruments.connections, "close_all", lambda: None)  # the suite's own stays

    def away():
        raise instruments.Error("no route")

    assert list(instruments._from_database(away)(None)) == []
    assert "An age is not known: no route" in caplog.text


def test_the_cache_and_its_bus_are_seen(reader, alice, sign_in, settings):
    assert points(reader, "devices.bus.age") == []
    assert points(reader, "devices.cache.lookups") == []
    phone = sign_in(alice)
    with redis_server() as redis:
        settings.DEVICES = {
            **settings.DEVICES,
            "LIVENESS": "cached",
            "BUS": f"redis://127.0.0.1:{redis.port}/0",
        }
        try:
            assert phone.is_in()
            wait_for(lambda: session_cache.is_trusted)
            assert phone.is_in() and phone.is_in()
            found = {a["result"]: n for a, n in points(reader, "devices.cache.lookups")}
            assert found["hit"] >= 1 and found["miss"] >= 1
            [(_, age)] = points(reader, "devices.bus.age")
            assert 0 <= age < 5
            redis.kill()
            wait_for(lambda: points(reader, "devices.bus.age")[0][1] > age + 1, 30)
        finally:
            invalidation.stop()


def test_the_dashboard_asks_for_what_there_is(reader, alice, sign_in, settings):
    sign_in(alice)
    text = reader.text()
    shown = set(re.findall(r"\bdevices_\w+", DASHBOARD.read_text()))
    defined = set(re.findall(r"^# TYPE (\w+) ", text, re.MULTILINE)) | {
        # Of the mode `cached` alone.
        "devices_cache_lookups_total",
        "devices_bus_age_seconds",
    }
    assert shown and shown <= defined, shown - defined
    board = json.loads(DASHBOARD.read_text())
    events = {event.value for event in security_log.Event}
    asked = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    named = {each for expr in asked for each in re.findall(r'event=~?"([^"]+)"', expr)}
    assert {one for each in named for one in each.split("|")} <= events
