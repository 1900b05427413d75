"""The store: what the product remembers."""

from app.services.store.base import Claim, Enqueue, Store
from app.services.store.factory import get_store, make_store
from app.services.store.upkeep import Census, Idle, Pruned

__all__ = ["Census", "Claim", "Enqueue", "Idle", "Pruned", "Store", "get_store", "make_store"]
