# Everything sets itself up: `make run` and `make test` are all a fresh machine needs.

PYTHON ?= python3
BIN := .venv/bin
PORT ?= 8000
# Passkeys need a name: browsers refuse them on http://127.0.0.1.
LISTEN = $(if $(findstring :,$(PORT)),,localhost:)$(PORT)
# How many processes share the suite, each with a database of its own; 0 for this one alone.
JOBS ?= 2

# Compiled files are kept, also where an image switches that off: the suite starts hundreds of processes.
export PYTHONDONTWRITEBYTECODE =

# The README says so.
export DJANGO_RUNSERVER_HIDE_WARNING = true

# Links in e-mails lead to the port that is served.
ifeq ($(shell grep -s '^SITE_URL=' .env),)
run demo: export SITE_URL ?= http://$(LISTEN)
endif

.PHONY: run demo test coverage takeover races fuzz mutants kill-setup failover sentinel test-citus citus-drill check lint docs messages images bench wheel lock renew matrix test-newest test-lowest test-simplejwt test-integrations clean

run: .venv/run .env  ## serve the site on this machine, on http://localhost:8000
	@$(BIN)/python tools/port.py $(PORT)
	$(BIN)/python manage.py compile_translations
	$(BIN)/python manage.py migrate --verbosity 0
	$(BIN)/python manage.py runserver $(LISTEN)

demo: export DATABASE_URL = sqlite:///demo.sqlite3
demo: .venv/run .env  ## the same over a database of its own, made anew, full of people and sessions
	@$(BIN)/python tools/port.py $(PORT)
	rm -f demo.sqlite3*
	$(BIN)/python manage.py compile_translations
	$(BIN)/python manage.py migrate --verbosity 0
	$(BIN)/python manage.py demo
	$(BIN)/python manage.py runserver $(LISTEN)

test: .venv/dev  ## the suite, on SQLite or on what DATABASE_URL names
	$(BIN)/lint-imports --no-logo
	$(BIN)/pytest -n $(JOBS) --dist loadfile $(PYTEST)

races: .venv/dev  ## all rounds of the races, on the PostgreSQL that DATABASE_URL names, and a long walk beside the model
	RACE_ROUNDS=200 MODEL_STEPS=10000 $(BIN)/pytest --timeout=0 tests/races tests/test_model_machine.py tests/devices/contrib/ssf/test_push.py

takeover: .venv/dev  ## play a stranger who tries every sequence of four verbs
	TAKEOVER_DEPTH=4 $(BIN)/pytest --timeout=0 tests/test_takeover.py

fuzz: .venv/dev  ## thousands of requests made from the API's own description, of which none may surprise
	FUZZ_CASES=300 $(BIN)/pytest --timeout=0 tests/fuzz

mutants: .venv/dev  ## take out one protection after the other; its tests have to fail. PostgreSQL, too
	$(BIN)/python -m tests.mutations

kill-setup: .venv/dev  ## kill the first `make run` of a clean clone at ten moments; the next one has to serve
	$(BIN)/python -m tests.setup_kills

failover: export DJANGO_SETTINGS_MODULE = tests.settings
failover: .venv/dev  ## kill the leader of PostgreSQL 40 times while people sign out; needs the server's programs, and ten minutes
	$(BIN)/python -W ignore -m tests.platforms.failover --write docs/recipes/failover.md

sentinel: export DJANGO_SETTINGS_MODULE = tests.settings
sentinel: .venv/dev  ## kill the master of Redis while 1,000 sessions end, which a Sentinel is the bus of; needs redis-server
	$(BIN)/python -W ignore -m tests.platforms.sentinel

test-citus: .venv/dev  ## what is different on Citus, and what must not be, on the coordinator that CITUS_URL names
	@test -n "$(CITUS_URL)" || { echo "NO CITUS: set CITUS_URL to an empty database of a coordinator, as docs/recipes/citus.md says"; exit 1; }
	$(BIN)/pytest --reuse-db tests/platforms/test_citus.py tests/test_journeys.py tests/test_refresh_rotation.py \
		tests/test_activity_log.py tests/devices/core/test_erasure.py tests/devices/core/staff/test_bulk_revocation.py

