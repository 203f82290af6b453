"""django-cacheops, which caches the queries that a project names."""

from cacheops.conf import prepare_profiles
from django.test import SimpleTestCase, override_settings

from devices.checks import integrations

EVERYTHING = {"ops": "all", "timeout": 300}


class Profiles(SimpleTestCase):
    def reported(self, **profiles):
        prepare_profiles.memory.clear()
        with override_settings(CACHEOPS=profiles):
            ids = [each.id for each in integrations.check()]
        prepare_profiles.memory.clear()
        return ids

    def test_they_may_not_name_sessions(self):
        for name in ("*.*", "devices.*", "devices.activity"):
            self.assertEqual(self.reported(**{name: EVERYTHING}), ["devices.E135"], name)

    def test_they_may_name_what_is_not_ours(self):
        for given in (
            {},
            {"auth.*": EVERYTHING},
            {"*.*": EVERYTHING, "devices.*": None},
            {"*.*": {"ops": (), "timeout": 300}},
        ):
            self.assertEqual(self.reported(**given), [], given)
