"""Provision shared object storage from one reviewed manifest."""

__version__ = "0.1.0"