citus-drill: export DJANGO_SETTINGS_MODULE = tests.settings
citus-drill: .venv/dev  ## clean up, and then add WORKER to the cluster of CITUS_URL and move shards, while people sign in and out
	$(BIN)/python -W ignore -m tests.platforms.citus --worker $(WORKER)

lint: .venv/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports --no-logo
	$(BIN)/mypy

check: lint  ## everything that has to hold before a change goes in
	$(BIN)/python -W error manage.py check --fail-level WARNING --settings tests.settings
	$(BIN)/python manage.py makemigrations --check --dry-run --settings tests.settings
	$(BIN)/python manage.py spectacular --validate --fail-on-warn --file /dev/null --settings tests.settings
	$(MAKE) docs
	$(MAKE) test

coverage: PYTEST = --cov --cov-report=term
coverage: test  ## the suite, and which lines it does not reach

test-simplejwt: .venv/dev  ## SimpleJWT's own tests, with SimpleJWT alone and with this app: what differs is listed
	$(BIN)/python tools/simplejwt_suite.py

test-integrations: .venv-integrations/ready  ## the packages that others bring along: Channels, Ninja, dj-rest-auth, djoser, django-otp, hijack
	.venv-integrations/bin/python -m pytest -n $(JOBS) --dist loadfile tests/integrations tests/hosts \
		tests/test_docs_site.py $(PYTEST)

docs: .venv/dev  ## the documents as a site, in docs/_site; a warning is an error, and so is a search that misses its page
	$(BIN)/sphinx-build --quiet --fail-on-warning --nitpicky --jobs auto docs docs/_site
	@if command -v node > /dev/null; then node tests/docs_search.js docs/_site; else echo "NO NODE: the search is not tested"; fi

messages: .venv/dev  ## gather what is to be translated (needs gettext's xgettext), and compile what is
	for app in devices accounts project; do \
		(cd $$app && ../$(BIN)/django-admin makemessages -l de --no-location --no-wrap --no-obsolete) || exit 1; \
	done
	$(BIN)/python manage.py compile_translations --settings tests.settings

images: .venv/dev  ## the pictures that the documents show, into docs/images
	mkdir -p docs/images
	IMAGES=docs/images $(BIN)/pytest tests/browser/test_pages.py

wheel: .venv/dev  ## the app devices alone, and the verifier for other services, into dist/
	$(BIN)/python -m build --wheel
	$(BIN)/python -m build --wheel --outdir dist verifier

# Each can be run by itself: `make bench-load`. Ten million sessions take ten minutes and 10 GB to make;
# BENCH=--reuse takes the databases of the last time (bench-scale).
bench: bench-auth_overhead bench-touch bench-revocation bench-load bench-memory bench-soak bench-partitioned bench-scale bench-cleanup bench-dpop bench-verifier

bench-verifier: PAGE = docs/verifier.md
bench-%: PAGE ?= docs/performance.md
bench-%: .venv-bench/ready  ## what it costs, beside the neighbours and at scale; writes docs/performance.md
	.venv-bench/bin/python -W ignore -m benchmarks.$* --write $(PAGE) $(if $(filter scale,$*),$(BENCH))

# The newest versions that the ranges allow, with hashes, for every Python from 3.11 on. LOCK=--upgrade-package=NAME
# renews one alone; without it all are renewed.
LOCK ?= --upgrade
COMPILE = $(BIN)/uv pip compile --quiet $(LOCK) --universal --python-version 3.11 --generate-hashes --no-strip-extras

lock: .venv/dev  ## renew the locks; also after a change of a requirements.in
	$(COMPILE) requirements.in -o requirements.txt
	$(COMPILE) -c requirements.txt requirements-dev.in -o requirements-dev.txt
	$(COMPILE) -c requirements.txt benchmarks/requirements.in -o benchmarks/requirements.txt
	$(COMPILE) -c requirements-dev.txt tests/integrations/requirements.in -o tests/integrations/requirements.txt

