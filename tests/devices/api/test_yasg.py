"""drf-yasg fails for a whole project if a serializer of it is called as one of ours."""

import json
import subprocess
import sys

import pytest
from django.conf import settings

# As drf-yasg, which is not installed here: it takes a name that a class says itself.
LOOK = """
import json
import django
django.setup()
from django.contrib.auth.models import AnonymousUser
from types import SimpleNamespace
from devices.api import yasg
yasg.adopt()
from devices.api import staff, views
named = {each.__name__: each.Meta.ref_name for each in yasg._below(yasg.BaseSerializer)
         if each.__module__.startswith("devices.")}
fake = {}
for view in (views.SessionViewSet, views.TrustedDeviceViewSet, views.HistoryViewSet, views.ActivityViewSet,
             staff.StaffSessionsView):
    asked = view(request=SimpleNamespace(user=AnonymousUser()), kwargs={}, swagger_fake_view=True)
    fake[view.__name__] = asked.get_queryset().query.is_empty()
print(json.dumps([named, fake]))
"""


@pytest.fixture(scope="module")
def seen():
    done = subprocess.run(
        [sys.executable, "-c", LOOK],
        cwd=settings.BASE_DIR,
        env={"DJANGO_SETTINGS_MODULE": "tests.settings"},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def test_each_serializer_of_ours_has_a_name_of_its_own(seen):
    named = seen[0]
    assert named["SessionSerializer"] == "DevicesSession"
    assert named["PastSessionSerializer"] == "DevicesPastSession"
    assert named["RevokedSerializer"] == "DevicesRevoked"
    assert all(name.startswith("Devices") for name in named.values())
    assert len(set(named.values())) == len(named)


def test_a_view_that_is_only_described_has_no_rows(seen):
    assert set(seen[1].values()) == {True}
