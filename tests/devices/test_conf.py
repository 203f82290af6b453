"""Settings are read live; a duration is a timedelta, or a number in the unit of its setting."""

from datetime import timedelta

import pytest

from devices.checks import values
from devices.conf import UNITS, conf


@pytest.mark.parametrize("key", sorted(values.DURATIONS.keys() | {"SESSION_MAX_AGE"}))
def test_a_duration_is_a_timedelta_or_a_number_in_its_unit(settings, key):
    unit = UNITS.get(key, timedelta(seconds=1))
    for given, expected in ((7, 7 * unit), (1.5, 1.5 * unit), (7 * unit, 7 * unit)):
        settings.DEVICES = {key: given}
        assert getattr(conf, key) == expected
        assert not [each for each in values.check() if key in each.msg and each.is_serious()]


@pytest.mark.parametrize(
    "key", [key for key, (_, optional) in values.DURATIONS.items() if optional]
)
def test_some_durations_may_be_without_end(settings, key):
    settings.DEVICES = {key: None}
    assert getattr(conf, key) is None


def test_a_setting_is_read_when_it_is_used(settings):
    settings.DEVICES = {"SESSION_MAX_AGE": timedelta(hours=36)}
    assert timedelta(hours=36) == conf.SESSION_MAX_AGE
    del settings.DEVICES
    # pytest-django sends no signal then.
    conf.reload()
    assert timedelta(days=90) == conf.SESSION_MAX_AGE
