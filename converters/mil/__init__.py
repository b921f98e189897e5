"""A reference executor for saved Core ML programs, so that their answers can be checked where Core ML does not run.

`package.read` takes a program from the .mlpackage on disk, `executor.compile` resolves its constants once, and
`executor.run` computes it operation by operation with the numbers each tensor's stated type can hold. It gives
answers and never times.
"""
