"""Run Terraform from the shared library of the ``engine`` extra, as if it were the binary.

``python -m provisioner.terraform.shim plan -json …`` is a process of its own: a crash, a signal or a full
pipe behaves as with the binary. Only ctypes is used: the wrapper package's own process handling works
with pipes, and a Terraform that loses its reader in the middle of an apply loses its state.
"""

from __future__ import annotations

import ctypes
import sys

from provisioner.terraform.locate import library_path


def main() -> int:
    """Run the command line after the program's name; Terraform's exit code is the result."""
    library = ctypes.CDLL(library_path())
    run = library.RunCli
    run.argtypes = [ctypes.c_int64, ctypes.POINTER(ctypes.c_char_p), ctypes.c_int64, ctypes.c_int64]
    run.restype = ctypes.c_int
    arguments = [argument.encode() for argument in sys.argv[1:]]
    array = (ctypes.c_char_p * len(arguments))(*arguments)
    return int(run(len(arguments), array, sys.stdout.fileno(), sys.stderr.fileno()))


if __name__ == "__main__":
    sys.exit(main())
