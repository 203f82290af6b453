#!/usr/bin/env bash
# A Django ValidationError with `params` that a resolver of Strawberry raises reaches the client with its gaps unfilled.
#
# Guess: the client reads the message as a form shows it, or nothing of it.
# Seen: graphql-core 3.3.2 takes the attribute `message` of an error, which in a ValidationError is the text before `params`
# are put in: "Try again in %(time)s." So make the message complete before it is raised, or use str(). An attribute
# `extensions` of the error, a dictionary, goes to the client, too; that is where a code belongs.
#
# Needs Python 3.11 or newer.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    Django==5.2.19 strawberry-graphql==0.341.2 graphql-core==3.3.2
"$folder/venv/bin/python" - <<'PYTHON'
import logging
from importlib.metadata import version

import strawberry
from django.conf import settings
from django.core.exceptions import ValidationError

settings.configure(USE_I18N=False)
logging.disable()


@strawberry.type
class Query:
    @strawberry.field
    def wait(self) -> str:
        error = ValidationError("Try again in %(time)s.", params={"time": "a minute"})
        error.extensions = {"code": "throttled"}
        raise error


[error] = strawberry.Schema(Query).execute_sync("{ wait }").errors
print("Strawberry", version("strawberry-graphql"), "graphql-core", version("graphql-core"))
print("message:", error.message)
print("extensions:", error.extensions)
print("as a form shows it:", error.original_error.messages)
assert error.message == "Try again in %(time)s.", "the behaviour has changed"
assert error.extensions == {"code": "throttled"}, "the behaviour has changed"
PYTHON
