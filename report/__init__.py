"""The model report: plain data in, one HTML page out.

`components.model_report` gathers the data of a run. Notebooks can use `charts` and `metrics` with
their own arrays. Import the modules directly: the Evaluator uses `metrics` and must not depend on
the charts.

- `content`: The data of a report.
- `page`: Functions that render the HTML page.
- `charts`: Plotly figures.
- `metrics`: Numbers in the figures.
- `explanations`: Movies with explained predictions, and doubtful labels.
- `summary`: Strengths and weaknesses in sentences.
"""
