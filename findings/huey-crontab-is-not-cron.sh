#!/usr/bin/env bash
# huey: crontab() reads two common schedules otherwise than cron.
#
# Guess: `crontab(minute="0", hour="3", day="1,15", day_of_week="1")` runs as `0 3 1,15 * 1` does: on the 1st, the 15th
# and on each Monday (crontab(5): "when either field matches"). And `minute="0, 30"` is half-hourly, or an error.
# Seen: both have to match, so it runs on a 1st or 15th that is a Monday: twice in a year, not 74 times. Of "0, 30" the
# part behind the blank is dropped without a word; a field of which nothing is left is a ValueError. `strict=True`
# makes the former one, too.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check huey==3.5.4
"$folder/venv/bin/python" - <<'PYTHON'
from datetime import datetime, timedelta

import huey
from huey import crontab

START = datetime(2026, 1, 1)


def runs(days, **fields):
    is_due = crontab(**fields)
    return sum(is_due(START + timedelta(minutes=minute)) for minute in range(days * 24 * 60))


def refused(**fields):
    try:
        crontab(**fields)
    except ValueError as error:
        return str(error)


print("huey", huey.__version__)
yearly = runs(365, minute="0", hour="3", day="1,15", day_of_week="1")
either = sum(
    day.day in (1, 15) or day.isoweekday() == 1 for day in (START + timedelta(n) for n in range(365))
)
print(f'day="1,15", day_of_week="1": {yearly} runs in 2026; cron has {either}')
daily = runs(1, minute="0, 30"), runs(1, minute="0,30")
print('minute="0, 30": {} runs a day; "0,30": {}'.format(*daily))
errors = refused(minute="a, b"), refused(minute="0, 30", strict=True)
print("nothing left: {}; strict: {}".format(*errors))
assert (yearly, either, daily) == (2, 74, (24, 48)) and all(errors), "the behaviour has changed"
PYTHON
