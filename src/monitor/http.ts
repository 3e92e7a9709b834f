/**
 * The monitoring site: from a request to an answer. Endpoints are data, so that the root page, the router and the counters speak of the same ones.
 * Spec: monitoring, section 2.
 */
import type { HttpRequest, HttpResponse } from "../links/http/index.ts";
import { encodeJson } from "../protocol/index.ts";
import { accountz } from "./accountz.ts";
import { accstatz } from "./accstatz.ts";
import { connz, connzOptions } from "./connz.ts";
import { expvar } from "./expvar.ts";
import { gatewayz, gatewayzOptions } from "./gatewayz.ts";
import { healthz, healthzOptions } from "./healthz.ts";
import { ipqueuesz } from "./ipqueuesz.ts";
import { jsz, jszOptions, NotLeaderError } from "./jsz.ts";
import { leafz, leafzOptions } from "./leafz.ts";
import { metrics, METRICS_CONTENT_TYPE } from "./metrics.ts";
import { ParameterError, Parameters } from "./params.ts";
import { raftz, RaftzError } from "./raftz.ts";
import { rootPage } from "./root.ts";
import { routez } from "./routez.ts";
import type { MonitorSource } from "./source.ts";
import { stacksz } from "./stacksz.ts";
import { subsz, subszOptions } from "./subsz.ts";
import { varz } from "./varz.ts";

type Handler = (source: MonitorSource, parameters: Parameters, count: () => void) => HttpResponse;

interface Endpoint {
  /** Counted under this name; undefined: not counted. */
  readonly counter: string | undefined;
  readonly answer: Handler;
}

const JSON_HEADERS = { "Access-Control-Allow-Origin": "*", "Content-Type": "application/json" };
const TEXT_HEADERS = { "Content-Type": "text/plain; charset=utf-8" };

/** An endpoint that is counted before its parameters are read. */
function counted(counter: string, answer: (source: MonitorSource, parameters: Parameters) => HttpResponse): Endpoint {
  return {
    counter,
    answer(source, parameters, count) {
      count();
      return answer(source, parameters);
    },
  };
}

function uncounted(answer: (source: MonitorSource, parameters: Parameters) => HttpResponse): Endpoint {
  return { counter: undefined, answer };
}

const ENDPOINTS: ReadonlyMap<string, Endpoint> = new Map([
  ["/varz", counted("/varz", (source) => json(varz(source)))],
  // These two count only requests that they understand.
  [
    "/connz",
    {
      counter: "/connz",
      answer(source, parameters, count) {
        const options = connzOptions(parameters);
        count();
        return json(connz(source, options));
      },
    },
  ],
  [
    "/routez",
    {
      counter: "/routez",
      answer(source, parameters, count) {
        parameters.subscriptions();
        count();
        return json(routez(source));
      },
    },
  ],
  ["/jsz", counted("/jsz", (source, parameters) => json(jsz(source, jszOptions(parameters))))],
  ["/accountz", counted("/accountz", (source, parameters) => json(accountz(source, parameters.text("acc"))))],
  ["/accstatz", counted("/accstatz", (source, parameters) => json(accstatz(source, { includeUnused: parameters.boolean("unused"), accounts: [] })))],
  ["/subsz", counted("/subsz", (source, parameters) => json(subsz(source, subszOptions(parameters))))],
  ["/subscriptionsz", counted("/subsz", (source, parameters) => json(subsz(source, subszOptions(parameters))))],
  ["/leafz", counted("/leafz", (source, parameters) => json(leafz(source, leafzOptions(parameters))))],
  ["/gatewayz", counted("/gatewayz", (source, parameters) => json(gatewayz(source, gatewayzOptions(parameters))))],
  ["/raftz", uncounted((_source, parameters) => json(raftz({ account: parameters.text("acc"), group: parameters.text("group") }), 3))],
  [
    "/healthz",
    counted("/healthz", (source, parameters) => {
      const { code, ...health } = healthz(source, healthzOptions(parameters));
      return { status: code, headers: JSON_HEADERS, body: encodeJson(health) };
    }),
  ],
  ["/debug/vars", uncounted((source) => ({ status: 200, headers: { "Content-Type": "application/json; charset=utf-8" }, body: `${encodeJson(expvar(source), 1)}\n` }))],
  ["/stacksz", uncounted((source) => ({ status: 200, headers: JSON_HEADERS, body: stacksz(source) }))],
  ["/ipqueuesz", uncounted((_source, parameters) => json(ipqueuesz({ all: parameters.boolean("all"), filter: parameters.text("queues") }), 3))],
  ["/metrics", uncounted((source) => ({ status: 200, headers: { "Content-Type": METRICS_CONTENT_TYPE }, body: metrics(source) }))],
]);

function json(value: unknown, indent = 2): HttpResponse {
  return { status: 200, headers: JSON_HEADERS, body: encodeJson(value, indent) };
}

function text(status: number, body: string): HttpResponse {
  return { status, headers: TEXT_HEADERS, body };
}

const NOT_FOUND: HttpResponse = { status: 404, headers: { ...TEXT_HEADERS, "X-Content-Type-Options": "nosniff" }, body: "404 page not found\n" };

/** Answers one request. An error that is nobody's fault but ours is logged and told as status 500. */
export function handleRequest(source: MonitorSource, request: HttpRequest): HttpResponse {
  try {
    return route(source, request);
  } catch (error) {
    if (error instanceof ParameterError || error instanceof NotLeaderError) return text(400, error.message);
    if (error instanceof RaftzError) return text(404, error.message);
    source.log.error(`monitoring: ${request.path}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    return text(500, "Internal Server Error");
  }
}

function route(source: MonitorSource, request: HttpRequest): HttpResponse {
  const { monitoring } = source;
  if (request.path === "*") return { status: 200, headers: {}, body: "" };
  const cleaned = cleanPath(request.path);
  if (cleaned !== request.path && request.method !== "CONNECT") return redirect(cleaned, request);
  const base = source.options.httpBasePath;
  if (request.path === (base === "" ? "/" : base)) {
    monitoring.count("/");
    return { status: 200, headers: { "Content-Type": "text/html; charset=utf-8" }, body: rootPage(source) };
  }
  const endpoint = request.path.startsWith(`${base}/`) ? ENDPOINTS.get(request.path.slice(base.length)) : undefined;
  if (endpoint === undefined) return NOT_FOUND;
  const { counter } = endpoint;
  return endpoint.answer(source, new Parameters(request.parameters), () => {
    if (counter !== undefined) monitoring.count(counter);
  });
}

/** The path without `.`, `..` and empty segments; a slash at its end stays. */
function cleanPath(path: string): string {
  if (path === "") return "/";
  const segments: string[] = [];
  for (const segment of path.split("/")) {
    if (segment === "..") segments.pop();
    else if (segment !== "" && segment !== ".") segments.push(segment);
  }
  const cleaned = `/${segments.join("/")}`;
  return cleaned !== "/" && path.endsWith("/") ? `${cleaned}/` : cleaned;
}

function redirect(path: string, request: HttpRequest): HttpResponse {
  const query = [...request.parameters].map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`).join("&");
  const location = `${encodeURI(path)}${query === "" ? "" : `?${query}`}`;
  const shown = location.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
  return { status: 301, headers: { "Content-Type": "text/html; charset=utf-8", Location: location }, body: `<a href="${shown}">Moved Permanently</a>.\n\n` };
}
