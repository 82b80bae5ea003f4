# The server on Debian: built with the profile for shipped binaries, run by an account without rights.
FROM rust:1.94-bookworm AS build
WORKDIR /source
COPY . .
RUN --mount=type=cache,target=/source/target --mount=type=cache,target=/usr/local/cargo/registry \
    cargo build --locked --profile dist && cp target/dist/ostiary /ostiary

FROM debian:12.11-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates libssl3 \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --create-home --home-dir /var/lib/ostiary ostiary \
 && install -d -o ostiary -g ostiary -m 0700 /var/lib/ostiary/data /var/lib/ostiary/keys
COPY --from=build /ostiary /usr/local/bin/ostiary
# by number, so that an orchestrator can see that it is not root
USER 10001
WORKDIR /var/lib/ostiary
ENV OSTIARY_LISTEN=0.0.0.0:8080
EXPOSE 8080
VOLUME ["/var/lib/ostiary/data", "/var/lib/ostiary/keys"]
# bash speaks just enough HTTP to ask after the process
HEALTHCHECK --interval=5s --timeout=3s --start-period=60s \
  CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/8080 && printf 'GET /healthz HTTP/1.0\\r\\nHost: localhost:8080\\r\\n\\r\\n' >&3 && head -n 1 <&3 | grep -q ' 200'"]
ENTRYPOINT ["ostiary"]
CMD ["serve"]
