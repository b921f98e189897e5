"""What any model file takes and gives, found out from its graph and by running it.

`graph` is the small description that each format's reader fills; `inputs` and `outputs` decide from it, as pure
functions; `trial` runs the model on pictures where the graph leaves something open; `describe` does all of that.
"""
