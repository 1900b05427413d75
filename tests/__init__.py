"""The product's tests, and its benches: what all of them have in their environment."""

import os

# Compiling the scanner's rules takes seconds, which each home of its own would cost anew.
os.environ.setdefault("KF_RULE_CACHE_DIR", "/tmp/auto-code-scanner-rules")
# What git puts into each new repository otherwise: samples of hooks, which nobody asked for.
os.environ.setdefault("GIT_TEMPLATE_DIR", "")
