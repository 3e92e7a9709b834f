/**
 * What exports and imports mean between accounts: who may import what, which imports clash, and which would let a message go in circles. The one place that
 * decides it, for accounts from a file and from anywhere else; the texts are those that users see. Spec: accounts, sections 4.3 to 4.5.
 */
import { hasWildcard, isSubsetOf, isValidConfiguredSubject, SubjectTransform, subjectsOverlap, TransformError } from "../routing/index.ts";
import { toByteString } from "../util/bytes.ts";
import { goQuote } from "../util/quote.ts";
import type { AccountOptions, ExportOptions, ImportOptions } from "./options.ts";

/** The account as far as exchange is concerned. */
export type ExchangeParty = Pick<AccountOptions, "name" | "exports" | "imports">;

/** How far a walk over imports goes. */
const ACCOUNTS_MAX = 1024;

/** An import, compiled: what it is called on either side, as byte strings. */
export interface ImportRoute {
  /** Pattern in the exporting account. */
  readonly source: string;
  /** Pattern in the importing account. */
  readonly local: string;
  /** Stream: from source to local; service: from local to source. Undefined when both are the same. */
  readonly transform: SubjectTransform | undefined;
}

/**
 * Compiles an import. Throws `TransformError`, whose message is the whole reason.
 */
export function routeOf(given: ImportOptions): ImportRoute {
  const source = toByteString(given.subject);
  if (given.kind === "stream") return streamRoute(source, given);
  const local = given.to === "" ? source : toByteString(given.to);
  // To a literal subject of the exporter all local ones lead, however many there are.
  if (local === source || !(hasWildcard(source) || hasReference(local))) return { source, local, transform: literalTransform(local, source) };
  // Requests travel from the local subject to the exporter's. Users write the local one in terms of the exporter's wildcards, so it is turned around here.
  try {
    const written = positional(local);
    const shape = SubjectTransform.compile(source, written, { strict: true });
    const pattern = plainPattern(shape.destination);
    return { source, local: pattern, transform: SubjectTransform.compile(pattern, turned(source, written)) };
  } catch (error) {
    if (!(error instanceof TransformError)) throw error;
    throw new TransformError(`failed to create mapping transform for service import subject from ${goQuote(given.to)} to ${goQuote(given.subject)}: ${error.message}`);
  }
}

function streamRoute(source: string, given: ImportOptions): ImportRoute {
  if (given.prefix !== "") {
    if (hasWildcard(toByteString(given.prefix))) throw new TransformError("stream import prefix can not contain wildcard tokens");
    const local = `${toByteString(given.prefix).replace(/\.$/, "")}.${source}`;
    return { source, local, transform: isValidConfiguredSubject(local) ? SubjectTransform.compile(source, positional(local)) : undefined };
  }
  const to = given.to === "" ? source : toByteString(given.to);
  if (to === source) return { source, local: source, transform: undefined };
  try {
    const written = positional(to);
    return { source, local: plainPattern(written), transform: hasWildcard(source) || hasReference(written) ? SubjectTransform.compile(source, written, { strict: true }) : literalTransform(source, written) };
  } catch (error) {
    if (!(error instanceof TransformError)) throw error;
    throw new TransformError(`failed to create mapping transform for stream import subject from ${goQuote(given.subject)} to ${goQuote(given.to)}: ${error.message}`);
  }
}

/** A transform between two literals; subjects that no transform takes (an empty token) stay as they are and never match. */
function literalTransform(from: string, to: string): SubjectTransform | undefined {
  if (from === to || !isValidConfiguredSubject(from)) return undefined;
  return isValidConfiguredSubject(to) ? SubjectTransform.compile(from, to) : undefined;
}

const REFERENCE = /^(?:\$(\d+)|\{\{\s*[Ww]ildcard\s*\(\s*(\d+)\s*\)\s*\}\})$/;

/** Number of the wildcard that a token of a destination stands for. */
function referenceOf(token: string): number | undefined {
  const match = REFERENCE.exec(token);
  return match === null ? undefined : Number(match[1] ?? match[2]);
}

function hasReference(subject: string): boolean {
  return subject.split(".").some((token) => referenceOf(token) !== undefined);
}

/** `*` tokens of a destination count through: the first is `$1`. */
function positional(destination: string): string {
  let count = 0;
  return destination
    .split(".")
    .map((token) => (token === "*" ? `$${++count}` : token))
    .join(".");
}

/** The pattern that everything with this destination matches. */
function plainPattern(destination: string): string {
  return destination
    .split(".")
    .map((token) => (referenceOf(token) === undefined ? token : "*"))
    .join(".");
}

/** The source with each wildcard replaced by the place of its first reference in `written`. */
function turned(source: string, written: string): string {
  const references = written.split(".").map(referenceOf).filter((number) => number !== undefined);
  let count = 0;
  return source
    .split(".")
    .map((token) => {
      if (token !== "*") return token;
      count++;
      return `$${references.indexOf(count) + 1}`;
    })
    .join(".");
}

/** The export of `exporter` that lets `importer` have `subject`; undefined when there is none. */
export function exportFor(exporter: ExchangeParty, importer: string, kind: ExportOptions["kind"], subject: string): ExportOptions | undefined {
  return exporter.exports.find((each) => each.kind === kind && (each.subject === subject || isSubsetOf(subject, each.subject)) && isAuthorized(each, importer, subject));
}

function isAuthorized(offer: ExportOptions, importer: string, subject: string): boolean {
  if (offer.accountTokenPosition > 0) return subject.split(".")[offer.accountTokenPosition - 1] === importer;
  return offer.accounts === undefined || offer.accounts.includes(importer);
}

