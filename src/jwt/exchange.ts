/** Exports and imports of account claims, as they are written in a token. Spec: accounts and authentication, sections 6.4 and 6.5. */
import { isPublicKey } from "../util/nkeys.ts";
import { goQuote } from "../util/quote.ts";
import { type ActivationClaims, decodeActivation } from "./activation.ts";
import { JwtError } from "./error.ts";
import type { Fields } from "./fields.ts";
import { Issues } from "./issues.ts";
import { checkSubject, covers, isContained } from "./subjects.ts";

export type ExchangeKind = "stream" | "service";

export interface ImportClaims {
  readonly name: string;
  /** On the exporter's side. */
  readonly subject: string;
  /** Public key of the exporting account. */
  readonly account: string;
  /** Activation token; empty: none. */
  readonly token: string;
  /** What it says; undefined: there is none, or it says nothing. Its signature is checked here, once. */
  readonly activation: ActivationClaims | undefined;
  /** What the importer calls it, from `local_subject` or the older `to`; may use `$n`. */
  readonly local: string;
  /** `to` of a stream import, which comes before the subject; empty: none. */
  readonly prefix: string;
  readonly kind: ExchangeKind;
  readonly share: boolean;
  readonly allowTrace: boolean;
}

export interface ExportClaims {
  readonly name: string;
  readonly subject: string;
  readonly kind: ExchangeKind;
  /** An importer needs an activation token. */
  readonly needsToken: boolean;
  /** Importing account, or `*`, to the time up to which its tokens are revoked; seconds since the Unix epoch. */
  readonly revocations: ReadonlyMap<string, number>;
  readonly responseType: "singleton" | "stream" | "chunked";
  /** Nanoseconds; 0: the default. */
  readonly responseThresholdNs: number;
  /** `sampling` in percent, or `headers`. */
  readonly latency: { readonly sampling: number | "headers"; readonly results: string } | undefined;
  /** Token of the subject that names the importing account, from 1; 0: none. */
  readonly accountTokenPosition: number;
  readonly allowTrace: boolean;
}

/** What of an import or export a reader cannot give a meaning to: it is kept as a problem, and the rest is read. */
export type Read<T> = { readonly claims: T; readonly problem?: undefined } | { readonly claims?: undefined; readonly problem: string };

export function readImport(fields: Fields | null): Read<ImportClaims> {
  if (fields === null) return { problem: "null import is not allowed" };
  const written = fields.text("type");
  if (written !== "stream" && written !== "service") return { problem: `invalid import type: ${goQuote(written)}` };
  const [subject, to, localSubject] = [fields.text("subject"), fields.text("to"), fields.text("local_subject")];
  const shared = { name: fields.text("name"), account: fields.text("account"), ...readToken(fields.text("token")), share: fields.flag("share"), allowTrace: fields.flag("allow_trace"), kind: written } as const;
  if (localSubject !== "" && to !== "") return { problem: "Local Subject replaces To" };
  if (localSubject !== "") return { claims: { ...shared, subject, local: localSubject, prefix: "" } };
  if (written === "stream") return { claims: { ...shared, subject, local: subject, prefix: to } };
  // The older direction: `subject` is the importer's, `to` the exporter's.
  return { claims: { ...shared, subject: to === "" ? subject : to, local: subject, prefix: "" } };
}

function readToken(token: string): Pick<ImportClaims, "token" | "activation"> {
  if (token === "") return { token, activation: undefined };
  try {
    return { token, activation: decodeActivation(token) };
  } catch (error) {
    if (error instanceof JwtError) return { token, activation: undefined };
    throw error;
  }
}

export function readExport(fields: Fields | null): Read<ExportClaims> {
  if (fields === null) return { problem: "null export is not allowed" };
  const written = fields.text("type");
  if (written !== "stream" && written !== "service") return { problem: `invalid export type: ${goQuote(written)}` };
  const responseType = fields.text("response_type");
  const known = responseType === "" ? "singleton" : responseType.toLowerCase();
  if (known !== "singleton" && known !== "stream" && known !== "chunked") return { problem: `invalid response type for service: ${goQuote(responseType)}` };
  if (written === "stream" && responseType !== "") return { problem: `invalid response type for stream: ${goQuote(responseType)}` };
  const latency = fields.optional("service_latency");
  return {
    claims: {
      name: fields.text("name"),
      subject: fields.text("subject"),
      kind: written,
      needsToken: fields.flag("token_req"),
      revocations: fields.times("revocations"),
      responseType: known,
      responseThresholdNs: fields.integer("response_threshold"),
      latency: latency === undefined ? undefined : { sampling: readSampling(latency), results: latency.text("results") },
      accountTokenPosition: fields.integer("account_token_position"),
      allowTrace: fields.flag("allow_trace"),
    },
  };
}

function readSampling(latency: Fields): number | "headers" {
  const raw = latency.raw("sampling");
  if (typeof raw !== "string") return latency.integer("sampling");
  if (raw.toLowerCase() === "headers") return "headers";
  throw new JwtError(`json: unknown sampling rate: ${raw}`);
}

