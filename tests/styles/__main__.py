"""python -m tests.styles: check every style in three variants, and print the outcomes as a table."""

from __future__ import annotations

import argparse

from tests.styles.catalogue import STYLES, document_rows
from tests.styles.verdicts import verdict

HEADER = ("style", "correct code", "one gradient times 3", "one gradient missing")


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.styles", description=__doc__.partition(": ")[2])
    parser.add_argument("--document", action="store_true", help="print the table of docs/gradcheck.md instead")
    names = [style.name for style in STYLES]
    parser.add_argument("--show", metavar="STYLE", choices=names, help="print the reports of one style")
    arguments = parser.parse_args()
    if arguments.document:
        print("\n".join(document_rows()))
    elif arguments.show:
        style = next(style for style in STYLES if style.name == arguments.show)
        for variant in ("right", "wrong", "unlisted"):
            if variant == "right" or style.has(variant):
                print(f"--- {variant}\n{style.run(variant)}\n")
    else:
        print(f"| {' | '.join(HEADER)} |\n|---|---|---|---|")
        for style in STYLES:
            print(f"| {' | '.join([style.name, *verdict(style)])} |", flush=True)


if __name__ == "__main__":
    main()
