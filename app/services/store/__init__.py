"""The store: what the product remembers."""

from app.services.store.base import Claim, Enqueue, Store
from app.services.store.factory import get_store, make_store

__all__ = ["Claim", "Enqueue", "Store", "get_store", "make_store"]
