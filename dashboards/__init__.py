"""TFMA's and Facets' views in JupyterLab, Notebook 7, VS Code and as files, without a network.

`tfma.view.render_*` and `tfdv.visualize_statistics` show nothing in JupyterLab 4, Notebook 7,
VS Code and static HTML. The functions of this package take the same results and return a `View`,
which a notebook shows and `View.save` writes to a file:

    import dashboards
    import tensorflow_model_analysis as tfma

    result = tfma.load_eval_result("evaluation")
    dashboards.slicing_metrics(result, class_names=["cat", "dog"])

The package does not depend on the rest of the project: see docs/dashboards.md.
"""

from dashboards.facets import statistics
from dashboards.page import View
from dashboards.tfma_views import class_metrics, plot, slicing_metrics, time_series

__all__ = ["View", "class_metrics", "plot", "slicing_metrics", "statistics", "time_series"]
