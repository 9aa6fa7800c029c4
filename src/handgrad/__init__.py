"""Neural networks written out by hand: every forward and backward pass derived, visible and proved.

The names are listed in `__init__.pyi`, where type checkers look. Each is imported when it is first used, so that
`handgrad --help` need not wait for NumPy.
"""

import lazy_loader

__version__ = "0.1.0"
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
