# One image for the API and for every worker pool; the command tells them apart. `backup` adds
# PostgreSQL's client programs, which nothing else needs.

FROM python:3.12.13-slim-bookworm AS build
# pdqhash is compiled: it has no wheel for Linux.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends g++ \
    && rm -rf /var/lib/apt/lists/*
RUN pip install --no-cache-dir uv==0.13.9
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never
WORKDIR /app
COPY pyproject.toml uv.lock ./
RUN uv sync --frozen --no-default-groups

FROM python:3.12.13-slim-bookworm AS platform
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ffmpeg \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin fansworld \
    && install -d -o fansworld /scratch
WORKDIR /app
COPY --from=build /app/.venv .venv
COPY alembic.ini worker.py ./
COPY domain domain
COPY workflows workflows
COPY activities activities
COPY infra infra
COPY api api
COPY ops ops
ENV PATH=/app/.venv/bin:$PATH PYTHONUNBUFFERED=1 SCRATCH_DIR=/scratch
USER fansworld
VOLUME /scratch
EXPOSE 8000
CMD ["python", "-m", "api"]

# pg_dump has to be of the server's version, and Debian's is older.
FROM platform AS backup
USER root
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates postgresql-common \
    && /usr/share/postgresql-common/pgdg/apt.postgresql.org.sh -y \
    && apt-get install --yes --no-install-recommends postgresql-client-18 \
    && rm -rf /var/lib/apt/lists/* \
    && install -d -o fansworld /backups
USER fansworld
VOLUME /backups
ENTRYPOINT ["python", "-m", "ops.backup"]
CMD ["list", "/backups"]

# What `docker build` makes where no target is named.
FROM platform
