"""Kernels: functions of raw memory that Numba compiles when they are first needed, and that are kept on disk.

A kernel is called with the address of its arguments, one 64-bit word each, and a range of the items it works on. It has
no Python objects, so that any thread can run it at any time. The words are addresses, sizes, or numbers (`real`).

Machine code that is on disk is loaded without Numba, whose import alone takes a quarter of a second. So nothing here
touches Numba until something has to be compiled: decorated functions and intrinsics are `Deferred`.
"""

import ctypes
import hashlib
import importlib
from collections.abc import Callable
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import llvmlite
import llvmlite.binding as llvm
from llvmlite import ir

from handgrad.files import cache_folder, write_atomically

#: A kernel's arguments: the address of its words, first item, one past the last item, scratch memory of its thread.
SIGNATURE = "void(CPointer(int64), int64, int64, int64)"

#: What compiled code refers to on its way to a Python exception, which no kernel takes.
_NEVER_CALLED = (
    "NRT_Free",
    "numba_do_raise",
    "numba_gil_ensure",
    "numba_gil_release",
    "numba_runtime_build_excinfo_struct",
    "numba_unpickle",
)


class LazyModule:
    """A module that is imported when something of it is asked for.

    Args:
        name: its full name.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib.import_module(self._name), name)


numba = LazyModule("numba")
types = LazyModule("numba.types")
cgutils = LazyModule("numba.core.cgutils")
ccallback = LazyModule("numba.core.ccallback")
compiler_lock = LazyModule("numba.core.compiler_lock")
registry = LazyModule("numba.core.registry")
sigutils = LazyModule("numba.core.sigutils")


class Deferred:
    """Something that kernels call, made for Numba only when a kernel that calls it is compiled.

    Args:
        make: makes a Numba function, intrinsic or type.
    """

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make

    @cached_property
    def _numba_type_(self) -> Any:
        """Where Numba looks for the type of an object it does not know."""
        self._made = self._make()  # its type holds it only weakly
        context = registry.cpu_target.typing_context
        context.refresh()
        return context.resolve_value_type(self._made)


def helper(function: Callable[..., Any] | None = None, *, reorder: bool = False) -> Any:
    """Decorate a function that kernels call; it is compiled into each of them.

    Args:
        function: what is decorated.
        reorder: whether its sums may be split into one for each lane, in the same way at every call.
    """
    if function is None:
        return lambda function: helper(function, reorder=reorder)
    options = {"error_model": "numpy", "fastmath": {"reassoc"} if reorder else False}
    # No entries from Python and C, which nobody would call: they take a tenth of the time that kernels need to compile.
    options |= {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    return Deferred(lambda: numba.njit(**options)(function))


def intrinsic(function: Callable[..., Any] | None = None, *, prefer_literal: bool = False) -> Any:
    """Decorate a function that emits machine operations, as `numba.extending.intrinsic` does."""
    if function is None:
        return lambda function: intrinsic(function, prefer_literal=prefer_literal)
    extending = LazyModule("numba.extending")
    return Deferred(lambda: extending.intrinsic(prefer_literal=prefer_literal)(function))


#: Inside a helper, `literally(n)` makes n a constant of the compiled code, and every n a version of its own.
literally = Deferred(lambda: numba.literally)


class Native:
    """A function of numbers and addresses, compiled on first use.

    Args:
        function: in the part of Python that Numba compiles.
        signature: its C types.
    """

    def __init__(self, function: Callable[..., Any], signature: str) -> None:
        self.name = function.__name__
        #: Where any process finds it: a module, a name in it, and the numbers to call that with if it makes kernels.
        self.origin: tuple[str, ...] = (function.__module__, self.name)
        self._function = function
        self._signature = signature

    @property
    def path(self) -> Path:
        """The file that its machine code is kept in."""
        module, name, *numbers = self.origin
        if self._function.__closure__ and not numbers:  # every version of it would have the same file
            raise TypeError(f"{self.name} is made by a function, which must be decorated with @kernel_maker")
        return kernel_folder() / ("-".join([module.rpartition(".")[2], name, *numbers]) + ".o")

    @cached_property
    def address(self) -> int:
        """Where its machine code lies."""
        if not self.path.exists():
            self.compile()
        symbol, _, code = self.path.read_bytes().partition(b"\n")
        return _load(symbol.decode(), code)

    def compile(self) -> None:
        """Write its file: the name of the function in the machine code, a new line, and the code as an object file."""
        entry, module = _optimized(self._function, self._signature)
        hide_helpers(module, entry)
        machine = registry.cpu_target.target_context.codegen()._tm
        write_atomically(self.path, b"%s\n%s" % (entry.encode(), machine.emit_object(module)))

    def __repr__(self) -> str:
        return f"Native({self.name})"


def _optimized(function: Callable[..., Any], signature: str) -> tuple[str, Any]:
    """The name that a function has for C, and LLVM's module that it is in, with all that it calls, optimized.

    `numba.cfunc` goes on from there and makes machine code of it, but for this process alone; a second time would be
    needed for the file. Without that, kernels take a tenth less time to compile.
    """
    options = {"error_model": "numpy"}
    uncalled = ccallback.CFunc(function, sigutils.normalize_signature(signature), locals={}, options=options)
    result = uncalled._compile_uncached()
    library = result.library

    def stop() -> None:
        """In place of making machine code, to which `finalize` comes after linking and optimizing."""

    library._finalize_final_module = stop
    with compiler_lock.global_compiler_lock:
        library.finalize()
    return result.fndesc.llvm_cfunc_wrapper_name, library._final_module


def hide_helpers(module: Any, entry: str) -> None:
    """Keep the names of a module's functions to itself, but for one that is called from outside.

    Numba numbers the functions that it compiles, so in two processes different helpers get the same name. Where the
    compiler has left one as a function of its own, the loader would take the first of that name for all of them.

    Args:
        module: of LLVM, finished.
        entry: the function that is called from outside.
    """
    for function in module.functions:
        if not function.is_declaration and function.name != entry:
            function.linkage = "internal"


def kernel(function: Callable[..., None]) -> Native:
    """Decorate a kernel: a function of (words, begin, end, scratch)."""
    return Native(function, SIGNATURE)


def kernel_maker(make: Callable[..., Native]) -> Callable[..., Native]:
    """Decorate a function of whole numbers that makes a kernel; for the same numbers it is made once."""

    @cache
    def made(*numbers: int) -> Native:
        native = make(*numbers)
        native.origin = (make.__module__, make.__name__, *map(str, numbers))
        return native

    return made


@cache
def kernel_folder() -> Path:
    """Where machine code is kept: a place of its own for each processor, compiler and state of these sources."""
    state = hashlib.sha256(f"{llvmlite.__version__} {llvm.get_host_cpu_name()}".encode())
    state.update(llvm.get_host_cpu_features().flatten().encode())
    for source in sorted(Path(__file__).parent.glob("*.py")):
        state.update(source.read_bytes())
    return cache_folder(f"kernels-{state.hexdigest()[:16]}")


@cache
def _engine() -> Any:
    """What loads machine code into the process."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    abort = ctypes.cast(ctypes.pythonapi.Py_FatalError, ctypes.c_void_p).value
    for name in _NEVER_CALLED:
        if not llvm.address_of_symbol(name):
            llvm.add_symbol(name, abort)
    machine = llvm.Target.from_default_triple().create_target_machine(jit=True)
    return llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)


