"""Selection: takes quotas in tokens and the sketches of candidates, gives copies of each document.

`distance` ranks sources, `residual` scores documents, `select` and `fill` fill the quotas.
"""
