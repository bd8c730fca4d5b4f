"""Hypothesis profiles, one thread per process, and the rule that in CI a skipped test fails the run."""

import os

# The arrays of the tests are far too small to share between threads. Set before NumPy or torch is imported.
os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

import hypothesis
import pytest

IN_CI = bool(os.environ.get("CI"))

# The same examples in every CI run, new ones in every run of a developer. No deadline: no test asserts a time.
hypothesis.settings.register_profile("ci", derandomize=True, deadline=None, max_examples=30)
hypothesis.settings.register_profile("dev", deadline=None, max_examples=30)
# As in CI, but without shrinking: `make mutants` needs to know that a test fails, not the smallest failing example.
search = (hypothesis.Phase.explicit, hypothesis.Phase.generate)
hypothesis.settings.register_profile("mutants", hypothesis.settings.get_profile("ci"), phases=search)
hypothesis.settings.load_profile("ci" if IN_CI else "dev")


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report():
    """Importing torch.testing._internal loads a hypothesis profile of its own: go back to ours after each module."""
    profile = hypothesis.settings.get_current_profile_name()
    report = yield
    hypothesis.settings.load_profile(profile)
    return report


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session, exitstatus):
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")  # None in the workers of pytest-xdist
    if IN_CI and reporter and exitstatus == 0 and any(map(reporter.stats.get, ("skipped", "xfailed"))):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