def _load(symbol: str, code: bytes) -> int:
    """The address of a function of an object file."""
    _engine().add_object_file(llvm.ObjectFileRef.from_data(code))
    _engine().finalize_object()
    return int(_engine().get_function_address(symbol))


@intrinsic
def real(typing: Any, word: Any) -> Any:
    """The float64 number whose bits are in a word."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.DoubleType())

    return types.float64(types.int64), emit


def _memory(element: str) -> Any:
    @intrinsic
    def pointer(typing: Any, address: Any) -> Any:
        def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

        return types.CPointer(getattr(types, element))(types.intp), emit

    return pointer


#: Memory at an address, as something that can be indexed.
floats = _memory("float32")
doubles = _memory("float64")
integers = _memory("int64")
integers32 = _memory("int32")
words32 = _memory("uint32")
small_integers = _memory("uint8")


@intrinsic
def prefetch(typing: Any, address: Any) -> Any:
    """Have the processor fetch the cache line of an address, which need not be a valid one."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer, word = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [pointer, word, word, word])
        place = builder.inttoptr(arguments[0], pointer)
        to_read, into_all_caches, data = word(0), word(3), word(1)
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
        builder.call(function, [place, to_read, into_all_caches, data])
        return context.get_dummy_value()

    return types.void(types.int64), emit
