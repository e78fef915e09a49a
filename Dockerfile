# Crawls under Scrapyd, and every `scrapy` command. compose.yaml runs it beside PostgreSQL.
FROM python:3.11-slim-bookworm

# A browser for the platforms whose pages are made by JavaScript: Debian's, which its security updates reach.
RUN apt-get update && \
    apt-get install -y --no-install-recommends chromium && \
    rm -rf /var/lib/apt/lists/*

RUN groupadd --gid 10001 outsourcing && \
    useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/outsourcing_spiders \
        --shell /usr/sbin/nologin outsourcing && \
    install -d -o outsourcing -g outsourcing -m 0700 /var/lib/outsourcing_spiders /var/lib/outsourcing_spiders/scrapyd

ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore

# In a layer of its own, that a change of the code leaves as it is. The constraints say which version of each.
WORKDIR /usr/src/outsourcing_spiders
COPY requirements.txt ./
COPY outsourcing_spiders/templates/deployment/constraints.txt ./
RUN pip install -r requirements.txt -c constraints.txt 'scrapyd>=1.6,<1.7' 'setuptools>=77,<81'

COPY pyproject.toml setup.py README.md ./
COPY outsourcing_spiders ./outsourcing_spiders
RUN pip install --no-deps --no-build-isolation . && rm -rf build ./*.egg-info
COPY outsourcing_spiders/templates/deployment/scrapy.cfg /etc/outsourcing_spiders/

# PYTHONDONTWRITEBYTECODE: the file system is read-only as a rule.
ENV OUTSOURCING_SPIDERS_DATA=/var/lib/outsourcing_spiders \
    HOME=/var/lib/outsourcing_spiders \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
WORKDIR /etc/outsourcing_spiders
USER outsourcing
VOLUME /var/lib/outsourcing_spiders
EXPOSE 6800
HEALTHCHECK --interval=60s --timeout=45s --start-period=120s --retries=3 \
    CMD ["scrapy", "deployment", "health", "scrapyd", "database"]
CMD ["scrapy", "deployment", "scrapyd"]
