# `make reproduce` and `make test` set everything up by themselves, once.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed
PORT := 5000
export MLFLOW_DISABLE_TELEMETRY := true
export DVC_NO_ANALYTICS := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# as many processes as cores, up to eight; the tests of a file, or a class in it, go to one of them
PYTEST := $(BIN)/python -m pytest --numprocesses logical --maxprocesses 8 \
	--dist loadscope --no-loadscope-reorder

.PHONY: reproduce test test-all lint ui clean

reproduce: $(STAMP)
	. $(BIN)/activate && $(BIN)/snakemake --quiet rules reason
	@cat results/summary.md
	@echo
	@echo "The report:     reports/index.html"
	@echo "Every run:      make ui, then open"
	@. $(BIN)/activate && $(BIN)/python -m ssml.tracking.ui --port $(PORT) --links

test: $(STAMP)
	$(PYTEST) -m "not slow"

test-all: $(STAMP)
	$(PYTEST)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile
	$(BIN)/lint-imports
	$(BIN)/pyright

.PHONY: docs here
# the documentation as a site, in site/index.html
docs: $(STAMP)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

# every run, in MLflow's pages: make ui PORT=5001
ui: $(STAMP)
	@. $(BIN)/activate && $(BIN)/python -m ssml.tracking.ui --port $(PORT)

# what the pipeline made; the environment, DVC's cache and MLflow's runs stay
clean:
	rm -rf data models results reports checkpoints logs .snakemake

# the environment of a folder that was moved or copied; DVC in a release archive, without git
here:
	@test -e .git || test -e .dvc/config.local || \
		{ mkdir -p .dvc && printf '[core]\n    no_scm = true\n' > .dvc/config.local; }
	@test ! -e $(VENV) || $(PYTHON) pipeline/moved.py $(VENV)

$(STAMP): pyproject.toml constraints.txt | here
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "error: Python 3.11 or newer is needed; name one: make PYTHON=python3.12"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	cat profiles/activate >> $(BIN)/activate
	$(BIN)/python -m pip install --quiet --constraint constraints.txt \
		--editable ".[pipeline,dev]"
	@# compile the kernels now: the first separation and each test process need not
	-@$(BIN)/ssml demo $(VENV)/demo > $(VENV)/demo.log 2>&1
	@touch $@