/** The issues of all imports of the account `importer` (a public key). */
export function validateImports(imports: readonly Read<ImportClaims>[], importer: string, issues: Issues): void {
  const services: ImportClaims[] = [];
  for (const { claims, problem } of imports) {
    if (claims === undefined) {
      issues.error(problem);
      continue;
    }
    validateImport(claims, importer, issues);
    if (claims.kind !== "service") continue;
    for (const other of services) {
      if (other.account !== claims.account || !(isContained(other.local, claims.local) || isContained(claims.local, other.local))) continue;
      issues.error(`overlapping subject namespace for ${goQuote(claims.local)} and ${goQuote(other.local)} in same account ${goQuote(claims.account)}`);
    }
    services.push(claims);
  }
}

function validateImport(claims: ImportClaims, importer: string, issues: Issues): void {
  if (claims.kind === "service" && claims.allowTrace) issues.error("AllowTrace only valid for stream import");
  if (claims.account === "") issues.error("account to import from is not specified");
  checkSubject(claims.subject, issues);
  if (claims.local !== claims.subject) validateLocal(claims, issues);
  if (claims.share && claims.kind !== "service") issues.error(`sharing information (for latency tracking) is only valid for services: ${goQuote(claims.subject)}`);
  if (claims.token !== "") validateToken(claims, importer, issues);
}

function validateLocal({ subject, local }: ImportClaims, issues: Issues): void {
  if (!checkSubject(local, issues)) return;
  if (subject.endsWith(">") !== local.endsWith(">")) issues.error("both, renaming subject and subject, need to end or not end in >");
  const stars = subject.split(".").filter((token) => token === "*").length;
  const tokens = local.split(".");
  const references = tokens.flatMap((token) => (/^\$\d+$/.test(token) ? [Number(token.slice(1))] : []));
  for (const reference of references) {
    if (reference < 1 || reference > stars) issues.error(`Reference $${reference} in ${goQuote(local)} reference * in ${goQuote(subject)} that do not exist`);
  }
  const plain = tokens.filter((token) => token === "*").length;
  if (plain + new Set(references).size < stars) issues.error("subject does not contain enough * or reference wildcards $[0-9]");
}

function validateToken(claims: ImportClaims, importer: string, issues: Issues): void {
  const { activation } = claims;
  if (activation === undefined) return issues.error(`import ${goQuote(claims.subject)} contains an invalid activation token`);
  if (activation.iss !== claims.account && activation.issuerAccount !== claims.account) issues.error(`activation token doesn't match account for import ${goQuote(claims.subject)}`);
  if (activation.sub !== importer) issues.error(`activation token doesn't match account it is being included in, ${goQuote(importer)}`);
  if (activation.kind !== claims.kind) issues.error(`mismatch between token import type ${activation.kind} and type of import ${claims.kind}`);
  if (!covers(activation.subject, claims.subject)) issues.error(`activation token import subject ${goQuote(activation.subject)} doesn't match import ${goQuote(claims.subject)}`);
}

export function validateExports(exports: readonly Read<ExportClaims>[], issues: Issues): void {
  const seen: ExportClaims[] = [];
  for (const { claims, problem } of exports) {
    if (claims === undefined) {
      issues.error(problem);
      continue;
    }
    validateExport(claims, issues);
    for (const other of seen) {
      if (other.kind !== claims.kind || !(isContained(claims.subject, other.subject) || isContained(other.subject, claims.subject))) continue;
      issues.error(`${claims.kind} export subject ${goQuote(claims.subject)} already exports ${goQuote(other.subject)}`);
    }
    seen.push(claims);
  }
}

function validateExport(claims: ExportClaims, issues: Issues): void {
  checkSubject(claims.subject, issues);
  const { latency, kind } = claims;
  if (latency !== undefined) {
    if (kind !== "service") issues.error("latency tracking only permitted for services");
    if (latency.sampling !== "headers" && (latency.sampling < 1 || latency.sampling > 100)) issues.error("sampling percentage needs to be between 1-100");
    if (checkSubject(latency.results, issues) && /(?:^|\.)[*>](?:\.|$)/.test(latency.results)) issues.error("results subject can not contain wildcards");
  }
  if (claims.responseThresholdNs < 0) issues.error("negative response threshold is invalid");
  if (claims.responseThresholdNs > 0 && kind !== "service") issues.error("response threshold only valid for services");
  const position = claims.accountTokenPosition;
  if (position > 0) {
    const tokens = claims.subject.split(".");
    if (!/(?:^|\.)[*>](?:\.|$)/.test(claims.subject)) issues.error("Account Token Position can only be used with wildcard subjects");
    else if (position > tokens.length) issues.error(`Account Token Position ${position} exceeds length of subject ${goQuote(claims.subject)}`);
    else if (tokens[position - 1] !== "*") issues.error(`Account Token Position ${position} matches ${goQuote(tokens[position - 1])} but must match a * in: ${goQuote(claims.subject)}`);
  }
  for (const key of claims.revocations.keys()) if (key !== "*" && !isPublicKey(key, "account")) issues.error(`${goQuote(key)} is not an account public key`);
}
