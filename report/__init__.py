"""The report of a model as charts, sentences and one HTML page: plain data in, HTML out.

Nothing here runs a pipeline. `components.model_report` gathers the data of a run; notebooks may
give the charts data of their own.
"""
