"""Recurrent neural networks, measured: cells, gradient flow, training, figures.

Names are resolved on first use (the list is in ``__init__.pyi``), so that importing the
package costs next to nothing and a page depends on the modules that it uses and on no other.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
