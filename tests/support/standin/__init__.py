"""A stand-in for Terraform providers that cannot be had: official schemas, served by the plugin protocol.

``mirror`` lays providers out where Terraform looks for them, ``plugin`` is what Terraform starts,
``resources`` what each type does, ``keeper`` a server that keeps what it is given. What runs with it says
«stand-in» wherever its results are shown.
"""
