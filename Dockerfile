FROM python:3.13-slim AS build
WORKDIR /source
COPY requirements/run.lock requirements/build.lock requirements/
RUN python -m venv /opt/leased && /opt/leased/bin/pip install --no-cache-dir --require-hashes --only-binary :all: -r requirements/run.lock \
 && python -m venv /opt/build && /opt/build/bin/pip install --no-cache-dir --require-hashes -r requirements/build.lock
COPY . .
RUN /opt/build/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheels . \
 && /opt/leased/bin/pip install --no-cache-dir --no-deps --no-index /wheels/*.whl

FROM python:3.13-slim
RUN useradd --uid 10001 --create-home --home-dir /home/leased leased
COPY --from=build /opt/leased /opt/leased
WORKDIR /app
COPY examples examples
RUN chown leased:leased /app
ENV PATH=/opt/leased/bin:$PATH PYTHONUNBUFFERED=1
USER leased
ENTRYPOINT ["leased"]
CMD ["--help"]
