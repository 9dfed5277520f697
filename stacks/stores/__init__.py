"""Artifact stores: one behaviour over local disks and object storage; SDKs load when they are used."""
