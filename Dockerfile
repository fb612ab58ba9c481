# The server in a container: docs/deploy/docker.md. The image contains no secret; settings are given at start.
FROM python:3.12-slim AS packages
COPY requirements.txt /
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --disable-pip-version-check -r /requirements.txt

FROM python:3.12-slim
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    HOST=0.0.0.0 \
    PORT=8000 \
    LOG_FORMAT=json
# A numeric user, so that platforms that forbid root can verify it.
RUN useradd --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin webhooks \
    && install -d -o webhooks -g webhooks /app/data
WORKDIR /app
COPY --from=packages /venv /venv
COPY index.py gunicorn.conf.py rules.toml .flaskenv ./
COPY deploy/*.py deploy/
COPY notifiers notifiers
COPY tableau_rest tableau_rest
COPY webhooks webhooks
RUN python -m compileall -q /app
USER 10001:10001
VOLUME /app/data
EXPOSE 8000
# The schema may still be migrated when the first check runs.
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 CMD ["python", "deploy/healthcheck.py"]
CMD ["gunicorn", "index:app"]
