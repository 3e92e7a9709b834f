/** Writes `conf/README.md`: the reference of all options, from the tables that read them. Run it after a change to `src/config/schema`. */
import { join } from "node:path";
import { accountBlock, accountJetstreamBlock, accountLimitsBlock, mappingDestinationBlock } from "../src/config/schema/accounts.ts";
import { exportBlock, importBlock } from "../src/config/schema/exchange.ts";
import type { Block, Reload } from "../src/config/schema/form.ts";
import { batchBlock, jetstreamBlock, jetstreamLimitsBlock, tpmBlock } from "../src/config/schema/jetstream.ts";
import {
  clusterBlock, gatewayBlock, leafAuthorizationBlock, leafnodesBlock, leafUserBlock, mqttBlock, proxyBlock, remoteGatewayBlock, remoteLeafBlock,
} from "../src/config/schema/links.ts";
import { ocspBlock, ocspCacheBlock, ocspPeerBlock } from "../src/config/schema/ocsp.ts";
import { proxiesBlock, proxyKeyBlock, resolverBlock } from "../src/config/schema/operator.ts";
import { permissionsBlock, responsesBlock } from "../src/config/schema/permissions.ts";
import { serverBlock } from "../src/config/schema/server.ts";
import { compressionBlock, linkAuthorizationBlock } from "../src/config/schema/shared.ts";
import { tlsBlock } from "../src/config/schema/tls.ts";
import { authorizationBlock, calloutBlock, listenerAuthorizationBlock, userBlock } from "../src/config/schema/users.ts";
import { websocketBlock } from "../src/config/schema/websocket.ts";

/** Headings and tables, in the order of the page. `missing`: nothing of the block is in this version. */
const SECTIONS: readonly { readonly title: string; readonly block: Block; readonly missing?: true }[] = [
  { title: "Top level", block: serverBlock },
  { title: "authorization", block: authorizationBlock },
  { title: "authorization.users[], accounts.NAME.users[]", block: userBlock },
  { title: "permissions", block: permissionsBlock },
  { title: "permissions.allow_responses", block: responsesBlock },
  { title: "authorization.auth_callout", block: calloutBlock },
  { title: "accounts.NAME", block: accountBlock },
  { title: "accounts.NAME.limits", block: accountLimitsBlock },
  { title: "accounts.NAME.jetstream", block: accountJetstreamBlock },
  { title: "accounts.NAME.exports[]", block: exportBlock },
  { title: "accounts.NAME.imports[]", block: importBlock },
  { title: "mappings.SUBJECT", block: mappingDestinationBlock },
  { title: "tls", block: tlsBlock },
  { title: "tls.ocsp_peer", block: ocspPeerBlock, missing: true },
  { title: "websocket", block: websocketBlock },
  { title: "websocket.authorization, mqtt.authorization", block: listenerAuthorizationBlock },
  { title: "proxies", block: proxiesBlock },
  { title: "proxies.trusted[]", block: proxyKeyBlock },
  { title: "cluster", block: clusterBlock, missing: true },
  { title: "cluster.authorization, gateway.authorization", block: linkAuthorizationBlock, missing: true },
  { title: "compression", block: compressionBlock, missing: true },
  { title: "gateway", block: gatewayBlock, missing: true },
  { title: "gateway.gateways[]", block: remoteGatewayBlock, missing: true },
  { title: "leafnodes", block: leafnodesBlock, missing: true },
  { title: "leafnodes.authorization", block: leafAuthorizationBlock, missing: true },
  { title: "leafnodes.authorization.users[]", block: leafUserBlock, missing: true },
  { title: "leafnodes.remotes[]", block: remoteLeafBlock, missing: true },
  { title: "leafnodes.remotes[].proxy", block: proxyBlock, missing: true },
  { title: "mqtt", block: mqttBlock, missing: true },
  { title: "jetstream", block: jetstreamBlock },
  { title: "jetstream.limits", block: jetstreamLimitsBlock },
  { title: "jetstream.limits.batch", block: batchBlock },
  { title: "jetstream.tpm", block: tpmBlock, missing: true },
  { title: "resolver", block: resolverBlock },
  { title: "ocsp", block: ocspBlock, missing: true },
  { title: "ocsp_cache", block: ocspCacheBlock, missing: true },
];

function reloadText(reload: Reload): string {
  if (reload === "applied") return "yes";
  return reload === "with its block" ? "with its block" : "no";
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}

function table(block: Block): string {
  const rows = Object.entries(block).map(([name, option]) => {
    const names = [name, ...option.aliases].map((each) => `\`${each}\``).join(", ");
    const mark = option.notBuilt === undefined ? "" : " *Not in this version.*";
    return `| ${names} | ${cell(option.form.label)} | ${cell(option.default)} | ${reloadText(option.reload)} | ${cell(option.help)}${mark} |`;
  });
  return ["| Option | Form | Default | Reload | |", "|---|---|---|---|---|", ...rows].join("\n");
}

/** The whole page. */
export function confReference(): string {
  const sections = SECTIONS.map(({ title, block, missing }) => {
    const note = missing === true ? "Known and checked, but not in this version: a server that is asked for it does not start.\n\n" : "";
    return `## ${title}\n\n${note}${table(block)}\n`;
  });
  return `# Configuration options

Generated by \`scripts/conf-reference.ts\` from the tables in \`src/config/schema\`; change those. Names are matched in any letter case. Options marked
*Not in this version* are accepted by \`-t\`, and a server that is asked for them refuses to start and names them.

${sections.join("\n")}`;
}

if (import.meta.main) await Bun.write(join(import.meta.dir, "..", "conf", "README.md"), confReference());
