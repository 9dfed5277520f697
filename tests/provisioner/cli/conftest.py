"""What the tests of the commands share; see tests/support/commands.py."""

from __future__ import annotations

from commands import aws, aws_server, provision

__all__ = ["aws", "aws_server", "provision"]
