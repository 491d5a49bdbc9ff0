# Needs Python 3.11 or newer and make. Everything is installed into .venv, once.
PYTHON ?= python3
PYTEST_WORKERS ?= 2

demo: .venv/installed
	.venv/bin/python -m experiments.digits --run-dir runs/demo $(if $(wildcard runs/demo),--resume)
	@echo "Before the commands above, once in each terminal: source .venv/bin/activate"

test: .venv/installed-test
	.venv/bin/python -m pytest -n $(PYTEST_WORKERS) --dist loadfile -m "not long"

# Every notebook at a small size, in a temporary folder.
notebooks: .venv/installed-notebooks
	.venv/bin/python -m pytest -n $(PYTEST_WORKERS) -m long tests/test_notebooks.py

# Every notebook at the size its first cell speaks of; the outputs are kept in the files, without
# what TensorFlow's libraries write on the terminal.
notebooks-outputs: .venv/installed-notebooks
	.venv/bin/python -m nbconvert --execute --inplace --to notebook \
		--ExecutePreprocessor.extra_arguments=--IPKernelApp.capture_fd_output=False \
		--ExecutePreprocessor.record_timing=False notebooks/*.ipynb

# The site, into site/. A broken link, anchor or reference fails.
docs: .venv/installed-docs
	NO_MKDOCS_2_WARNING=1 .venv/bin/python -m mkdocs build --strict

# The archive and the wheel, in dist/, as an index takes them; the wheel and its dependencies in an
# environment of their own, away from this folder.
wheel: .venv/bin/python
	.venv/bin/python -m pip install build twine uv
	rm -rf build dist
	.venv/bin/python -m build
	.venv/bin/python -m twine check --strict dist/*
	.venv/bin/python -m uv venv --python .venv/bin/python build/wheel
	.venv/bin/python -m uv pip install --python build/wheel dist/*.whl
	cd build/wheel && bin/python -m capsgan_keras.demo --epochs 2

# The oldest versions that setup.cfg allows, with the tests of layers, training and evaluation. The
# warning comes from the oldest matplotlib, which calls what the newest pyparsing renamed.
lowest: .venv/bin/python
	.venv/bin/python -m pip install uv
	.venv/bin/python -m uv venv --clear --python .venv/bin/python build/lowest
	.venv/bin/python -m uv pip install --python build/lowest --resolution lowest-direct \
		--editable '.[test]'
	build/lowest/bin/python -m pytest -m "not long" \
		-W ignore::pyparsing.warnings.PyparsingDeprecationWarning \
		tests/layers tests/gan/test_tuned.py tests/training/test_callbacks.py \
		tests/gan/test_export_formats.py \
		tests/evaluation/metric tests/evaluation/label_spreading/test_error_table.py

bench: .venv/installed
	.venv/bin/python -m benchmarks
	.venv/bin/python -m benchmarks.report

.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version) if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv .venv

.venv/installed: .venv/bin/python setup.cfg requirements.txt pyproject.toml
	@echo "Installing TensorFlow, Keras and others into .venv, once: about 2 minutes."
	.venv/bin/python -m pip install --editable .
	touch $@

.venv/installed-test: .venv/installed
	.venv/bin/python -m pip install --editable '.[test]'
	touch $@

.venv/installed-notebooks: .venv/installed-test
	.venv/bin/python -m pip install --editable '.[notebooks]'
	touch $@

.venv/installed-docs: .venv/installed
	.venv/bin/python -m pip install --editable '.[docs]'
	touch $@

clean:
	rm -rf .venv build dist site *.egg-info

.PHONY: demo test notebooks notebooks-outputs docs wheel lowest bench clean
