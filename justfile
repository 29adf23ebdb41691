# One command each; `just --list` shows them.

# the environment with everything that checks and tests need
setup:
    ./yunmeng test --only setup

# format, lint, types, layers and the quick tests
check:
    ./yunmeng test --quick

# everything
test:
    ./yunmeng test

# speeds and their budgets
bench *NAMES:
    .venv/bin/python -m benchmarks {{NAMES}}

# the generated parts of the docs
docs:
    .venv/bin/python docs/build.py

# the built pages of the console (needs Node)
console:
    cd console && npm install --no-save && npm run build

# the lock files, without the address of any index
lock:
    uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header --extra all --group build --group test pyproject.toml -o requirements-test.lock
    uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header --extra node --group build pyproject.toml -c requirements-test.lock -o requirements.lock
