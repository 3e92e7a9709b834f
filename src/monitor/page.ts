/** Style and script of the root page, as the browser gets them. Plain text to the server. */
export const PAGE_STYLE = `
:root { --ink: #1b2330; --dim: #5a6676; --paper: #f6f8fa; --card: #fff; --edge: #dfe5ec; --blue: #0b6ea8; --bad: #b3261e; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6ebf2; --dim: #9aa7b8; --paper: #10151c; --card: #19212b; --edge: #2b3644; --blue: #5cc0f2; --bad: #ff8a80; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.25rem 1rem 2rem; max-width: 60rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.45 ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
h1 { margin: 0; font-size: 1.5rem; overflow-wrap: anywhere; }
header p { margin: .2rem 0 1.1rem; color: var(--dim); }
a { color: var(--blue); text-decoration: none; }
a:hover { text-decoration: underline; }
a:focus-visible { outline: 2px solid var(--blue); outline-offset: 2px; border-radius: 4px; }
.tiles { display: grid; gap: .7rem; margin: 0 0 .7rem; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); }
.rates { grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); }
.tile { padding: .7rem .85rem; background: var(--card); border: 1px solid var(--edge); border-radius: .6rem; }
dt { color: var(--dim); font-size: .82rem; }
dd { margin: 0; font-size: 1.35rem; font-weight: 600; font-variant-numeric: tabular-nums; white-space: nowrap; }
@media (max-width: 30rem) { dd { font-size: 1.15rem; } }
.warn { color: var(--bad); }
svg { display: block; width: 100%; height: 2rem; margin-top: .35rem; }
.line { fill: none; stroke: var(--blue); stroke-width: 1.5; vector-effect: non-scaling-stroke; }
.area { fill: var(--blue); opacity: .13; }
nav ul { list-style: none; margin: 1.2rem 0 0; padding: 0; display: grid; gap: 0 1rem; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); }
nav a { display: block; padding: .42rem 0; }
.endpoint { color: var(--dim); font: .82rem ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
footer { margin-top: 1.2rem; }
`;

/**
 * Asks /varz every second while the page is visible, and shows rates between two answers by the server's own clock. It writes text only, never markup, so
 * that a server's name cannot become part of the page.
 */
export const PAGE_SCRIPT = `
"use strict";
(() => {
  const KEPT = 61;
  const WIDTH = 120;
  const at = (id) => document.getElementById(id);
  const number = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
  const scaled = (value, base, units) => {
    let unit = 0;
    while (value >= base && unit < units.length - 1) { value /= base; unit++; }
    return (unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)) + units[unit];
  };
  const bytes = (value) => scaled(value, 1024, [" B", " KB", " MB", " GB", " TB"]);
  const count = (value) => (value < 10000 ? number.format(value) : scaled(value, 1000, ["", " k", " M", " G"]));
  const RATES = { in_msgs: count, out_msgs: count, in_bytes: bytes, out_bytes: bytes };
  const history = Object.fromEntries(Object.keys(RATES).map((id) => [id, []]));
  let last;

  const draw = (id) => {
    const values = history[id];
    const top = Math.max(1, ...values);
    const step = WIDTH / (KEPT - 1);
    const left = WIDTH - (values.length - 1) * step;
    const points = values.map((value, i) => (left + i * step).toFixed(1) + " " + (30 - (value / top) * 27).toFixed(1));
    const line = points.length === 0 ? "" : "M" + points.join("L");
    const svg = at(id + "-line");
    svg.querySelector(".line").setAttribute("d", line);
    svg.querySelector(".area").setAttribute("d", line === "" ? "" : line + "L" + WIDTH + " 32L" + left.toFixed(1) + " 32Z");
  };
  const show = (varz) => {
    at("uptime").textContent = "up " + varz.uptime;
    at("total").textContent = count(varz.total_connections);
    at("connections").textContent = number.format(varz.connections);
    at("subscriptions").textContent = number.format(varz.subscriptions);
    at("slow").textContent = number.format(varz.slow_consumers);
    at("slow").className = varz.slow_consumers > 0 ? "warn" : "";
    at("mem").textContent = bytes(varz.mem);
    at("cpu").textContent = varz.cpu + " %";
    const now = Date.parse(varz.now);
    const again = last !== undefined && last.server_id === varz.server_id && last.start === varz.start;
    const seconds = again ? (now - Date.parse(last.now)) / 1000 : 0;
    for (const id of Object.keys(RATES)) {
      if (!again) history[id].length = 0;
      if (seconds > 0) {
        const rate = Math.max(0, varz[id] - last[id]) / seconds;
        history[id].push(rate);
        if (history[id].length > KEPT) history[id].shift();
        at(id).textContent = RATES[id](rate) + "/s";
      }
      draw(id);
    }
    last = varz;
  };
  const poll = async () => {
    if (document.hidden) return;
    try {
      const answer = await fetch(document.body.dataset.varz, { cache: "no-store" });
      if (!answer.ok) throw new Error("status " + answer.status);
      show(await answer.json());
      at("problem").textContent = "";
    } catch {
      at("uptime").textContent = "";
      at("problem").textContent = "no answer from the server";
    }
  };
  const tick = () => { poll().finally(() => setTimeout(tick, 1000)); };
  document.addEventListener("visibilitychange", () => { last = undefined; });
  tick();
})();
`;
