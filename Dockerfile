# The same environment as `make setup` gives, on a base whose glibc is new enough as it is.
#   docker build -t ordained .
#   docker run --rm -v "$PWD/output:/home/ordained/app/output" ordained make run
FROM python:3.12-slim-trixie

RUN apt-get update \
    && apt-get install --yes --no-install-recommends git make \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home ordained

USER ordained
WORKDIR /home/ordained/app

# The packages change seldom: they are a layer of their own, which a change of the code leaves alone.
COPY --chown=ordained Makefile setup.py requirements.lock ./
COPY --chown=ordained bootstrap bootstrap
RUN UV_NO_CACHE=1 PIP_NO_CACHE_DIR=1 make setup

COPY --chown=ordained . .
RUN UV_NO_CACHE=1 make setup

ENV PATH=/home/ordained/app/.venv/bin:$PATH
CMD ["make", "run"]
