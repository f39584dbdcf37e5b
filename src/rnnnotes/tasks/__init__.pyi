from .adding import adding as adding
from .agreement import agreement as agreement
from .base import Batch as Batch
from .base import Task as Task
from .copy import copy as copy
from .recall import recall as recall
from .sentiment import sentiment as sentiment
from .temporal_order import temporal_order as temporal_order
