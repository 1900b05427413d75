# The image of auto-code: the service, and what its agent works with. Nothing in it is secret, and nothing in it needs
# to be written at run time but WORKSPACE_DIR and /tmp.
#
# A release pins the three images by digest: --build-arg DEBIAN_IMAGE=debian:trixie-slim@sha256:…
ARG DEBIAN_IMAGE=debian:trixie-slim
ARG NODE_IMAGE=node:24-trixie-slim
ARG UV_IMAGE=ghcr.io/astral-sh/uv:0.13.8

FROM ${NODE_IMAGE} AS node
FROM ${UV_IMAGE} AS uv

# What build and run time share.
FROM ${DEBIAN_IMAGE} AS base
# docker-clean would empty the caches that the mounts keep. Debian's own updates are wanted, so no versions here.
# hadolint ignore=DL3008
RUN --mount=type=cache,target=/var/cache/apt,sharing=locked \
    --mount=type=cache,target=/var/lib/apt/lists,sharing=locked \
    rm -f /etc/apt/apt.conf.d/docker-clean \
    && apt-get update -qq \
    && apt-get install -qq --yes --no-install-recommends \
        bubblewrap ca-certificates git procps python3 ripgrep tini \
    && rm -rf /var/log/apt /var/log/dpkg.log /var/cache/ldconfig/aux-cache

# GitHub's own release: Debian's gh is too old to edit pull requests. The checksums are those of GH_VERSION.
FROM base AS gh
ARG TARGETARCH
ARG GH_VERSION=2.98.0
ARG GH_SHA256_AMD64=3b8ac6b30336802fc1a858d7c084e11cdf24ac1a761ca90b68022d7d729208de
ARG GH_SHA256_ARM64=cf689084f3a3618f7eae4a2420d335d74626d65f5e594b9828d125d69f800d86
ADD https://github.com/cli/cli/releases/download/v${GH_VERSION}/gh_${GH_VERSION}_linux_${TARGETARCH}.tar.gz /gh.tar.gz
RUN case "${TARGETARCH}" in \
        amd64) checksum="${GH_SHA256_AMD64}" ;; \
        arm64) checksum="${GH_SHA256_ARM64}" ;; \
        *) echo "There is no checksum of gh for ${TARGETARCH}." >&2; exit 1 ;; \
    esac \
    && echo "${checksum}  /gh.tar.gz" >/gh.sha256 \
    && sha256sum --check --strict /gh.sha256 \
    && tar --extract --gzip --file /gh.tar.gz --strip-components 2 --directory /usr/local/bin \
        "gh_${GH_VERSION}_linux_${TARGETARCH}/bin/gh"

# The virtual environment. Debian's Python, so that its security updates come by apt.
FROM base AS build
ENV UV_CACHE_DIR=/var/cache/uv UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never VIRTUAL_ENV=/opt/venv
COPY --from=uv /uv /usr/local/bin/
WORKDIR /src
# Apart from the code, so that a change of the code does not fetch the Claude Code CLI again, which comes in a wheel.
RUN --mount=type=cache,target=/var/cache/uv \
    --mount=type=bind,source=requirements.lock,target=/src/requirements.lock \
    uv venv --quiet --python /usr/bin/python3 /opt/venv \
    && uv pip sync --require-hashes requirements.lock
COPY pyproject.toml README.md ./
COPY app ./app
# The check fails when the lock lacks what pyproject.toml wants.
RUN --mount=type=cache,target=/var/cache/uv \
    uv pip install --no-deps . \
    && uv pip check

FROM base AS runtime
COPY --from=uv /uv /uvx /usr/local/bin/
COPY --from=gh /usr/local/bin/gh /usr/local/bin/gh
COPY --from=node /usr/local/bin/node /usr/local/bin/node
COPY --from=node /usr/local/lib/node_modules /usr/local/lib/node_modules
COPY --from=build /opt/venv /opt/venv
# The CLI has one place that does not name a version of Python. The owner of the volume is the image's: a named volume
# takes it over.
RUN modules=/usr/local/lib/node_modules \
    && ln -s "$modules/npm/bin/npm-cli.js" /usr/local/bin/npm \
    && ln -s "$modules/npm/bin/npx-cli.js" /usr/local/bin/npx \
    && ln -s "$modules/corepack/dist/corepack.js" /usr/local/bin/corepack \
    && corepack enable --install-directory /usr/local/bin pnpm yarn \
    && ln -s /opt/venv/lib/python3*/site-packages/claude_agent_sdk/_bundled/claude /usr/local/bin/claude \
    && groupadd --gid 10001 auto-code \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /workspace/home --shell /usr/sbin/nologin auto-code \
    && install --directory --owner 10001 --group 10001 --mode 0700 /workspace /workspace/home
ENV PATH=/opt/venv/bin:/usr/local/bin:/usr/bin:/bin \
    HOME=/workspace/home \
    LANG=C.UTF-8 \
    NODE_ENV=production \
    WORKSPACE_DIR=/workspace \
    CLAUDE_CODE_API_PORT=3001 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    COREPACK_ENABLE_DOWNLOAD_PROMPT=0 \
    DISABLE_AUTOUPDATER=1
USER 10001:10001
WORKDIR /workspace
VOLUME /workspace
EXPOSE 3001
HEALTHCHECK --interval=15s --timeout=3s --start-period=60s --start-interval=1s --retries=3 \
    CMD ["python", "-c", "import http.client, os, sys; \
         service = http.client.HTTPConnection('127.0.0.1', int(os.environ['CLAUDE_CODE_API_PORT']), timeout=2); \
         service.request('GET', '/health'); \
         sys.exit(service.getresponse().status != 200)"]
# Without -g: the agent's programs end by the service's hand, not by the signal that is meant for it.
ENTRYPOINT ["/usr/bin/tini", "--"]
CMD ["auto-code"]

# The image with its tests in it: they run on the image's own Python, and play the outside (see tests/stack).
FROM runtime AS test
USER 0:0
WORKDIR /src
RUN --mount=type=cache,target=/var/cache/uv \
    --mount=type=bind,source=pyproject.toml,target=/src/pyproject.toml \
    --mount=type=bind,source=requirements.lock,target=/src/requirements.lock \
    UV_CACHE_DIR=/var/cache/uv UV_LINK_MODE=copy VIRTUAL_ENV=/opt/venv \
    uv pip install --constraint requirements.lock --requirement pyproject.toml --extra dev
COPY pyproject.toml ./
COPY app ./app
COPY tests ./tests
USER 10001:10001

# What `docker build` makes when no target is named.
FROM runtime
