#!/usr/bin/env bash
# `ua-parser[regex]` does not make django-user-agents faster.
#
# Guess: with the extra installed, `request.user_agent` and `user_agents.parse` use ua-parser's engine in Rust.
# Seen: user_agents 2.2.0 calls `ua_parser.user_agent_parser`, the old interface. It keeps its own engine of
# Python regular expressions, many times slower, and its own cache of 200 user agents, which is emptied as a whole
# when it is full. Only `ua_parser.parse` uses the engine in Rust.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    Django==5.2.19 django-user-agents==0.4.0 user-agents==2.2.0 'ua-parser[regex]==1.0.2'
"$folder/venv/bin/python" - <<'PYTHON'
import time
from importlib.metadata import version

from django.conf import settings

settings.configure(USER_AGENTS_CACHE=None)

import ua_parser
import ua_parser.user_agent_parser as old
from django.http import HttpRequest
from django_user_agents.utils import get_user_agent


def user_agents(model):
    tail = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome"
    return [f"Mozilla/5.0 (Linux; Android 14; {model}{i}) {tail}/{100 + i}.0.0.0 Mobile Safari/537.36" for i in range(201)]


def with_django(text):
    request = HttpRequest()
    request.META["HTTP_USER_AGENT"] = text
    return get_user_agent(request).os.family


def seconds(parse, texts):
    parse(texts[0])
    begun = time.process_time()
    for text in texts[1:]:
        parse(text)
    return time.process_time() - begun


for package in ("django-user-agents", "user-agents", "ua-parser", "ua-parser-rs"):
    print(package, version(package))
print("ua_parser.parse uses", ua_parser.BestAvailableResolver.__module__)
assert ua_parser.BestAvailableResolver.__module__ == "ua_parser.regex", "the behaviour has changed"
fast = seconds(ua_parser.parse, user_agents("Pixel"))
slow = seconds(with_django, user_agents("Galaxy"))
print(f"200 user agents: django-user-agents takes {slow / fast:.0f} times as long as ua_parser.parse")
print("in the old cache after 201 user agents:", len(old._PARSE_CACHE))
assert slow > 4 * fast and len(old._PARSE_CACHE) == 1, "the behaviour has changed"
PYTHON
