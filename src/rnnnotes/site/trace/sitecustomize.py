"""Python imports this at start when the folder is on PYTHONPATH: workers are traced as well."""

import os

import trace_opens

if os.environ.get(trace_opens.FILE):
    trace_opens.install()
