# The two commands of a newcomer: `make test` and (to come) `make run`.
PYTHON ?= python3.13
STAMP := .venv/.installed

.PHONY: help test lint lock clean

help:
	@echo "make test   every test that needs no AWS"
	@echo "make lint   ruff and mypy"
	@echo "make lock   pin the requirements anew"

$(STAMP): requirements/dev.txt
	@command -v $(PYTHON) >/dev/null && $(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))' \
		|| { echo "Python 3.13 is missing: install it so that $(PYTHON) is on the PATH."; exit 1; }
	$(PYTHON) -m venv .venv
	.venv/bin/pip install --quiet --require-hashes -r requirements/dev.txt
	@touch $@

test: $(STAMP)
	.venv/bin/python -m pytest --cov --cov-report=term-missing

lint: $(STAMP)
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy layers/shared/namely_link simulator

lock: $(STAMP)
	.venv/bin/pip install --quiet uv
	.venv/bin/uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header \
		--python-version 3.13 requirements/dev.in --output-file requirements/dev.txt

clean:
	rm -rf .venv .coverage .pytest_cache .mypy_cache .ruff_cache
