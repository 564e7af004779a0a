# Everything runs in .venv, which `make` sets up with Python 3.11 or later.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN := runs/quickstart

# Memory in large pages: docs/training.md, "Where the time goes".
quickstart fashion-mnist: export GLIBC_TUNABLES ?= glibc.malloc.hugetlb=1

.PHONY: quickstart fashion-mnist test test-slow lint notebooks
quickstart: $(VENV)/.installed
	$(BIN)/python train.py --config=configs/quickstart.py --workdir=$(RUN)
	$(BIN)/vq-jax evaluate --workdir=$(RUN)
	$(BIN)/vq-jax reconstruct --workdir=$(RUN) --images=photos --out=$(RUN)/photos --compare

# From the images of Fashion-MNIST to a tokenizer, its codes, and a run of each prior with
# its evaluations and samples; docs/priors.md has the times.
FASHION := runs/fashion_mnist
fashion-mnist: $(VENV)/.installed-test
	$(BIN)/python train.py --config=configs/vqvae_fashion_mnist.py --workdir=$(FASHION)/tokenizer
	for split in train test; do \
	  $(BIN)/vq-jax tokenize --workdir=$(FASHION)/tokenizer --split=$$split --out=$(FASHION)/codes/$$split || exit; \
	done
	for prior in independent pixelcnn ar maskgit; do \
	  $(BIN)/python train.py --config=configs/$${prior}_fashion_mnist.py --config.tokenizer=$(FASHION)/tokenizer --config.codes=$(FASHION)/codes --workdir=$(FASHION)/$$prior || exit; \
	done

test: $(VENV)/.installed-test
	$(BIN)/python -m pytest -q -n auto --dist worksteal -m "not slow"

test-slow: $(VENV)/.installed-test
	$(BIN)/python -m pytest -q -n auto --dist worksteal -m slow

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

notebooks: $(VENV)/.installed-test
	cd notebooks && ls *.ipynb | xargs -P 2 -n 1 ../$(BIN)/python -c "import sys, nbclient, nbformat; nbclient.NotebookClient(nbformat.read(sys.argv[1], as_version=4), timeout=1800).execute()"

$(VENV)/.installed: setup.py
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("vq_jax needs Python 3.11 or later; this is " + sys.version.split()[0] + ". Name another: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test,notebooks]'
	@touch $@

# The real thing: TensorFlow prepares a data set in an environment of its own, and
# training reads it where TensorFlow is not installed.
TFDS_VENV := .venv-tfds
.PHONY: test-tfds
test-tfds: $(VENV)/.installed-test $(TFDS_VENV)/.installed
	rm -rf build/tfds build/tfds-run
	$(TFDS_VENV)/bin/python tests/data/prepare_tiny_tfds.py build/tfds
	! $(BIN)/python -c "import tensorflow" 2>/dev/null
	$(BIN)/python train.py --config=configs/quickstart.py:smoke --workdir=build/tfds-run --config.data.source=tfds:tiny_images --config.data.data_dir=build/tfds

$(TFDS_VENV)/.installed: setup.py
	$(PYTHON) -m venv $(TFDS_VENV)
	$(TFDS_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[tfds]'
	@touch $@
