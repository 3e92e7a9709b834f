/**
 * The root page: what the server is doing now, and the endpoints as links in the order and with the labels that scripts know. One self-contained document:
 * no font, script or picture from elsewhere. It polls /varz once a second while somebody looks at it. Spec: monitoring, section 2.
 */
import { VERSION } from "../util/version.ts";
import { PAGE_SCRIPT, PAGE_STYLE } from "./page.ts";
import type { MonitorSource } from "./source.ts";

const LINKS = [
  ["varz", "General"],
  ["jsz", "JetStream"],
  ["connz", "Connections"],
  ["accountz", "Accounts"],
  ["accstatz", "Account Stats"],
  ["subsz", "Subscriptions"],
  ["routez", "Routes"],
  ["leafz", "LeafNodes"],
  ["gatewayz", "Gateways"],
  ["raftz", "Raft Groups"],
  ["healthz", "Health Probe"],
  ["debug/vars", "Expvar"],
] as const;

const PROJECT = "https://github.com/nats-io/nats-server";
const HELP = "https://docs.nats.io/running-a-nats-service/nats_admin/monitoring";

/** Figures that are numbers now: id of the element, label. */
const FIGURES = [
  ["connections", "Connections"],
  ["total", "Accepted"],
  ["subscriptions", "Subscriptions"],
  ["slow", "Slow consumers"],
  ["mem", "Memory"],
  ["cpu", "CPU"],
] as const;

/** Figures that are rates, with their last minute as a line. */
const RATES = [
  ["in_msgs", "Messages in"],
  ["out_msgs", "Messages out"],
  ["in_bytes", "Bytes in"],
  ["out_bytes", "Bytes out"],
] as const;

export function rootPage(source: MonitorSource): string {
  // Relative to the page's own address: with base path `/mon` the page is `/mon`, and `./mon/varz` is beside it.
  const base = `.${source.options.httpBasePath}`;
  const name = escapeHtml(source.identity.name);
  const figures = FIGURES.map(([id, label]) => `<div class="tile"><dt>${label}</dt><dd id="${id}">–</dd></div>`).join("");
  const rates = RATES.map(
    ([id, label]) => `<div class="tile"><dt>${label}</dt><dd><span id="${id}">–</span><svg id="${id}-line" viewBox="0 0 120 32" preserveAspectRatio="none" aria-hidden="true"><path class="area"/><path class="line"/></svg></dd></div>`,
  ).join("");
  const links = LINKS.map(([path, label]) => `<li><a href=${base}/${path}>${label}<span class="endpoint"> /${path}</span></a></li>`).join("\n");
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${name} · NATS server</title>
<link rel="icon" href="data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Crect width='16' height='16' rx='4' fill='%2327aae1'/%3E%3Cpath d='M4 12V4l8 8V4' fill='none' stroke='%23fff' stroke-width='2'/%3E%3C/svg%3E">
<style>${PAGE_STYLE}</style>
</head>
<body data-varz="${escapeHtml(`${base}/varz`)}">
<header>
<h1>${name}</h1>
<p><a href=${PROJECT} class='version'>v${VERSION}</a> <span id="uptime"></span> <span id="problem" class="warn" role="alert"></span></p>
</header>
<main>
<section aria-label="Traffic"><dl class="tiles rates">${rates}</dl></section>
<section aria-label="Now"><dl class="tiles">${figures}</dl></section>
<nav aria-label="Endpoints">
<ul>
${links}
</ul>
</nav>
</main>
<footer><a href=${HELP} class="help">Help</a></footer>
<script>${PAGE_SCRIPT}</script>
</body>
</html>
`;
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}
