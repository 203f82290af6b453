#!/usr/bin/env bash
# Node proxies: @fastify/http-proxy and http-proxy-middleware add no X-Forwarded-For, and hand on the client's own.
#
# Guess: a reverse proxy states the address that called it in X-Forwarded-For, as other ones do in their guides.
# Seen: by their defaults neither adds it. What the client has sent arrives as it is. An application that trusts the proxy
# sees all people at the proxy's address, or at the one that they choose. http-proxy-middleware appends with `xfwd: true`.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-fund --no-audit fastify@5.12.8 @fastify/http-proxy@11.6.3 express@5.3.0 http-proxy-middleware@3.0.11
cat >run.mjs <<'JS'
import { readFileSync } from "node:fs";
import http from "node:http";
import httpProxy from "@fastify/http-proxy";
import express from "express";
import fastify from "fastify";
import { createProxyMiddleware } from "http-proxy-middleware";

for (const name of ["@fastify/http-proxy", "http-proxy-middleware"])
  console.log(name, JSON.parse(readFileSync(`node_modules/${name}/package.json`)).version);

const listening = (server) => new Promise((done) => server.listen(0, "127.0.0.1", () => done(server.address().port)));
const application = http.createServer((request, response) => response.end(request.headers["x-forwarded-for"] ?? "none"));
const target = `http://127.0.0.1:${await listening(application)}`;

const plain = fastify();
plain.register(httpProxy, { upstream: target });
await plain.listen({ port: 0, host: "127.0.0.1" });
const middleware = (options) => listening(http.createServer(express().use(createProxyMiddleware({ target, ...options }))));
const ports = {
  "@fastify/http-proxy": plain.server.address().port,
  "http-proxy-middleware": await middleware({}),
  "http-proxy-middleware, xfwd": await middleware({ xfwd: true }),
};

const seen = [];
for (const [name, port] of Object.entries(ports)) {
  for (const headers of [{}, { "X-Forwarded-For": "192.0.2.1" }]) {
    const text = await (await fetch(`http://127.0.0.1:${port}/`, { headers })).text();
    console.log(`${name}, the client sends ${headers["X-Forwarded-For"] ?? "none"}: ${text}`);
    seen.push(text);
  }
}
const expected = ["none", "192.0.2.1", "none", "192.0.2.1", "127.0.0.1", "192.0.2.1,127.0.0.1"];
if (JSON.stringify(seen) !== JSON.stringify(expected)) throw new Error("the behaviour has changed");
process.exit();
JS
node run.mjs
