# Image with the environment of `make setup`. The glibc of the base image is new enough for all packages.
#
#   docker build -t ordained .
#   docker run --rm -v "$PWD/output:/home/ordained/app/output" ordained make run
FROM python:3.12-slim-trixie

RUN apt-get update \
    && apt-get install --yes --no-install-recommends git make \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home ordained

USER ordained
WORKDIR /home/ordained/app

# The packages have their own layer, so that a change to the code does not install them again.
COPY --chown=ordained Makefile setup.py requirements.lock ./
COPY --chown=ordained bootstrap bootstrap
RUN UV_NO_CACHE=1 PIP_NO_CACHE_DIR=1 make setup

COPY --chown=ordained . .
RUN UV_NO_CACHE=1 make setup

ENV PATH=/home/ordained/app/.venv/bin:$PATH
CMD ["make", "run"]
