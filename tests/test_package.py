import doctest
import subprocess
import sys

import numpy_rnn as nr


def test_importing_pulls_in_nothing_but_numpy_and_the_standard_library():
    code = (
        "import sys, numpy; before = set(sys.modules); import numpy_rnn, numpy_rnn.cli, numpy_rnn.textbook, "
        "numpy_rnn.storage.checkpoint, numpy_rnn.storage.lock, numpy_rnn.storage.safetensors; "
        "print(*{name.partition('.')[0] for name in set(sys.modules) - before})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) - set(sys.stdlib_module_names) <= {"numpy", "numpy_rnn"}


def test_what_few_programs_need_is_imported_when_it_is_asked_for():
    code = (
        "import sys, numpy_rnn as nr; later = {'training', 'storage', 'explorer', 'gradient_checking', 'cli'}; "
        "loaded = {name.split('.')[1] for name in sys.modules if name[:10] == 'numpy_rnn.'}; print(*later & loaded); "
        "nr.train, nr.read_metrics, nr.Metrics, nr.Progress; "
        "print(nr.train.__module__, callable(nr.train))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "\nnumpy_rnn.training.loop True\n"


def test_the_example_in_the_package_runs():
    assert doctest.testmod(nr).failed == 0
    assert doctest.testmod(nr).attempted > 5


def test_the_exports_are_there():
    assert all(hasattr(nr, name) for name in nr.__all__)
