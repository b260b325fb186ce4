"""Selection: takes quotas in tokens and the sketches of candidates, gives copies of each document.

`distance` ranks sources, `residual` scores documents, `wants` and `cuts` fill the quotas.
"""
