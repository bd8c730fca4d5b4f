"""Hypothesis profiles, and the rule that a skipped test is a failed run in CI."""

import os

import hypothesis
import pytest
import torch
import torch.testing._internal.common_utils  # loads a hypothesis profile of its own: here, before ours

torch.set_num_threads(1)  # the tensors of the tests are far too small to share out

IN_CI = bool(os.environ.get("CI"))

# The same examples on each CI run, new ones on each run of a developer. No deadline: no test asserts a time.
hypothesis.settings.register_profile("ci", derandomize=True, deadline=None, max_examples=50)
hypothesis.settings.register_profile("dev", deadline=None, max_examples=50)
# As in CI; `make mutants` wants to know that a test fails, not the smallest example that makes it fail.
search = (hypothesis.Phase.explicit, hypothesis.Phase.generate)
hypothesis.settings.register_profile("mutants", hypothesis.settings.get_profile("ci"), phases=search)
hypothesis.settings.load_profile("ci" if IN_CI else "dev")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session, exitstatus):
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if IN_CI and exitstatus == 0 and any(reporter.stats.get(kind) for kind in ("skipped", "xfailed")):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
