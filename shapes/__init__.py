"""Writes what is told of the product's shapes: `make shapes`. A tool, never deployed.

A shape is declared in the code once (`namely_link.http.documents`, the problems, the enumerations);
`api.yaml` has what people write beside it.
"""
