# Everything sets itself up: `make run` and `make test` are all a fresh machine needs.

PYTHON ?= python3
BIN := .venv/bin
PORT ?= 8000
# How many processes share the suite, each with a database of its own; 0 for this one alone.
JOBS ?= 2

# The README says so.
export DJANGO_RUNSERVER_HIDE_WARNING = true

.PHONY: run demo test races fuzz mutants check lint docs messages images bench wheel lock clean

run: .venv/run .env  ## serve the site on this machine, on http://127.0.0.1:8000
	$(BIN)/python manage.py compile_translations
	$(BIN)/python manage.py migrate --verbosity 0
	$(BIN)/python manage.py runserver $(PORT)

demo: export DATABASE_URL = sqlite:///demo.sqlite3
demo: .venv/run .env  ## the same over a database of its own, made anew, full of people and sessions
	rm -f demo.sqlite3*
	$(BIN)/python manage.py compile_translations
	$(BIN)/python manage.py migrate --verbosity 0
	$(BIN)/python manage.py demo
	$(BIN)/python manage.py runserver $(PORT)

test: .venv/dev  ## the suite, on SQLite or on what DATABASE_URL names
	$(BIN)/lint-imports --no-logo
	$(BIN)/pytest -n $(JOBS) --dist loadfile $(PYTEST)

races: .venv/dev  ## all rounds of the races, on the PostgreSQL that DATABASE_URL names, and a long walk beside the model
	RACE_ROUNDS=200 MODEL_STEPS=10000 $(BIN)/pytest tests/races tests/test_model_machine.py

fuzz: .venv/dev  ## thousands of requests made from the API's own description, of which none may surprise
	FUZZ_CASES=300 $(BIN)/pytest tests/fuzz

mutants: .venv/dev  ## take out one protection after the other; its tests have to fail. PostgreSQL, too
	$(BIN)/python -m tests.mutations

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
	$(MAKE) test PYTEST="--cov --cov-report=term"

docs: .venv/dev  ## the documents as a site, in docs/_site; a warning is an error
	$(BIN)/sphinx-build --quiet --fail-on-warning --nitpicky --jobs auto docs docs/_site

messages: .venv/dev  ## gather what is to be translated (needs gettext's xgettext), and compile what is
	for app in devices accounts project; do \
		(cd $$app && ../$(BIN)/django-admin makemessages -l de --no-location --no-wrap --no-obsolete) || exit 1; \
	done
	$(BIN)/python manage.py compile_translations --settings tests.settings

images: .venv/dev  ## pictures of all pages, into docs/images
	mkdir -p docs/images
	IMAGES=docs/images $(BIN)/pytest tests/browser/test_pages.py

wheel: .venv/dev  ## the app devices alone, into dist/
	$(BIN)/python -m build --wheel

# Each can be run by itself: `make bench-load`. Ten million sessions take ten minutes and 10 GB to make;
# BENCH=--reuse takes the databases of the last time (bench-scale).
bench: bench-auth_overhead bench-touch bench-revocation bench-load bench-partitioned bench-scale bench-cleanup

bench-%: .venv-bench/ready  ## what it costs, beside the neighbours and at scale; writes docs/performance.md
	.venv-bench/bin/python -W ignore -m benchmarks.$* --write docs/performance.md $(if $(filter scale,$*),$(BENCH))

# The newest versions that the ranges allow, with hashes, for every Python from 3.11 on. LOCK=--upgrade-package=NAME
# renews one alone; without it all are renewed.
LOCK ?= --upgrade
COMPILE = $(BIN)/uv pip compile --quiet $(LOCK) --universal --python-version 3.11 --generate-hashes --no-strip-extras

lock: .venv/dev  ## renew the locks; also after a change of a requirements.in
	$(COMPILE) requirements.in -o requirements.txt
	$(COMPILE) -c requirements.txt requirements-dev.in -o requirements-dev.txt
	$(COMPILE) -c requirements.txt benchmarks/requirements.in -o benchmarks/requirements.txt

clean:
	rm -rf .venv*

.venv/run: requirements.txt
	@$(PYTHON) tools/install.py .venv $< $@

.venv/dev: requirements-dev.txt requirements.txt
	@$(PYTHON) tools/install.py .venv $< $@

# The neighbours have an environment of their own: nothing but the benchmark needs them.
.venv-bench/ready: benchmarks/requirements.txt
	@$(PYTHON) tools/install.py .venv-bench $< $@

# The example with keys of its own. An existing .env is left as it is.
.env: | .venv/run
	$(BIN)/python -c "import re, secrets, pathlib; \
	example = pathlib.Path('.env.example').read_text(); \
	print(re.sub(r'(?m)^(\w*SECRET_KEY)=$$', lambda m: f'{m[1]}={secrets.token_urlsafe(48)}', example), end='')" > .env.new
	mv .env.new .env
