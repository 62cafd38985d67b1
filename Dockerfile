# The worker of an installation; docker-compose.yml builds it. Any other door runs from the same image:
#   docker compose run --rm worker python starter.py doctor
FROM python:3.13.9-slim-bookworm

# Line by line to the log collector, no .pyc files that nobody cleans up, and pip without its own notices.
ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1

RUN useradd --system --uid 10001 --home-dir /app --shell /usr/sbin/nologin onboarding
WORKDIR /app

# Before the program, so that a change of the program does not install everything again.
COPY requirements.lock ./
RUN pip install --no-cache-dir --require-hashes --requirement requirements.lock

COPY worker.py starter.py ./
COPY definitions ./definitions
COPY onboarding ./onboarding
COPY workflows ./workflows
COPY activities ./activities
COPY storage ./storage
COPY integrations ./integrations
COPY metrics ./metrics
COPY runtime ./runtime
COPY console ./console
# Once here: each process of an image would compile the whole program again.
RUN python -m compileall -q .

# The folders that are written to: with SQLite, and by `keys`, from which a volume takes its owner.
RUN mkdir .data keys && chown onboarding .data keys && chmod 700 keys
# By number, so that an orchestrator can see that it is not root.
USER 10001

# Healthy is not "the process exists" but "this container polls the task queue".
HEALTHCHECK --interval=30s --timeout=15s --start-period=20s --retries=3 \
    CMD ["python", "-m", "runtime.health"]

# Runs in flight are handed back: worker.py stops polling on SIGTERM and waits for its activities.
STOPSIGNAL SIGTERM
CMD ["python", "worker.py"]
