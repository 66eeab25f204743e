"""The report of a model as charts, sentences and one HTML page: plain data in, HTML out.

Nothing here runs a pipeline: `components.model_report` gathers the data of a run, and notebooks may
give the charts data of their own. Import from the modules; they are not imported here, so that the
Evaluator, which uses `metrics`, does not depend on the charts.

- `facts`: what a report is made from.
- `page`: `render`, `render_refused` and `render_failed`.
- `charts` and `metrics`: figures from arrays, and the numbers in them.
- `examples`: which movies are shown, and `effects` of their words and fields.
"""
