# Tools live in .venv/, scratch in .local-cloud/, builds in target/ and .aws-sam/. Only `deploy` talks to AWS; the first
# run of a target fetches what it needs (Python packages, crates, for `bench` s3s-fs, for `build` the arm64 target).
#
# Pinned tools: edit tests/local_cloud/requirements-*.in, then regenerate the hashes with
#   uv pip compile --universal --python-version 3.11 --generate-hashes --no-annotate --no-header X.in -o X.txt
# and tests/local_cloud/asl/package.json, then in that folder
#   npm install --package-lock-only --omit-lockfile-registry-resolved=true

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup build demo up down check test bench bench-purge bench-backfill cost account deploy

STACK ?=
ARCHITECTURE ?= arm64
CARGO_LAMBDA_FLAGS := $(if $(filter arm64,$(ARCHITECTURE)),--arm64)

TOOLS := $(CURDIR)/.venv/tools
CLOUD := $(CURDIR)/.venv/cloud
PYTHON_CLOUD := $(CLOUD)/bin/python
SETUP := $(addprefix .venv/,$(addsuffix /.stamp,tools cloud policies asl))

export PATH := $(TOOLS)/bin:$(PATH)
export SAM_CLI_TELEMETRY := 0
export PYTHONDONTWRITEBYTECODE := 1

help: ## this list
	@echo "Sluice: AWS Lambda functions in Rust. Start with 'make demo'."
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  build and deploy take ARCHITECTURE=arm64 (default) or x86_64;"
	@echo "  deploy takes STACK=name (default: that of samconfig.toml; at most 35 characters, lower case) and"
	@echo "  PARAMETERS='Name=value ...' for template.yaml, such as PARAMETERS='CompressionFormat=zstd'."
	@echo "  deploy needs credentials (AWS_PROFILE or keys) and a region (AWS_DEFAULT_REGION or the profile's)."
	@echo "  The first demo, up or test takes 10 to 15 minutes: it fetches 1.6 GB of tools and builds everything."

setup: $(SETUP) ## install the pinned tools into .venv/ (the other targets do it when needed)

.venv/%/.stamp: tests/local_cloud/requirements-%.txt tests/local_cloud/system.sh
	@tests/local_cloud/system.sh
	@tests/local_cloud/venv.sh .venv/$* $<
	@touch $@

.venv/asl/.stamp: tests/local_cloud/requirements-asl.txt tests/local_cloud/asl/package-lock.json tests/local_cloud/system.sh
	@tests/local_cloud/system.sh
	@tests/local_cloud/venv.sh .venv/asl $<
	@tests/local_cloud/node.sh .venv/asl tests/local_cloud/asl
	@touch $@

build: $(SETUP) ## release build for AWS (arm64, full LTO) into .aws-sam/
	@tests/local_cloud/rust_target.sh $(ARCHITECTURE)
	@set -- functions/*/Cargo.toml; count=0; for manifest; do folder=$${manifest%/Cargo.toml}; count=$$((count + 1)); \
	echo "build $$count of $$#: $${folder##*/}"; (cd $$folder && cargo lambda build --locked --release $(CARGO_LAMBDA_FLAGS)); done
	sam build --parameter-overrides Architecture=$(ARCHITECTURE)

demo: $(SETUP) ## the whole chain for real on a local cloud: deploy, upload, compress, backfill, verify, print tables
	@$(PYTHON_CLOUD) tests/local_cloud demo

up: $(SETUP) ## the same local cloud, left running, with commands to play with
	@$(PYTHON_CLOUD) tests/local_cloud up

down: ## stop what 'make up' started
	@if [ -x $(PYTHON_CLOUD) ]; then $(PYTHON_CLOUD) tests/local_cloud down; fi

check: export AWS_DEFAULT_REGION := us-east-1
check: $(SETUP) ## format, clippy, state machines, template lint (source and transformed), checkov and own rules, licences if cargo-deny is there
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets --all-features -- -D warnings
	env -u AWS_PROFILE AWS_CONFIG_FILE=/dev/null sam validate --lint
	cfn-lint template.yaml
	$(PYTHON_CLOUD) tests/local_cloud/states.py functions/*/*.asl.json
	mkdir -p .local-cloud
	$(PYTHON_CLOUD) tests/local_cloud/transform.py template.yaml > .local-cloud/transformed.json
	cfn-lint .local-cloud/transformed.json
	sed '/^    "NewFileSystem"/,/}/s/"Default": "false"/"Default": "true"/' .local-cloud/transformed.json > .local-cloud/new-file-system.json
	.venv/policies/bin/checkov --file .local-cloud/transformed.json .local-cloud/new-file-system.json --framework cloudformation --skip-download --compact --quiet
	$(PYTHON_CLOUD) -m unittest discover --start-directory tests/local_cloud
	$(PYTHON_CLOUD) -m unittest discover --start-directory tests/template
	$(PYTHON_CLOUD) tests/template .local-cloud/transformed.json
	@if command -v cargo-deny > /dev/null; then cargo deny check bans licenses sources; \
	else echo "cargo-deny is not installed: CI checks bans, licences, sources and advisories"; fi

test: export AWS_DEFAULT_REGION := us-east-1
test: $(SETUP) ## all tests: Rust, least privilege, the bill, then the deployed chain (as 'make demo'), the deployed template and backfills
	cargo build --locked --workspace --bins
	rm -rf .local-cloud/operations
	OPERATIONS_SEEN=$(CURDIR)/.local-cloud/operations cargo test --locked --workspace --all-features
	$(PYTHON_CLOUD) tests/local_cloud/transform.py template.yaml > .local-cloud/transformed.json
	$(PYTHON_CLOUD) tests/template/privileges.py .local-cloud/transformed.json .local-cloud/operations
	$(PYTHON_CLOUD) -m unittest discover -s bench/cost
	$(PYTHON_CLOUD) tests/local_cloud demo deployed backfill

bench: $(SETUP) ## compare with a Python function of the same behaviour: table, CSV, chart
	cargo build --locked --release -p compress
	$(PYTHON_CLOUD) bench/run.py

bench-purge: ## compare purge and count with other tools on a file system as slow as a network's (needs FUSE)
	cargo build --locked --release -p purge -p count -p latency_fs
	python3 bench/purge.py

bench-backfill: ## backfill: calls in flight, children that list, memory, inventories, on models of S3, SQS and DynamoDB
	cargo build --locked --release -p backfill -p bench_backfill
	cargo build --locked --release -p inventory --features made --example read_speed
	python3 bench/backfill

cost: ## monthly bill for a load, and what each choice changes (COST='--format zstd', see python3 bench/cost --help)
	python3 bench/cost $(COST)

account: $(SETUP)
	@$(PYTHON_CLOUD) tests/local_cloud/account.py $(STACK)

deploy: account build ## build, show the changes, ask, deploy to the AWS account and region of your settings
	sam deploy $(if $(STACK),--stack-name $(STACK)) --parameter-overrides Architecture=$(ARCHITECTURE) $(PARAMETERS)
