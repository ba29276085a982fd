# hybridmim in a container. Two targets: cpu, and cuda for machines with an NVIDIA GPU (docs/docker.md).

# The sources, their packages and what set-up needs.
FROM node:20-bookworm AS sources
RUN apt-get update && apt-get install -y --no-install-recommends g++ make python3 python3-pip && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY . .

# TensorFlow, tfjs's addon built for it, and the compiled sources; without what only development needs.
FROM sources AS installed-cpu
RUN node scripts/setup.mjs --runtime cpu
RUN npm prune --omit=dev --ignore-scripts

FROM sources AS installed-cuda
RUN node scripts/setup.mjs --runtime cuda
RUN npm prune --omit=dev --ignore-scripts

FROM node:20-bookworm-slim AS cuda
COPY --from=installed-cuda /app/ /app/
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
WORKDIR /data
USER node
ENTRYPOINT ["node", "/app/bin/hybridmim.mjs"]
CMD ["--help"]

# Last: what `docker build .` makes.
FROM node:20-bookworm-slim AS cpu
COPY --from=installed-cpu /app/ /app/
WORKDIR /data
USER node
ENTRYPOINT ["node", "/app/bin/hybridmim.mjs"]
CMD ["--help"]
