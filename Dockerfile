# hybridmim in a container. Two targets: cpu, and cuda for machines with an NVIDIA GPU (docs/docker.md).

# The package, packed as `npm pack` makes it.
FROM node:20-bookworm AS packed
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY . .
RUN mkdir /packed && npm pack --ignore-scripts=false --pack-destination /packed

# Installed, with TensorFlow and tfjs's addon built for it. The compiler stays in this stage.
FROM node:20-bookworm AS installed-cpu
RUN apt-get update && apt-get install -y --no-install-recommends g++ make python3 python3-pip && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY --from=packed /packed/ /packed/
RUN npm init --yes && npm install --ignore-scripts /packed/hybridmim-*.tgz
RUN npx hybridmim setup --runtime cpu

FROM node:20-bookworm AS installed-cuda
RUN apt-get update && apt-get install -y --no-install-recommends g++ make python3 python3-pip && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY --from=packed /packed/ /packed/
RUN npm init --yes && npm install --ignore-scripts /packed/hybridmim-*.tgz
RUN npx hybridmim setup --runtime cuda

FROM node:20-bookworm-slim AS cuda
COPY --from=installed-cuda /app/ /app/
ENV PATH=/app/node_modules/.bin:$PATH NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
WORKDIR /data
USER node
ENTRYPOINT ["hybridmim"]
CMD ["--help"]

# Last: what `docker build .` makes.
FROM node:20-bookworm-slim AS cpu
COPY --from=installed-cpu /app/ /app/
ENV PATH=/app/node_modules/.bin:$PATH
WORKDIR /data
USER node
ENTRYPOINT ["hybridmim"]
CMD ["--help"]
