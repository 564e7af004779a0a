# Everything runs in .venv, which `make` sets up with Python 3.11 or later.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN := runs/quickstart

.PHONY: quickstart test lint notebooks
quickstart: $(VENV)/.installed
	$(BIN)/python train.py --config=configs/quickstart.py --workdir=$(RUN)
	$(BIN)/vq-jax reconstruct --workdir=$(RUN) --images=photos --out=$(RUN)/photos --compare
	$(BIN)/vq-jax evaluate --workdir=$(RUN)

test: $(VENV)/.installed-test
	$(BIN)/python -m pytest -q

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

notebooks: $(VENV)/.installed-test
	cd notebooks && ../$(BIN)/python -c "import nbclient, nbformat; nbclient.NotebookClient(nbformat.read('01_quickstart.ipynb', as_version=4), timeout=600).execute()"

$(VENV)/.installed: setup.py
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("vq_jax needs Python 3.11 or later; this is " + sys.version.split()[0] + ". Name another: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test,notebooks]'
	@touch $@
