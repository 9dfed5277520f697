"""The registration: what the commands of artifact stores, connectors, stacks and secrets do.

Each group of verbs is a class, and the client is all of them. Whatever cannot be is refused before anything
is written, and what is written is one write.
"""
