"""What a model is good for, as charts, words and one HTML page: plain data in, text out.

Nothing here runs a pipeline. `components.report` gathers the data of a run; notebooks may give
charts data of their own.
"""
