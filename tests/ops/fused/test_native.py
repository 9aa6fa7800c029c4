"""Machine code that is kept in files, and what is loaded of it."""

import ctypes

import llvmlite.binding as llvm

from handgrad.ops.fused import native

#: A function, and one that it calls, which goes by the same name in every file.
SOURCE = """
define weak i64 @helper() noinline optnone {{ ret i64 {number} }}
define i64 @entry_{number}() {{ %found = call i64 @helper()  ret i64 %found }}
"""


def loaded(number: int) -> int:
    """What the function of one file returns, once that file is loaded beside others."""
    native._engine()  # which knows this processor
    module, entry = llvm.parse_assembly(SOURCE.format(number=number)), f"entry_{number}"
    native.hide_helpers(module, entry)
    machine = llvm.Target.from_default_triple().create_target_machine(jit=True)
    address = native._load(entry, machine.emit_object(module))
    return int(ctypes.CFUNCTYPE(ctypes.c_int64)(address)())


def test_each_file_calls_its_own_helpers_whatever_they_are_called() -> None:
    """On a Zen 5 processor the compiler left helpers as functions, and a gradient's tiles were made by another's."""
    assert [loaded(number) for number in (1, 2, 3)] == [1, 2, 3]
