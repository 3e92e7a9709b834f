/** What an account's token says, in the form in which a configuration says it: from there on both are the same. Spec: accounts and authentication, 6.3 to 6.5. */
import type { AccountOptions, ExportOptions, ImportOptions, MappingOptions } from "../../config/index.ts";
import type { AccountClaims, ActivationClaims, ExportClaims, ImportClaims } from "../../jwt/index.ts";
import { isSubsetOf } from "../../routing/index.ts";
import { toByteString } from "../../util/bytes.ts";
import { isRevoked } from "./login.ts";

const INT32_MAX = 2 ** 31 - 1;

/** `exporter` finds the claims of an account that is loaded; imports that need an activation token and have no good one are left out. */
export function accountOptions(claims: AccountClaims, exporter: (account: string) => AccountClaims | undefined, nowS: number): AccountOptions {
  const { limits, trace } = claims;
  return {
    name: claims.sub,
    nkey: "",
    mappings: [...claims.mappings].map(([source, destinations]): MappingOptions => ({ source, destinations })),
    exports: claims.exports.flatMap(({ claims: offer }) => (offer === undefined ? [] : [exportOptions(offer)])),
    imports: claims.imports.flatMap(({ claims: wanted }) => (wanted !== undefined && isActivated(wanted, claims.sub, exporter(wanted.account), nowS) ? [importOptions(wanted)] : [])),
    limits: { maxConnections: clamp(limits.connections), maxSubscriptions: clamp(limits.subs), maxPayload: clamp(limits.payload), maxLeafnodes: clamp(limits.leafNodes) },
    traceDestination: trace?.destination ?? "",
    traceSampling: trace?.sampling ?? 100,
  };
}

/** Seconds since the Unix epoch at which the first activation token of an import ends; 0: never. */
export function firstActivationEnd(claims: AccountClaims, nowS: number): number {
  let first = 0;
  for (const { claims: wanted } of claims.imports) {
    const end = wanted?.activation?.exp ?? 0;
    if (end > nowS && (first === 0 || end < first)) first = end;
  }
  return first;
}

/** Limits are 32 bits wide there; negative ones mean none. */
function clamp(limit: number): number {
  return limit < 0 ? -1 : Math.min(limit, INT32_MAX);
}

function exportOptions(offer: ExportClaims): ExportOptions {
  return {
    kind: offer.kind,
    subject: offer.subject,
    accountTokenPosition: offer.accountTokenPosition,
    responseType: offer.responseType,
    responseThresholdMs: offer.responseThresholdNs / 1e6,
    ...(offer.latency === undefined ? {} : { latency: { subject: offer.latency.results, samplingPercent: offer.latency.sampling === "headers" ? 0 : offer.latency.sampling } }),
    allowTrace: offer.allowTrace,
  };
}

function importOptions({ kind, account, subject, local, prefix, share, allowTrace }: ImportClaims): ImportOptions {
  return { kind, account, subject, to: prefix !== "" || local === subject ? "" : local, prefix, share, allowTrace };
}

/** Whether the exporter lets `importer` have it, as far as activation tokens go: some export that covers the subject needs none, or the token is good for it. */
function isActivated(wanted: ImportClaims, importer: string, exporter: AccountClaims | undefined, nowS: number): boolean {
  if (exporter === undefined) return true;
  const subject = toByteString(wanted.subject);
  const offers = exporter.exports.flatMap(({ claims }) => (claims !== undefined && claims.kind === wanted.kind && isSubsetOf(subject, toByteString(claims.subject)) ? [claims] : []));
  const { activation } = wanted;
  return offers.length === 0 || offers.some((offer) => !offer.needsToken || (activation !== undefined && isGood(activation, offer, exporter, wanted, importer, nowS)));
}

/** Section 7.9. */
function isGood(activation: ActivationClaims, offer: ExportClaims, exporter: AccountClaims, wanted: ImportClaims, importer: string, nowS: number): boolean {
  if (activation.iss !== exporter.sub && !(activation.issuerAccount === exporter.sub && exporter.signingKeys.has(activation.iss))) return false;
  if (activation.sub !== importer || activation.kind !== wanted.kind) return false;
  if ((activation.exp > 0 && activation.exp <= nowS) || activation.nbf > nowS) return false;
  if (!isSubsetOf(toByteString(wanted.subject), toByteString(activation.subject))) return false;
  return !isRevoked(offer.revocations, importer, activation.iat);
}
