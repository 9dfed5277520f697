"""Many stacks at once: which they are, what changed, doing something to all of them, and what came of it."""