/**
 * Everything that is wrong between these accounts, first exports, then imports, streams before services; nothing when the list is empty.
 * `systemAccount` is empty when there is none.
 */
export function exchangeProblems(parties: readonly ExchangeParty[], systemAccount: string): readonly string[] {
  const byName = new Map(parties.map((party) => [party.name, party]));
  const problems: string[] = [];
  for (const kind of ["stream", "service"] as const) for (const party of parties) for (const offer of party.exports) if (offer.kind === kind) push(problems, exportProblem(party, offer, byName, systemAccount));
  const admitted = new Map<string, ImportOptions[]>(parties.map(({ name }) => [name, []]));
  for (const kind of ["stream", "service"] as const) {
    for (const party of parties) {
      for (const wanted of party.imports) {
        if (wanted.kind !== kind) continue;
        const problem = importProblem(party, wanted, byName, admitted);
        // An export that names an unknown account says nothing about who may import.
        if (problem === undefined || (problems.length > 0 && problem.endsWith("not authorized"))) admitted.get(party.name)?.push(wanted);
        else problems.push(problem);
      }
    }
  }
  return problems;
}

function push(problems: string[], problem: string | undefined): void {
  if (problem !== undefined) problems.push(problem);
}

function exportProblem(party: ExchangeParty, offer: ExportOptions, byName: ReadonlyMap<string, ExchangeParty>, systemAccount: string): string | undefined {
  const { kind, subject, accountTokenPosition, latency } = offer;
  const unknown = offer.accounts?.find((name) => !byName.has(name));
  if (unknown !== undefined) return `${goQuote(unknown)} account not defined for ${kind} export`;
  if (accountTokenPosition > 0 && subject.split(".")[accountTokenPosition - 1] !== "*") return `Error adding ${kind} export ${goQuote(subject)}: sublist: invalid subject`;
  if (latency === undefined) return undefined;
  if (systemAccount === "") return `Error adding service latency sampling for ${goQuote(subject)}: system account not setup`;
  const adding = `Error adding service latency sampling for ${goQuote(subject)} on subject ${goQuote(latency.subject)}`;
  if (offer.responseType !== "singleton") return `${adding}: bad service response type`;
  const before = party.exports.slice(0, party.exports.indexOf(offer) + 1);
  const isService = before.some((each) => each.kind === "service" && isSubsetOf(latency.subject, each.subject));
  return isService || !isValidConfiguredSubject(latency.subject) || hasWildcard(latency.subject) ? `${adding}: invalid publish subject` : undefined;
}

/** Why `importer` cannot have this import beside those `admitted` so far. */
function importProblem(importer: ExchangeParty, wanted: ImportOptions, byName: ReadonlyMap<string, ExchangeParty>, admitted: ReadonlyMap<string, readonly ImportOptions[]>): string | undefined {
  const { kind, subject } = wanted;
  const exporter = byName.get(wanted.account);
  if (exporter === undefined) return `${goQuote(wanted.account)} account not defined for ${kind} import`;
  const problem = ruleViolation(importer, exporter, wanted, admitted);
  return problem === undefined ? undefined : `Error adding ${kind} import ${goQuote(subject)}: ${problem}`;
}

function ruleViolation(importer: ExchangeParty, exporter: ExchangeParty, wanted: ImportOptions, admitted: ReadonlyMap<string, readonly ImportOptions[]>): string | undefined {
  const { kind, subject } = wanted;
  if (exportFor(exporter, importer.name, kind, subject) === undefined) return `${kind} import not authorized`;
  let route: ImportRoute;
  try {
    route = routeOf(wanted);
  } catch (error) {
    if (error instanceof TransformError) return error.message;
    throw error;
  }
  if (kind === "service" && !isValidConfiguredSubject(route.local)) return "sublist: invalid subject";
  const own = admitted.get(importer.name) ?? [];
  if (kind === "stream" && own.some((each) => each.kind === "stream" && each.account === wanted.account && each.subject === subject)) return "stream import already exists";
  return cycleProblem(importer.name, exporter.name, route.source, (name) => (admitted.get(name) ?? []).filter((each) => each.kind === kind).map((each) => ({ account: each.account, ...routeOf(each) })));
}

/** An import that is there already. */
export interface ImportStep {
  /** Where it comes from. */
  readonly account: string;
  readonly local: string;
  readonly source: string;
}

/** Why `importer` cannot have `subject` of `exporter` when these accounts have `importsOf` that kind already: what it gets would come from itself. */
export function cycleProblem(importer: string, exporter: string, subject: string, importsOf: (account: string) => Iterable<ImportStep>): string | undefined {
  return importer === exporter ? undefined : cycleFrom(exporter, subject, { importer, importsOf, visited: new Set() });
}

interface Walk {
  readonly importer: string;
  readonly importsOf: (account: string) => Iterable<ImportStep>;
  readonly visited: Set<string>;
}

/** Follows what `at` itself imports under a subject that meets `subject`. */
function cycleFrom(at: string, subject: string, walk: Walk): string | undefined {
  if (walk.visited.size >= ACCOUNTS_MAX) return "search cycle depth exhausted";
  walk.visited.add(at);
  for (const { account, local, source } of walk.importsOf(at)) {
    if (account === at || !subjectsOverlap(local, subject)) continue;
    if (account === walk.importer || walk.visited.has(account)) return "import forms a cycle";
    const found = cycleFrom(account, source, walk);
    if (found !== undefined) return found;
  }
  return undefined;
}
