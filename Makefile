# Two commands do all the set-up on a fresh machine: `make run` and `make test`.
PYTHON ?= python3.13
PORT ?= 0
VENV := .venv/.installed
SAM := .venv-sam/.installed
RUN := PYTHONPATH=layers/shared:. .venv/bin/python -B

.PHONY: help run test lint lock api-key clean

help:
	@echo "make run               deploy to this machine and link accounts (PORT=... for a fixed port)"
	@echo "make test              every test that needs no AWS"
	@echo "make lint              ruff, mypy, cfn-lint"
	@echo "make api-key NAME=...  mint an API key on AWS (STACK=..., SCOPES=..., or LOCAL=1)"
	@echo "make lock              pin the requirements anew"

$(VENV): requirements/dev.txt
$(SAM): requirements/sam.txt

$(VENV) $(SAM):
	@command -v $(PYTHON) >/dev/null && $(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))' \
		|| { echo "Python 3.13 is missing: install it so that $(PYTHON) is on the PATH."; exit 1; }
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/pip install --quiet --require-hashes -r $<
	@touch $@

run: $(VENV) $(SAM)
	@$(RUN) -m local --port $(PORT)

test: $(VENV) $(SAM)
	.venv/bin/python -m pytest --cov --cov-report=term-missing:skip-covered

lint: $(VENV) $(SAM)
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy layers/shared/namely_link simulator local
	.venv/bin/mypy functions/hub/app.py
	.venv/bin/mypy functions/api/app.py
	AWS_DEFAULT_REGION=eu-central-1 SAM_CLI_TELEMETRY=0 .venv-sam/bin/sam validate --lint

api-key: $(VENV)
	@$(RUN) -m local.api_key --name "$(NAME)" $(if $(STACK),--stack $(STACK)) \
		$(if $(SCOPES),--scopes $(SCOPES)) $(if $(LOCAL),--local)

lock: $(VENV)
	.venv/bin/pip install --quiet uv
	for lock in requirements/dev requirements/sam requirements/runtime; do \
		.venv/bin/uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header \
			--python-version 3.13 $$lock.in --output-file $$lock.txt || exit 1; done
	mv requirements/runtime.txt layers/shared/requirements.txt

clean:
	rm -rf .venv .venv-sam .local .aws-sam .coverage .pytest_cache .mypy_cache .ruff_cache
