"""Tasks whose trivial score is known: each samples with a generator and computes its baseline."""

import copyreg
import importlib
import sys

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

# Where a function has the name of its file, as ``adding`` has, lazy_loader makes this a module of a
# class of its own. Pickling knows modules alone, and joblib pickles what a function names.
if type(_this := sys.modules[__name__]) is not type(sys):
    copyreg.pickle(type(_this), lambda module: (importlib.import_module, (module.__name__,)))