# What user agents and registries changed since: the tables of both are packages. What is not right then is an entry or
# a rule in devices/core, with a string as it is really sent in the tests.
renew: LOCK = --upgrade-package=ua-parser-builtins --upgrade-package=user-agents --upgrade-package=iptocc
renew: lock .venv/dev  ## renew what ages: the tables of user agents, and the countries of addresses
	$(BIN)/pytest -q tests/devices/core

# The suite without the lock, each time in an environment that is made anew: `make test-newest` with what the ranges allow
# today and the newest Django, `make test-lowest` with the oldest that they allow, `make test-3.13-6.1` with one Python and
# one Django. `make matrix` runs all pairs whose Python is on this machine.
MATRIX = 3.11-5.2 3.12-5.2 3.13-5.2 3.14-5.2 3.12-6.0 3.12-6.1 3.13-6.1 3.14-6.1 3.15-6.1
UV = $(BIN)/uv
VENV = $(UV) venv --quiet --clear --seed --no-python-downloads
SUITE = bin/python -m pytest -n $(JOBS) --dist loadfile $(PYTEST)

test-newest: .venv/dev  ## the suite on the newest versions that the ranges allow, and the newest Django
	$(VENV) $(if $(NEWEST),--python $(NEWEST)) .venv-newest
	echo "Django>=5.2.19" > .venv-newest/django.txt
	$(UV) pip install --quiet --refresh --python .venv-newest --overrides .venv-newest/django.txt -r requirements-dev.in
	.venv-newest/$(SUITE)

test-lowest: .venv/dev  ## the suite on the oldest versions that the ranges allow
	$(VENV) --python $(PYTHON) .venv-lowest
	$(UV) pip compile --quiet --resolution lowest-direct --all-extras --python .venv-lowest \
		requirements.in pyproject.toml -o .venv-lowest/lowest.txt
	$(UV) pip install --quiet --python .venv-lowest -r requirements-dev.in -c .venv-lowest/lowest.txt
	.venv-lowest/$(SUITE)

matrix: .venv/dev  ## the suite on each Python of this machine with each Django; says which Pythons are not there
	@for pair in $(MATRIX); do \
		if $(UV) python find --quiet --no-python-downloads $${pair%-*} >/dev/null 2>&1; \
		then $(MAKE) test-$$pair || exit 1; \
		else echo "SKIPPED: $$pair, since this machine has no Python $${pair%-*}"; fi; \
	done

test-%: .venv/dev
	$(VENV) --python $(firstword $(subst -, ,$*)) .venv-$*
	echo "Django~=$(lastword $(subst -, ,$*)).0" > .venv-$*/django.txt
	$(UV) pip install --quiet --python .venv-$* --overrides .venv-$*/django.txt -r requirements-dev.in
	.venv-$*/$(SUITE)

clean:
	rm -rf .venv*

.venv/run: requirements.txt
	@$(PYTHON) tools/install.py .venv $< $@

.venv/dev: requirements-dev.txt requirements.txt
	@$(PYTHON) tools/install.py .venv $< $@

# The neighbours have an environment of their own: nothing but the benchmark needs them.
.venv-bench/ready: benchmarks/requirements.txt
	@$(PYTHON) tools/install.py .venv-bench $< $@

.venv-integrations/ready: tests/integrations/requirements.txt
	@$(PYTHON) tools/install.py .venv-integrations $< $@

# The example with keys of its own. An existing .env is left as it is.
.env: | .venv/run
	$(BIN)/python -c "import re, secrets, pathlib; \
	example = pathlib.Path('.env.example').read_text(); \
	print(re.sub(r'(?m)^(\w*SECRET_KEY)=$$', lambda m: f'{m[1]}={secrets.token_urlsafe(48)}', example), end='')" > .env.new
	mv .env.new .env
