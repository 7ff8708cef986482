# The kit as a command: docker run --rm --network host -v "$PWD:/work" agent-conformance verify --target target.toml
FROM python:3.12-slim AS build
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY conformance conformance
COPY contracts contracts
COPY load load
COPY reports reports
COPY reference_impl reference_impl
RUN python -m venv /kit && /kit/bin/pip install --no-cache-dir --disable-pip-version-check -c constraints.txt .

FROM python:3.12-slim
COPY --from=build /kit /kit
ENV PATH=/kit/bin:$PATH PYTHONUNBUFFERED=1
RUN useradd --create-home --uid 1000 kit
USER 1000
WORKDIR /work
ENTRYPOINT ["agent-conformance"]
CMD ["--help"]
