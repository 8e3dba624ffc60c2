# Millrace in a container:    docker build -t millrace .
# Debian 12 on both sides, because its libraries are what the project is built and tested against.

FROM debian:12 AS build
WORKDIR /src
# What changes seldom comes first: a change of the sources then fetches nothing again.
COPY scripts/setup scripts/install-packages scripts/
COPY tests/requirements.txt tests/
RUN scripts/setup
COPY . .
RUN make build
RUN mkdir /out && strip -o /out/millrace build/release/src/cli/millrace && cp .deps/duckdb/lib/libduckdb.so /out/

FROM debian:12-slim
# The shared libraries of the binary; the certificates and time zones it reads; tini, because process 1 must reap what tasks leave.
RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
      libcurl4 libdate-tz3 libfmt9 liblz4-1 libpq5 libprometheus-cpp-core1.0 librocksdb7.8 libsimdjson14 libsnappy1v5 libspdlog1.10 \
      libsqlite3-0 libssl3 libstdc++6 libyaml-cpp0.7 libzstd1 zlib1g \
      ca-certificates tzdata tini \
    && rm -rf /var/lib/apt/lists/*
# The number is fixed, so that volumes and secrets can be given to it from outside.
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /data --shell /usr/sbin/nologin millrace \
    && install -d -o 10001 -g 10001 -m 0700 /data
# libduckdb.so is found beside the binary.
COPY --from=build /out/ /opt/millrace/
COPY LICENSE /opt/millrace/
COPY examples/ /etc/millrace/
ENV PATH=/opt/millrace:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
ENV MILLRACE_DATA=/data
WORKDIR /etc/millrace
USER 10001:10001
VOLUME /data
# Where the API is when it is published (--listen 0.0.0.0:8080 --insecure, see deploy/README.md); without that it is on loopback.
EXPOSE 8080
# Exit 0 only when every part is ready.
HEALTHCHECK --interval=10s --timeout=10s --start-period=60s --retries=3 CMD ["millrace", "status"]
ENTRYPOINT ["tini", "--", "millrace"]
CMD ["run", "/etc/millrace/users.yaml"]
