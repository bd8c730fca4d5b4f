"""`python -m tests.torch_cases`: run PyTorch's own test cases and print the table of docs/parity.md."""

import sys

import torch

from tests.torch_cases.cases import Case, cases, table


def outcome(case: Case) -> Exception | None:
    try:
        case.run()
    except Exception as error:
        return error
    return None


if __name__ == "__main__":
    torch.manual_seed(0)
    outcomes = [(case, outcome(case)) for case in cases()]
    print(table(outcomes))
    sys.exit(any(error for _, error in outcomes))
