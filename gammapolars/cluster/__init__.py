"""Jobs on the workers of a Dask cluster: on this computer or on many."""

from gammapolars.cluster.connect import connected, engine_of
from gammapolars.cluster.engine import DaskEngine
from gammapolars.cluster.local import local

__all__ = ["DaskEngine", "connected", "engine_of", "local"]
